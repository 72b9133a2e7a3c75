#include "config/keys.h"

#include <algorithm>

namespace runvm::config {
namespace {

template <class... Visitors>
struct Overloaded : Visitors... {
    using Visitors::operator()...;
};
// clang before 17 does not deduce aggregates by itself.
template <class... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

bool is_one_line(const std::string& text) {
    return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

TextRule one_of(std::vector<std::string> words) {
    std::string allowed;
    for (size_t i = 0; i < words.size(); ++i) {
        if (i > 0)
            allowed += i + 1 == words.size() ? " or " : ", ";
        allowed += '"' + words[i] + '"';
    }
    return {allowed, [words = std::move(words)](const std::string& text) {
                return std::find(words.begin(), words.end(), text) != words.end();
            }};
}

TextRule absolute_path() {
    return {"an absolute path",
            [](const std::string& text) { return text.starts_with('/') && is_one_line(text); }};
}

TextRule absolute_path_or_empty() {
    return {"an absolute path, or \"\" for the default", [](const std::string& text) {
                return text.empty() || (text.starts_with('/') && is_one_line(text));
            }};
}

TextRule one_line() {
    return {"a text of one line", is_one_line};
}

TextRule option() {
    return {"texts of one line, none empty",
            [](const std::string& text) { return !text.empty() && is_one_line(text); }};
}

TextRule q35_machine() {
    // Hotplug counts on q35's root ports; a version may be pinned.
    return {"\"q35\", or one version of it such as \"pc-q35-7.2\"", [](const std::string& text) {
                auto in_name = [](unsigned char c) {
                    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
                };
                return text == "q35" || (text.starts_with("pc-q35-") && text.size() > 7 &&
                                         std::all_of(text.begin(), text.end(), in_name));
            }};
}

TextField text(std::string& (*of)(Config&), TextRule rule) {
    return {of, std::move(rule)};
}

IntegerField<uint32_t> milliseconds(uint32_t& (*of)(Config&)) {
    return {of, 1'000, 3'600'000};
}

std::vector<Key> make_keys() {
    using C = Config;
    return {{"hypervisor.accelerator",
             text(
                 [](C & c) -> auto& { return c.hypervisor.accelerator; }, one_of({"auto", "kvm", "tcg"}))},
            {"hypervisor.machine", text(
                                       [](C & c) -> auto& { return c.hypervisor.machine; }, q35_machine())},
            {"hypervisor.emulator",
             text(
                 [](C & c) -> auto& { return c.hypervisor.emulator; }, absolute_path_or_empty())},
            {"hypervisor.kernel",
             text(
                 [](C & c) -> auto& { return c.hypervisor.kernel; }, absolute_path_or_empty())},
            {"hypervisor.image",
             text(
                 [](C & c) -> auto& { return c.hypervisor.image; }, absolute_path_or_empty())},
            {"hypervisor.kernel_command_line",
             text(
                 [](C & c) -> auto& { return c.hypervisor.kernel_command_line; }, one_line())},
            // q35 in QEMU 7.2 takes 288 vcpus; 240 leaves room in older guests' APIC ids.
            {"hypervisor.vcpus", IntegerField<uint32_t>{[](C & c) -> auto& {return c.hypervisor.vcpus;
}
, 1, 240
} // namespace
} // namespace runvm::config
,
    // Below 64 MiB kernel and agent do not boot; above 4 TiB the guest's 42 address bits under TCG end.
    {"hypervisor.memory_mib", IntegerField<uint64_t>{[](C & c) -> auto& {return c.hypervisor.memory_mib;
}
, 64, 4U << 20U
}
}
, {"hypervisor.boot_timeout_ms", milliseconds([](C& c) -> auto& { return c.hypervisor.boot_timeout_ms; })},
    {"hypervisor.agent_timeout_ms",
     milliseconds([](C& c) -> auto& { return c.hypervisor.agent_timeout_ms; })},
    {"libvirt.uri",
     text(
         [](C& c) -> auto& { return c.libvirt.uri; }, one_of({"qemu:///embed", "qemu:///system"}))},
    {"channel.type", text(
                         [](C& c) -> auto& { return c.channel.type; }, one_of({"serial", "vsock"}))},
    {"shared_fs.daemon", text(
                             [](C& c) -> auto& { return c.shared_fs.daemon; }, absolute_path_or_empty())},
    {"shared_fs.options", TextListField{[](C & c) -> auto& {return c.shared_fs.options;
}
, option()
}
}
,
    {"paths.cache", text(
                        [](C& c) -> auto& { return c.paths.cache; }, absolute_path())},
    {"paths.run", text(
                      [](C& c) -> auto& { return c.paths.run; }, absolute_path())},
    {"store.type", text(
                       [](C& c) -> auto& { return c.store.type; }, one_of({"filesystem"}))},
    {"logging.level",
     text(
         [](C& c) -> auto& { return c.logging.level; }, one_of({"debug", "info", "warning", "error"}))},
}
;
}

std::string quoted(const std::string& text) {
    std::string quoted = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\')
            quoted += '\\';
        quoted += c;
    }
    return quoted + '"';
}

} // namespace

const std::vector<Key>& keys() {
    static const std::vector<Key> table = make_keys();
    return table;
}

std::string allowed_values(const Key& key) {
    return std::visit(Overloaded{
                          [](const TextField& field) { return field.rule.allowed; },
                          [](const TextListField& field) { return "a list of " + field.item_rule.allowed; },
                          [](const auto& field) {
                              return "an integer from " + std::to_string(field.smallest) + " to " +
                                     std::to_string(field.largest);
                          },
                      },
                      key.field);
}

std::string value_text(const Key& key, const Config& config) {
    Config copy = config; // the accessors give places to write to
    return std::visit(Overloaded{
                          [&](const TextField& field) { return quoted(field.of(copy)); },
                          [&](const TextListField& field) {
                              std::string list = "[";
                              for (const std::string& item : field.of(copy))
                                  list += (list.size() > 1 ? ", " : "") + quoted(item);
                              return list + "]";
                          },
                          [&](const auto& field) { return std::to_string(field.of(copy)); },
                      },
                      key.field);
}

std::vector<std::string> known_keys() {
    std::vector<std::string> names;
    for (const Key& key : keys())
        names.push_back(key.name);
    return names;
}

} // namespace runvm::config
