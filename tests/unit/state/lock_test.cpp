// Many processes at once on one id. What one of them sees wrong, it reports by its exit status.
#include "../support/temporary_folder.h"
#include "os/file.h"
#include "sample_container.h"
#include "store_kinds.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <thread>
#include <vector>

namespace runvm::state {
namespace {

using namespace std::chrono_literals;

class LockTest : public ::testing::TestWithParam<StoreKind> {
protected:
    pid_t fork_child(const std::function<bool()>& body) {
        pid_t pid = ::fork();
        if (pid == 0)
            ::_exit(body() ? 0 : 1);
        return pid;
    }
    static int exit_code(pid_t pid) {
        int status = 0;
        EXPECT_EQ(::waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    size_t entries() const { return GetParam().traces(root()); }
    /// Waits until this process has the container's lock open twice: to hold the lock, and to wait for it.
    void await_waiter(const std::string& id) const {
        namespace fs = std::filesystem;
        for (int open = 0; open < 2; std::this_thread::sleep_for(1ms)) {
            open = 0;
            for (const auto& fd : fs::directory_iterator("/proc/self/fd")) {
                std::error_code closed_meanwhile;
                open +=
                    fs::read_symlink(fd.path(), closed_meanwhile) == GetParam().lock_path(root(), id) ? 1 : 0;
            }
        }
    }
    std::string root() const { return folder_.path() + "/root"; }

    test::TemporaryFolder folder_;
    std::unique_ptr<Store> store_ = GetParam().open(root());
};

INSTANTIATE_TEST_SUITE_P(Stores, LockTest, ::testing::ValuesIn(store_kinds), store_kind_name);

TEST_P(LockTest, IsLetGoWithItsObject) {
    { auto lock = store_->reserve("one").value(); }
    { auto lock = store_->lock("one", 0).value(); }
    auto lock = store_->lock("one", 0);
    ASSERT_TRUE(lock.ok());
    auto second = store_->lock("one", 0);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().kind(), ErrorKind::timeout);
    EXPECT_EQ(second.error().to_string(),
              "container one is in use by another command that has not ended within 0 ms; try again later");
}

TEST_P(LockTest, WaitsForTheProcessThatHoldsIt) {
    std::array<int, 2> ready{};
    ASSERT_EQ(::pipe(ready.data()), 0);
    pid_t holder = fork_child([&] {
        auto lock = store_->reserve("one");
        (void)!::write(ready[1], "x", 1);
        while (true)
            ::pause();
        return lock.ok();
    });
    char byte;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    EXPECT_EQ(store_->lock("one", 50).error().kind(), ErrorKind::timeout);
    std::thread killer([&] {
        std::this_thread::sleep_for(50ms);
        ::kill(holder, SIGKILL);
    });
    EXPECT_TRUE(store_->lock("one").ok()) << "a process that dies lets go";
    killer.join();
    EXPECT_EQ(exit_code(holder), 128 + SIGKILL);
    ::close(ready[0]);
    ::close(ready[1]);
}

TEST_P(LockTest, IsNotFoundWhenDeletedMeanwhile) {
    auto lock = store_->reserve("one");
    ASSERT_TRUE(lock.ok());
    // A thread will do: the lock belongs to the open folder, and a forked child would inherit the first one.
    std::thread waiter([&] {
        auto waited = store_->lock("one");
        ASSERT_FALSE(waited.ok());
        EXPECT_EQ(waited.error().kind(), ErrorKind::not_found);
    });
    await_waiter("one");
    ASSERT_TRUE(store_->remove("one").ok());
    { auto drop = std::move(*lock); }
    waiter.join();
}

TEST_P(LockTest, IsNotThatOfALaterContainer) {
    auto lock = store_->reserve("one");
    std::thread waiter([&] {
        auto waited = store_->lock("one");
        EXPECT_FALSE(waited.ok()) << "it waited for the first one";
    });
    await_waiter("one");
    ASSERT_TRUE(store_->remove("one").ok());
    auto again = store_->reserve("one");
    ASSERT_TRUE(again.ok());
    { auto drop = std::move(*lock); }
    waiter.join();
}

TEST_P(LockTest, OneOfManyReservesWins) {
    for (int round = 0; round < 10; ++round) {
        std::string id = "round-" + std::to_string(round);
        std::vector<pid_t> children;
        for (int i = 0; i < 8; ++i)
            children.push_back(fork_child([&] {
                auto lock = store_->reserve(id);
                if (!lock) {
                    // A loser must find the winner's container: whole, with its creator.
                    auto seen = store_->load(id);
                    if (lock.error().kind() != ErrorKind::already_exists || !seen || seen->creator.pid == 0)
                        ::_exit(2);
                }
                return lock.ok();
            }));
        int winners = 0;
        for (pid_t child : children) {
            int code = exit_code(child);
            EXPECT_LE(code, 1);
            winners += code == 0 ? 1 : 0;
        }
        EXPECT_EQ(winners, 1);
    }
    EXPECT_EQ(store_->list()->size(), 10U);
    EXPECT_EQ(entries(), 10U);
}

TEST_P(LockTest, ChangesUnderTheLockAreNeverLost) {
    Container container = sample_container("one");
    container.created_ns = 0;
    {
        auto lock = store_->reserve("one");
        ASSERT_TRUE(store_->save(container).ok());
    }
    constexpr int processes = 5;
    constexpr int rounds = 12;
    std::vector<pid_t> children;
    for (int i = 0; i < processes; ++i)
        children.push_back(fork_child([&] {
            for (int round = 0; round < rounds; ++round) {
                auto lock = store_->lock("one");
                if (!lock)
                    return false;
                auto loaded = store_->load("one");
                if (!loaded)
                    return false;
                ++loaded->created_ns;
                if (!store_->save(*loaded))
                    return false;
            }
            return true;
        }));
    for (pid_t child : children)
        EXPECT_EQ(exit_code(child), 0);
    EXPECT_EQ(store_->load("one")->created_ns, processes * rounds);
}

// Every process does everything to the same id; every error must be one that the contract names.
bool disturb(Store& store, unsigned seed) {
    auto is_one_of = [](const Error& error, std::initializer_list<ErrorKind> kinds) {
        for (ErrorKind kind : kinds)
            if (error.kind() == kind)
                return true;
        std::fprintf(stderr, "unexpected: %s\n", error.to_string().c_str());
        return false;
    };
    for (int round = 0; round < 60; ++round) {
        switch (rand_r(&seed) % 4) {
        case 0: {
            auto lock = store.reserve("one");
            if (!lock && !is_one_of(lock.error(), {ErrorKind::already_exists}))
                return false;
            if (!lock)
                break;
            if (auto saved = store.save(sample_container("one")); !saved)
                return is_one_of(saved.error(), {});
            break;
        }
        case 1: {
            auto lock = store.lock("one");
            if (!lock && !is_one_of(lock.error(), {ErrorKind::not_found}))
                return false;
            if (!lock)
                break;
            // Locked and there: nothing may take it away or change it now.
            auto loaded = store.load("one");
            if (!loaded)
                return is_one_of(loaded.error(), {});
            if (auto removed = store.remove("one"); !removed)
                return is_one_of(removed.error(), {});
            auto gone = store.load("one");
            if (!gone && !is_one_of(gone.error(), {ErrorKind::not_found}))
                return false;
            break;
        }
        case 2: {
            auto loaded = store.load("one"); // without a lock, as `state` does
            if (!loaded && !is_one_of(loaded.error(), {ErrorKind::not_found}))
                return false;
            break;
        }
        default: {
            auto ids = store.list();
            if (!ids || ids->size() > 1)
                return false;
        }
        }
    }
    return true;
}

TEST_P(LockTest, ManyProcessesDoEverythingAtOnce) {
    std::vector<pid_t> children;
    for (unsigned i = 0; i < 8; ++i)
        children.push_back(fork_child([&, i] { return disturb(*store_, 17 + i); }));
    for (pid_t child : children)
        EXPECT_EQ(exit_code(child), 0);
    ASSERT_TRUE(store_->remove("one").ok());
    EXPECT_EQ(entries(), 0U) << "something was left";
}

TEST_P(LockTest, KilledAtAnyMomentNothingIsInTheWay) {
    for (int round = 0; round < 60; ++round) {
        pid_t child = fork_child([&] {
            while (true) {
                {
                    auto lock = store_->reserve("one");
                    (void)store_->save(sample_container("one"));
                }
                {
                    auto lock = store_->lock("one");
                    (void)store_->remove("one");
                }
            }
            return true;
        });
        std::this_thread::sleep_for(std::chrono::microseconds(200 + 97 * round));
        ::kill(child, SIGKILL);
        EXPECT_EQ(exit_code(child), 128 + SIGKILL);
        auto loaded = store_->load("one");
        if (loaded) {
            EXPECT_TRUE(store_->lock("one").ok());
        } else {
            EXPECT_EQ(loaded.error().kind(), ErrorKind::not_found) << loaded.error().to_string();
        }
        EXPECT_TRUE(store_->remove("one").ok());
        if (std::filesystem::exists(root())) {
            EXPECT_EQ(entries(), 0U) << "round " << round;
        }
    }
}

} // namespace
} // namespace runvm::state
