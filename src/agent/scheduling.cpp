#include "agent/scheduling.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>

namespace runvm::agent {

namespace {

/// struct sched_attr of the kernel (sched_setattr(2)); glibc has it only from 2.41 on.
struct SchedulerAttributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns;
    uint64_t deadline_ns;
    uint64_t period_ns;
};
static_assert(sizeof(SchedulerAttributes) == 48);

constexpr int ioprio_who_process = 1;
constexpr int ioprio_class_shift = 13;

const char* take_number(const char* begin, const char* end, unsigned& number) {
    auto parsed = std::from_chars(begin, end, number);
    return parsed.ec == std::errc() && number < CPU_SETSIZE ? parsed.ptr : nullptr;
}

} // namespace

Result<void> set_scheduler(protocol::Scheduler::Reader scheduler) {
    SchedulerAttributes attributes{};
    attributes.size = sizeof attributes;
    attributes.policy = scheduler.getPolicy();
    attributes.flags = scheduler.getFlags();
    attributes.nice = scheduler.getNice();
    attributes.priority = scheduler.getPriority();
    attributes.runtime_ns = scheduler.getRuntimeNs();
    attributes.deadline_ns = scheduler.getDeadlineNs();
    attributes.period_ns = scheduler.getPeriodNs();
    if (::syscall(SYS_sched_setattr, 0, &attributes, 0) != 0)
        return system_error("set the scheduler");
    return {};
}

Result<void> set_io_priority(uint16_t io_class, uint16_t level) {
    int value = (io_class << ioprio_class_shift) | level;
    if (::syscall(SYS_ioprio_set, ioprio_who_process, 0, value) != 0)
        return system_error("set the I/O priority");
    return {};
}

Result<void> set_cpu_affinity(const std::vector<unsigned>& cpus) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (unsigned cpu : cpus)
        CPU_SET(cpu, &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0)
        return system_error("set the cpu affinity");
    return {};
}

Result<std::vector<unsigned>> parse_cpu_list(const std::string& list) {
    Error bad(ErrorKind::invalid_argument, "`" + list + "` is not a list of cpus");
    std::vector<unsigned> cpus;
    const char* next = list.data();
    const char* end = next + list.size();
    while (true) {
        unsigned first = 0;
        next = take_number(next, end, first);
        if (next == nullptr)
            return bad;
        unsigned last = first;
        if (next != end && *next == '-') {
            next = take_number(next + 1, end, last);
            if (next == nullptr || last < first)
                return bad;
        }
        for (unsigned cpu = first; cpu <= last; ++cpu)
            cpus.push_back(cpu);
        if (next == end)
            return cpus;
        if (*next++ != ',')
            return bad;
    }
}

Result<void> run_before_containers() {
    sched_param lowest{};
    lowest.sched_priority = ::sched_get_priority_min(SCHED_FIFO);
    if (::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &lowest) != 0)
        return system_error("set the agent's scheduler");
    return {};
}

} // namespace runvm::agent
