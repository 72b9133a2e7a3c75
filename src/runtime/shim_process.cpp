#include "runtime/shim_process.h"

#include "os/file.h"
#include "shim/options.h"

#include <fcntl.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <unistd.h>

namespace runvm::runtime {

namespace {

// Descriptors of `runvm-shim init`. Later exec shims find the pipe's write end through /proc/<init>/fd.
constexpr int init_alive_fd = 3;
constexpr int init_ready_fd = 4;
constexpr int init_hold_fd = 5;
constexpr int init_first_join_fd = 6;

constexpr uint64_t report_max_bytes = 4096;

struct Pipe {
    os::Fd reader;
    os::Fd writer;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return system_error("make a pipe");
    return Pipe{os::Fd(ends[0]), os::Fd(ends[1])};
}

// A shim closes the pipe when it is ready, or writes why it cannot be.
Result<void> await_ready(const os::Fd& reader) {
    RUNVM_ASSIGN(std::string report, os::read_fd(reader.get(), "the shim's report", report_max_bytes));
    if (!report.empty())
        return Error(ErrorKind::internal, "runvm-shim: " + report);
    return {};
}

Result<void> await_bound(const os::Fd& reader) {
    char first = 0;
    ssize_t count = ::read(reader.get(), &first, 1);
    if (count == 1 && first == shim::bound)
        return {};
    RUNVM_ASSIGN(std::string report, os::read_fd(reader.get(), "the shim's report", report_max_bytes));
    return Error(ErrorKind::internal,
                 "runvm-shim: " + std::string(&first, static_cast<size_t>(count == 1)) + report);
}

} // namespace

Result<StartedInit> start_shim_init(const Layout& layout, const oci::HostPlan& plan,
                                    const EnterCgroup& enter_cgroup) {
    RUNVM_ASSIGN(Pipe alive, make_pipe());
    RUNVM_ASSIGN(Pipe ready, make_pipe());
    Pipe hold;

    shim::InitOptions options;
    options.rootfs = plan.rootfs;
    options.hostname = plan.hostname;
    options.alive_fd = init_alive_fd;
    options.ready_fd = init_ready_fd;
    os::SpawnSpec spec;
    spec.clone_flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
    spec.fds = {{alive.reader.get(), init_alive_fd}, {ready.writer.get(), init_ready_fd}};
    if (plan.hooks.before_root_changes()) {
        RUNVM_ASSIGN(hold, make_pipe());
        options.hold_fd = init_hold_fd;
        spec.fds.emplace_back(hold.reader.get(), init_hold_fd);
    }
    std::vector<os::Fd> joined;
    for (const oci::HostNamespace& space : plan.namespaces) {
        if (space.path.empty()) {
            if (space.clone_flag == CLONE_NEWNET) {
                spec.clone_flags |= CLONE_NEWNET;
                options.new_network = true;
            }
            continue;
        }
        RUNVM_ASSIGN(os::Fd fd, os::open_file(space.path, O_RDONLY));
        int number = init_first_join_fd + static_cast<int>(joined.size());
        spec.fds.emplace_back(fd.get(), number);
        options.join_fds.push_back(number);
        joined.push_back(std::move(fd));
    }
    std::string program = layout.libexec + "/runvm-shim";
    spec.argv = {program, "init"};
    for (std::string& argument : shim::to_arguments(options))
        spec.argv.push_back(std::move(argument));
    spec.new_session = true;
    spec.cwd = "/";
    spec.before_exec = enter_cgroup;

    StartedInit init;
    RUNVM_ASSIGN(init.process, os::spawn(spec));
    init.alive = std::move(alive.writer);
    ready.writer.reset();
    if (!hold.writer) {
        RUNVM_TRY(await_ready(ready.reader));
        return init;
    }
    RUNVM_TRY(await_bound(ready.reader));
    init.ready = std::move(ready.reader);
    init.hold = std::move(hold.writer);
    return init;
}

Result<void> release(StartedInit& init) {
    RUNVM_TRY(os::write_all(init.hold.get(), "\n", "the shim's init"));
    init.hold.reset();
    return await_ready(init.ready);
}

Result<StartedInit> open_shim_init(const state::ProcessRef& init) {
    StartedInit opened;
    opened.process.pid = init.pid;
    RUNVM_ASSIGN(opened.process.pidfd, os::open_pidfd(init.pid));
    if (!state::is_alive(init))
        return Error(ErrorKind::process_finished, "the container's shims are gone");
    std::string path = "/proc/" + std::to_string(init.pid) + "/fd/" + std::to_string(init_alive_fd);
    RUNVM_ASSIGN(opened.alive, os::open_file(path, O_WRONLY));
    return opened;
}

Result<os::Spawned> start_shim(const Layout& layout, ShimRequest request) {
    RUNVM_ASSIGN(Pipe ready, make_pipe());
    std::string pid_namespace_path = "/proc/" + std::to_string(request.init->process.pid) + "/ns/pid";
    RUNVM_ASSIGN(os::Fd pid_namespace, os::open_file(pid_namespace_path, O_RDONLY));

    os::SpawnSpec spec;
    // The caller's descriptors keep their numbers; ours come after them.
    int next_fd = std::max(10, 3 + request.preserve_fds);
    auto give = [&](int fd) {
        spec.fds.emplace_back(fd, next_fd);
        return next_fd++;
    };
    shim::RunOptions options;
    options.id = request.id;
    options.exec_id = request.exec_id;
    options.monitor_fd = give(request.monitor.get());
    options.alive_fd = give(request.init->alive.get());
    options.ready_fd = give(ready.writer.get());
    options.init_fd = give(request.init->process.pidfd.get());
    if (request.terminal)
        options.terminal_fd = give(request.terminal.get());
    os::Fd memory_cgroup;
    os::Fd proc;
    if (!request.memory_cgroup.empty()) {
        RUNVM_ASSIGN(memory_cgroup, os::open_file(request.memory_cgroup, O_PATH | O_DIRECTORY));
        RUNVM_ASSIGN(proc, os::open_file("/proc", O_PATH | O_DIRECTORY));
        options.memory_cgroup_fd = give(memory_cgroup.get());
        options.proc_fd = give(proc.get());
    }
    for (ProcessStream& stream : *request.streams) {
        int caller_fd = stream.caller_fd >= 0 ? stream.caller_fd : options.terminal_fd;
        if (stream.caller_fd >= 0)
            spec.fds.emplace_back(stream.caller_fd, stream.caller_fd);
        options.streams.push_back(
            {caller_fd, stream.process_fd, stream.direction, give(stream.shim_end.get())});
    }
    spec.argv = {layout.libexec + "/runvm-shim", "run"};
    for (std::string& argument : shim::to_arguments(options))
        spec.argv.push_back(std::move(argument));
    spec.pid_namespace = pid_namespace.get();
    spec.new_session = true; // conmon's timeout kills the pid's process group: the shim leads its own
    spec.cwd = "/";
    spec.before_exec = request.enter_cgroup;
    RUNVM_ASSIGN(os::Spawned shim, os::spawn(spec));
    for (ProcessStream& stream : *request.streams)
        stream.shim_end.reset();
    ready.writer.reset();
    RUNVM_TRY(await_ready(ready.reader));
    return shim;
}

} // namespace runvm::runtime
