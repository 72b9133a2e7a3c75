#include "agent/executable.h"

#include "../support/temporary_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace runvm::agent {
namespace {

class FindExecutable : public testing::Test {
protected:
    FindExecutable() {
        add("first/plain", 0644);
        add("second/tool", 0755);
        add("second/plain", 0755);
        std::filesystem::create_directories(path("third/folder"));
    }

    std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
    std::string search() const { return path("first") + ":" + path("second") + ":" + path("third"); }

    void add(const std::string& name, mode_t mode) {
        std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
        std::ofstream(path(name)) << "#!/bin/sh\n";
        ::chmod(path(name).c_str(), mode);
    }

    test::TemporaryFolder folder_;
};

TEST_F(FindExecutable, SearchesThePath) {
    EXPECT_EQ(*find_executable("tool", search()), path("second/tool"));
    // what cannot be executed is passed over
    EXPECT_EQ(*find_executable("plain", search()), path("second/plain"));
}

TEST_F(FindExecutable, SaysWhatGoSays) {
    Result<std::string> found = find_executable("missing", search());
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind(), ErrorKind::command_not_found);
    EXPECT_EQ(found.error().message(), "exec: \"missing\": executable file not found in $PATH");
    EXPECT_EQ(find_executable("folder", search()).error().kind(), ErrorKind::command_not_found);
    EXPECT_EQ(find_executable("tool", "").error().message(),
              "exec: \"tool\": executable file not found in $PATH");
    EXPECT_EQ(find_executable("", search()).error().kind(), ErrorKind::command_not_found);
}

TEST_F(FindExecutable, TakesANameWithASlashAsItIs) {
    EXPECT_EQ(*find_executable(path("second/tool"), ""), path("second/tool"));
    Error missing = find_executable(path("none"), search()).error();
    EXPECT_EQ(missing.kind(), ErrorKind::command_not_found);
    EXPECT_EQ(missing.errno_value(), ENOENT);
    EXPECT_EQ(missing.message(),
              "exec: \"" + path("none") + "\": stat " + path("none") + ": no such file or directory");
    Error below_file = find_executable(path("second/tool/x"), "").error();
    EXPECT_EQ(below_file.kind(), ErrorKind::command_not_found);
    EXPECT_EQ(below_file.errno_value(), ENOTDIR);
    Error folder = find_executable(path("third/folder"), "").error();
    EXPECT_EQ(folder.kind(), ErrorKind::command_not_executable);
    EXPECT_EQ(folder.errno_value(), EACCES);
    EXPECT_EQ(folder.message(), "exec: \"" + path("third/folder") + "\": permission denied");
    Error plain = find_executable(path("first/plain"), "").error();
    EXPECT_EQ(plain.kind(), ErrorKind::command_not_executable);
    EXPECT_EQ(plain.errno_value(), EACCES);
    EXPECT_EQ(plain.message(), "exec: \"" + path("first/plain") + "\": permission denied");
}

TEST_F(FindExecutable, RefusesTheCurrentFolder) {
    auto before = std::filesystem::current_path();
    std::filesystem::current_path(path("second"));
    for (const char* search_path : {":/nowhere", "/nowhere:", "."}) {
        Error error = find_executable("tool", search_path).error();
        EXPECT_EQ(error.kind(), ErrorKind::command_not_found) << search_path;
        EXPECT_NE(error.message().find("cannot run executable found relative to current directory"),
                  std::string::npos);
    }
    std::filesystem::current_path(before);
}

TEST(ExecveWords, AreGos) {
    EXPECT_EQ(execve_words("/x", ENOEXEC), "exec /x: exec format error");
    EXPECT_EQ(execve_words("/x", ENOENT), "exec /x: no such file or directory");
}

} // namespace
} // namespace runvm::agent
