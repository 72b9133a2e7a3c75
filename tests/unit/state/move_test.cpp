// Containers on their way from one store to another.
#include "state/move.h"

#include "../support/temporary_folder.h"
#include "sample_container.h"
#include "state/leveldb/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runvm::state {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class MoveTest : public testing::Test {
protected:
    static void put(Store& store, const Container& container) {
        auto lock = store.reserve(container.id);
        ASSERT_TRUE(lock.ok());
        ASSERT_TRUE(store.save(container));
    }

    test::TemporaryFolder folder_;
    std::unique_ptr<Store> folders_ = open_filesystem_store(folder_.path() + "/root");
    std::unique_ptr<Store> database_ = open_leveldb_store(folder_.path() + "/root");
};

TEST_F(MoveTest, ThereAndBack) {
    put(*folders_, sample_container("one"));
    put(*folders_, sample_container("two"));
    EXPECT_THAT(*database_->list(), IsEmpty());
    EXPECT_EQ(move_all(*folders_, *database_)->containers, 2U);
    EXPECT_THAT(*folders_->list(), IsEmpty());
    EXPECT_THAT(*database_->list(), ElementsAre("one", "two"));
    expect_equal(*database_->load("one"), sample_container("one"));

    EXPECT_EQ(move_all(*database_, *folders_)->containers, 2U);
    EXPECT_THAT(*database_->list(), IsEmpty());
    expect_equal(*folders_->load("two"), sample_container("two"));
}

TEST_F(MoveTest, GoesOnAfterAnInterruption) {
    put(*folders_, sample_container("one"));
    put(*database_, sample_container("one"));
    EXPECT_EQ(move_all(*folders_, *database_)->containers, 1U);
    EXPECT_THAT(*folders_->list(), IsEmpty());
    expect_equal(*database_->load("one"), sample_container("one"));
}

TEST_F(MoveTest, WhatWasUsedSinceAnInterruptionCounts) {
    Container used = sample_container("one");
    used.status = Status::paused;
    put(*folders_, sample_container("one"));
    put(*database_, used);
    EXPECT_EQ(move_all(*folders_, *database_)->containers, 1U);
    EXPECT_THAT(*folders_->list(), IsEmpty());
    expect_equal(*database_->load("one"), used);
}

TEST_F(MoveTest, WhatCannotBeMovedStays) {
    Container other = sample_container("one");
    other.created_ns = 1;
    put(*folders_, sample_container("one"));
    put(*folders_, sample_container("two"));
    put(*folders_, sample_container("three"));
    put(*database_, other);
    auto held = folders_->lock("two");
    auto moved = move_all(*folders_, *database_, 10);
    ASSERT_TRUE(moved);
    EXPECT_EQ(moved->containers, 1U);
    ASSERT_EQ(moved->failures.size(), 2U);
    EXPECT_THAT(moved->failures[0].to_string(), HasSubstr("container one: "));
    EXPECT_THAT(moved->failures[1].to_string(), HasSubstr("container two "));
    EXPECT_THAT(*folders_->list(), ElementsAre("one", "two"));
    expect_equal(*database_->load("one"), other);
}

} // namespace
} // namespace runvm::state
