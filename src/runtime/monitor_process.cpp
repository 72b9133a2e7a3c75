#include "runtime/monitor_process.h"

#include "os/file.h"
#include "os/unix_socket.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <cinttypes>
#include <cstdio>

namespace runvm::runtime {

namespace {

// The numbers that cmd/monitor/main.cpp expects.
constexpr int listen_fd_number = 3;
constexpr int connection_fd_number = 4;

constexpr size_t log_tail_bytes = 2048;
constexpr const char* reaper_name = "/reaper";

} // namespace

Result<StartedMonitor> start_monitor(const Layout& layout, const std::string& sandbox_folder,
                                     const EnterCgroup& enter_cgroup) {
    RUNVM_ASSIGN(os::Fd listener, os::listen_unix(sandbox_folder + "/monitor.sock"));
    RUNVM_ASSIGN(os::Fd log,
                 os::open_file(sandbox_folder + "/monitor.log", O_WRONLY | O_CREAT | O_APPEND, 0600));
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return system_error("make a socket pair");
    os::Fd ours(ends[0]);
    os::Fd monitors(ends[1]);

    os::SpawnSpec spec;
    spec.argv = {layout.libexec + "/runvm-monitor"};
    // One malloc arena for all threads: a monitor is there as long as its container, its memory counts.
    spec.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/",
                "MALLOC_ARENA_MAX=1"};
    spec.fds = {{log.get(), 2}, {listener.get(), listen_fd_number}, {monitors.get(), connection_fd_number}};
    spec.clone_flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET;
    spec.new_session = true;
    spec.cwd = "/";
    spec.before_exec = enter_cgroup;
    RUNVM_ASSIGN(os::Spawned reaper, os::spawn(spec));
    state::ProcessRef reference = state::process_ref(reaper.pid);
    std::string text = std::to_string(reference.pid) + " " + std::to_string(reference.start_time) + "\n";
    if (auto written = os::write_file_atomically(sandbox_folder + reaper_name, text, 0600, false); !written) {
        os::end_child(reaper);
        return std::move(written).error();
    }
    return StartedMonitor{std::move(reaper), std::move(ours)};
}

std::string monitor_log_tail(const std::string& sandbox_folder) {
    auto text = os::read_file(sandbox_folder + "/monitor.log");
    if (!text)
        return "";
    if (text->size() <= log_tail_bytes)
        return *text;
    return text->substr(text->size() - log_tail_bytes);
}

state::ProcessRef reaper_of(const std::string& sandbox_folder) {
    state::ProcessRef reference;
    auto text = os::read_file(sandbox_folder + reaper_name);
    if (text && std::sscanf(text->c_str(), "%d %" SCNu64, &reference.pid, &reference.start_time) != 2)
        reference = {};
    return reference;
}

} // namespace runvm::runtime
