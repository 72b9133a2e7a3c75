#include "config/annotations.h"

#include "config/keys.h"
#include "core/number.h"
#include "core/utf8.h"

#include <algorithm>
#include <optional>

namespace runvm::config {
namespace {

constexpr size_t max_shown_bytes = 120;

template <class Integer>
bool set(Config& config, const IntegerField<Integer>& field, const std::string& text) {
    auto value = whole_number<Integer>(text);
    if (!value || *value < field.smallest || *value > field.largest)
        return false;
    field.of(config) = *value;
    return true;
}

bool set(Config& config, const TextField& field, const std::string& text) {
    if (!field.rule.accepts(text))
        return false;
    field.of(config) = text;
    return true;
}

/// `text` as the value of a key of a file with no other: on one line it can set nothing else.
bool set_list(Config& config, const Key& key, const TextListField& field, const std::string& text) {
    if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
        return false;
    auto parsed = parse(key.name + " = " + text, "annotation");
    if (!parsed)
        return false;
    field.of(config) = field.of(*parsed);
    return true;
}

bool set(Config& config, const Key& key, const std::string& text) {
    if (const auto* list = std::get_if<TextListField>(&key.field))
        return set_list(config, key, *list, text);
    if (const auto* number = std::get_if<IntegerField<uint64_t>>(&key.field))
        return set(config, *number, text);
    if (const auto* number = std::get_if<IntegerField<uint32_t>>(&key.field))
        return set(config, *number, text);
    return set(config, std::get<TextField>(key.field), text);
}

Error refusal(const std::string& annotation, const std::string& sentence) {
    return {ErrorKind::invalid_argument, "annotation " + printable_text(annotation) + ": " + sentence};
}

Error not_allowed(const std::string& annotation, const std::vector<std::string>& allowed) {
    std::string names;
    for (const std::string& name : allowed)
        names += (names.empty() ? "" : ", ") + name;
    return refusal(annotation, "the configuration does not allow it; its annotations.allowed has " +
                                   (names.empty() ? "no key" : names));
}

} // namespace

bool may_be_annotated(const std::string& name) {
    for (const char* table : {"paths.", "store.", "libvirt.", "network.", "annotations."})
        if (name.starts_with(table))
            return false;
    return std::any_of(keys().begin(), keys().end(), [&](const Key& key) { return key.name == name; });
}

Result<Config> with_annotations(Config config, const std::map<std::string, std::string>& annotations) {
    const std::vector<std::string> allowed = config.annotations.allowed;
    for (const auto& [annotation, text] : annotations) {
        if (!annotation.starts_with(annotation_prefix))
            continue;
        std::string name = annotation.substr(std::char_traits<char>::length(annotation_prefix));
        if (std::find(allowed.begin(), allowed.end(), name) == allowed.end())
            return not_allowed(annotation, allowed);
        auto key =
            std::find_if(keys().begin(), keys().end(), [&](const Key& one) { return one.name == name; });
        // Whatever it is, a file could have it: also of texts that are no UTF-8 there is none.
        if (!set(config, *key, text) || !parse(key->name + " = " + value_text(*key, config), "annotation"))
            return refusal(annotation, "found \"" + printable_text(text.substr(0, max_shown_bytes)) +
                                           "\", allowed: " + allowed_values(*key));
    }
    return config;
}

} // namespace runvm::config
