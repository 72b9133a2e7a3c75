#include "agent/cached_inodes.h"

#include "agent/console.h"
#include "os/file.h"

#include <unistd.h>

#include <algorithm>
#include <string>

namespace runvm::agent {

namespace {

constexpr const char* drop_caches_path = "/proc/sys/vm/drop_caches";
constexpr const char* entries_and_inodes = "2";
constexpr const char* no_log_lines = "4";

// A quarter of what fits in is made between two drops, and the cpus may have made another eighth by the time
// that the agent hears of it. The rest is for what is in use and cannot be dropped, for files that are open
// (virtiofsd has a second descriptor for those), and for what is made until virtiofsd has closed the rest.
constexpr uint64_t share_between_drops = 4;
constexpr uint64_t share_unheard_of = 8;
constexpr uint64_t smallest_period = 64;

constexpr auto start_delay = 100 * kj::MILLISECONDS;

} // namespace

// Each superblock of fuse makes its inodes with it.
CachedInodes::CachedInodes(kj::UnixEventPort& event_port, uint64_t most)
    : timer_(event_port.getTimer()), most_(most),
      probe_(event_port, "fuse_alloc_inode", FunctionProbe::Moment::call,
             [this](const std::vector<pid_t>&) { some_were_made(); }),
      tasks_(*this) {}

void CachedInodes::limit_soon() {
    if (asked_ || most_ == 0)
        return;
    asked_ = true;
    tasks_.add(timer_.afterDelay(start_delay).then([this] {
        limits_ = true;
        (void)os::write_into(drop_caches_path, no_log_lines); // the log is for its readers in the containers
        limit();
    }));
}

void CachedInodes::cover_cpus() {
    if (limits_)
        limit();
}

void CachedInodes::limit() {
    auto cpus = static_cast<uint64_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
    period_ = std::max(smallest_period, most_ / share_unheard_of / cpus);
    if (auto watched = probe_.watch_every(period_); !watched)
        log_line("virtiofsd may run out of descriptors: " + watched.error().to_string());
}

void CachedInodes::some_were_made() {
    made_ += period_;
    if (made_ < most_ / share_between_drops)
        return;
    made_ = 0;
    // Of all file systems, because the kernel offers nothing between this and a remount of each share, which
    // would have the host write all its dirty pages (FUSE_SYNCFS). What is in use stays.
    if (auto dropped = os::write_into(drop_caches_path, entries_and_inodes); !dropped)
        log_line(dropped.error().to_string());
}

void CachedInodes::taskFailed(kj::Exception&& exception) {
    log_line("the limit of cached inodes: " + std::string(exception.getDescription().cStr()));
}

} // namespace runvm::agent
