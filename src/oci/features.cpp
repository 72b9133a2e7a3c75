#include "oci/features.h"

#include "oci/capabilities.h"
#include "oci/fields.h"
#include "oci/go_json.h"
#include "oci/mount_options.h"
#include "oci/namespaces.h"
#include "oci/seccomp.h"

#include <nlohmann/json.hpp>
#include <seccomp.h>

namespace runvm::oci {

namespace {

using Ordered = nlohmann::ordered_json;

Ordered hooks() {
    Ordered names = Ordered::array();
    for (const char* name :
         {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"})
        if (is_honoured("hooks." + std::string(name)))
            names.push_back(name);
    return names;
}

Ordered seccomp_features() {
    Ordered features;
    features["enabled"] = true;
    features["actions"] = known_seccomp_actions();
    features["operators"] = known_seccomp_operators();
    features["archs"] = known_seccomp_architectures();
    features["knownFlags"] = known_seccomp_flags();
    features["supportedFlags"] = known_seccomp_flags();
    return features;
}

Ordered linux_features() {
    Ordered features;
    features["namespaces"] = known_namespaces();
    features["capabilities"] = known_capabilities();
    // Of the guest: cgroups of the host are not managed yet.
    features["cgroup"] = {{"v1", false},
                          {"v2", true},
                          {"systemd", false},
                          {"systemdUser", false},
                          {"rdma", is_honoured("linux.resources.rdma")}};
    features["seccomp"] = seccomp_features();
    features["apparmor"] = {{"enabled", is_honoured("process.apparmorProfile")}};
    features["selinux"] = {{"enabled", is_honoured("process.selinuxLabel")}};
    features["intelRdt"] = {{"enabled", is_honoured("linux.intelRdt")}};
    features["mountExtensions"]["idmap"] = {{"enabled", is_honoured("mounts[].uidMappings")}};
    features["netDevices"] = {{"enabled", is_honoured("linux.netDevices")}};
    return features;
}

std::string libseccomp_version() {
    const scmp_version* version = seccomp_version();
    return std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
           std::to_string(version->micro);
}

} // namespace

std::string features_json(const std::string& unsafe_annotations) {
    Ordered features;
    features["ociVersionMin"] = "1.0.0";
    features["ociVersionMax"] = spec_version;
    features["hooks"] = hooks();
    features["mountOptions"] = known_mount_options();
    features["linux"] = linux_features();
    features["potentiallyUnsafeConfigAnnotations"] = {unsafe_annotations};
    features["annotations"] = {{"io.github.seccomp.libseccomp.version", libseccomp_version()},
                               {"org.runvm.version", RUNVM_VERSION}};
    return go_json(features, 4) + "\n";
}

} // namespace runvm::oci
