// In the cgroups of this host, and against folders that look like those of cgroup v2.

#include "cgroup/place.h"

#include "../support/temporary_folder.h"
#include "os/file.h"
#include "os/process.h"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace runvm::cgroup {
namespace {

namespace fs = std::filesystem;

Hierarchy v1(const std::string& controllers, const std::string& mount, const std::string& own) {
    return {controllers, mount, own};
}

TEST(PlaceAt, PutsAbsolutePathsBelowTheRoots) {
    auto place = Place::at({v1("memory", "/m", "/m/mine"), v1("", "/u", "/u/mine")}, "/a/b");
    ASSERT_TRUE(place.ok());
    EXPECT_EQ(place->folders(), (Folders{{"memory", "/m/a/b"}, {"", "/u/a/b"}}));
    EXPECT_EQ(place->folder_of("memory"), "/m/a/b");
    EXPECT_EQ(place->folder_of("cpu"), "") << "a hybrid host's v2 has no limits";
}

TEST(PlaceAt, PutsRelativePathsWhereRuncDoes) {
    auto hybrid = Place::at(
        {v1("memory", "/m", "/m/mine"), v1("cpu", "/c", "/c"), v1("pids", "/p", ""), v1("", "/u", "/u/mine")},
        "x");
    ASSERT_TRUE(hybrid.ok());
    EXPECT_EQ(hybrid->folders(),
              (Folders{{"memory", "/m/mine/x"}, {"cpu", "/c/x"}, {"pids", "/p/x"}, {"", "/u/mine/x"}}));
    auto beside = Place::at({v1("", "/u", "/u/a/mine")}, "x");
    ASSERT_TRUE(beside.ok());
    EXPECT_EQ(beside->folder_of("memory"), "/u/a/x");
    auto at_the_top = Place::at({v1("", "/u", "/u")}, "x");
    ASSERT_TRUE(at_the_top.ok());
    EXPECT_EQ(at_the_top->folder_of("io"), "/u/x");
}

TEST(PlaceAt, IsNeverTheRoot) {
    for (const char* path : {"/", "", "//"})
        EXPECT_FALSE(Place::at({v1("memory", "/m", "/m")}, path).ok()) << path;
}

TEST(PlaceNowhere, TakesEverythingAndDoesNothing) {
    Place nowhere;
    EXPECT_TRUE(nowhere.check_unused().ok());
    EXPECT_TRUE(nowhere.make({}).ok());
    EXPECT_TRUE(nowhere.add(::getpid()).ok());
    EXPECT_TRUE(nowhere.remove().ok());
    EXPECT_EQ(nowhere.folder_of("memory"), "");
}

/// A child that waits to be killed.
class Child {
public:
    Child() : pid_(::fork()) {
        if (pid_ == 0)
            while (true)
                ::pause();
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() { end(); }
    pid_t pid() const { return pid_; }
    void end() {
        if (pid_ <= 0)
            return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }

private:
    pid_t pid_;
};

class RealPlace : public ::testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0)
            GTEST_SKIP() << "needs root";
        auto hierarchies = read_hierarchies();
        ASSERT_TRUE(hierarchies.ok());
        hierarchies_ = *hierarchies;
        if (hierarchies_.empty())
            GTEST_SKIP() << "no cgroup file system is mounted";
    }
    void TearDown() override {
        for (const Hierarchy& hierarchy : hierarchies_)
            (void)Place(Folders{{hierarchy.controllers, hierarchy.mount + top_}}).remove();
    }
    Place at(const std::string& name) {
        auto place = Place::at(hierarchies_, top_ + "/" + name);
        EXPECT_TRUE(place.ok());
        return *place;
    }
    /// A process's line of /proc/<pid>/cgroup for one hierarchy.
    static std::string cgroup_of(pid_t pid, const std::string& controllers) {
        std::ifstream lines("/proc/" + std::to_string(pid) + "/cgroup");
        for (std::string line; std::getline(lines, line);)
            if (line.find(":" + controllers + ":") != std::string::npos)
                return line.substr(line.rfind(controllers + ":") + controllers.size() + 1);
        return "";
    }

    std::vector<Hierarchy> hierarchies_;
    std::string top_ = "/runvm-test-unit-" + std::to_string(::getpid());
};

TEST_F(RealPlace, TakesProcessesInEachHierarchy) {
    Place place = at("a/b c");
    Child child;
    ASSERT_TRUE(place.check_unused().ok());
    auto made = place.make(hierarchies_);
    ASSERT_TRUE(made.ok()) << made.error().to_string();
    auto added = place.add(child.pid());
    ASSERT_TRUE(added.ok()) << added.error().to_string();
    for (const Hierarchy& hierarchy : hierarchies_)
        EXPECT_EQ(cgroup_of(child.pid(), hierarchy.controllers), top_ + "/a/b c") << hierarchy.controllers;
    EXPECT_EQ(*place.processes(), std::vector<pid_t>{child.pid()});

    EXPECT_TRUE(place.make(hierarchies_).ok()) << "again";
    auto used = place.check_unused();
    ASSERT_FALSE(used.ok());
    EXPECT_EQ(used.error().kind(), ErrorKind::wrong_state);
    EXPECT_NE(used.error().message().find("container's cgroup is not empty: 1 process(es) found"),
              std::string::npos)
        << used.error().message();
    auto above = at("a").check_unused();
    EXPECT_FALSE(above.ok()) << "those below count";

    auto busy = place.remove();
    ASSERT_FALSE(busy.ok());
    EXPECT_NE(busy.error().message().find(std::to_string(child.pid())), std::string::npos)
        << busy.error().message();
    child.end();
    EXPECT_TRUE(place.remove().ok());
    EXPECT_TRUE(place.remove().ok()) << "again";
    for (const auto& [controllers, folder] : place.folders())
        EXPECT_FALSE(fs::exists(folder)) << folder;
}

TEST_F(RealPlace, IsRemovedWithWhatIsBelow) {
    Place place = at("x");
    ASSERT_TRUE(place.make(hierarchies_).ok());
    for (const auto& [controllers, folder] : place.folders())
        fs::create_directories(folder + "/one/two");
    auto removed = place.remove();
    EXPECT_TRUE(removed.ok()) << removed.error().to_string();
}

TEST_F(RealPlace, SaysThatAProcessIsGone) {
    Place place = at("x");
    ASSERT_TRUE(place.make(hierarchies_).ok());
    Child child;
    pid_t gone = child.pid();
    child.end();
    auto added = place.add(gone);
    ASSERT_FALSE(added.ok());
    EXPECT_EQ(added.error().kind(), ErrorKind::process_finished);
}

TEST_F(RealPlace, GivesItsProcessesToAnother) {
    Place from = at("from");
    Place to = at("to");
    ASSERT_TRUE(from.make(hierarchies_).ok());
    ASSERT_TRUE(to.make(hierarchies_).ok());
    Child one;
    Child two;
    ASSERT_TRUE(from.add(one.pid()).ok());
    ASSERT_TRUE(from.add(two.pid()).ok());
    auto moved = from.move_to(to);
    ASSERT_TRUE(moved.ok()) << moved.error().to_string();
    EXPECT_TRUE(from.processes()->empty());
    EXPECT_EQ(to.processes()->size(), 2U);
    EXPECT_TRUE(from.remove().ok());
    EXPECT_TRUE(from.move_to(to).ok()) << "again";
}

TEST_F(RealPlace, IsNotTakenFrozen) {
    Place place = at("frozen");
    ASSERT_TRUE(place.make(hierarchies_).ok());
    std::string v1_folder = place.folder_of("freezer");
    bool v1_freezer = fs::exists(v1_folder + "/freezer.state");
    std::string file = v1_freezer ? v1_folder + "/freezer.state" : place.folders().at("") + "/cgroup.freeze";
    ASSERT_TRUE(os::write_into(file, v1_freezer ? "FROZEN" : "1").ok());
    auto used = place.check_unused();
    ASSERT_FALSE(used.ok());
    EXPECT_NE(used.error().message().find("container's cgroup unexpectedly frozen"), std::string::npos);
    ASSERT_TRUE(os::write_into(file, v1_freezer ? "THAWED" : "0").ok());
}

TEST_F(RealPlace, IsEnteredBeforeAProgramRuns) {
    Place place = at("spawned");
    ASSERT_TRUE(place.make(hierarchies_).ok());
    test::TemporaryFolder folder;
    os::SpawnSpec spec;
    spec.argv = {"/bin/sh", "-c", "cat /proc/self/cgroup >" + folder.path() + "/cgroup"};
    spec.before_exec = [&](pid_t pid) { return place.add(pid); };
    auto child = os::spawn(spec);
    ASSERT_TRUE(child.ok()) << child.error().to_string();
    ASSERT_TRUE(os::wait_for_exit(child->pidfd.get(), -1).ok());
    auto text = os::read_file(folder.path() + "/cgroup");
    ASSERT_TRUE(text.ok());
    for (const Hierarchy& hierarchy : hierarchies_)
        EXPECT_NE(text->find(":" + hierarchy.controllers + ":" + top_ + "/spawned\n"), std::string::npos)
            << *text;
}

/// The files of cgroup v2 that are read and written, as empty ones of a folder tree.
class FolderTree : public ::testing::Test {
protected:
    void cgroup(const std::string& path, const std::string& controllers) {
        fs::create_directories(root() + path);
        std::ofstream(root() + path + "/cgroup.controllers") << controllers << "\n";
        std::ofstream(root() + path + "/cgroup.subtree_control");
        std::ofstream(root() + path + "/cgroup.procs");
    }
    std::string read(const std::string& path) {
        auto text = os::read_file(root() + path);
        return text ? *text : text.error().to_string();
    }
    std::string root() const { return folder_.path(); }
    std::vector<Hierarchy> hierarchies() const { return {{"", root(), root()}}; }

private:
    test::TemporaryFolder folder_;
};

TEST_F(FolderTree, PassesControllersOnAboveButNotInThePlace) {
    cgroup("", "memory");
    cgroup("/a", "memory");
    cgroup("/a/b", "memory");
    auto place = Place::at(hierarchies(), "/a/b");
    ASSERT_TRUE(place.ok());
    auto made = place->make(hierarchies());
    ASSERT_TRUE(made.ok()) << made.error().to_string();
    EXPECT_EQ(read("/cgroup.subtree_control"), "+memory");
    EXPECT_EQ(read("/a/cgroup.subtree_control"), "+memory");
    EXPECT_EQ(read("/a/b/cgroup.subtree_control"), "") << "it could take no process then";
}

TEST_F(FolderTree, RefusesACgroupThatTakesNoProcesses) {
    cgroup("", "memory");
    cgroup("/a", "");
    std::ofstream(root() + "/a/cgroup.type") << "domain invalid\n";
    auto place = Place::at(hierarchies(), "/a");
    ASSERT_TRUE(place.ok());
    auto made = place->make(hierarchies());
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().message(), "cannot enter cgroupv2 \"" + root() +
                                          "/a\" with domain controllers -- it is in an invalid state");
}

} // namespace
} // namespace runvm::cgroup
