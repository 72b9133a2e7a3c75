#include "agent/file_watches.h"

#include "agent/boot.h"
#include "agent/console.h"
#include "agent/event_forge.h"
#include "agent/syscalls.h"
#include "core/number.h"
#include "os/file.h"
#include "os/process.h"

#include <dirent.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <memory>

namespace runvm::agent {

namespace {

constexpr auto start_delay = 100 * kj::MILLISECONDS;
// A process that watches a tree adds one folder after another: this is how many of those a helper sees at
// once.
constexpr auto job_interval = 20 * kj::MILLISECONDS;
// How often the system call has been seen to return.
constexpr uint64_t every_call = 1;

std::string container_of(const std::string& path) {
    return path.substr(0, path.find('/'));
}

std::set<pid_t> all_processes() {
    std::set<pid_t> found;
    std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir("/proc"), ::closedir);
    while (const dirent* entry = listing ? ::readdir(listing.get()) : nullptr)
        if (auto pid = whole_number<pid_t>(entry->d_name))
            found.insert(*pid);
    return found;
}

Result<void> check_event(protocol::FileEvent::Reader event) {
    auto name = event.getName();
    bool plain = name.size() <= NAME_MAX;
    for (kj::byte byte : name)
        plain = plain && byte != '\0' && byte != '/';
    if (!plain)
        return Error(ErrorKind::invalid_argument, "a file event has an invalid name");
    return {};
}

} // namespace

FileWatches::FileWatches(kj::UnixEventPort& event_port, int initial_root)
    : event_port_(event_port), timer_(event_port.getTimer()), initial_root_(initial_root),
      probe_(event_port, "__x64_sys_inotify_add_watch", FunctionProbe::Moment::returned,
             [this](const std::vector<pid_t>& callers) {
                 next_.watchers.insert(callers.begin(), callers.end());
                 begin_job();
             }),
      tasks_(*this) {}

FileWatches::~FileWatches() noexcept(false) = default;

void FileWatches::follow_soon() {
    if (asked_)
        return;
    asked_ = true;
    tasks_.add(timer_.afterDelay(start_delay).then([this] {
        follows_ = true;
        follow();
        // Those who were quicker than the probe.
        next_.asks_everybody = true;
        begin_job();
    }));
}

void FileWatches::cover_cpus() {
    if (follows_)
        follow();
}

void FileWatches::follow() {
    if (auto watched = probe_.watch_every(every_call); !watched)
        log_line("file watches hear nothing of the host: " + watched.error().to_string());
}

void FileWatches::forget(const std::string& container) {
    std::vector<uint32_t> gone;
    for (const auto& [id, watch] : watches_)
        if (container_of(watch.path) == container)
            gone.push_back(id);
    for (uint32_t id : gone)
        remove(id);
    wake();
}

void FileWatches::remove(uint32_t id) {
    auto found = watches_.find(id);
    if (found == watches_.end())
        return;
    ids_.erase({found->second.inode.device, found->second.inode.number});
    watches_.erase(found);
    if (added_.erase(id) == 0)
        removed_.push_back(id);
}

kj::Promise<FileWatches::Changes> FileWatches::changes(bool all) {
    if (all) {
        removed_.clear();
        for (const auto& [id, watch] : watches_)
            added_.insert(id);
    }
    if (!added_.empty() || !removed_.empty())
        return take_changes();
    auto pair = kj::newPromiseAndFulfiller<void>();
    waiting_ = kj::mv(pair.fulfiller);
    return pair.promise.then([this] { return take_changes(); });
}

FileWatches::Changes FileWatches::take_changes() {
    Changes changes;
    for (uint32_t id : added_)
        changes.added.emplace_back(id, watches_.at(id).path);
    added_.clear();
    std::swap(changes.removed, removed_);
    return changes;
}

void FileWatches::wake() {
    if (added_.empty() && removed_.empty())
        return;
    KJ_IF_MAYBE (fulfiller, waiting_)
        (*fulfiller)->fulfill();
    waiting_ = nullptr;
}

kj::Promise<Result<void>> FileWatches::tell(capnp::List<protocol::FileEvent>::Reader events) {
    if (events.size() > protocol::MAX_FILE_EVENTS)
        return Result<void>(Error(ErrorKind::invalid_argument, "too many file events at once"));
    for (auto event : events)
        if (auto valid = check_event(event); !valid)
            return kj::mv(valid);
    for (auto event : events) {
        auto name = event.getName().asChars();
        next_.events.push_back({event.getWatch(), event.getMask(), std::string(name.begin(), name.size())});
    }
    auto pair = kj::newPromiseAndFulfiller<void>();
    told_.push_back(kj::mv(pair.fulfiller));
    begin_job();
    return pair.promise.then([]() -> Result<void> { return {}; });
}

// One helper at a time: what comes meanwhile is the next one's.
void FileWatches::begin_job() {
    if (job_runs_)
        return;
    job_runs_ = true;
    tasks_.add(timer_.afterDelay(next_.events.empty() ? job_interval : 0 * kj::MILLISECONDS).then([this] {
        Job job = std::exchange(next_, Job());
        auto told = std::exchange(told_, {});
        job.looks_at_all = !job.watchers.empty() && watches_.size() > protocol::MAX_FILE_WATCHES / 2;
        if (!job.watchers.empty() || !job.events.empty())
            prepare_forging();
        return run_job(job).then([this, told = kj::mv(told)]() mutable {
            for (auto& fulfiller : told)
                fulfiller->fulfill();
            job_runs_ = false;
            if (!next_.watchers.empty() || !next_.events.empty())
                begin_job();
        });
    }));
}

void FileWatches::prepare_forging() {
    if (has_module_)
        return;
    auto loaded = load_module_on_demand(initial_root_, EventForge::module);
    has_module_ = loaded.ok();
    if (!loaded)
        log_line("file watches hear nothing of the host: " + loaded.error().to_string());
}

kj::Promise<void> FileWatches::run_job(const Job& job) {
    os::Fd results(::memfd_create("watches", MFD_CLOEXEC));
    auto helper = os::clone_process(0);
    if (!results || !helper) {
        log_line("cannot look at file watches: " + (helper ? "no memory" : helper.error().to_string()));
        return kj::READY_NOW;
    }
    if (helper->pid == 0) {
        close_all_but({results.get()});
        std::string found = encode(do_job(job));
        (void)!::write(results.get(), found.data(), found.size());
        ::_exit(0);
    }
    using Observer = kj::UnixEventPort::FdObserver;
    auto pidfd = kj::heap<os::Fd>(std::move(helper->pidfd));
    auto observer = kj::heap<Observer>(event_port_, pidfd->get(), Observer::OBSERVE_READ);
    auto ended = observer->whenBecomesReadable();
    return ended
        .attach(kj::mv(observer)) // it goes before its descriptor
        .attach(kj::mv(pidfd))
        .then([this, results = std::move(results)] {
            (void)::lseek(results.get(), 0, SEEK_SET);
            if (auto bytes = os::read_fd(results.get(), "a helper's findings"))
                take(decode(*bytes));
        });
}

/// In a process of its own, which the host's file server may keep waiting.
FileFindings FileWatches::do_job(const Job& job) const {
    FileFindings findings;
    SharedMounts mounts;
    auto forge = EventForge::open();
    auto is_gone = [&](const Watch& watch, auto&& act) {
        auto inode = mounts.open(watch.inode);
        return !inode || !forge || act(inode->get()).ok() == false;
    };
    for (const Event& event : job.events) {
        auto watch = watches_.find(event.watch);
        if (watch == watches_.end())
            continue;
        auto tell = [&](int inode) { return forge->tell(inode, event.mask, event.name); };
        if (is_gone(watch->second, tell))
            findings.unwatched.push_back(event.watch);
    }
    if (job.looks_at_all)
        for (const auto& [id, watch] : watches_)
            if (is_gone(watch, [&](int inode) { return forge->ask(inode); }))
                findings.unwatched.push_back(id);
    for (pid_t process : job.asks_everybody ? all_processes() : job.watchers) {
        for (const WatchedInode& inode : watched_by(process)) {
            auto known = ids_.find({inode.device, inode.number});
            if (!mounts.has(inode.device) ||
                (known != ids_.end() && watches_.at(known->second).inode == inode))
                continue;
            if (auto path = mounts.path_of(inode))
                findings.watched.push_back({inode, *path});
        }
    }
    return findings;
}

void FileWatches::take(const FileFindings& findings) {
    for (uint32_t id : findings.unwatched)
        remove(id);
    for (const WatchedFile& file : findings.watched) {
        std::pair<dev_t, uint64_t> key(file.inode.device, file.inode.number);
        if (auto known = ids_.find(key); known != ids_.end()) {
            if (watches_.at(known->second).inode == file.inode)
                continue; // two processes watch it
            remove(known->second);
        }
        if (watches_.size() >= protocol::MAX_FILE_WATCHES)
            break;
        uint32_t id = next_id_++;
        watches_[id] = {file.inode, file.path};
        ids_[key] = id;
        added_.insert(id);
    }
    wake();
}

void FileWatches::taskFailed(kj::Exception&& exception) {
    job_runs_ = false;
    log_line("file watches: " + std::string(exception.getDescription().cStr()));
}

} // namespace runvm::agent
