#pragma once
// Interface Agent over the table of containers: what comes from the host is unpacked, what goes back is
// packed.

#include "agent/cached_inodes.h"
#include "agent/containers.h"
#include "agent/disks.h"
#include "agent/file_watches.h"
#include "agent/growth.h"
#include "agent/name_relay.h"
#include "agent/network.h"
#include "protocol/agent.capnp.h"

#include <kj/timer.h>

#include <cstdint>

namespace runvm::agent {

/// What lives as long as the guest does.
struct GuestParts {
    Containers& containers;
    Growth& growth;
    CachedInodes& cached_inodes;
    FileWatches& file_watches;
    Disks& disks;
    Network& network;
    NameRelay& names;
    uint64_t boot_ns; ///< CLOCK_BOOTTIME when the agent was ready
};

// capnp's generated servers have virtual functions and no virtual destructor: they are owned by their own
// type.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
class AgentService final : public protocol::Agent::Server {
public:
    AgentService(const GuestParts& guest, kj::Timer& timer)
        : containers_(guest.containers), growth_(guest.growth), cached_inodes_(guest.cached_inodes),
          file_watches_(guest.file_watches), disks_(guest.disks), network_(guest.network),
          names_(guest.names), timer_(timer), boot_ns_(guest.boot_ns) {}

protected:
    kj::Promise<void> hello(HelloContext context) override;
    kj::Promise<void> createContainer(CreateContainerContext context) override;
    kj::Promise<void> startContainer(StartContainerContext context) override;
    kj::Promise<void> exec(ExecContext context) override;
    kj::Promise<void> wait(WaitContext context) override;
    kj::Promise<void> signal(SignalContext context) override;
    kj::Promise<void> resize(ResizeContext context) override;
    kj::Promise<void> forgetProcess(ForgetProcessContext context) override;
    kj::Promise<void> deleteContainer(DeleteContainerContext context) override;
    kj::Promise<void> processes(ProcessesContext context) override;
    kj::Promise<void> ping(PingContext context) override;
    kj::Promise<void> powerOff(PowerOffContext context) override;
    kj::Promise<void> setClock(SetClockContext context) override;
    kj::Promise<void> freeze(FreezeContext context) override;
    kj::Promise<void> readCgroup(ReadCgroupContext context) override;
    kj::Promise<void> awaitOomKill(AwaitOomKillContext context) override;
    kj::Promise<void> updateContainer(UpdateContainerContext context) override;
    kj::Promise<void> grow(GrowContext context) override;
    kj::Promise<void> awaitFileWatches(AwaitFileWatchesContext context) override;
    kj::Promise<void> tellFileEvents(TellFileEventsContext context) override;
    kj::Promise<void> setNetwork(SetNetworkContext context) override;
    kj::Promise<void> nextNameQueries(NextNameQueriesContext context) override;
    kj::Promise<void> answerNameQuery(AnswerNameQueryContext context) override;

private:
    Containers& containers_;
    Growth& growth_;
    CachedInodes& cached_inodes_;
    FileWatches& file_watches_;
    Disks& disks_;
    Network& network_;
    NameRelay& names_;
    kj::Timer& timer_;
    uint64_t boot_ns_;
};
#pragma GCC diagnostic pop

} // namespace runvm::agent
