#include "agent/function_probe.h"

#include "agent/console.h"
#include "agent/scheduling.h"
#include "core/number.h"
#include "os/file.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>

namespace runvm::agent {

namespace {

constexpr const char* probe_type_path = "/sys/bus/event_source/devices/kprobe/type";
// Documented nowhere else: /sys/bus/event_source/devices/kprobe/format/retprobe says config:0.
constexpr uint64_t return_probe = 1;
// The kernel wakes nobody who has not mapped a buffer: its head and one page of records.
constexpr size_t buffer_pages = 2;

Result<uint32_t> probe_type() {
    RUNVM_ASSIGN(std::string text, os::read_file(probe_type_path, 16));
    auto type = whole_number<uint32_t>(std::string_view(text).substr(0, text.find('\n')));
    if (!type)
        return Error(ErrorKind::unsupported, std::string(probe_type_path) + " holds no number");
    return *type;
}

} // namespace

/// The probe on one cpu.
class FunctionProbe::OnCpu {
public:
    static Result<std::unique_ptr<OnCpu>> open(kj::UnixEventPort& event_port, const std::string& function,
                                               Moment moment, unsigned cpu, uint64_t period);
    OnCpu(kj::UnixEventPort& event_port, os::Fd event, void* buffer, size_t buffer_bytes)
        : event_(std::move(event)), buffer_(buffer), buffer_bytes_(buffer_bytes),
          observer_(event_port, event_.get(), kj::UnixEventPort::FdObserver::OBSERVE_READ) {}
    ~OnCpu() noexcept(false) { ::munmap(buffer_, buffer_bytes_); }
    KJ_DISALLOW_COPY(OnCpu);

    Result<void> set_period(uint64_t period) {
        if (::ioctl(event_.get(), PERF_EVENT_IOC_PERIOD, &period) != 0)
            return system_error("set the period of a probe");
        return {};
    }

    kj::Promise<void> fired() { return observer_.whenBecomesReadable(); }

    /// A full buffer would wake nobody, so all is taken.
    std::vector<pid_t> take_callers() {
        auto* head = static_cast<perf_event_mmap_page*>(buffer_);
        uint64_t end = std::atomic_ref(head->data_head).load(std::memory_order_acquire);
        uint64_t at = head->data_tail;
        std::vector<pid_t> callers;
        while (at < end) {
            auto header = copy<perf_event_header>(at);
            if (header.type == PERF_RECORD_SAMPLE)
                callers.push_back(copy<Caller>(at + sizeof header).process);
            at += std::max<uint64_t>(header.size, sizeof header);
        }
        std::atomic_ref(head->data_tail).store(end, std::memory_order_release);
        return callers;
    }

private:
    /// PERF_SAMPLE_TID
    struct Caller {
        int32_t process;
        int32_t thread;
    };

    /// What is `at` bytes from the beginning of all records: they wrap around.
    template <class T>
    T copy(uint64_t at) const {
        auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
        const char* records = static_cast<const char*>(buffer_) + page;
        uint64_t bytes = buffer_bytes_ - page;
        std::array<char, sizeof(T)> copied{};
        for (char& byte : copied)
            byte = records[at++ % bytes];
        return std::bit_cast<T>(copied);
    }

    os::Fd event_;
    void* buffer_;
    size_t buffer_bytes_;
    kj::UnixEventPort::FdObserver observer_;
};

Result<std::unique_ptr<FunctionProbe::OnCpu>> FunctionProbe::OnCpu::open(kj::UnixEventPort& event_port,
                                                                         const std::string& function,
                                                                         Moment moment, unsigned cpu,
                                                                         uint64_t period) {
    RUNVM_ASSIGN(uint32_t type, probe_type());
    perf_event_attr attributes{};
    attributes.size = sizeof attributes;
    attributes.type = type;
    attributes.config = moment == Moment::returned ? return_probe : 0;
    attributes.kprobe_func = reinterpret_cast<uint64_t>(function.c_str());
    attributes.sample_period = period;
    attributes.sample_type = PERF_SAMPLE_TID;
    attributes.wakeup_events = 1;
    os::Fd event(static_cast<int>(
        ::syscall(SYS_perf_event_open, &attributes, -1, static_cast<int>(cpu), -1, PERF_FLAG_FD_CLOEXEC)));
    if (!event)
        return system_error("probe the kernel's " + function + " on cpu " + std::to_string(cpu));
    size_t bytes = buffer_pages * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    void* buffer = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, event.get(), 0);
    if (buffer == MAP_FAILED)
        return system_error("map the records of a probe");
    return std::make_unique<OnCpu>(event_port, std::move(event), buffer, bytes);
}

FunctionProbe::FunctionProbe(kj::UnixEventPort& event_port, std::string function, Moment moment, Fired fired)
    : event_port_(event_port), function_(std::move(function)), moment_(moment), fired_(std::move(fired)),
      tasks_(*this) {}

FunctionProbe::~FunctionProbe() noexcept(false) = default;

Result<void> FunctionProbe::watch_every(uint64_t period) {
    for (auto& [cpu, on_cpu] : cpus_)
        RUNVM_TRY(on_cpu->set_period(period));
    RUNVM_ASSIGN(std::string online, os::read_file("/sys/devices/system/cpu/online", 4096));
    RUNVM_ASSIGN(std::vector<unsigned> cpus, parse_cpu_list(online.substr(0, online.find('\n'))));
    for (unsigned cpu : cpus) {
        if (cpus_.count(cpu) != 0)
            continue;
        RUNVM_ASSIGN(auto on_cpu, OnCpu::open(event_port_, function_, moment_, cpu, period));
        tasks_.add(await(*on_cpu));
        cpus_[cpu] = std::move(on_cpu);
    }
    return {};
}

kj::Promise<void> FunctionProbe::await(OnCpu& on_cpu) {
    return on_cpu.fired().then([this, &on_cpu] {
        fired_(on_cpu.take_callers());
        return await(on_cpu);
    });
}

void FunctionProbe::taskFailed(kj::Exception&& exception) {
    log_line("a probe of the kernel failed: " + std::string(exception.getDescription().cStr()));
}

} // namespace runvm::agent
