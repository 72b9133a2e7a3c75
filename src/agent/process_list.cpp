#include "agent/process_list.h"

#include "os/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <map>
#include <sstream>

namespace runvm::agent {

namespace {

constexpr uint64_t max_command_line_bytes = 4096;
// Of all processes together: the answer must stay a message that the host takes.
constexpr size_t max_all_command_lines_bytes = 8U << 20U;
constexpr uint64_t max_proc_file_bytes = 16384;
constexpr uint64_t ms_per_s = 1000;
constexpr uint64_t ns_per_ms = 1'000'000;

std::string read_proc(pid_t pid, const char* file) {
    auto text = os::read_file("/proc/" + std::to_string(pid) + "/" + file, max_proc_file_bytes);
    return text ? *std::move(text) : std::string();
}

std::string read_command_line(pid_t pid) {
    auto file = os::open_file("/proc/" + std::to_string(pid) + "/cmdline", O_RDONLY);
    if (!file)
        return {};
    std::string line(max_command_line_bytes, '\0');
    ssize_t bytes = ::read(file->get(), line.data(), line.size());
    line.resize(bytes > 0 ? static_cast<size_t>(bytes) : 0);
    while (!line.empty() && line.back() == '\0')
        line.pop_back();
    std::replace(line.begin(), line.end(), '\0', ' ');
    return line;
}

uint64_t uptime_ms() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<uint64_t>(now.tv_sec) * ms_per_s + static_cast<uint64_t>(now.tv_nsec) / ns_per_ms;
}

uint64_t ticks_to_ms(uint64_t ticks) {
    return ticks * ms_per_s / static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
}

// The numbers of a line "NAME:\t1\t2", in their order.
std::vector<uint32_t> numbers_of(const std::string& status, const std::string& name) {
    size_t begin = status.find("\n" + name + ":");
    if (begin == std::string::npos)
        return {};
    begin += name.size() + 2;
    std::istringstream line(status.substr(begin, status.find('\n', begin) - begin));
    std::vector<uint32_t> numbers;
    for (uint32_t number = 0; line >> number;)
        numbers.push_back(number);
    return numbers;
}

uint32_t at(const std::vector<uint32_t>& numbers, size_t index) {
    return index < numbers.size() ? numbers[index] : 0;
}

} // namespace

void ProcessInfo::write(protocol::ProcessInfo::Builder out) const {
    out.setPid(pid);
    out.setParentPid(parent_pid);
    out.setGroupId(group_id);
    out.setSessionId(session_id);
    out.setUid(uid);
    out.setGid(gid);
    out.setState(static_cast<uint8_t>(state));
    out.setNice(nice);
    out.setThreads(threads);
    out.setTerminal(terminal);
    out.setAgeMs(age_ms);
    out.setCpuMs(cpu_ms);
    out.setVirtualBytes(virtual_bytes);
    out.setResidentBytes(resident_bytes);
    out.setIsSessionLeader(is_session_leader);
    out.setIsForeground(is_foreground);
    out.setName(name);
    out.setCommandLine(command_line);
}

// "PID (NAME) STATE PPID PGRP SESSION TTY TPGID ...": proc(5). The name may hold any characters.
bool parse_stat(const std::string& text, uint64_t uptime, ProcessInfo& info, pid_t& parent) {
    size_t open = text.find('(');
    size_t close = text.rfind(')');
    if (open == std::string::npos || close == std::string::npos || close < open)
        return false;
    info.name = text.substr(open + 1, close - open - 1);
    std::istringstream rest(text.substr(close + 1));
    pid_t pid = 0;
    std::from_chars(text.data(), text.data() + open, pid);
    pid_t group = 0, session = 0, foreground_group = 0;
    uint64_t ignored = 0, user = 0, system = 0, started = 0, resident_pages = 0;
    int64_t signed_ignored = 0;
    rest >> info.state >> parent >> group >> session >> info.terminal >> foreground_group;
    rest >> ignored >> ignored >> ignored >> ignored >> ignored; // flags and faults
    rest >> user >> system >> signed_ignored >> signed_ignored;  // and those of its children
    rest >> signed_ignored >> info.nice >> info.threads >> signed_ignored;
    rest >> started >> info.virtual_bytes >> resident_pages;
    if (!rest)
        return false;
    info.cpu_ms = ticks_to_ms(user + system);
    info.resident_bytes = resident_pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    uint64_t started_ms = ticks_to_ms(started);
    info.age_ms = uptime > started_ms ? uptime - started_ms : 0;
    info.is_session_leader = session == pid;
    info.is_foreground = foreground_group == group;
    return true;
}

bool parse_status(const std::string& text, size_t depth, ProcessInfo& info) {
    std::vector<uint32_t> pids = numbers_of(text, "NSpid");
    if (pids.empty())
        return false;
    info.pid = at(pids, depth);
    info.group_id = at(numbers_of(text, "NSpgid"), depth);
    info.session_id = at(numbers_of(text, "NSsid"), depth);
    info.uid = at(numbers_of(text, "Uid"), 1); // real, effective, saved, filesystem
    info.gid = at(numbers_of(text, "Gid"), 1);
    return true;
}

size_t namespace_depth(pid_t pid) {
    std::vector<uint32_t> pids = numbers_of(read_proc(pid, "status"), "NSpid");
    return pids.empty() ? 0 : pids.size() - 1;
}

std::vector<ProcessInfo> list_processes(const std::vector<pid_t>& pids, size_t depth) {
    std::vector<ProcessInfo> list;
    std::map<pid_t, uint32_t> inner_pids;
    std::vector<pid_t> parents;
    size_t room = max_all_command_lines_bytes;
    uint64_t uptime = uptime_ms();
    for (pid_t pid : pids) {
        if (list.size() == protocol::MAX_PROCESS_INFOS)
            break;
        ProcessInfo info;
        pid_t parent = 0;
        if (!parse_stat(read_proc(pid, "stat"), uptime, info, parent) ||
            !parse_status(read_proc(pid, "status"), depth, info))
            continue;
        info.command_line = read_command_line(pid).substr(0, room);
        room -= info.command_line.size();
        inner_pids[pid] = info.pid;
        parents.push_back(parent);
        list.push_back(std::move(info));
    }
    for (size_t i = 0; i < list.size(); ++i)
        if (auto parent = inner_pids.find(parents[i]); parent != inner_pids.end())
            list[i].parent_pid = parent->second;
    return list;
}

} // namespace runvm::agent
