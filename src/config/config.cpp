#include "config/config.h"

#include "config/characters.h"
#include "config/keys.h"
#include "os/file.h"

#define TOML_EXCEPTIONS 0 // errors as values
// Version 3.3 asserts that a table's header begins with a key ("[=]" aborts), and handles that it does not
// (found by tests/fuzz/config_toml_fuzz.cpp).
#define TOML_ASSERT(expression) static_assert(true)
#include <toml++/toml.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <sstream>

namespace runvm::config {
namespace {

constexpr uint64_t max_file_bytes = 1U << 20U;
constexpr size_t max_excerpt_length = 120;

struct Fault {
    toml::source_index line;
    std::string what;
};

/// A part of the raised text, which may be long and hold any characters, for a message of one line.
std::string excerpt(std::string text) {
    text = lowered(text);
    if (text.size() > max_excerpt_length) {
        size_t end = max_excerpt_length;
        while ((static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80) // not within a character of UTF-8
            --end;
        text = text.substr(0, end) + "...";
    }
    for (char& c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            c = ' ';
    return text;
}

/// A value as the file's author would know it again.
std::string found(const toml::node& node) {
    if (node.is_table())
        return "a table";
    if (node.is_array())
        return "a list";
    std::ostringstream text;
    node.visit([&](const auto& value) {
        if constexpr (toml::is_value<decltype(value)>)
            text << toml::toml_formatter(value, toml::format_flags::allow_unicode_strings);
    });
    return excerpt(text.str());
}

std::optional<std::string> text_of(const toml::node& node) {
    auto text = node.value_exact<std::string>();
    if (!text)
        return std::nullopt;
    return lowered(*text);
}

/// Takes the keys of the table out of the document, and collects what is wrong with it.
class Reader {
public:
    Config read(const toml::table& document) {
        visit(document, "");
        return std::move(config_);
    }
    /// In the order of the file.
    const Fault* first_fault() const {
        auto first = std::min_element(faults_.begin(), faults_.end(),
                                      [](const Fault& a, const Fault& b) { return a.line < b.line; });
        return first == faults_.end() ? nullptr : &*first;
    }

private:
    void visit(const toml::table& table, const std::string& prefix) {
        for (const auto& [toml_key, node] : table) {
            std::string name = prefix + std::string(toml_key.str());
            if (const Key* key = find(name)) {
                std::visit([&, &value = node](const auto& field) { take(*key, field, value); }, key->field);
            } else if (!has_keys_below(name)) {
                fail(toml_key.source(),
                     "unknown key " + excerpt(name) + "; allowed here: " + names_below(prefix));
            } else if (const toml::table* below = node.as_table()) {
                visit(*below, name + ".");
            } else {
                fail(node.source(),
                     name + ": found " + found(node) + ", allowed: a table with " + names_below(name + "."));
            }
        }
    }

    void take(const Key& key, const TextField& field, const toml::node& node) {
        auto text = text_of(node);
        if (!text || !field.rule.accepts(*text))
            return refuse(key, node);
        field.of(config_) = *text;
    }

    void take(const Key& key, const TextListField& field, const toml::node& node) {
        const toml::array* array = node.as_array();
        if (array == nullptr)
            return refuse(key, node);
        std::vector<std::string> items;
        for (const toml::node& element : *array) {
            auto item = text_of(element);
            if (!item || !field.item_rule.accepts(*item))
                return refuse(key, element);
            items.push_back(*item);
        }
        field.of(config_) = std::move(items);
    }

    template <class Integer>
    void take(const Key& key, const IntegerField<Integer>& field, const toml::node& node) {
        auto number = node.value_exact<int64_t>();
        if (!number || *number < 0 || static_cast<uint64_t>(*number) < field.smallest ||
            static_cast<uint64_t>(*number) > field.largest)
            return refuse(key, node);
        field.of(config_) = static_cast<Integer>(*number);
    }

    void refuse(const Key& key, const toml::node& node) {
        fail(node.source(), key.name + ": found " + found(node) + ", allowed: " + allowed_values(key));
    }

    void fail(const toml::source_region& place, std::string what) {
        faults_.push_back({place.begin.line, std::move(what)});
    }

    static const Key* find(const std::string& name) {
        auto key = std::find_if(keys().begin(), keys().end(), [&](const Key& k) { return k.name == name; });
        return key == keys().end() ? nullptr : &*key;
    }

    static bool has_keys_below(const std::string& name) {
        return std::any_of(keys().begin(), keys().end(),
                           [&](const Key& key) { return key.name.starts_with(name + "."); });
    }

    /// The next parts of all keys that begin with `prefix` ("" or "hypervisor."), each once.
    static std::string names_below(const std::string& prefix) {
        std::vector<std::string> names;
        for (const Key& key : keys()) {
            if (!key.name.starts_with(prefix))
                continue;
            std::string rest = key.name.substr(prefix.size());
            std::string name = rest.substr(0, rest.find('.'));
            if (std::find(names.begin(), names.end(), name) == names.end())
                names.push_back(name);
        }
        std::string list;
        for (const std::string& name : names)
            list += (list.empty() ? "" : ", ") + name;
        return list;
    }

    Config config_;
    std::vector<Fault> faults_;
};

Error fault_error(const std::string& name, size_t line, const std::string& what) {
    return {ErrorKind::invalid_argument, name + ":" + std::to_string(line) + ": " + what};
}

} // namespace

Result<Config> parse(const std::string& text, const std::string& name) {
    if (auto line = line_of_plane_16(text))
        return fault_error(name, *line,
                           "characters from U+100000 on, which are of private use, are not allowed");
    toml::parse_result document = toml::parse(raised(text), name);
    if (!document) {
        const toml::parse_error& error = document.error();
        return fault_error(name, error.source().begin.line, excerpt(std::string(error.description())));
    }
    Reader reader;
    Config config = reader.read(document.table());
    if (const Fault* fault = reader.first_fault())
        return fault_error(name, fault->line, fault->what);
    return config;
}

Result<Config> load(const std::string& path) {
    auto text = os::read_file(path, max_file_bytes);
    if (!text)
        return std::move(text).error().add_context("configuration file");
    return parse(*text, path);
}

} // namespace runvm::config
