// The agent in a real VM. Usage, as root: agent-vm [gtest options] KERNEL INITRD, with the guest's ELF kernel
// and an initial RAM disk made by guest/make-initrd.

#include "guest_vm.h"

#include "core/result.h"

#include <gtest/gtest.h>
#include <kj/debug.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace runvm::test {

namespace {

GuestVm* vm = nullptr;

constexpr uint64_t usual_namespaces =
    CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP;
constexpr uint64_t docker_capabilities = 0xa80425fb;

using Words = std::vector<std::string>;

double ms_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

template <class T>
auto wait_for(T&& promise) {
    return vm->io()
        .provider->getTimer()
        .timeoutAfter(300 * kj::SECONDS, kj::mv(promise))
        .wait(vm->io().waitScope);
}

/// The error of an answer; kind "none" if there is none.
struct Failure {
    bool failed = false;
    ErrorKind kind = ErrorKind::internal;
    int errno_value = 0;
    std::string text;
};

template <class Answer>
Failure failure_of(Answer&& answer) {
    Failure failure;
    auto error = answer.getError();
    failure.failed = error.getFailed();
    failure.kind = static_cast<ErrorKind>(error.getKind());
    failure.errno_value = error.getErrnoValue();
    for (auto step : error.getContext())
        failure.text = std::string(step.cStr()) + ": " + failure.text;
    failure.text += error.getMessage().cStr();
    return failure;
}

void set_words(capnp::List<capnp::Text>::Builder list, const Words& words) {
    for (unsigned i = 0; i < words.size(); ++i)
        list.set(i, words[i].c_str());
}

void fill_process(protocol::Process::Builder process, const Words& args, bool is_root = true) {
    set_words(process.initArgs(static_cast<unsigned>(args.size())), args);
    set_words(process.initEnv(1), {"PATH=/bin:/usr/bin"});
    process.setCwd("/");
    process.initUser();
    auto sets = process.initCapabilities();
    sets.setBounding(docker_capabilities);
    sets.setPermitted(docker_capabilities);
    sets.setEffective(is_root ? docker_capabilities : 0);
}

struct MountSpec {
    const char* destination;
    const char* type;
    uint64_t flags;
    const char* data;
};

const std::vector<MountSpec>& usual_mounts() {
    static const std::vector<MountSpec> mounts = {
        {"/proc", "proc", 0, ""},
        {"/dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"},
        {"/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"},
        {"/dev/shm", "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, "mode=1777,size=65536k"},
        {"/dev/mqueue", "mqueue", MS_NOSUID | MS_NOEXEC | MS_NODEV, ""},
        {"/sys", "sysfs", MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, ""},
        {"/sys/fs/cgroup", "cgroup", MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, ""},
    };
    return mounts;
}

using CreateRequest =
    capnp::Request<protocol::Agent::CreateContainerParams, protocol::Agent::CreateContainerResults>;

/// What `runc spec` makes. `more_mounts`: room for those of a test, after the usual ones.
CreateRequest container_request(const std::string& id, const Words& args, unsigned more_mounts = 0) {
    auto request = vm->agent().createContainerRequest();
    request.setId(id.c_str());
    auto container = request.initContainer();
    container.setRootfsShare("rootfs");
    container.setHostname("inside");
    container.setNewNamespaces(usual_namespaces);
    auto mounts = container.initMounts(static_cast<unsigned>(usual_mounts().size()) + more_mounts);
    for (unsigned i = 0; i < usual_mounts().size(); ++i) {
        const MountSpec& spec = usual_mounts()[i];
        mounts[i].setDestination(spec.destination);
        mounts[i].setType(spec.type);
        mounts[i].setSource(spec.type);
        mounts[i].setFlags(spec.flags);
        mounts[i].setData(spec.data);
    }
    fill_process(container.initProcess(), args);
    return request;
}

protocol::Mount::Builder more_mount(CreateRequest& request, unsigned index) {
    return request.getContainer().getMounts()[static_cast<unsigned>(usual_mounts().size()) + index];
}

Failure create(CreateRequest& request) {
    return failure_of(wait_for(request.send()));
}

Failure start(const std::string& id) {
    auto request = vm->agent().startContainerRequest();
    request.setId(id.c_str());
    return failure_of(wait_for(request.send()));
}

struct End {
    Failure failure;
    bool signaled = false;
    uint32_t value = 0;
    bool oom_killed = false;
    std::map<uint32_t, uint64_t> bytes;
};

End wait_end(const std::string& id, const std::string& exec_id = "") {
    auto request = vm->agent().waitRequest();
    request.setId(id.c_str());
    request.setExecId(exec_id.c_str());
    auto answer = wait_for(request.send());
    End end;
    end.failure = failure_of(answer);
    auto status = answer.getStatus();
    end.signaled = status.getSignaled();
    end.value = status.getValue();
    end.oom_killed = status.getOomKilled();
    for (auto stream : status.getStreams())
        end.bytes[stream.getStream()] = stream.getBytes();
    return end;
}

Failure signal(const std::string& id, int number, bool all = false, const std::string& exec_id = "") {
    auto request = vm->agent().signalRequest();
    request.setId(id.c_str());
    request.setExecId(exec_id.c_str());
    request.setSignal(number);
    request.setAll(all);
    return failure_of(wait_for(request.send()));
}

Failure remove(const std::string& id) {
    auto request = vm->agent().deleteContainerRequest();
    request.setId(id.c_str());
    return failure_of(wait_for(request.send()));
}

struct Output {
    Failure failure;
    End end;
    std::string out;
    std::string err;
};

/// Reads what the process writes until it has ended.
Output collect(GuestProcess& process, const std::string& id, const std::string& exec_id = "") {
    auto reading = process.keep_reading();
    Output output;
    output.end = wait_end(id, exec_id);
    output.failure = output.end.failure;
    output.out = process.read(1, output.end.bytes[process.stream_of(1)]);
    output.err = process.read(2, output.end.bytes[process.stream_of(2)]);
    return output;
}

/// Creates, starts, waits, and deletes.
Output run(const std::string& id, CreateRequest& request) {
    vm->add_rootfs(id);
    GuestProcess process(*vm);
    process.bind(request.getContainer().getProcess());
    Output output;
    output.failure = create(request);
    if (!output.failure.failed)
        output.failure = start(id);
    if (!output.failure.failed)
        output = collect(process, id);
    EXPECT_FALSE(remove(id).failed);
    vm->remove_shares(id);
    return output;
}

Output run(const std::string& id, const Words& args) {
    auto request = container_request(id, args);
    return run(id, request);
}

using ExecRequest = capnp::Request<protocol::Agent::ExecParams, protocol::Agent::ExecResults>;

ExecRequest exec_request(const std::string& id, const std::string& exec_id, const Words& args) {
    auto request = vm->agent().execRequest();
    request.setId(id.c_str());
    request.setExecId(exec_id.c_str());
    fill_process(request.initProcess(), args);
    return request;
}

Output exec(const std::string& id, const std::string& exec_id, const Words& args) {
    auto request = exec_request(id, exec_id, args);
    GuestProcess process(*vm);
    process.bind(request.getProcess());
    Output output;
    output.failure = failure_of(wait_for(request.send()));
    if (!output.failure.failed)
        output = collect(process, id, exec_id);
    return output;
}

/// A container that sleeps, for execs; deleted at the end.
class Sleeper {
public:
    explicit Sleeper(std::string id) : Sleeper(id, container_request(id, {"sleep", "1000"})) {}
    Sleeper(std::string id, CreateRequest request) : id_(std::move(id)) {
        vm->add_rootfs(id_);
        Failure failure = create(request);
        if (!failure.failed)
            failure = start(id_);
        EXPECT_FALSE(failure.failed) << failure.text;
    }
    ~Sleeper() {
        if (!vm->connected())
            return;
        Failure failure = remove(id_);
        EXPECT_FALSE(failure.failed) << failure.text;
        vm->remove_shares(id_);
    }

private:
    std::string id_;
};

/// Descriptors of virtiofsd that are open below the shared folder's container.
unsigned held_by_virtiofsd(const std::string& container) {
    unsigned count = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(vm->virtiofsd_pid()) + "/fd")) {
        std::error_code error;
        std::string target = std::filesystem::read_symlink(entry.path(), error);
        if (target.find("/" + container) != std::string::npos || target.find("/rootfs") != std::string::npos)
            ++count;
    }
    return count;
}

std::string held_names() {
    std::string names;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(vm->virtiofsd_pid()) + "/fd")) {
        std::error_code error;
        names += std::filesystem::read_symlink(entry.path(), error).string() + " ";
    }
    return names;
}

} // namespace

TEST(AgentVm, SaysHello) {
    auto request = vm->agent().helloRequest();
    request.setProtocolVersion(protocol::AGENT_PROTOCOL_VERSION);
    request.setHostTimeNs(1'700'000'000'000'000'000);
    auto answer = wait_for(request.send());
    EXPECT_FALSE(answer.getError().getFailed());
    EXPECT_EQ(answer.getProtocolVersion(), protocol::AGENT_PROTOCOL_VERSION);
    std::printf("kernel %s, agent %s, ready after %.0f ms\n", answer.getKernelRelease().cStr(),
                answer.getAgentVersion().cStr(), static_cast<double>(answer.getBootNs()) / 1e6);
    Output output = run("clock", {"date", "-u", "+%Y"});
    EXPECT_EQ(output.out, "2023\n") << output.failure.text;
    auto ping = wait_for(vm->agent().pingRequest().send());
    auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 20; ++i)
        wait_for(vm->agent().pingRequest().send());
    std::printf("ping %.2f ms\n", ms_since(begin) / 20);
}

TEST(AgentVm, RefusesAnotherProtocolVersion) {
    auto request = vm->agent().helloRequest();
    request.setProtocolVersion(protocol::AGENT_PROTOCOL_VERSION + 1);
    request.setHostTimeNs(1);
    Failure failure = failure_of(wait_for(request.send()));
    EXPECT_EQ(failure.kind, ErrorKind::unsupported);
}

TEST(AgentVm, RunsAContainer) {
    auto begin = std::chrono::steady_clock::now();
    Output output = run("c1", {"sh", "-c", "echo out; echo err >&2; exit 3"});
    std::printf("run %.1f ms\n", ms_since(begin));
    EXPECT_EQ(output.out, "out\n") << output.failure.text;
    EXPECT_EQ(output.err, "err\n");
    EXPECT_FALSE(output.end.signaled);
    EXPECT_EQ(output.end.value, 3U);
}

TEST(AgentVm, TimesCreateStartAndDelete) {
    for (int i = 0; i < 5; ++i) {
        std::string id = "timed" + std::to_string(i);
        vm->add_rootfs(id);
        auto request = container_request(id, {"true"});
        GuestProcess process(*vm);
        process.bind(request.getContainer().getProcess());
        double cpu_begin = vm->qemu_cpu_ms();
        auto begin = std::chrono::steady_clock::now();
        EXPECT_FALSE(create(request).failed);
        double created = ms_since(begin);
        EXPECT_FALSE(start(id).failed);
        double started = ms_since(begin);
        wait_end(id);
        double ended = ms_since(begin);
        EXPECT_FALSE(remove(id).failed);
        std::printf("create %.1f start %.1f end %.1f delete %.1f ms, %.1f ms of QEMU's cpu\n", created,
                    started - created, ended - started, ms_since(begin) - ended,
                    vm->qemu_cpu_ms() - cpu_begin);
        vm->remove_shares(id);
    }
}

TEST(AgentVm, ReleasesSharesOnDelete) {
    Output output = run("released", {"ls", "-lR", "/bin", "/etc"});
    EXPECT_EQ(output.end.value, 0U) << output.failure.text;
    // The guest's last requests that let go are on their way.
    for (int i = 0; i < 100 && held_by_virtiofsd("released") > 0; ++i)
        ::usleep(20'000);
    EXPECT_EQ(held_by_virtiofsd("released"), 0U) << held_names();
}

TEST(AgentVm, ReportsMissingCommands) {
    auto run_for_error = [](const Words& args) { return run("missing", args).failure; };
    Failure failure = run_for_error({"no-such-command"});
    EXPECT_EQ(failure.kind, ErrorKind::command_not_found);
    EXPECT_NE(failure.text.find("exec: \"no-such-command\": executable file not found in $PATH"),
              std::string::npos);
    failure = run_for_error({"/no/such/command"});
    EXPECT_EQ(failure.kind, ErrorKind::command_not_found);
    EXPECT_EQ(failure.errno_value, ENOENT);
    failure = run_for_error({"/etc"});
    EXPECT_EQ(failure.kind, ErrorKind::command_not_executable);
    EXPECT_EQ(failure.errno_value, EISDIR);
    std::ofstream(vm->rootfs() + "/etc/plain") << "text";
    failure = run_for_error({"/etc/plain"});
    EXPECT_EQ(failure.kind, ErrorKind::command_not_executable);
    EXPECT_EQ(failure.errno_value, EACCES);
    // Only execve itself sees that the interpreter is missing: start fails.
    std::ofstream(vm->rootfs() + "/etc/script") << "#!/no/such/interpreter\n";
    ::chmod((vm->rootfs() + "/etc/script").c_str(), 0755);
    failure = run_for_error({"/etc/script"});
    EXPECT_EQ(failure.kind, ErrorKind::command_not_found);
    EXPECT_EQ(failure.errno_value, ENOENT);
}

TEST(AgentVm, LeavesNothingOfAFailedCreate) {
    vm->add_rootfs("twice");
    auto request = container_request("twice", {"true"}, 1);
    more_mount(request, 0).setDestination("/mnt");
    more_mount(request, 0).setType("nosuchfs");
    Failure failure = create(request);
    EXPECT_TRUE(failure.failed);
    EXPECT_NE(failure.text.find("nosuchfs"), std::string::npos) << failure.text;
    vm->remove_shares("twice");
    EXPECT_EQ(run("twice", {"true"}).end.value, 0U);
}

TEST(AgentVm, ExecsQuickly) {
    Sleeper sleeper("execs");
    std::vector<double> started;
    std::vector<double> ended;
    double cpu_begin = vm->qemu_cpu_ms();
    for (int i = 0; i < 20; ++i) {
        std::string exec_id = "e" + std::to_string(i);
        auto request = exec_request("execs", exec_id, {"true"});
        GuestProcess process(*vm);
        process.bind(request.getProcess());
        auto begin = std::chrono::steady_clock::now();
        Failure failure = failure_of(wait_for(request.send()));
        EXPECT_FALSE(failure.failed) << failure.text;
        started.push_back(ms_since(begin));
        EXPECT_EQ(wait_end("execs", exec_id).value, 0U);
        ended.push_back(ms_since(begin));
        auto forget = vm->agent().forgetProcessRequest();
        forget.setId("execs");
        forget.setExecId(exec_id.c_str());
        EXPECT_FALSE(wait_for(forget.send()).getError().getFailed());
    }
    double cpu_ms = (vm->qemu_cpu_ms() - cpu_begin) / 20;
    std::sort(started.begin(), started.end());
    std::sort(ended.begin(), ended.end());
    std::printf(
        "exec answered after %.1f ms (least %.1f), ended after %.1f ms (least %.1f), %.1f ms of QEMU's cpu\n",
        started[10], started[0], ended[10], ended[0], cpu_ms);
}

TEST(AgentVm, CarriesInput) {
    Sleeper sleeper("input");
    auto request = exec_request("input", "cat", {"cat"});
    GuestProcess process(*vm);
    process.bind(request.getProcess(), false, true);
    EXPECT_FALSE(wait_for(request.send()).getError().getFailed());
    process.write("hello");
    EXPECT_EQ(process.read(1, 5), "hello");
    process.close_input();
    EXPECT_EQ(wait_end("input", "cat").value, 0U);
}

TEST(AgentVm, CarriesMuchOutputCompletely) {
    auto begin = std::chrono::steady_clock::now();
    Output output = run("much", {"dd", "if=/dev/zero", "bs=65536", "count=256"});
    EXPECT_EQ(output.out.size(), 256U * 65536U) << output.failure.text;
    std::printf("16 MiB in %.0f ms\n", ms_since(begin));
}

TEST(AgentVm, SendsSignals) {
    Sleeper sleeper("signals");
    auto request = exec_request("signals", "s", {"sleep", "1000"});
    EXPECT_FALSE(wait_for(request.send()).getError().getFailed());
    EXPECT_FALSE(signal("signals", 0, false, "s").failed);
    EXPECT_FALSE(signal("signals", SIGTERM, false, "s").failed);
    End end = wait_end("signals", "s");
    EXPECT_TRUE(end.signaled);
    EXPECT_EQ(end.value, static_cast<uint32_t>(SIGTERM));
    EXPECT_EQ(signal("signals", SIGTERM, false, "s").kind, ErrorKind::process_finished);
    EXPECT_FALSE(signal("signals", SIGKILL, true).failed);
    end = wait_end("signals");
    EXPECT_TRUE(end.signaled);
    EXPECT_EQ(end.value, static_cast<uint32_t>(SIGKILL));
    EXPECT_EQ(signal("signals", 0, true).kind, ErrorKind::process_finished);
}

TEST(AgentVm, EndsACreatedContainerBySigterm) {
    vm->add_rootfs("waiting");
    auto request = container_request("waiting", {"true"});
    EXPECT_FALSE(create(request).failed);
    EXPECT_EQ(exec("waiting", "early", {"echo", "in created"}).out, "in created\n");
    EXPECT_FALSE(signal("waiting", SIGTERM).failed);
    EXPECT_EQ(wait_end("waiting").value, 128U + SIGTERM);
    EXPECT_EQ(start("waiting").kind, ErrorKind::wrong_state);
    EXPECT_FALSE(remove("waiting").failed);
    vm->remove_shares("waiting");
}

TEST(AgentVm, GivesATerminal) {
    vm->add_rootfs("tty");
    auto request = container_request(
        "tty", {"sh", "-c", "tty; stty size; ls -l /dev/console; read x; stty size; read y"});
    auto process_builder = request.getContainer().getProcess();
    process_builder.setConsoleHeight(33);
    process_builder.setConsoleWidth(101);
    GuestProcess process(*vm);
    process.bind(process_builder, true);
    Failure failure = create(request);
    ASSERT_FALSE(failure.failed) << failure.text;
    EXPECT_FALSE(start("tty").failed);
    std::string text = process.read_until(0, "console");
    EXPECT_NE(text.find("/dev/pts/0\r\n33 101\r\n"), std::string::npos) << text;
    auto resize = vm->agent().resizeRequest();
    resize.setId("tty");
    resize.setHeight(44);
    resize.setWidth(55);
    EXPECT_FALSE(wait_for(resize.send()).getError().getFailed());
    process.write("\n");
    EXPECT_NE(process.read_until(0, "44 55").find("44 55"), std::string::npos);
    process.write("\x03");
    End end = wait_end("tty");
    EXPECT_EQ(process.read(0, end.bytes[process.stream_of(0)]).size(), end.bytes[process.stream_of(0)]);
    EXPECT_FALSE(remove("tty").failed);
    vm->remove_shares("tty");
}

TEST(AgentVm, GivesAnExecATerminal) {
    Sleeper sleeper("ttyexec");
    auto request = exec_request("ttyexec", "t", {"sh", "-c", "tty; echo done"});
    GuestProcess process(*vm);
    process.bind(request.getProcess(), true);
    EXPECT_FALSE(wait_for(request.send()).getError().getFailed());
    std::string text = process.read_until(0, "done");
    EXPECT_NE(text.find("/dev/pts/0"), std::string::npos) << text;
    EXPECT_EQ(wait_end("ttyexec", "t").value, 0U);
}

TEST(AgentVm, SetsTheProcessUp) {
    std::ofstream(vm->rootfs() + "/etc/passwd")
        << "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n";
    auto request =
        container_request("setup", {"sh", "-c",
                                    "id; echo $HOME; hostname; umask; pwd; ulimit -n; grep -E "
                                    "'^(Cap|NoNewPrivs)' /proc/self/status; cat /proc/self/oom_score_adj; "
                                    "echo err > /dev/stderr; ls /proc/self/fd"});
    auto process = request.getContainer().getProcess();
    auto user = process.getUser();
    user.setUid(1000);
    user.setGid(1001);
    user.initAdditionalGids(2).set(0, 7);
    user.getAdditionalGids().set(1, 8);
    user.setUmask(027);
    process.setCwd("/home/new");
    process.setNoNewPrivileges(true);
    process.setHasOomScoreAdj(true);
    process.setOomScoreAdj(321);
    auto limit = process.initRlimits(1)[0];
    limit.setResource(7); // RLIMIT_NOFILE
    limit.setSoft(77);
    limit.setHard(88);
    process.getCapabilities().setEffective(0);
    process.getCapabilities().setPermitted(0);
    Output output = run("setup", request);
    EXPECT_EQ(output.out,
              "uid=1000(user) gid=1001 groups=7,8\n/home/user\ninside\n0027\n/home/new\n77\n"
              "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
              "CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n321\n0\n1\n2\n3\n")
        << output.failure.text << output.err;
    EXPECT_EQ(output.err, "err\n");
}

TEST(AgentVm, ProtectsPaths) {
    auto request = container_request(
        "paths", {"sh", "-c",
                  "cat /proc/keys; ls /proc/acpi; echo 1 > /proc/sys/kernel/shmmax; echo a > /etc/new; "
                  "cat /proc/sys/net/core/somaxconn; echo b > /tmp/new; echo c > /dev/shm/x; echo ok"});
    auto container = request.getContainer();
    container.setRootfsReadonly(true);
    set_words(container.initMaskedPaths(3), {"/proc/keys", "/proc/acpi", "/no/such"});
    set_words(container.initReadonlyPaths(2), {"/proc/sys", "/no/such"});
    auto setting = container.initSysctl(1)[0];
    setting.setKey("net.core.somaxconn");
    setting.setValue("321");
    Output output = run("paths", request);
    EXPECT_EQ(output.out, "321\nok\n") << output.failure.text << output.err;
    EXPECT_NE(output.err.find("can't create /proc/sys/kernel/shmmax: Read-only file system"),
              std::string::npos)
        << output.err;
    EXPECT_NE(output.err.find("can't create /etc/new: Read-only file system"), std::string::npos);
    EXPECT_NE(output.err.find("can't create /tmp/new: Read-only file system"), std::string::npos);
}

TEST(AgentVm, KeepsHostileSymlinksInside) {
    namespace fs = std::filesystem;
    std::string root = vm->rootfs();
    fs::create_directory_symlink("/run/runvm/../../..", root + "/trap");
    fs::create_directory_symlink("../../../../../../../escape/deep", root + "/relative");
    auto request =
        container_request("hostile", {"sh", "-c", "mount | grep -E 'trap|escape|data'; ls /escape/deep"}, 3);
    more_mount(request, 0).setDestination("/trap/data");
    more_mount(request, 0).setType("tmpfs");
    more_mount(request, 1).setDestination("/relative/data");
    more_mount(request, 1).setType("tmpfs");
    more_mount(request, 2).setDestination("/new/../made/here");
    more_mount(request, 2).setType("tmpfs");
    Output output = run("hostile", request);
    EXPECT_EQ(output.end.value, 0U) << output.failure.text << output.err;
    EXPECT_NE(output.out.find(" on /data "), std::string::npos) << output.out;
    EXPECT_NE(output.out.find(" on /escape/deep/data "), std::string::npos) << output.out;
    EXPECT_TRUE(fs::is_directory(root + "/made/here"));
    fs::remove(root + "/trap");
    fs::remove(root + "/relative");
    // proc through a symlink is refused
    fs::remove(root + "/proc");
    fs::create_directory_symlink("/tmp", root + "/proc");
    Failure failure = run("hostile", {"true"}).failure;
    EXPECT_EQ(failure.errno_value, ENOTDIR) << failure.text;
    fs::remove(root + "/proc");
    fs::create_directory(root + "/proc");
}

TEST(AgentVm, BindsShares) {
    namespace fs = std::filesystem;
    std::string source = vm->shared() + "/../source";
    fs::create_directories(source + "/sub");
    ASSERT_EQ(::mount("tmpfs", (source + "/sub").c_str(), "tmpfs", 0, nullptr), 0);
    std::ofstream(source + "/file") << "content";
    vm->add_share("binds", "m0", source);
    vm->add_share("binds", "m1", source + "/file");
    auto request = container_request(
        "binds",
        {"sh", "-c",
         "cat /mnt/a/file /mnt/file; touch /mnt/a/x; touch /mnt/a/sub/x && echo sub; touch /mnt/b/sub/y"},
        3);
    auto first = more_mount(request, 0);
    first.setDestination("/mnt/a");
    first.setType("bind");
    first.setShare("m0");
    first.setFlags(MS_BIND | MS_REC | MS_RDONLY);
    set_words(first.initSubmounts(1), {"sub"});
    auto second = more_mount(request, 1);
    second.setDestination("/mnt/file");
    second.setType("bind");
    second.setShare("m1");
    second.setIsFile(true);
    auto third = more_mount(request, 2);
    third.setDestination("/mnt/b");
    third.setType("bind");
    third.setShare("m0");
    third.setFlags(MS_BIND | MS_REC);
    third.setRecursiveSet(MOUNT_ATTR_RDONLY);
    third.setPropagation(MS_SLAVE | MS_REC);
    Output output = run("binds", request);
    EXPECT_EQ(output.out, "contentcontentsub\n") << output.failure.text << output.err;
    EXPECT_NE(output.err.find("/mnt/a/x: Read-only file system"), std::string::npos) << output.err;
    EXPECT_NE(output.err.find("/mnt/b/sub/y: Read-only file system"), std::string::npos) << output.err;
    ::umount2((source + "/sub").c_str(), MNT_DETACH);
}

TEST(AgentVm, CopiesUpIntoATmpfs) {
    std::ofstream(vm->rootfs() + "/home/kept") << "kept";
    auto request =
        container_request("copyup", {"sh", "-c", "cat /home/kept; rm /home/kept; ls -l /home/link"}, 1);
    std::filesystem::create_symlink("/etc/passwd", vm->rootfs() + "/home/link");
    more_mount(request, 0).setDestination("/home");
    more_mount(request, 0).setType("tmpfs");
    more_mount(request, 0).setCopyUp(true);
    Output output = run("copyup", request);
    EXPECT_EQ(output.out.substr(0, 4), "kept") << output.failure.text << output.err;
    EXPECT_NE(output.out.find("/home/link -> /etc/passwd"), std::string::npos);
    EXPECT_TRUE(std::filesystem::exists(vm->rootfs() + "/home/kept"));
}

TEST(AgentVm, LimitsResources) {
    auto request = container_request(
        "limits", {"sh", "-c",
                   "cat /sys/fs/cgroup/pids.max /proc/self/cgroup; cat /dev/null; mknod /dev/k c 1 2 && "
                   "cat /dev/k; head -c 1 /dev/zero | wc -c"});
    auto resources = request.getContainer().initResources();
    auto files = resources.initFiles(2);
    files[0].setName("pids.max");
    files[0].setValue("12");
    files[1].setName("no.such");
    files[1].setOptional(true);
    auto rules = resources.initDeviceRules(3);
    rules[0].setAllow(false);
    rules[0].setType('a');
    rules[0].setAccess("rwm");
    rules[1].setAllow(true);
    rules[1].setType('c');
    rules[1].setAccess("m");
    rules[2].setAllow(true);
    rules[2].setType('c');
    rules[2].setMajor(1);
    rules[2].setMinor(3);
    rules[2].setAccess("rwm");
    Output output = run("limits", request);
    // /dev/zero is not allowed, so head fails and wc counts nothing
    EXPECT_EQ(output.out, "12\n0::/\n0\n") << output.failure.text << output.err;
    EXPECT_NE(output.err.find("'/dev/k': Operation not permitted"), std::string::npos) << output.err;

    request = container_request("limits", {"true"});
    request.getContainer().initResources().initFiles(1)[0].setName("no.such");
    Failure failure = run("limits", request).failure;
    EXPECT_EQ(failure.kind, ErrorKind::unsupported) << failure.text;
}

TEST(AgentVm, TellsOfAnOomKill) {
    auto request = container_request("oom", {"sh", "-c", "dd if=/dev/zero of=/dev/null bs=100M count=1"});
    auto file = request.getContainer().initResources().initFiles(1)[0];
    file.setName("memory.max");
    file.setValue("16777216");
    Output output = run("oom", request);
    EXPECT_TRUE(output.end.oom_killed) << output.failure.text << output.err << output.end.value;
    EXPECT_FALSE(run("noom", {"true"}).end.oom_killed);
}

TEST(AgentVm, KillsAllWithoutAPidNamespace) {
    auto request = container_request("shared", {"sh", "-c", "sleep 1000 & sleep 1000 & echo up; exit 4"});
    request.getContainer().setNewNamespaces(usual_namespaces & ~uint64_t{CLONE_NEWPID});
    Output output = run("shared", request);
    EXPECT_EQ(output.end.value, 4U) << output.failure.text;
    EXPECT_EQ(output.out, "up\n");
}

TEST(AgentVm, ListsProcesses) {
    Sleeper sleeper("listed");
    auto request = exec_request("listed", "s", {"sleep", "1000"});
    auto pid = wait_for(request.send()).getGuestPid();
    auto list = vm->agent().processesRequest();
    list.setId("listed");
    auto answer = wait_for(list.send());
    ASSERT_EQ(answer.getGuestPids().size(), 2U);
    EXPECT_TRUE(answer.getGuestPids()[0] == pid || answer.getGuestPids()[1] == pid);
}

TEST(AgentVm, LoadsASeccompProgram) {
    // deny mkdir and mkdirat with EPERM: ld nr; jeq 83, jeq 258; ret
    struct {
        uint16_t code;
        uint8_t jt, jf;
        uint32_t k;
    } program[] = {{0x20, 0, 0, 0},
                   {0x15, 1, 0, 83},
                   {0x15, 0, 1, 258},
                   {0x06, 0, 0, 0x00050001},
                   {0x06, 0, 0, 0x7fff0000}};
    for (bool no_new_privileges : {true, false}) {
        auto request = container_request("seccomp", {"sh", "-c", "mkdir /tmp/dir || echo denied"});
        auto process = request.getContainer().getProcess();
        process.setNoNewPrivileges(no_new_privileges);
        process.initSeccomp().setProgram(kj::arrayPtr(reinterpret_cast<kj::byte*>(program), sizeof program));
        Output output = run("seccomp", request);
        EXPECT_EQ(output.out, "denied\n") << output.failure.text << output.err;
    }
}

TEST(AgentVm, RefusesNonsense) {
    vm->add_rootfs("nonsense");
    auto bad_id = container_request("../x", {"true"});
    EXPECT_EQ(create(bad_id).kind, ErrorKind::invalid_argument);
    auto bad_share = container_request("nonsense", {"true"});
    bad_share.getContainer().setRootfsShare("../..");
    EXPECT_EQ(create(bad_share).kind, ErrorKind::invalid_argument);
    auto user_namespace = container_request("nonsense", {"true"});
    user_namespace.getContainer().setNewNamespaces(usual_namespaces | CLONE_NEWUSER);
    EXPECT_EQ(create(user_namespace).kind, ErrorKind::unsupported);
    auto once = container_request("nonsense", {"sleep", "1000"});
    EXPECT_FALSE(create(once).failed);
    auto twice = container_request("nonsense", {"sleep", "1000"});
    EXPECT_EQ(create(twice).kind, ErrorKind::already_exists);
    EXPECT_EQ(wait_end("nobody").failure.kind, ErrorKind::not_found);
    EXPECT_FALSE(remove("nobody").failed);
    EXPECT_FALSE(remove("nonsense").failed);
    vm->remove_shares("nonsense");
}

TEST(AgentVm, OutlivesASession) {
    Sleeper sleeper("session");
    auto request =
        exec_request("session", "noisy", {"sh", "-c", "trap '' PIPE; while sleep 0.05; do echo x; done"});
    GuestProcess process(*vm);
    process.bind(request.getProcess());
    EXPECT_FALSE(wait_for(request.send()).getError().getFailed());
    EXPECT_FALSE(process.read(1, 4).empty());
    for (int i = 0; i < 3; ++i) {
        vm->disconnect();
        vm->connect();
        EXPECT_EQ(exec("session", "after" + std::to_string(i), {"echo", "again"}).out, "again\n");
    }
    EXPECT_FALSE(signal("session", 0, false, "noisy").failed);
}

// Last: the machine is gone after it.
TEST(AgentVm, ZPowersOff) {
    vm->add_rootfs("last");
    auto container = container_request("last", {"sleep", "1000"});
    EXPECT_FALSE(create(container).failed);
    wait_for(vm->agent().powerOffRequest().send());
    EXPECT_TRUE(vm->wait_for_qemu());
}

} // namespace runvm::test

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    if (argc != 3) {
        std::fprintf(stderr, "usage: agent-vm [gtest options] KERNEL INITRD\n");
        return 2;
    }
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) != 0) {
        std::perror("agent-vm: make a mount namespace (are you root?)");
        return 2;
    }
    auto begin = std::chrono::steady_clock::now();
    runvm::test::GuestVm machine(argv[1], argv[2]);
    std::printf("session after %.0f ms\n%s", runvm::test::ms_since(begin), machine.console().c_str());
    runvm::test::vm = &machine;
    int result = RUN_ALL_TESTS();
    std::printf("--- console\n%s", machine.console().c_str());
    return result;
}
