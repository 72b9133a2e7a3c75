// In the cgroups of this host.

#include "runtime/host_cgroup.h"

#include "os/file.h"

#include <gtest/gtest.h>

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

namespace runvm::runtime {
namespace {

constexpr int64_t mib = 1 << 20;

class HostCgroupTest : public ::testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0)
            GTEST_SKIP() << "needs root";
        auto hierarchies = cgroup::read_hierarchies();
        ASSERT_TRUE(hierarchies.ok());
        if (hierarchies->empty())
            GTEST_SKIP() << "no cgroup file system is mounted";
        for (state::Container* container : {&one_, &two_}) {
            container->machine_mib = 256;
            oci::HostCgroup wanted;
            wanted.path =
                "/runvm-test-unit-" + std::to_string(::getpid()) + (container == &one_ ? "-one" : "-two");
            auto chosen = choose_cgroup(Context(), wanted, *container);
            ASSERT_TRUE(chosen.ok()) << chosen.error().to_string();
        }
        process_ = ::fork();
        if (process_ == 0)
            while (true)
                ::pause();
    }
    void TearDown() override {
        if (process_ > 0) {
            ::kill(process_, SIGKILL);
            ::waitpid(process_, nullptr, 0);
        }
        EXPECT_TRUE(remove_cgroup(one_).ok());
        EXPECT_TRUE(remove_cgroup(two_).ok());
    }
    std::string read(const state::Container& container, const char* v1, const char* v2) const {
        std::string folder = memory_cgroup_of(container);
        auto text = os::read_file(folder + "/" + v1);
        if (!text)
            text = os::read_file(folder + "/" + v2);
        return text ? text->substr(0, text->find('\n')) : text.error().to_string();
    }

    state::Container one_;
    state::Container two_;
    pid_t process_ = 0;
};

TEST_F(HostCgroupTest, AMachineThatOthersUseGoesToAnother) {
    // The first process makes each, and is in the last then.
    ASSERT_TRUE(found_cgroup(two_, "", {}, process_).ok());
    ASSERT_TRUE(found_cgroup(one_, "", {}, process_).ok());
    auto first = cgroup::Place(one_.cgroup_folders).processes();
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(*first, std::vector<pid_t>{process_});
    auto moved = move_machine(one_, two_);
    ASSERT_TRUE(moved.ok()) << moved.error().to_string();
    auto removed = remove_cgroup(one_);
    EXPECT_TRUE(removed.ok()) << removed.error().to_string();
    auto second = cgroup::Place(two_.cgroup_folders).processes();
    ASSERT_TRUE(second.ok());
    EXPECT_EQ(*second, std::vector<pid_t>{process_});
}

TEST_F(HostCgroupTest, AMachineThatIsSharedHasNoLimits) {
    if (memory_cgroup_of(one_).empty())
        GTEST_SKIP() << "no memory controller";
    cgroup::Limits limits;
    limits.memory_bytes = 64 * mib;
    limits.memory_swap_bytes = 64 * mib;
    auto founded = found_cgroup(one_, "", limits, process_);
    ASSERT_TRUE(founded.ok()) << founded.error().to_string();
    EXPECT_EQ(read(one_, "memory.limit_in_bytes", "memory.max"), std::to_string((256 + 512 + 4) * mib));
    auto lifted = lift_limits(one_);
    ASSERT_TRUE(lifted.ok()) << lifted.error().to_string();
    std::string limit = read(one_, "memory.limit_in_bytes", "memory.max");
    EXPECT_TRUE(limit == "max" || limit.size() == 19) << limit;
}

} // namespace
} // namespace runvm::runtime
