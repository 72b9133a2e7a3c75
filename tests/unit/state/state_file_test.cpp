#include "state/state_file.h"

#include "sample_container.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <limits>

namespace runvm::state {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Json = nlohmann::json;

Json sample_json() {
    return Json::parse(format_state(sample_container("sample")).value());
}

void expect_corrupted(const Json& json, const std::string& what) {
    auto parsed = parse_state(json.dump(), "/run/x/state.json");
    ASSERT_FALSE(parsed.ok()) << what;
    EXPECT_EQ(parsed.error().kind(), ErrorKind::corrupted);
    EXPECT_THAT(parsed.error().to_string(), AllOf(StartsWith("/run/x/state.json is corrupted: "),
                                                  HasSubstr(what), HasSubstr("delete --force")));
}

TEST(StateFileTest, GivesBackWhatWasWritten) {
    Container container = sample_container("sample");
    container.annotations["quotes \" and \\ and \n"] = "\xc3\xa9\x01";
    container.created_ns = std::numeric_limits<int64_t>::max();
    container.owner = std::numeric_limits<uid_t>::max();
    container.shim.start_time = std::numeric_limits<uint64_t>::max();
    auto text = format_state(container);
    ASSERT_TRUE(text.ok());
    auto parsed = parse_state(*text, "state.json");
    ASSERT_TRUE(parsed.ok()) << parsed.error().to_string();
    container.config.clear(); // has a file of its own
    expect_equal(*parsed, container);

    Container empty;
    expect_equal(parse_state(format_state(empty).value(), "state.json").value(), empty);
}

TEST(StateFileTest, EveryStatusHasItsWord) {
    for (Status status :
         {Status::creating, Status::created, Status::running, Status::paused, Status::stopped}) {
        Container container;
        container.status = status;
        EXPECT_EQ(parse_state(format_state(container).value(), "state.json")->status, status);
    }
}

TEST(StateFileTest, RefusesTextThatIsNotUtf8) {
    Container container = sample_container("sample");
    container.bundle = "/bundle\xff";
    auto text = format_state(container);
    ASSERT_FALSE(text.ok());
    EXPECT_EQ(text.error().kind(), ErrorKind::invalid_argument);
    EXPECT_THAT(text.error().message(), HasSubstr("container sample: bundle, rootfs or an annotation"));
}

TEST(StateFileTest, EveryTruncationIsCorrupted) {
    std::string text = format_state(sample_container("sample")).value();
    // Without its last newline it is still whole.
    for (size_t size = 0; size + 1 < text.size(); ++size) {
        auto parsed = parse_state(text.substr(0, size), "state.json");
        ASSERT_FALSE(parsed.ok()) << size;
        EXPECT_EQ(parsed.error().kind(), ErrorKind::corrupted);
    }
}

TEST(StateFileTest, NamesTheKeyThatIsMissing) {
    Json whole = sample_json();
    for (const auto& [key, value] : whole.items()) {
        Json json = whole;
        json.erase(key);
        expect_corrupted(json, "key " + key + " is missing");
    }
    whole["shim"].erase("start_time");
    expect_corrupted(whole, "key shim.start_time is missing");
}

TEST(StateFileTest, NamesTheKeyOfAWrongType) {
    Json whole = sample_json();
    for (const auto& [key, value] : whole.items()) {
        Json json = whole;
        json[key] = Json::array({1});
        expect_corrupted(json, "key " + key + " is not a");
    }
    Json json = sample_json();
    json["annotations"]["a"] = 1;
    expect_corrupted(json, "key annotations has a value that is not a string");
    expect_corrupted(Json::array(), "not a JSON object");
}

TEST(StateFileTest, RefusesNumbersOutOfRange) {
    Json json = sample_json();
    json["shim"]["pid"] = -1; // kill(-1) would reach every process
    expect_corrupted(json, "key shim.pid is out of range");
    json["shim"]["pid"] = int64_t{1} << 31U;
    expect_corrupted(json, "key shim.pid is out of range");
    json = sample_json();
    json["owner"] = -1;
    expect_corrupted(json, "key owner is negative");
    json["owner"] = uint64_t{1} << 32U;
    expect_corrupted(json, "key owner is out of range");
    json = sample_json();
    json["created_ns"] = std::numeric_limits<uint64_t>::max();
    expect_corrupted(json, "key created_ns is out of range");
    json["created_ns"] = 1.5;
    expect_corrupted(json, "key created_ns is not an integer");
}

TEST(StateFileTest, RefusesBadValues) {
    Json json = sample_json();
    json["status"] = "undead";
    expect_corrupted(json, "key status is unknown");
    json = sample_json();
    json["version"] = 2;
    expect_corrupted(json, "key version is of another runvm");
    for (const char* key : {"bundle", "rootfs", "sandbox_folder"}) {
        json = sample_json();
        json[key] = "relative/path";
        expect_corrupted(json, std::string("key ") + key + " is not an absolute path");
        json[key] = std::string("/a\0b", 4);
        expect_corrupted(json, std::string("key ") + key + " contains a NUL");
    }
}

TEST(StateFileTest, LeavesUnknownKeysToLaterVersions) {
    Json json = sample_json();
    json["later"] = {{"x", 1}};
    EXPECT_TRUE(parse_state(json.dump(), "state.json").ok());
}

} // namespace
} // namespace runvm::state
