#include "agent/process.h"

#include <sys/wait.h>

namespace runvm::agent {

Exit Exit::from_wait_status(int status) {
    Exit exit;
    exit.signaled = WIFSIGNALED(status);
    exit.value = static_cast<uint32_t>(exit.signaled ? WTERMSIG(status) : WEXITSTATUS(status));
    return exit;
}

void Exit::write(protocol::ExitStatus::Builder out) const {
    out.setSignaled(signaled);
    out.setValue(value);
    out.setOomKilled(oom_killed);
    auto ends = out.initStreams(static_cast<unsigned>(streams.size()));
    for (unsigned i = 0; i < streams.size(); ++i) {
        ends[i].setStream(streams[i].stream);
        ends[i].setBytes(streams[i].bytes);
    }
}

Process::Process(pid_t process_pid, os::Fd process_pidfd, std::weak_ptr<Container> of, std::string exec)
    : Process(process_pid, std::move(process_pidfd), std::move(of), std::move(exec),
              kj::newPromiseAndFulfiller<void>()) {}

Process::Process(pid_t process_pid, os::Fd process_pidfd, std::weak_ptr<Container> of, std::string exec,
                 kj::PromiseFulfillerPair<void> pair)
    : pid(process_pid), pidfd(std::move(process_pidfd)), container(std::move(of)), exec_id(std::move(exec)),
      fulfiller_(kj::mv(pair.fulfiller)), ended_(pair.promise.fork()) {}

void Process::end(Exit exit) {
    exit_ = std::move(exit);
    terminal.reset();
    fulfiller_->fulfill();
}

} // namespace runvm::agent
