#include "oci/namespaces.h"

#include <nlohmann/json.hpp>

#include <linux/sched.h>
#include <sys/stat.h>

#include <cstring>

namespace runvm::oci {

namespace {

struct NamespaceType {
    const char* name;
    uint64_t clone_flag;
    const char* without; ///< what it would mean not to list it; nullptr: it may be left out
};

// What is not listed is the runtime's own, which is the host's: the guest cannot have that. A cgroup, time or
// user namespace that is not listed is the guest's, which shows the container nothing of the host.
constexpr NamespaceType types[] = {
    {"cgroup", CLONE_NEWCGROUP, nullptr},
    {"ipc", CLONE_NEWIPC, "no ipc namespace is listed, which means the host's System V objects"},
    {"mount", CLONE_NEWNS, "no mount namespace is listed, which means the host's mounts"},
    {"network", CLONE_NEWNET, "no network namespace is listed, which means the host's network"},
    {"pid", CLONE_NEWPID, "no pid namespace is listed, which means the host's processes"},
    {"time", CLONE_NEWTIME, nullptr},
    {"user", CLONE_NEWUSER, nullptr},
    {"uts", CLONE_NEWUTS, "no uts namespace is listed, which means the host's host name"},
};

// A container of the host's own network namespace would have to see the host's interfaces.
void check_network_path(const Value& path) {
    struct stat given {};
    struct stat own {};
    std::string name = path.text();
    if (name[0] != '/') {
        path.fail_found("an absolute path is expected");
    } else if (::stat(name.c_str(), &given) != 0) {
        path.fail(errno == ENOENT
                      ? "the network namespace " + name + " is missing on the host"
                      : "the network namespace " + name + " cannot be examined: " + strerrordesc_np(errno));
    } else if (::stat("/proc/self/ns/net", &own) == 0 && given.st_dev == own.st_dev &&
               given.st_ino == own.st_ino) {
        path.fail(ErrorKind::unsupported,
                  "is the host's network namespace, which a container in a VM cannot join; "
                  "list a new network namespace, or another one's path");
    }
}

} // namespace

NamespaceList read_namespaces(const Value& namespaces, protocol::Container::Builder container,
                              HostPlan& plan) {
    NamespaceList list;
    for (const Value& element : namespaces.elements()) {
        std::string name = element["type"].text();
        std::string path = element["path"].text();
        const NamespaceType* type = find_name(types, name);
        if (type == nullptr) {
            element["type"].fail_found("allowed are " + names_of(types));
            continue;
        }
        if (list.has(type->clone_flag))
            element.fail("malformed spec file: duplicated ns " + name); // runc's words
        list.listed |= type->clone_flag;
        if (!path.empty()) {
            if (type->clone_flag == CLONE_NEWNET)
                check_network_path(element["path"]);
            else
                element["path"].fail(ErrorKind::unsupported,
                                     "a " + name +
                                         " namespace of the host cannot be joined "
                                         "from a VM; leave the path out for a new one");
        }
        plan.namespaces.push_back({static_cast<int>(type->clone_flag), path});
    }
    for (const NamespaceType& type : types)
        if (type.without != nullptr && !list.has(type.clone_flag))
            namespaces.fail(ErrorKind::unsupported,
                            std::string(type.without) +
                                ", and a VM cannot share those; list a new one: {\"type\": \"" + type.name +
                                "\"}");
    container.setNewNamespaces(list.listed & ~uint64_t{CLONE_NEWNET});
    return list;
}

Result<std::string> network_path_of(const std::string& config) {
    const std::string name = "the container's saved config.json";
    RUNVM_ASSIGN(Json json, parse_json(config, name));
    std::vector<std::string> notes;
    Document document(name, notes);
    std::string path;
    for (const Value& element : Value(document, &json, "")["linux"]["namespaces"].elements())
        if (element["type"].text() == "network")
            path = element["path"].text();
    if (document.failed())
        return document.take_error();
    return path;
}

void read_time_offsets(const Value& offsets, const NamespaceList& namespaces,
                       protocol::Container::Builder container) {
    constexpr int64_t ns_per_second = 1'000'000'000;
    constexpr int64_t max_seconds = INT64_MAX / ns_per_second - 1;

    std::vector<std::pair<std::string, Value>> clocks = offsets.members();
    if (!clocks.empty() && !namespaces.has(CLONE_NEWTIME)) // runc's words
        offsets.fail("time namespace offsets specified, but time namespace isn't enabled in the config");
    for (const auto& [clock, offset] : clocks) {
        int64_t total_ns = offset["secs"].integer(-max_seconds, max_seconds) * ns_per_second +
                           static_cast<int64_t>(offset["nanosecs"].natural(ns_per_second - 1));
        if (clock == "monotonic")
            container.setMonotonicOffsetNs(total_ns);
        else if (clock == "boottime")
            container.setBoottimeOffsetNs(total_ns);
        else
            offset.fail("is not a clock; allowed are monotonic, boottime");
    }
}

std::vector<std::string> known_namespaces() {
    std::vector<std::string> names;
    for (const NamespaceType& type : types)
        names.emplace_back(type.name);
    return names;
}

} // namespace runvm::oci
