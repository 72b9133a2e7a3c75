#include "agent_calls.h"

#include <gtest/gtest.h>
#include <sys/mount.h>

namespace runvm::test {

GuestVm* vm = nullptr;

namespace {

void fill_process(protocol::Process::Builder process, const Words& args) {
    set_words(process.initArgs(static_cast<unsigned>(args.size())), args);
    set_words(process.initEnv(1), {"PATH=/bin:/usr/bin"});
    process.setCwd("/");
    process.initUser();
    auto sets = process.initCapabilities();
    sets.setBounding(docker_capabilities);
    sets.setPermitted(docker_capabilities);
    sets.setEffective(docker_capabilities);
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

} // namespace

double ms_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

void set_words(capnp::List<capnp::Text>::Builder list, const Words& words) {
    for (unsigned i = 0; i < words.size(); ++i)
        list.set(i, words[i].c_str());
}

CreateRequest container_request(const std::string& id, const Words& args, unsigned more_mounts) {
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
    request.setLimitMs(60000);
    request.setId(id.c_str());
    return failure_of(wait_for(request.send()));
}

End wait_end(const std::string& id, const std::string& exec_id) {
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

Failure signal(const std::string& id, int number, bool all, const std::string& exec_id) {
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

Sleeper::Sleeper(std::string id, CreateRequest request) : id_(std::move(id)) {
    vm->add_rootfs(id_);
    Failure failure = create(request);
    if (!failure.failed)
        failure = start(id_);
    EXPECT_FALSE(failure.failed) << failure.text;
}

Sleeper::~Sleeper() {
    if (!vm->connected())
        return;
    Failure failure = remove(id_);
    EXPECT_FALSE(failure.failed) << failure.text;
    vm->remove_shares(id_);
}

} // namespace runvm::test
