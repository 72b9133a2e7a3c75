#include "oci/hooks.h"

#include "oci/document.h"
#include "oci/go_json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>

namespace runvm::oci {

namespace {

Hook read_hook(const Value& value) {
    Hook hook;
    hook.path = value["path"].text();
    if (!hook.path.starts_with('/'))
        value["path"].fail_found("an absolute path is expected");
    hook.args = value["args"].texts();
    if (value["env"].present())
        hook.env = value["env"].texts();
    Value timeout = value["timeout"];
    hook.timeout_s = static_cast<uint32_t>(timeout.natural(std::numeric_limits<int32_t>::max() / 1000));
    if (timeout.present() && hook.timeout_s == 0)
        timeout.fail_found("a number of seconds greater than 0 is expected");
    return hook;
}

std::vector<Hook> read_list(const Value& list) {
    std::vector<Hook> hooks;
    for (const Value& hook : list.elements())
        hooks.push_back(read_hook(hook));
    return hooks;
}

} // namespace

Hooks read_hooks(const Value& hooks) {
    return {read_list(hooks["prestart"]),        read_list(hooks["createRuntime"]),
            read_list(hooks["createContainer"]), read_list(hooks["startContainer"]),
            read_list(hooks["poststart"]),       read_list(hooks["poststop"])};
}

Result<Hooks> hooks_of(const std::string& config) {
    const std::string name = "the container's saved config.json";
    RUNVM_ASSIGN(Json json, parse_json(config, name));
    std::vector<std::string> notes;
    Document document(name, notes);
    Hooks hooks = read_hooks(Value(document, &json, "")["hooks"]);
    if (document.failed())
        return document.take_error();
    return hooks;
}

uint32_t longest_ms(const std::vector<Hook>& hooks) {
    constexpr uint64_t day_ms = 24ULL * 60 * 60 * 1000;
    constexpr uint64_t most_ms = 10 * day_ms;
    uint64_t sum = 0;
    for (const Hook& hook : hooks)
        sum += hook.timeout_s == 0 ? day_ms : hook.timeout_s * 1000ULL;
    return static_cast<uint32_t>(std::min(sum, most_ms));
}

std::string hook_state(const state::Container& container, const char* status, pid_t pid) {
    nlohmann::ordered_json json;
    json["ociVersion"] = container.oci_version;
    json["id"] = container.id;
    json["status"] = status;
    if (pid != 0)
        json["pid"] = pid;
    json["bundle"] = container.bundle;
    if (!container.annotations.empty())
        json["annotations"] = container.annotations;
    return go_json(json, 0);
}

} // namespace runvm::oci
