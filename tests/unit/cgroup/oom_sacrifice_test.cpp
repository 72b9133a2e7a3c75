// In the memory cgroup of this host. On cgroup v2 too: tests/bats/cgroup.bats runs this program in a guest.

#include "cgroup/oom_sacrifice.h"

#include "cgroup/place.h"
#include "core/number.h"
#include "os/fd.h"
#include "os/file.h"

#include <gtest/gtest.h>

#include <csignal>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

namespace runvm::cgroup {
namespace {

constexpr size_t mib = 1U << 20U;

class OomSacrifice : public ::testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0)
            GTEST_SKIP() << "needs root";
        auto hierarchies = read_hierarchies();
        ASSERT_TRUE(hierarchies.ok());
        auto place = Place::at(*hierarchies, "/runvm-test-unit-" + std::to_string(::getpid()));
        ASSERT_TRUE(place.ok());
        place_ = *place;
        auto made = place_.make(*hierarchies);
        ASSERT_TRUE(made.ok()) << made.error().to_string();
        folder_ = place_.folder_of("memory");
        v1_ = ::access((folder_ + "/memory.limit_in_bytes").c_str(), F_OK) == 0;
        if (!v1_ && ::access((folder_ + "/memory.max").c_str(), F_OK) != 0)
            GTEST_SKIP() << "no memory controller";
    }
    void TearDown() override { EXPECT_TRUE(place_.remove().ok()); }

    std::string read(const std::string& name) const {
        auto text = os::read_file(folder_ + "/" + name);
        return text ? *text : "";
    }
    std::string limit() const { return read(v1_ ? "memory.limit_in_bytes" : "memory.max"); }
    uint64_t kills() const {
        std::ifstream lines(folder_ + (v1_ ? "/memory.oom_control" : "/memory.events"));
        for (std::string key, value; lines >> key >> value;)
            if (key == "oom_kill")
                return whole_number<uint64_t>(value).value_or(0);
        return 0;
    }

    /// In the cgroup, with so much memory of its own, a shim does its part; its exit status.
    int sacrifice(size_t bytes) const {
        pid_t pid = ::fork();
        if (pid == 0) {
            if (!place_.add(::getpid()))
                ::_exit(2);
            void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (memory == MAP_FAILED)
                ::_exit(3);
            std::memset(memory, 1, bytes);
            os::Fd folder(::open(folder_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
            os::Fd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
            sacrifice_for_oom(folder.get(), proc.get());
            ::_exit(0);
        }
        int status = 0;
        ::waitpid(pid, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

    Place place_;
    std::string folder_;
    bool v1_ = false;
};

TEST_F(OomSacrifice, IsAKillInTheCgroupOfNobodyElse) {
    std::string before = limit();
    for (size_t bytes : {1 * mib, 200 * mib}) {
        uint64_t kills_before = kills();
        EXPECT_EQ(sacrifice(bytes), 0) << bytes;
        EXPECT_EQ(kills(), kills_before + 1) << bytes;
        EXPECT_EQ(limit(), before) << bytes;
    }
}

TEST_F(OomSacrifice, IsAKillUnderALimitThatIsNear) {
    ASSERT_TRUE(
        os::write_into(folder_ + (v1_ ? "/memory.limit_in_bytes" : "/memory.max"), std::to_string(96 * mib))
            .ok());
    EXPECT_EQ(sacrifice(60 * mib), 0);
    EXPECT_EQ(kills(), 1U);
    EXPECT_EQ(limit(), std::to_string(96 * mib) + "\n");
}

TEST_F(OomSacrifice, IsNoneWithoutAMemoryCgroup) {
    os::Fd folder(::open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC));
    sacrifice_for_oom(folder.get(), folder.get());
    sacrifice_for_oom(-1, -1);
    EXPECT_EQ(kills(), 0U);
}

} // namespace
} // namespace runvm::cgroup
