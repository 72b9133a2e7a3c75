#pragma once
// The agent's calls as the tests make them, each waited for, and what it answered.

#include "guest_vm.h"

#include "core/result.h"

#include <sched.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace runvm::test {

/// The machine of all tests; `main` boots it.
extern GuestVm* vm;

/// The test that the machine does not survive: behind all others.
void register_power_off_test();

constexpr uint64_t usual_namespaces =
    CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP;
constexpr uint64_t docker_capabilities = 0xa80425fb;

using Words = std::vector<std::string>;

double ms_since(std::chrono::steady_clock::time_point begin);

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

void set_words(capnp::List<capnp::Text>::Builder list, const Words& words);

using CreateRequest =
    capnp::Request<protocol::Agent::CreateContainerParams, protocol::Agent::CreateContainerResults>;

/// What `runc spec` makes. `more_mounts`: room for those of a test, after the usual ones.
CreateRequest container_request(const std::string& id, const Words& args, unsigned more_mounts = 0);
protocol::Mount::Builder more_mount(CreateRequest& request, unsigned index);

Failure create(CreateRequest& request);
Failure start(const std::string& id);
Failure signal(const std::string& id, int number, bool all = false, const std::string& exec_id = "");
Failure remove(const std::string& id);

struct End {
    Failure failure;
    bool signaled = false;
    uint32_t value = 0;
    bool oom_killed = false;
    std::map<uint32_t, uint64_t> bytes;
};

End wait_end(const std::string& id, const std::string& exec_id = "");

struct Output {
    Failure failure;
    End end;
    std::string out;
    std::string err;
};

/// Creates, starts, waits, and deletes.
Output run(const std::string& id, CreateRequest& request);
Output run(const std::string& id, const Words& args);

using ExecRequest = capnp::Request<protocol::Agent::ExecParams, protocol::Agent::ExecResults>;

ExecRequest exec_request(const std::string& id, const std::string& exec_id, const Words& args);
Output exec(const std::string& id, const std::string& exec_id, const Words& args);

/// A container that sleeps, for execs; deleted at the end.
class Sleeper {
public:
    explicit Sleeper(std::string id) : Sleeper(id, container_request(id, {"sleep", "1000"})) {}
    Sleeper(std::string id, CreateRequest request);
    ~Sleeper();

private:
    std::string id_;
};

} // namespace runvm::test
