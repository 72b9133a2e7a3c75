#pragma once
// The table of all keys of config.toml: it drives the parser, known_keys and the tests of the documents.

#include "config/config.h"

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

namespace runvm::config {

/// What a text may be. Texts reach QEMU's command line and XML, so control characters are allowed nowhere.
struct TextRule {
    std::string allowed; ///< for people: "auto, kvm or tcg"
    std::function<bool(const std::string&)> accepts;
};

struct TextField {
    std::string& (*of)(Config&);
    TextRule rule;
};

struct TextListField {
    std::vector<std::string>& (*of)(Config&);
    TextRule item_rule;
};

template <class Integer>
struct IntegerField {
    Integer& (*of)(Config&);
    Integer smallest;
    Integer largest;
};

struct Key {
    std::string name; ///< "hypervisor.vcpus"
    std::variant<TextField, TextListField, IntegerField<uint32_t>, IntegerField<uint64_t>> field;
};

const std::vector<Key>& keys();

/// What the key may be, for people: "an integer from 1 to 240".
std::string allowed_values(const Key& key);

/// The key's value in `config` as TOML writes it.
std::string value_text(const Key& key, const Config& config);

} // namespace runvm::config
