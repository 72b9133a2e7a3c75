#include "command.h"
#include "version.h"

#include "oci/capabilities.h"
#include "oci/fields.h"
#include "oci/mount_options.h"
#include "oci/namespaces.h"
#include "oci/seccomp.h"

#include <nlohmann/json.hpp>
#include <seccomp.h>

namespace runvm::commands {

namespace {

using Json = nlohmann::ordered_json;

Json seccomp_features() {
    return {{"enabled", true},
            {"actions", oci::known_seccomp_actions()},
            {"operators", oci::known_seccomp_operators()},
            {"archs", oci::known_seccomp_architectures()},
            {"knownFlags", oci::known_seccomp_flags()},
            {"supportedFlags", oci::known_seccomp_flags()}};
}

/// runtime-spec, features-linux.md. What the guest does not have is false: an engine then leaves it out of config.json.
Json linux_features() {
    return {{"namespaces", oci::known_namespaces()},
            {"capabilities", oci::known_capabilities()},
            {"cgroup", {{"v1", false}, {"v2", true}, {"systemd", false}, {"systemdUser", false}, {"rdma", false}}},
            {"seccomp", seccomp_features()},
            {"apparmor", {{"enabled", false}}},
            {"selinux", {{"enabled", false}}},
            {"intelRdt", {{"enabled", false}}},
            {"mountExtensions", {{"idmap", {{"enabled", false}}}}}};
}

std::string libseccomp_version() {
    const scmp_version* version = seccomp_version();
    return std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
           std::to_string(version->micro);
}

} // namespace

Result<int> features(const Call&) {
    const Json json = {
        {"ociVersionMin", "1.0.0"},
        {"ociVersionMax", oci::spec_version},
        {"hooks", {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}},
        {"mountOptions", oci::known_mount_options()},
        {"linux", linux_features()},
        {"annotations",
         {{"org.runvm.version", RUNVM_VERSION},
          {"org.runvm.commit", RUNVM_COMMIT},
          {"io.github.seccomp.libseccomp.version", libseccomp_version()}}},
    };
    return print(json.dump(4) + "\n");
}

} // namespace runvm::commands
