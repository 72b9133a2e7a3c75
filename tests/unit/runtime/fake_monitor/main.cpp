// runvm-monitor without a VM: the true service and state machine, with a machine and an agent that do what
// the sandbox's kernel command line says. Words of it:
//   boot-fails        the boot's error is "no luck"
//   never-boots       the boot has no end
//   fails=CALL        the agent answers CALL ("startContainer") with an error
//   silent=CALL       the agent never answers CALL
//   exits=CODE        a process that is started, or executed, ends at once with CODE

#include "../../support/fake_guest.h"

#include "sandbox/service.h"
#include "vm/reaper.h"

#include <csignal>
#include <sstream>
#include <unistd.h>

namespace runvm::sandbox {
namespace {

class ScriptedMachine final : public FakeMachine {
public:
    ScriptedMachine(kj::AsyncIoContext& io, AgentScript& script) : FakeMachine(io, script), script_(script) {}
    ~ScriptedMachine() noexcept override = default;

    kj::Promise<Result<std::unique_ptr<Guest>>> boot(protocol::SandboxConfig::Reader config) override {
        std::istringstream words(config.getKernelCommandLine().cStr());
        for (std::string word; words >> word;) {
            size_t equals = word.find('=');
            std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
            if (word == "boot-fails")
                boot_error = Error(ErrorKind::guest, "no luck");
            else if (word == "never-boots")
                never_boots = true;
            else if (word.starts_with("fails="))
                script_.errors.emplace(value, Error(ErrorKind::guest, value + " has failed"));
            else if (word.starts_with("silent="))
                script_.silent.insert(value);
            else if (word.starts_with("exits="))
                script_.ends_at_once = static_cast<uint32_t>(std::stoul(value));
        }
        return FakeMachine::boot(config);
    }

private:
    AgentScript& script_;
};

int serve() {
    auto io = kj::setupAsyncIo();
    auto over = kj::newPromiseAndFulfiller<void>();
    AgentScript script;
    script.obeys_signals = true;
    ScriptedMachine machine(io, script);
    Sandbox sandbox(io.provider->getTimer(), machine, [&](const std::string&) { over.fulfiller->fulfill(); });
    Server server(sandbox, *io.lowLevelProvider);
    server.serve_creator(os::Fd(4));
    server.listen(os::Fd(3));
    over.promise.wait(io.waitScope);
    io.provider->getTimer().afterDelay(10 * kj::MILLISECONDS).wait(io.waitScope);
    ::_exit(0);
}

} // namespace
} // namespace runvm::sandbox

int main(int, char** argv) {
    return runvm::vm::run_as_reaper(argv[0], [] {
        ::signal(SIGPIPE, SIG_IGN);
        return runvm::sandbox::serve();
    });
}
