#pragma once
// Watches of the guest's processes on files of the host. virtiofs carries no events, so the host watches
// these files too, and the guest's kernel is made to tell its watches of what happens there (guest/modules).

#include "agent/file_findings.h"
#include "agent/function_probe.h"
#include "agent/watched_files.h"
#include "core/result.h"
#include "os/fd.h"
#include "protocol/agent.capnp.h"

#include <kj/async-unix.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace runvm::agent {

class FileWatches final : private kj::TaskSet::ErrorHandler {
public:
    struct Changes {
        std::vector<std::pair<uint32_t, std::string>> added; ///< id and path
        std::vector<uint32_t> removed;
    };
    struct Event {
        uint32_t watch = 0;
        uint32_t mask = 0;
        std::string name;
    };

    /// `initial_root` has the module. It must outlive this.
    FileWatches(kj::UnixEventPort& event_port, int initial_root);
    ~FileWatches() noexcept(false);
    KJ_DISALLOW_COPY(FileWatches);

    /// A container has been started: in a moment its watches are followed. Why not at once: CachedInodes.
    void follow_soon();
    /// The guest has got more cpus.
    void cover_cpus();
    /// A container is gone, and its watches with it.
    void forget(const std::string& container);

    // The calls of Agent (agent.capnp). One at a time of each.
    kj::Promise<Changes> changes(bool all);
    kj::Promise<Result<void>> tell(capnp::List<protocol::FileEvent>::Reader events);

private:
    struct Watch {
        WatchedInode inode;
        std::string path;
    };
    /// What a helper process is to do, and has found out.
    struct Job {
        std::set<pid_t> watchers; ///< processes that have new watches
        std::vector<Event> events;
        bool looks_at_all = false;   ///< whether those that are known are watched still
        bool asks_everybody = false; ///< which processes have watches
    };
    void follow();
    void begin_job();
    void prepare_forging();
    kj::Promise<void> run_job(const Job& job);
    FileFindings do_job(const Job& job) const;
    void take(const FileFindings& findings);
    void remove(uint32_t id);
    Changes take_changes();
    void wake();
    void taskFailed(kj::Exception&& exception) override;

    kj::UnixEventPort& event_port_;
    kj::Timer& timer_;
    int initial_root_;
    bool asked_ = false;
    bool follows_ = false;
    bool has_module_ = false;
    FunctionProbe probe_;
    std::map<uint32_t, Watch> watches_;
    std::map<std::pair<dev_t, uint64_t>, uint32_t> ids_;
    uint32_t next_id_ = 1;
    std::set<uint32_t> added_; ///< since the last answer
    std::vector<uint32_t> removed_;
    kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> waiting_;
    Job next_;
    bool job_runs_ = false;
    std::vector<kj::Own<kj::PromiseFulfiller<void>>> told_; ///< of the events in `next_`
    kj::TaskSet tasks_;
};

} // namespace runvm::agent
