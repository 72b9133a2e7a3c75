#include "state/container.h"

#include "os/file.h"

#include <charconv>
#include <optional>
#include <string_view>

namespace runvm::state {
namespace {

struct ProcessStat {
    char state = 0;          ///< field 3
    uint64_t start_time = 0; ///< field 22
};

/// /proc/<pid>/stat; nothing if there is no such process.
std::optional<ProcessStat> read_stat(pid_t pid) {
    if (pid <= 0)
        return std::nullopt;
    auto text = os::read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
    if (!text)
        return std::nullopt;
    // "pid (comm) state ppid ...": comm is the program's own choice and may hold spaces and parentheses, so
    // the fields are counted from the last ')' (proc(5)).
    std::string_view rest = *text;
    size_t end_of_name = rest.rfind(')');
    if (end_of_name == std::string_view::npos || end_of_name + 2 >= rest.size())
        return std::nullopt;
    rest.remove_prefix(end_of_name + 2);

    ProcessStat stat;
    stat.state = rest[0];
    for (int field = 3; field < 22; ++field) {
        size_t space = rest.find(' ');
        if (space == std::string_view::npos)
            return std::nullopt;
        rest.remove_prefix(space + 1);
    }
    auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), stat.start_time);
    if (parsed.ec != std::errc())
        return std::nullopt;
    return stat;
}

bool is_dead(const ProcessStat& stat) {
    return stat.state == 'Z' || stat.state == 'X' || stat.state == 'x';
}

} // namespace

bool is_alive(const ProcessRef& process) {
    if (process.start_time == 0)
        return false; // was gone when the reference was taken
    auto stat = read_stat(process.pid);
    return stat && !is_dead(*stat) && stat->start_time == process.start_time;
}

ProcessRef process_ref(pid_t pid) {
    auto stat = read_stat(pid);
    if (!stat || is_dead(*stat))
        return {pid, 0};
    return {pid, stat->start_time};
}

const char* to_string(Status status) {
    switch (status) {
    case Status::creating:
        return "creating";
    case Status::created:
        return "created";
    case Status::running:
        return "running";
    case Status::paused:
        return "paused";
    case Status::stopped:
        return "stopped";
    }
    return "unknown";
}

Status effective_status(const Container& container) {
    if (container.status == Status::stopped)
        return Status::stopped;
    const ProcessRef& holder = container.status == Status::creating ? container.creator : container.shim;
    return is_alive(holder) ? container.status : Status::stopped;
}

} // namespace runvm::state
