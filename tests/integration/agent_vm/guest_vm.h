#pragma once
// A VM with the agent for tests: QEMU and virtiofsd started by hand, and a client of the agent's ports.

#include "channel/relay.h"
#include "os/fd.h"
#include "protocol/agent.capnp.h"

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace runvm::test {

/// A connection with the agent: both ports, RPC and streams.
class AgentSession {
public:
    AgentSession(kj::AsyncIoContext& io, const std::string& folder);

    protocol::Agent::Client& agent() { return agent_; }
    channel::StreamRelay& relay() { return *relay_; }

private:
    kj::Own<kj::AsyncIoStream> control_;
    std::unique_ptr<channel::StreamRelay> relay_;
    std::unique_ptr<capnp::TwoPartyVatNetwork> network_;
    std::unique_ptr<capnp::RpcSystem<capnp::rpc::twoparty::VatId>> rpc_;
    protocol::Agent::Client agent_ = nullptr;
    kj::Promise<void> relaying_ = nullptr;
};

class GuestVm {
public:
    /// Boots. Needs root, and makes mounts: call it in a mount namespace of its own.
    GuestVm(std::string kernel, std::string initrd);
    ~GuestVm();

    /// The folder that appears as /run/runvm/shared.
    std::string shared() const { return folder_ + "/shared"; }

    /// Makes the share `rootfs` of a container: a bind mount of a folder with busybox.
    void add_rootfs(const std::string& container);
    /// The folder behind all rootfs shares.
    std::string rootfs() const { return folder_ + "/rootfs"; }
    /// Another share: a bind mount of `source`.
    void add_share(const std::string& container, const std::string& name, const std::string& source);
    void remove_shares(const std::string& container);

    AgentSession& session() { return *session_; }
    protocol::Agent::Client& agent() { return session_->agent(); }
    void disconnect() { session_ = nullptr; }
    void connect();
    bool connected() const { return session_ != nullptr; }

    kj::AsyncIoContext& io() { return io_; }
    std::string console() const;
    pid_t virtiofsd_pid() const { return virtiofsd_; }
    /// The processor time that QEMU has used so far: what counts on a busy machine.
    double qemu_cpu_ms() const;
    /// Waits until QEMU has ended; false after 20 s.
    bool wait_for_qemu();
    uint32_t next_stream() { return ++last_stream_; }

private:
    void start_shared_fs();

    std::string folder_;
    std::vector<std::string> mounts_;
    pid_t qemu_ = -1;
    pid_t virtiofsd_ = -1;
    uint32_t last_stream_ = 0;
    kj::AsyncIoContext io_;
    std::unique_ptr<AgentSession> session_;
};

/// One process in the guest, its streams, and what it wrote.
class GuestProcess {
public:
    explicit GuestProcess(GuestVm& vm) : vm_(vm) {}

    /// Binds the process's 0, 1 and 2, or its terminal, to streams.
    void bind(protocol::Process::Builder process, bool terminal = false, bool with_stdin = false);

    void write(const std::string& text);
    void close_input();
    /// Reads until descriptor `fd` has given `bytes`, or end-of-file, or 20 s have passed.
    std::string read(uint32_t fd, uint64_t bytes);
    /// Reads until what `fd` has given contains `text`.
    std::string read_until(uint32_t fd, const std::string& text);
    /// Reads in the background as long as the returned promise lives.
    kj::Promise<void> keep_reading();
    uint32_t stream_of(uint32_t fd) { return streams_[fd]; }

private:
    void read_available(uint32_t fd);
    kj::Promise<void> read_for_ever();
    std::string read_while(uint32_t fd, const std::function<bool(const std::string&)>& wanted);

    GuestVm& vm_;
    os::Fd input_;
    std::map<uint32_t, os::Fd> outputs_;
    std::map<uint32_t, uint32_t> streams_;
    std::map<uint32_t, std::string> read_;
};

} // namespace runvm::test
