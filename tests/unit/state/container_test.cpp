#include "state/container.h"

#include <gtest/gtest.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

namespace runvm::state {
namespace {

/// A child that waits to be killed, under a name of its choice.
class Child {
public:
    explicit Child(const char* name) {
        std::array<int, 2> named{};
        EXPECT_EQ(::pipe(named.data()), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_NAME, name);
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::close(named[1]);
            while (true)
                ::pause();
        }
        ::close(named[1]);
        char byte;
        EXPECT_EQ(::read(named[0], &byte, 1), 0); // end-of-file: it has its name
        ::close(named[0]);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        kill();
        reap();
    }

    pid_t pid() const { return pid_; }
    /// Returns when it is a zombie.
    void kill() {
        if (pid_ == 0)
            return;
        ::kill(pid_, SIGKILL);
        siginfo_t info{};
        EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT), 0);
    }
    void reap() {
        if (pid_ != 0)
            ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }

private:
    pid_t pid_ = 0;
};

TEST(ProcessRefTest, FollowsAProcessToItsEnd) {
    Child child("plain");
    ProcessRef ref = process_ref(child.pid());
    EXPECT_EQ(ref.pid, child.pid());
    EXPECT_NE(ref.start_time, 0U);
    EXPECT_TRUE(is_alive(ref));
    child.kill();
    EXPECT_FALSE(is_alive(ref)) << "a zombie is dead";
    EXPECT_EQ(process_ref(child.pid()).start_time, 0U);
    child.reap();
    EXPECT_FALSE(is_alive(ref));
}

TEST(ProcessRefTest, ReadsNamesThatImitateTheFormat) {
    // Fifteen characters at most; each would mislead a parser that splits at the first ')' or at spaces.
    for (const char* name : {"a) Z 1 1 1 1", "((", "))", ") ", "x y z", ") R (", "\n) Z 0"}) {
        Child child(name);
        ProcessRef ref = process_ref(child.pid());
        EXPECT_TRUE(is_alive(ref)) << name;
        ProcessRef own = process_ref(::getpid());
        EXPECT_GE(ref.start_time, own.start_time) << name;
        EXPECT_LT(ref.start_time, own.start_time + 100'000'000U) << name;
    }
}

TEST(ProcessRefTest, AReusedPidIsAnotherProcess) {
    ProcessRef own = process_ref(::getpid());
    EXPECT_TRUE(is_alive(own));
    EXPECT_FALSE(is_alive({own.pid, own.start_time - 1}));
    EXPECT_FALSE(is_alive({own.pid, own.start_time + 1}));
    EXPECT_FALSE(is_alive({own.pid, 0}));
}

TEST(ProcessRefTest, NoProcessIsNotAlive) {
    EXPECT_FALSE(is_alive({}));
    EXPECT_FALSE(is_alive({-1, 1}));
    EXPECT_EQ(process_ref(0).start_time, 0U);
    EXPECT_EQ(process_ref(-1).start_time, 0U);
}

TEST(EffectiveStatusTest, CreatingLastsAsLongAsItsCreator) {
    Container container;
    container.status = Status::creating;
    container.shim = process_ref(::getpid());
    EXPECT_EQ(effective_status(container), Status::stopped);
    container.creator = process_ref(::getpid());
    container.shim = {};
    EXPECT_EQ(effective_status(container), Status::creating);
}

TEST(EffectiveStatusTest, TheRestLastsAsLongAsTheShim) {
    Child shim("shim");
    Container container;
    container.shim = process_ref(shim.pid());
    for (Status status : {Status::created, Status::running, Status::paused, Status::stopped}) {
        container.status = status;
        EXPECT_EQ(effective_status(container), status) << to_string(status);
    }
    shim.kill();
    for (Status status : {Status::created, Status::running, Status::paused, Status::stopped}) {
        container.status = status;
        EXPECT_EQ(effective_status(container), Status::stopped) << to_string(status);
    }
}

} // namespace
} // namespace runvm::state
