#include "config/keys.h"

#include "config/annotations.h"

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

constexpr uint64_t smallest_memory_mib = 128;
constexpr uint64_t largest_memory_mib = 4U << 20U;

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

TextRule annotated_key() {
    return {"keys of hypervisor, channel, shared_fs and logging, such as \"hypervisor.vcpus\"",
            may_be_annotated};
}

TextRule libvirt_uri() {
    return {R"("qemu:///embed", "qemu:///system", or "qemu+unix:///system?socket=" and an absolute path)",
            [](const std::string& text) {
                return text == "qemu:///embed" || text == "qemu:///system" ||
                       (text.starts_with("qemu+unix:///system?socket=/") && is_one_line(text) &&
                        text.find_first_of("&#%") == std::string::npos);
            }};
}

TextRule q35_machine() {
    // Hotplug counts on a bridge in a port of q35; a version may be pinned.
    return {"\"q35\", or one version of it such as \"pc-q35-7.2\"", [](const std::string& text) {
                auto in_name = [](unsigned char c) {
                    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
                };
                return text == "q35" || (text.starts_with("pc-q35-") && text.size() > 7 &&
                                         std::all_of(text.begin(), text.end(), in_name));
            }};
}

/// The keys in the order of the documents.
class KeyTable {
public:
    void text(const char* name, std::string& (*of)(Config&), TextRule rule) {
        keys_.push_back({name, TextField{of, std::move(rule)}});
    }
    void list(const char* name, std::vector<std::string>& (*of)(Config&), TextRule item_rule) {
        keys_.push_back({name, TextListField{of, std::move(item_rule)}});
    }
    template <class Integer>
    void integer(const char* name, Integer& (*of)(Config&), Integer smallest, Integer largest) {
        keys_.push_back({name, IntegerField<Integer>{of, smallest, largest}});
    }
    void milliseconds(const char* name, uint32_t& (*of)(Config&)) {
        integer<uint32_t>(name, of, 1'000, 3'600'000);
    }
    std::vector<Key> take() { return std::move(keys_); }

private:
    std::vector<Key> keys_;
};

void add_hypervisor(KeyTable& table) {
    using C = Config;
    using Text = std::string&;
    table.text(
        "hypervisor.accelerator", [](C& c) -> Text { return c.hypervisor.accelerator; },
        one_of({"auto", "kvm", "tcg"}));
    table.text(
        "hypervisor.machine", [](C& c) -> Text { return c.hypervisor.machine; }, q35_machine());
    table.text(
        "hypervisor.emulator", [](C& c) -> Text { return c.hypervisor.emulator; }, absolute_path_or_empty());
    table.text(
        "hypervisor.kernel", [](C& c) -> Text { return c.hypervisor.kernel; }, absolute_path_or_empty());
    table.text(
        "hypervisor.image", [](C& c) -> Text { return c.hypervisor.image; }, absolute_path_or_empty());
    table.text(
        "hypervisor.kernel_command_line", [](C& c) -> Text { return c.hypervisor.kernel_command_line; },
        one_line());
    // q35 in QEMU 7.2 takes 288 vcpus; 240 leaves room in older guests' APIC ids.
    table.integer<uint32_t>(
        "hypervisor.vcpus", [](C& c) -> uint32_t& { return c.hypervisor.vcpus; }, 1, 240);
    table.integer<uint32_t>(
        "hypervisor.max_vcpus", [](C& c) -> uint32_t& { return c.hypervisor.max_vcpus; }, 0, 240);
    // Below, kernel and agent do not boot; above 4 TiB the guest's 42 address bits under TCG end.
    table.integer<uint64_t>(
        "hypervisor.memory_mib", [](C& c) -> uint64_t& { return c.hypervisor.memory_mib; },
        smallest_memory_mib, largest_memory_mib);
    table.integer<uint64_t>(
        "hypervisor.max_memory_mib", [](C& c) -> uint64_t& { return c.hypervisor.max_memory_mib; }, 0,
        largest_memory_mib);
    table.integer<uint64_t>(
        "hypervisor.memory_step_mib", [](C& c) -> uint64_t& { return c.hypervisor.memory_step_mib; }, 2,
        largest_memory_mib);
    table.milliseconds("hypervisor.boot_timeout_ms",
                       [](C& c) -> uint32_t& { return c.hypervisor.boot_timeout_ms; });
    table.milliseconds("hypervisor.agent_timeout_ms",
                       [](C& c) -> uint32_t& { return c.hypervisor.agent_timeout_ms; });
}

std::vector<Key> make_keys() {
    using C = Config;
    using Text = std::string&;
    KeyTable table;
    add_hypervisor(table);
    table.text(
        "libvirt.uri", [](C& c) -> Text { return c.libvirt.uri; }, libvirt_uri());
    table.text(
        "channel.type", [](C& c) -> Text { return c.channel.type; }, one_of({"serial", "vsock"}));
    table.text(
        "network.model", [](C& c) -> Text { return c.network.model; }, one_of({"tc", "macvtap", "none"}));
    table.text(
        "shared_fs.daemon", [](C& c) -> Text { return c.shared_fs.daemon; }, absolute_path_or_empty());
    table.list(
        "shared_fs.options", [](C& c) -> std::vector<std::string>& { return c.shared_fs.options; }, option());
    table.text(
        "paths.cache", [](C& c) -> Text { return c.paths.cache; }, absolute_path());
    table.text(
        "paths.run", [](C& c) -> Text { return c.paths.run; }, absolute_path());
    table.text(
        "store.type", [](C& c) -> Text { return c.store.type; }, one_of({"filesystem", "leveldb"}));
    table.text(
        "logging.level", [](C& c) -> Text { return c.logging.level; },
        one_of({"debug", "info", "warning", "error"}));
    table.list(
        "annotations.allowed", [](C& c) -> std::vector<std::string>& { return c.annotations.allowed; },
        annotated_key());
    return table.take();
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
