// What every store does.
#include "state/store.h"

#include "sample_container.h"
#include "store_fixture.h"
#include "store_kinds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <ctime>
#include <filesystem>
#include <functional>
#include <iostream>

namespace runvm::state {
namespace {

namespace fs = std::filesystem;
using test::in_own_mount_namespace;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StoreTest : protected StoreFixture, public ::testing::TestWithParam<StoreKind> {
protected:
    StoreTest() : StoreFixture(GetParam().open) {}

    /// Runs `body` in a process that then is killed.
    void in_killed_process(const std::function<void()>& body) {
        pid_t pid = ::fork();
        if (pid == 0) {
            body();
            ::raise(SIGKILL);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(pid, &status, 0), pid);
        ASSERT_TRUE(WIFSIGNALED(status));
    }
};

INSTANTIATE_TEST_SUITE_P(Stores, StoreTest, ::testing::ValuesIn(store_kinds), store_kind_name);

TEST_P(StoreTest, GivesBackWhatWasSaved) {
    Container container = sample_container("one");
    put(container);
    auto loaded = GetParam().open(root())->load("one");
    ASSERT_TRUE(loaded.ok()) << loaded.error().to_string();
    expect_equal(*loaded, container);

    container.status = Status::stopped;
    container.annotations.clear();
    container.config = "{}";
    ASSERT_TRUE(store_->save(container).ok());
    expect_equal(store_->load("one").value(), container);
}

TEST_P(StoreTest, ReserveClaimsTheId) {
    auto lock = store_->reserve("one");
    ASSERT_TRUE(lock.ok());
    auto second = store_->reserve("one");
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().kind(), ErrorKind::already_exists);
    EXPECT_EQ(second.error().message(), "container with given ID already exists");
    EXPECT_EQ(GetParam().traces(root()), 1U) << "the second left something";

    auto container = store_->load("one");
    ASSERT_TRUE(container.ok());
    EXPECT_EQ(container->creator.pid, ::getpid());
    EXPECT_EQ(effective_status(*container), Status::creating);
    EXPECT_THAT(store_->list().value(), ElementsAre("one"));
}

TEST_P(StoreTest, AKilledCreatorLeavesAStoppedContainer) {
    in_killed_process([&] { (void)store_->reserve("one").value(); });
    auto container = store_->load("one");
    ASSERT_TRUE(container.ok());
    EXPECT_EQ(container->status, Status::creating);
    EXPECT_EQ(effective_status(*container), Status::stopped);
    auto lock = store_->lock("one");
    ASSERT_TRUE(lock.ok()) << "the lock went with the process";
    ASSERT_TRUE(store_->remove("one").ok());
    EXPECT_EQ(GetParam().traces(root()), 0U);
}

TEST_P(StoreTest, WhatIsNotThereIsNotFound) {
    for (bool with_root : {false, true}) {
        if (with_root)
            fs::create_directories(root());
        EXPECT_EQ(store_->load("one").error().kind(), ErrorKind::not_found);
        EXPECT_EQ(store_->lock("one").error().kind(), ErrorKind::not_found);
        EXPECT_EQ(store_->lock("one").error().message(), "container does not exist");
        EXPECT_EQ(store_->save(sample_container("one")).error().kind(), ErrorKind::not_found);
        EXPECT_TRUE(store_->remove("one").ok());
        EXPECT_TRUE(store_->list().value().empty());
    }
    EXPECT_FALSE(fs::exists(path("one")));
}

TEST_P(StoreTest, EveryCallChecksTheId) {
    fs::create_directories(root());
    std::string outside = folder_.path() + "/precious";
    fs::create_directories(outside);
    for (const std::string& id : {std::string("../precious"), std::string("."), std::string("..")}) {
        EXPECT_EQ(store_->reserve(id).error().kind(), ErrorKind::invalid_argument);
        EXPECT_EQ(store_->lock(id).error().kind(), ErrorKind::invalid_argument);
        EXPECT_EQ(store_->load(id).error().kind(), ErrorKind::invalid_argument);
        EXPECT_EQ(store_->save(sample_container(id)).error().kind(), ErrorKind::invalid_argument);
        EXPECT_EQ(store_->remove(id).error().kind(), ErrorKind::invalid_argument);
    }
    EXPECT_TRUE(fs::exists(outside));
}

TEST_P(StoreTest, ListsContainersOnlyAndSorted) {
    for (const char* id : {"b", "a", "B", "a.b"})
        put(sample_container(id));
    fs::create_directories(path("@sandboxes/0123456789abcdef"));
    overwrite("plain-file", "x");
    EXPECT_THAT(store_->list().value(), ElementsAre("B", "a", "a.b", "b"));
}

TEST_P(StoreTest, AReadOnlyRootIsAClearError) {
    Container container = sample_container("one");
    put(container);
    in_own_mount_namespace([&] {
        ASSERT_EQ(::mount(root().c_str(), root().c_str(), nullptr, MS_BIND, nullptr), 0);
        ASSERT_EQ(::mount(nullptr, root().c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr), 0);
        for (const Error& error : {store_->reserve("two").error(), store_->save(container).error(),
                                   store_->remove("one").error()}) {
            EXPECT_EQ(error.errno_value(), EROFS) << error.to_string();
            EXPECT_THAT(error.to_string(), HasSubstr("container "));
            EXPECT_THAT(error.to_string(), HasSubstr(root()));
        }
        EXPECT_EQ(store_->reserve("one").error().kind(), ErrorKind::already_exists);
        EXPECT_TRUE(store_->remove("two").ok()) << "what is not there needs no removing";
        EXPECT_TRUE(store_->lock("one").ok()) << "state and kill still work";
        expect_equal(store_->load("one").value(), container);
        EXPECT_THAT(store_->list().value(), ElementsAre("one"));
    });
    EXPECT_EQ(GetParam().traces(root()), 1U);
}

// A figure, not a check of time.
TEST_P(StoreTest, ListsMany) {
    on_tmpfs("size=64m", [&] {
        for (int i = 0; i < GetParam().many; ++i) {
            Container container = sample_container("container-" + std::to_string(i));
            container.config = std::string(10'000, 'c'); // as Docker's are
            put(container);
        }
        std::clock_t begin = std::clock(); // of the processor: a busy machine does not change it
        auto all = store_->load_all();
        ASSERT_TRUE(all.ok());
        ASSERT_EQ(all->size(), static_cast<size_t>(GetParam().many));
        for (const Store::Loaded& loaded : *all)
            ASSERT_TRUE(loaded.container.ok());
        std::cout << "list and load of " << GetParam().many
                  << " containers: " << (std::clock() - begin) * 1000 / CLOCKS_PER_SEC
                  << " ms of processor time\n";
    });
}

} // namespace
} // namespace runvm::state
