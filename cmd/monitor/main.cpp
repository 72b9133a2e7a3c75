// runvm-monitor: one a sandbox. Started by runvm (src/runtime/monitor_process.cpp) in namespaces of its own,
// with its listening socket as descriptor 3 and the starter's connection as 4; stderr is its log.

#include "sandbox/sandbox.h"
#include "sandbox/service.h"
#include "sandbox/vm_machine.h"
#include "vm/reaper.h"

#include <kj/async-io.h>

#include <csignal>
#include <cstdio>
#include <unistd.h>

namespace {

using namespace runvm;

constexpr int listen_fd = 3;
constexpr int connection_fd = 4;
// After the last answer was written: it is in the caller's socket by then.
constexpr auto flush_time = 10 * kj::MILLISECONDS;

int serve() {
    auto io = kj::setupAsyncIo();
    auto over = kj::newPromiseAndFulfiller<std::string>();
    sandbox::VmMachine machine(io, vm::make_libvirt_hypervisor);
    sandbox::Sandbox sandbox(io.provider->getTimer(), machine,
                             [&](std::string reason) { over.fulfiller->fulfill(std::move(reason)); });
    sandbox::Server server(sandbox, *io.lowLevelProvider);
    server.serve_creator(os::Fd(connection_fd));
    server.listen(os::Fd(listen_fd));

    std::string reason = over.promise.wait(io.waitScope);
    std::fprintf(stderr, "leaving: %s\n", reason.c_str());
    if (!sandbox.ended_in_order())
        std::fprintf(stderr, "last lines of the guest's console:\n%s", machine.console_tail().c_str());
    io.provider->getTimer().afterDelay(flush_time).wait(io.waitScope);
    // No destructors: libvirt would wait for QEMU, and the kernel ends it with this pid namespace.
    ::_exit(0);
}

} // namespace

int main(int, char** argv) {
    // Before anything else: it wants one thread. We are started by our absolute path.
    return vm::run_as_reaper(argv[0], [] {
        ::signal(SIGPIPE, SIG_IGN);
        try {
            return serve();
        } catch (const kj::Exception& exception) {
            std::fprintf(stderr, "runvm-monitor: %s\n", exception.getDescription().cStr());
        } catch (const std::exception& exception) {
            std::fprintf(stderr, "runvm-monitor: %s\n", exception.what());
        }
        return 1;
    });
}
