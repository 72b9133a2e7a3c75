// libs: runvm_oci
// A bundle's config.json: whatever it says, it becomes a plan or an error with a message.

#include "oci/config.h"

#include <capnp/message.h>

#include <sched.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string text(reinterpret_cast<const char*>(data), size);
    capnp::MallocMessageBuilder message;
    auto container = message.initRoot<runvm::protocol::Container>();
    // "/" is a bundle whose rootfs may be anything that the text says, and that exists everywhere.
    auto plan = runvm::oci::plan_container(text, "config.json", "/", container);
    if (!plan) {
        if (plan.error().message().empty())
            std::abort();
        return 0;
    }
    // What the agent and the shim rely on.
    if (plan->shares.empty() || plan->shares[0].name != "rootfs")
        std::abort();
    if (container.getProcess().getArgs().size() == 0)
        std::abort();
    for (const auto& share : plan->shares) {
        if (share.path.empty() || share.path[0] != '/')
            std::abort();
        if (share.id_mappings.uids.empty() != share.id_mappings.gids.empty())
            std::abort();
    }
    const auto& [uids, gids] = plan->id_mappings;
    bool has_user_namespace = (container.getNewNamespaces() & CLONE_NEWUSER) != 0;
    if (has_user_namespace != (runvm::os::to_host_id(uids, 0) && runvm::os::to_host_id(gids, 0)))
        std::abort();
    if (!has_user_namespace && !plan->id_mappings.empty())
        std::abort();
    for (auto mount : container.getMounts())
        if (mount.getDestination().size() == 0 || mount.getDestination()[0] != '/')
            std::abort();
    return 0;
}
