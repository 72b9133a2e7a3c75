#include "oci/config.h"

#include "oci/document.h"
#include "oci/fields.h"
#include "oci/id_mappings.h"
#include "oci/linux.h"
#include "oci/mounts.h"
#include "oci/process.h"
#include "oci/seccomp.h"
#include "os/file.h"

#include <nlohmann/json.hpp>

namespace runvm::oci {

namespace {

void read_version(const Value& version, HostPlan& plan) {
    plan.oci_version = version.text();
    if (!plan.oci_version.starts_with("1."))
        version.fail_found("a version 1.x of the runtime specification is expected, up to " +
                           std::string(spec_version));
}

void read_annotations(const Value& annotations, HostPlan& plan) {
    for (const auto& [key, value] : annotations.members()) {
        if (key.empty())
            value.fail("the key of an annotation may not be empty");
        plan.annotations[key] = value.text();
    }
}

// The process of an exec: seccomp is the container's, as in runc.
Result<void> plan_exec_process(const Json& process, const std::string& name, const std::string& path,
                               const Json& config, protocol::Process::Builder built, HostPlan& plan) {
    Document document(name, plan.notes);
    Value value(document, &process, path);
    check_fields(value, "process");
    read_process(value, ProcessRole::exec, built, plan);
    read_seccomp(Value(document, &config, "")["linux"]["seccomp"], built);
    if (document.failed())
        return document.take_error();
    return {};
}

// The container's process object. The file was checked when the container was created, but it comes from the
// disk.
Result<Json> container_process(const Json& config) {
    auto process = config.is_object() ? config.find("process") : config.end();
    if (process == config.end() || !process->is_object())
        return Error(ErrorKind::corrupted, "the container's saved config.json has no process");
    for (const char* key : {"user", "capabilities"}) {
        auto member = process->find(key);
        if (member != process->end() && !member->is_null() && !member->is_object())
            return Error(ErrorKind::corrupted, "the container's saved config.json: process." +
                                                   std::string(key) + " is not an object");
    }
    return *process;
}

// What runc takes from the container where a process file does not say it (newInitConfig and nsexec's
// bootstrap).
void add_defaults(Json& process, const Json& container) {
    for (const char* key : {"capabilities", "ioPriority", "scheduler", "execCPUAffinity", "oomScoreAdj"}) {
        auto own = process.find(key);
        auto given = container.find(key);
        if ((own == process.end() || own->is_null()) && given != container.end())
            process[key] = *given;
    }
    auto user = container.find("user");
    if (user == container.end() || !user->is_object() || !user->contains("umask"))
        return;
    Json& own_user = process["user"];
    if (own_user.is_null() || (own_user.is_object() && !own_user.contains("umask")))
        own_user["umask"] = (*user)["umask"];
}

bool is_number(const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// What the guest looks up: it has the container's /etc/passwd as the container sees it.
struct UserNames {
    std::string user;
    std::string group;
    bool has_gid = false;
};

// "USER[:GROUP]", each a number (all that runc takes) or a name.
Result<UserNames> override_user(Json& process, const std::string& text) {
    UserNames names;
    size_t colon = text.find(':');
    std::string user = text.substr(0, colon);
    std::string group = colon == std::string::npos ? "" : text.substr(colon + 1);
    bool is_whole = !user.empty() && (colon == std::string::npos || !group.empty());
    constexpr size_t max_digits = 10;
    for (const std::string& part : {user, group})
        if (!is_whole || part.find_first_of(":,\n") != std::string::npos ||
            (is_number(part) && part.size() > max_digits))
            return Error(ErrorKind::invalid_argument,
                         "--user: found \"" + text + "\"; USER or USER:GROUP is expected, names or numbers");
    if (is_number(user))
        process["user"]["uid"] = std::stoull(user);
    else
        names.user = user;
    names.has_gid = is_number(group);
    if (names.has_gid)
        process["user"]["gid"] = std::stoull(group);
    else
        names.group = group;
    // A name brings groups of its own.
    auto own = process.find("user");
    if (!names.user.empty() && own != process.end() && own->is_object())
        own->erase("additionalGids");
    return names;
}

// Adds to the array below `key`, which is made if it is not there.
template <class T>
void append(Json& object, const char* key, const std::vector<T>& values) {
    Json& array = object[key];
    if (array.is_null())
        array = Json::array();
    if (!array.is_array())
        return; // left for the reader to report
    for (const T& value : values)
        array.push_back(value);
}

} // namespace

Result<HostPlan> plan_container(const std::string& text, const std::string& name, const std::string& bundle,
                                protocol::Container::Builder container) {
    RUNVM_ASSIGN(Json json, parse_json(text, name));
    RUNVM_ASSIGN(std::string real_bundle, os::real_path(bundle));
    HostPlan plan;
    Document document(name, plan.notes);
    Value root(document, &json, "");
    if (!json.is_object())
        root.fail_found("an object is expected");
    check_fields(root, "");
    read_version(root["ociVersion"], plan);
    read_annotations(root["annotations"], plan);
    plan.hooks = read_hooks(root["hooks"]);
    plan.id_mappings = {read_id_mappings(root["linux"]["uidMappings"]),
                        read_id_mappings(root["linux"]["gidMappings"])};
    read_root(root["root"], real_bundle, container, plan);
    read_mounts(root["mounts"], real_bundle, container, plan);
    read_linux(root, container, plan);
    read_process(root["process"], ProcessRole::container, container.initProcess(), plan);
    plan.selinux_label = root["process"]["selinuxLabel"].text();
    if (!document.failed())
        read_seccomp(root["linux"]["seccomp"], container.getProcess());
    if (document.failed())
        return document.take_error();
    return plan;
}

Result<void> plan_process(const std::string& text, const std::string& name,
                          const std::string& container_config, protocol::Process::Builder process,
                          HostPlan& plan) {
    RUNVM_ASSIGN(Json json, parse_json(text, name));
    if (!json.is_object())
        return Error(ErrorKind::invalid_argument, name + ": a process object is expected");
    RUNVM_ASSIGN(Json config, parse_json(container_config, "the container's saved config.json"));
    RUNVM_ASSIGN(Json own, container_process(config));
    add_defaults(json, own);
    return plan_exec_process(json, name, "", config, process, plan);
}

Result<void> plan_exec(const std::string& container_config, const ExecOverrides& overrides,
                       protocol::Process::Builder process, HostPlan& plan) {
    RUNVM_ASSIGN(Json config, parse_json(container_config, "the container's saved config.json"));
    RUNVM_ASSIGN(Json json, container_process(config));
    if (overrides.args.empty())
        return Error(ErrorKind::invalid_argument, "process args cannot be empty"); // runc's words
    json["args"] = overrides.args;
    json["terminal"] = overrides.tty; // never the container's: runc
    if (!overrides.cwd.empty())
        json["cwd"] = overrides.cwd;
    if (!overrides.env.empty())
        append(json, "env", overrides.env);
    if (overrides.no_new_privileges)
        json["noNewPrivileges"] = *overrides.no_new_privileges;
    UserNames names;
    if (!overrides.user.empty()) {
        RUNVM_ASSIGN(names, override_user(json, overrides.user));
    }
    if (!overrides.additional_gids.empty())
        append(json["user"], "additionalGids", overrides.additional_gids);
    if (!overrides.capabilities.empty())
        for (const char* set : {"bounding", "effective", "permitted", "ambient"})
            append(json["capabilities"], set, overrides.capabilities);
    RUNVM_TRY(plan_exec_process(json, "exec", "process", config, process, plan));
    auto user = process.getUser();
    user.setUserName(names.user);
    user.setGroupName(names.group);
    user.setHasGid(names.has_gid);
    return {};
}

} // namespace runvm::oci
