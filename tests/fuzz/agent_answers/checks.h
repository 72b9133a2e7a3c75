#pragma once
// What the monitor may hand on of what a guest said.

#include "../support.h"

#include "core/result.h"
#include "protocol/sandbox.capnp.h"

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

namespace runvm::fuzz {

inline void check_text(const std::string& text) {
    for (char c : text)
        require(c == '\n' || (static_cast<uint8_t>(c) >= 0x20 && c != 0x7f), "an error is printable");
}

/// It goes to a person's terminal.
inline void check_error(const Error& error) {
    // What is read of a guest's error is a message and 16 steps of 4 KiB each; the monitor adds a step or
    // two.
    constexpr size_t most_steps = 18;
    constexpr size_t most_bytes = 70U << 10U;
    require(error.kind() >= ErrorKind::internal && error.kind() <= ErrorKind::process_finished,
            "a known kind");
    require(error.errno_value() >= 0 && error.errno_value() <= 4095, "a number that errno can have");
    check_text(error.to_string());
    require(error.context().size() <= most_steps, "an error has a bounded number of steps");
    require(error.to_string().size() <= most_bytes, "an error is of bounded size");
}

inline void check_event(protocol::Event::Reader event) {
    constexpr uint32_t highest_signal = 64;
    constexpr uint32_t highest_code = 255;
    if (event.isVmExited())
        check_text(event.getVmExited().cStr());
    if (!event.isProcessExited())
        return;
    auto exit = event.getProcessExited();
    if (exit.getSignaled())
        require(exit.getValue() >= 1 && exit.getValue() <= highest_signal, "a signal's number");
    else
        require(exit.getValue() <= highest_code, "an exit code");
    std::set<uint32_t> seen;
    for (auto stream : exit.getStreams()) {
        require(stream.getStream() <= 2, "streams are named by the process's descriptor");
        require(seen.insert(stream.getStream()).second, "no stream ends twice");
    }
}

} // namespace runvm::fuzz
