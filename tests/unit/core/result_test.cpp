#include "core/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <type_traits>

namespace runvm {
namespace {

Result<int> half(int number) {
    if (number % 2 != 0)
        return Error(ErrorKind::invalid_argument, std::to_string(number) + " is odd");
    return number / 2;
}

Result<int> quarter(int number) {
    RUNVM_ASSIGN(int once, half(number));
    RUNVM_ASSIGN(int twice, half(once).context("second half"));
    return twice;
}

Result<void> check(int number) {
    RUNVM_TRY(half(number).context("check " + std::to_string(number)));
    return {};
}

Result<std::unique_ptr<int>> boxed(int number) {
    RUNVM_ASSIGN(int value, half(number));
    return std::make_unique<int>(value);
}

TEST(ResultTest, CarriesAValue) {
    auto result = half(4);
    ASSERT_TRUE(result.ok());
    EXPECT_TRUE(static_cast<bool>(result));
    EXPECT_EQ(result.value(), 2);
    EXPECT_EQ(*result, 2);
    *result = 7;
    EXPECT_EQ(result.value(), 7);
    Result<std::string> text(std::string("abc"));
    EXPECT_EQ(text->size(), 3U);
}

TEST(ResultTest, CarriesAnError) {
    auto result = half(3);
    ASSERT_FALSE(result.ok());
    EXPECT_FALSE(static_cast<bool>(result));
    EXPECT_EQ(result.error().kind(), ErrorKind::invalid_argument);
    EXPECT_EQ(result.error().message(), "3 is odd");
    EXPECT_EQ(result.error().errno_value(), 0);
}

TEST(ResultTest, MovesWhatCannotBeCopied) {
    static_assert(!std::is_copy_constructible_v<Result<std::unique_ptr<int>>>);
    auto result = boxed(8);
    std::unique_ptr<int> value = *std::move(result);
    ASSERT_NE(value, nullptr);
    EXPECT_EQ(*value, 4);
    EXPECT_FALSE(boxed(1).ok());
}

TEST(ResultTest, VoidIsSuccessOrAnError) {
    EXPECT_TRUE(Result<void>().ok());
    EXPECT_TRUE(Result<void>(Unit{}).ok());
    EXPECT_TRUE(check(2).ok());
    EXPECT_EQ(check(5).error().to_string(), "check 5: 5 is odd");
    EXPECT_EQ(Result<void>(Error(ErrorKind::timeout, "late")).context("wait").error().to_string(),
              "wait: late");
}

TEST(ResultTest, MacrosPassErrorsOn) {
    EXPECT_EQ(quarter(8).value(), 2);
    EXPECT_EQ(quarter(7).error().to_string(), "7 is odd");
    EXPECT_EQ(quarter(6).error().to_string(), "second half: 3 is odd");
}

TEST(ResultTest, TryEvaluatesOnce) {
    int calls = 0;
    auto body = [&]() -> Result<void> {
        RUNVM_TRY((++calls, half(2)));
        return {};
    };
    EXPECT_TRUE(body().ok());
    EXPECT_EQ(calls, 1);
}

TEST(ErrorTest, ListsStepsFromTheOutermost) {
    Error error(ErrorKind::guest, "no answer");
    EXPECT_EQ(error.to_string(), "no answer");
    error.add_context("boot").add_context("start sandbox");
    EXPECT_EQ(error.to_string(), "start sandbox: boot: no answer");
    EXPECT_EQ(error.message(), "no answer");
    EXPECT_EQ(error.context(), (std::vector<std::string>{"boot", "start sandbox"}));
    Error moved = Error(ErrorKind::guest, "x").add_context("y");
    EXPECT_EQ(moved.to_string(), "y: x");
}

TEST(ErrorTest, SystemErrorSaysWhatTheKernelSaid) {
    errno = EACCES;
    Error error = system_error("open /x");
    EXPECT_EQ(error.kind(), ErrorKind::system);
    EXPECT_EQ(error.errno_value(), EACCES);
    EXPECT_EQ(error.to_string(), "open /x: Permission denied");
    EXPECT_EQ(system_error("open /x", ENOENT).to_string(), "open /x: No such file or directory");
    // A number that came from elsewhere, a guest for one, need not be Linux's.
    EXPECT_EQ(system_error("open /x", 99999).to_string(), "open /x: error 99999");
    EXPECT_EQ(system_error("open /x", -1).to_string(), "open /x: error -1");
}

} // namespace
} // namespace runvm
