#pragma once

#include <cstdint>
#include <string_view>

namespace runvm {

/// FNV-1a, 64 bits: the same in every process and release, unlike std::hash. For texts that no enemy chooses.
constexpr uint64_t stable_hash(std::string_view text) {
    uint64_t value = 0xcbf29ce484222325U;
    for (char byte : text) {
        value ^= static_cast<unsigned char>(byte);
        value *= 0x100000001b3U;
    }
    return value;
}

} // namespace runvm
