#include "runtime/network_namespace.h"

#include "network/coupling.h"
#include "network/namespace.h"
#include "oci/namespaces.h"
#include "os/file.h"

#include <fcntl.h>

namespace runvm::runtime {

void release_links(const Context& context, const state::Container& container) {
    auto path = oci::network_path_of(container.config);
    if (!path || path->empty())
        return;
    auto fd = os::open_file(*path, O_RDONLY);
    if (!fd)
        return; // it is gone
    auto released = network::Namespace(std::move(*fd)).run([]() -> Result<void> {
        RUNVM_ASSIGN(network::Netlink netlink, network::Netlink::open());
        return network::uncouple_abandoned(netlink);
    });
    if (!released && context.log != nullptr)
        context.log->warning("the network namespace " + *path + ": " + released.error().to_string());
}

} // namespace runvm::runtime
