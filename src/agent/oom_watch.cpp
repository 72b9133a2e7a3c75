#include "agent/oom_watch.h"

#include "agent/cgroup.h"

#include <kj/debug.h>

#include <unistd.h>

#include <string>

namespace runvm::agent {

namespace {

constexpr size_t max_file_bytes = 4096;

} // namespace

// kernfs tells of a change as urgent data (Documentation/admin-guide/cgroup-v2.rst, "[Un]populated
// Notification").
OomWatch::OomWatch(kj::UnixEventPort& event_port, os::Fd memory_events)
    : file_(std::move(memory_events)),
      observer_(event_port, file_.get(), kj::UnixEventPort::FdObserver::OBSERVE_URGENT) {}

uint64_t OomWatch::kills() const {
    std::string text(max_file_bytes, '\0');
    ssize_t bytes = ::pread(file_.get(), text.data(), text.size(), 0);
    text.resize(bytes > 0 ? static_cast<size_t>(bytes) : 0);
    return keyed_value(text, "oom_kill");
}

// An observer has room for one who waits; after a lost session there are two.
kj::Promise<void> OomWatch::changed() {
    if (has_changed_) {
        has_changed_ = false;
        change_ = observer_.whenUrgentDataAvailable().then([this] { has_changed_ = true; }).fork();
    }
    return KJ_ASSERT_NONNULL(change_).addBranch();
}

kj::Promise<uint64_t> OomWatch::more_than(uint64_t seen) {
    auto change = changed(); // before the look: nothing is missed
    if (uint64_t now = kills(); now > seen)
        return now;
    return change.then([this, seen] { return more_than(seen); });
}

} // namespace runvm::agent
