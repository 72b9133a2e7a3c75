#include "os/selinux.h"

#include "../support/temporary_folder.h"
#include "os/file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace runvm::os {
namespace {

class LabelOfNextExecTest : public testing::Test {
protected:
    void SetUp() override {
        std::filesystem::create_directories(proc() + "/thread-self/attr");
        std::ofstream created(attribute());
    }
    void set_filesystems(const std::string& text) { std::ofstream(proc() + "/filesystems") << text; }
    std::string proc() const { return folder_.path(); }
    std::string attribute() const { return proc() + "/thread-self/attr/exec"; }

    test::TemporaryFolder folder_;
};

TEST_F(LabelOfNextExecTest, IsWrittenWhereThereIsSelinux) {
    set_filesystems("nodev\tsysfs\nnodev\tselinuxfs\n");
    auto label = LabelOfNextExec::set("system_u:system_r:container_kvm_t:s0", proc());
    ASSERT_TRUE(label) << label.error().to_string();
    EXPECT_EQ(*read_file(attribute()), "system_u:system_r:container_kvm_t:s0");
}

TEST_F(LabelOfNextExecTest, IsPassedOverElsewhere) {
    set_filesystems("nodev\tsysfs\n");
    EXPECT_TRUE(LabelOfNextExec::set("a:b:c", proc()));
    EXPECT_EQ(*read_file(attribute()), "");
    set_filesystems("nodev\tselinuxfs\n");
    EXPECT_TRUE(LabelOfNextExec::set("", proc()));
    EXPECT_EQ(*read_file(attribute()), "");
}

TEST_F(LabelOfNextExecTest, SaysWhichLabelCannotBeGiven) {
    set_filesystems("nodev\tselinuxfs\n");
    std::filesystem::remove(attribute());
    auto label = LabelOfNextExec::set("a:b:c", proc());
    ASSERT_FALSE(label);
    EXPECT_NE(label.error().to_string().find("SELinux label a:b:c"), std::string::npos);
}

} // namespace
} // namespace runvm::os
