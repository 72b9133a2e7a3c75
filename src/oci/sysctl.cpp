#include "oci/sysctl.h"

#include <linux/sched.h>

#include <algorithm>
#include <array>

namespace runvm::oci {

namespace {

constexpr std::array ipc_keys = {"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
                                 "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"};

// sysctl.d(5): if the first separator is a slash, dots belong to names: "net/ipv4/conf/eth0.1/forwarding". As
// runc does it: the separators trade places, so that both notations end up with dots between the parts.
std::string to_dotted(std::string key) {
    size_t first = key.find_first_of("./");
    if (first == std::string::npos || key[first] == '.')
        return key;
    for (char& c : key)
        if (c == '.' || c == '/')
            c = c == '.' ? '/' : '.';
    return key;
}

std::string to_path(std::string dotted) {
    for (char& c : dotted)
        if (c == '.' || c == '/')
            c = c == '.' ? '/' : '.';
    return dotted;
}

// Every part is a name: nothing may lead out of /proc/sys.
bool is_relative_path(const std::string& path) {
    size_t start = 0;
    while (true) {
        size_t end = path.find('/', start);
        std::string part = path.substr(start, end == std::string::npos ? end : end - start);
        if (part.empty() || part == "." || part == "..")
            return false;
        if (end == std::string::npos)
            return true;
        start = end + 1;
    }
}

// runc's validator (libcontainer/configs/validate): the keys of a namespace that the container has, and no
// other. Its words too, but for the refusal of what the specification has a field for.
void check_key(const Value& value, const std::string& key, const NamespaceList& namespaces) {
    std::string quoted = "sysctl \"" + key + "\"";
    if (std::find(ipc_keys.begin(), ipc_keys.end(), key) != ipc_keys.end() || key.starts_with("fs.mqueue.")) {
        if (!namespaces.has(CLONE_NEWIPC))
            value.fail(quoted + " is not allowed in the hosts ipc namespace");
    } else if (key.starts_with("net.")) {
        if (!namespaces.has(CLONE_NEWNET))
            value.fail(quoted + " not allowed in host network namespace");
    } else if (key == "kernel.domainname" && namespaces.has(CLONE_NEWUTS)) {
        return; // namespaced, though the specification has a field for it
    } else if (key == "kernel.hostname" && namespaces.has(CLONE_NEWUTS)) {
        value.fail(quoted + " is not allowed as it conflicts with the OCI \"hostname\" field");
    } else if (key.starts_with("user.")) {
        if (!namespaces.has(CLONE_NEWUSER))
            value.fail("setting ucounts without a user namespace not allowed: " + key);
    } else {
        value.fail(quoted + " is not in a separate kernel namespace");
    }
}

} // namespace

void read_sysctl(const Value& sysctl, const NamespaceList& namespaces,
                 protocol::Container::Builder container) {
    auto members = sysctl.members();
    auto list = container.initSysctl(static_cast<unsigned>(members.size()));
    unsigned i = 0;
    for (const auto& [key, value] : members) {
        std::string dotted = to_dotted(key);
        std::string path = to_path(dotted);
        check_key(value, dotted, namespaces);
        if (!is_relative_path(path))
            value.fail("the key is not a file below /proc/sys");
        list[i].setKey(path.c_str());
        list[i].setValue(value.text().c_str());
        ++i;
    }
}

} // namespace runvm::oci
