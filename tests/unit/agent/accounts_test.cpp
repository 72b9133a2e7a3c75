// Users and groups of a container's own files.

#include "agent/accounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runvm::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const char* const passwd = "root:x:0:0:root:/root:/bin/sh\n"
                           "bad\n"
                           "bad:x:7:7\n"
                           "odd:x:x:1::/odd:/bin/sh\n"
                           "user:x:1000:100:a user:/home/user:/bin/sh\n"
                           "again:x:1000:100::/home/again:/bin/sh\n"
                           "user:x:1:1::/second:\n"
                           "large:x:4294967296:1::/large:\n"
                           "last:x:1002:1002::/home/last";

const char* const group = "root:x:0:\n"
                          "bad:x\n"
                          "disk:x:6:root,user\n"
                          "users:x:100:\n"
                          "odd:x:x:user\n"
                          "video:x:44:user,user\n"
                          "similar:x:45:users,use\n"
                          "audio:x:29:user";

TEST(AccountsTest, FindsByNumber) {
    EXPECT_EQ(find_account(passwd, 0U)->home, "/root");
    EXPECT_EQ(find_account(passwd, 1000U)->home, "/home/user");
    EXPECT_EQ(find_account(passwd, 1002U)->home, "/home/last");
    EXPECT_FALSE(find_account(passwd, 7U));
    EXPECT_FALSE(find_account(passwd, 1001U));
    EXPECT_FALSE(find_account("", 0U));
}

TEST(AccountsTest, FindsByName) {
    auto user = find_account(passwd, "user");
    ASSERT_TRUE(user);
    EXPECT_EQ(user->uid, 1000U);
    EXPECT_EQ(user->gid, 100U);
    EXPECT_EQ(user->home, "/home/user");
    for (const char* name : {"", "bad", "odd", "large", "nobody", "roo"})
        EXPECT_FALSE(find_account(passwd, name)) << name;
}

TEST(AccountsTest, FindsGroups) {
    EXPECT_EQ(find_group(group, "disk"), 6U);
    EXPECT_EQ(find_group(group, "audio"), 29U);
    for (const char* name : {"", "bad", "odd", "nogroup"})
        EXPECT_FALSE(find_group(group, name)) << name;
    EXPECT_THAT(groups_of(group, "user"), ElementsAre(6, 44, 29));
    EXPECT_THAT(groups_of(group, ""), IsEmpty());
    EXPECT_THAT(groups_of("", "user"), IsEmpty());
}

} // namespace
} // namespace runvm::agent
