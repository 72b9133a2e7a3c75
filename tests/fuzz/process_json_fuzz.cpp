// libs: runvm_oci
// The file of `exec --process`, beside a container's saved config.json; and that config.json itself, which is
// read again at every exec. Input: the two texts with a NUL byte between them.

#include "oci/config.h"

#include <capnp/message.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

constexpr const char* saved_config = R"({"process": {"args": ["sh"], "cwd": "/", "user": {"uid": 1, "gid": 1},
    "capabilities": {"bounding": ["CAP_KILL"]}}, "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}}})";

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string text(reinterpret_cast<const char*>(data), size);
    size_t nul = text.find('\0');
    std::string process = text.substr(0, nul);
    std::string config = nul == std::string::npos ? saved_config : text.substr(nul + 1);

    capnp::MallocMessageBuilder message;
    runvm::oci::HostPlan plan;
    auto built = message.initRoot<runvm::protocol::Process>();
    auto planned = runvm::oci::plan_process(process, "process.json", config, built, plan);
    if (planned && (built.getArgs().size() == 0 || built.getCwd()[0] != '/'))
        std::abort();

    runvm::oci::ExecOverrides overrides;
    overrides.args = {"sh"};
    overrides.env = {process.substr(0, 16)};
    overrides.user = process.substr(0, 8);
    overrides.capabilities = {"CAP_SYS_ADMIN"};
    overrides.additional_gids = {1};
    capnp::MallocMessageBuilder exec_message;
    runvm::oci::HostPlan exec_plan;
    auto exec = exec_message.initRoot<runvm::protocol::Process>();
    auto result = runvm::oci::plan_exec(config, overrides, exec, exec_plan);
    if (!result && result.error().message().empty())
        std::abort();
    return 0;
}
