#include "runtime/offer.h"

#include "os/file.h"
#include "os/mounts.h"
#include "runtime/share_tree.h"

#include <fcntl.h>

#include <algorithm>

namespace runvm::runtime {

namespace {

constexpr size_t shares_per_message = 128;
static_assert(shares_per_message <= protocol::MAX_FDS_PER_MESSAGE);
static_assert(protocol::MAX_STREAMS_PER_PROCESS <= protocol::MAX_FDS_PER_MESSAGE);
constexpr const char* call_name = "addDescriptors";

/// Carries a descriptor to the monitor.
class Descriptor final : public protocol::Descriptor::Server {
public:
    explicit Descriptor(os::Fd fd) : fd_(std::move(fd)) {}
    kj::Maybe<int> getFd() override { return fd_.get(); }

private:
    os::Fd fd_;
};

Result<void> fill_shares(std::span<const oci::ShareSource> sources,
                         capnp::List<protocol::Share>::Builder shares, int root_of) {
    for (unsigned i = 0; i < sources.size(); ++i) {
        const oci::ShareSource& source = sources[i];
        bool is_root = i == 0 && root_of >= 0;
        RUNVM_ASSIGN(os::Fd tree, is_root ? os::clone_root_of(root_of) : clone_share(source));
        shares[i].setName(source.name);
        shares[i].setTree(kj::heap<Descriptor>(std::move(tree)));
        shares[i].setReadonly(source.readonly);
        shares[i].setReadonlyRecursive(source.readonly_recursive);
        shares[i].setReadonlyWhenCreated(source.readonly_when_created);
    }
    return {};
}

} // namespace

Result<void> offer_streams(MonitorConnection& connection, protocol::Sandbox::Client& sandbox,
                           const ProcessName& process, std::vector<ProcessStream>& streams) {
    auto request = sandbox.addDescriptorsRequest();
    request.setId(process.container);
    request.setExecId(process.exec_id);
    auto list = request.initStreams(static_cast<unsigned>(streams.size()));
    for (unsigned i = 0; i < streams.size(); ++i) {
        list[i].setFd(streams[i].process_fd);
        list[i].setDirection(streams[i].direction);
        list[i].setEnd(kj::heap<Descriptor>(std::move(streams[i].monitor_end)));
    }
    return connection.tell(request.send(), monitor_timeout_ms, call_name);
}

Result<void> offer_network(MonitorConnection& connection, pid_t pid) {
    RUNVM_ASSIGN(os::Fd space, os::open_file("/proc/" + std::to_string(pid) + "/ns/net", O_RDONLY));
    auto request = connection.sandbox().setNetworkRequest();
    request.setNamespace(kj::heap<Descriptor>(std::move(space)));
    return connection.tell(request.send(), monitor_timeout_ms, "setNetwork");
}

Result<void> offer_shares(MonitorConnection& connection, protocol::Sandbox::Client& sandbox,
                          const std::string& container, std::span<const oci::ShareSource> sources,
                          int root_of) {
    while (!sources.empty()) {
        size_t count = std::min(sources.size(), shares_per_message);
        auto request = sandbox.addDescriptorsRequest();
        request.setId(container);
        RUNVM_TRY(
            fill_shares(sources.first(count), request.initShares(static_cast<unsigned>(count)), root_of));
        RUNVM_TRY(connection.tell(request.send(), monitor_timeout_ms, call_name));
        sources = sources.subspan(count);
        root_of = -1;
    }
    return {};
}

} // namespace runvm::runtime
