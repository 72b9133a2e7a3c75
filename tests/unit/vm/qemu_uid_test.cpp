#include "vm/qemu_uid.h"

#include "temporary_folder.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <vector>

namespace runvm::vm {
namespace {

TEST(QemuUid, IsInTheRangeAndTheSameAgain) {
    TemporaryFolder folder;
    uid_t first = 0;
    for (int round = 0; round < 2; ++round) {
        auto lease = lease_qemu_uid(folder / "uids", "box");
        ASSERT_TRUE(lease.ok()) << lease.error().to_string();
        EXPECT_GE(lease->uid, qemu_uid_base);
        EXPECT_LT(lease->uid, qemu_uid_base + qemu_uid_count);
        if (round == 0)
            first = lease->uid;
        EXPECT_EQ(lease->uid, first);
    }
}

TEST(QemuUid, TwoSandboxesNeverShareOne) {
    TemporaryFolder folder;
    std::vector<QemuUid> leases;
    std::set<uid_t> uids;
    for (int i = 0; i < 100; ++i) {
        // One id for all: each next one has to give way.
        auto lease = lease_qemu_uid(folder / "uids", "box");
        ASSERT_TRUE(lease.ok());
        EXPECT_TRUE(uids.insert(lease->uid).second) << lease->uid;
        leases.push_back(std::move(*lease));
    }
}

TEST(QemuUid, WrapsAroundAndSaysWhenAllAreTaken) {
    TemporaryFolder folder;
    os::Fd holder(::open((folder / "uids").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    struct flock all {};
    all.l_type = F_WRLCK;
    all.l_len = qemu_uid_count;
    ASSERT_EQ(::fcntl(holder.get(), F_OFD_SETLK, &all), 0);
    auto lease = lease_qemu_uid(folder / "uids", "box");
    ASSERT_FALSE(lease.ok());
    EXPECT_EQ(lease.error().kind(), ErrorKind::unavailable);

    struct flock one {};
    one.l_type = F_UNLCK;
    one.l_start = 0; // whatever the id begins at, the search has to come round to it
    one.l_len = 1;
    ASSERT_EQ(::fcntl(holder.get(), F_OFD_SETLK, &one), 0);
    lease = lease_qemu_uid(folder / "uids", "box");
    ASSERT_TRUE(lease.ok());
    EXPECT_EQ(lease->uid, qemu_uid_base);
}

TEST(QemuUid, IsHeldByAChildAndFreedByItsDeath) {
    TemporaryFolder folder;
    uid_t uid = 0;
    pid_t child = 0;
    {
        auto lease = lease_qemu_uid(folder / "uids", "box");
        ASSERT_TRUE(lease.ok());
        uid = lease->uid;
        child = ::fork();
        if (child == 0) {
            ::pause();
            ::_exit(0);
        }
    }
    auto second = lease_qemu_uid(folder / "uids", "box");
    ASSERT_TRUE(second.ok());
    EXPECT_NE(second->uid, uid);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    auto third = lease_qemu_uid(folder / "uids", "box");
    ASSERT_TRUE(third.ok());
    EXPECT_EQ(third->uid, uid);
}

TEST(QemuUid, LeaseIsNotInheritedByPrograms) {
    TemporaryFolder folder;
    auto lease = lease_qemu_uid(folder / "uids", "box");
    ASSERT_TRUE(lease.ok());
    EXPECT_EQ(::fcntl(lease->lease.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

} // namespace
} // namespace runvm::vm
