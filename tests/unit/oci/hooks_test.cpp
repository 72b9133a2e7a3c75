#include "oci/hooks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runvm::oci {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;

std::string error_of(const std::string& hook) {
    auto hooks = hooks_of(R"({"hooks": {"poststart": [)" + hook + "]}}");
    return hooks ? "" : hooks.error().to_string();
}

TEST(Hooks, OfEveryKindAreRead) {
    auto hooks = hooks_of(R"({"hooks": {
        "prestart": [{"path": "/a"}], "createRuntime": [{"path": "/b"}], "createContainer": [{"path": "/c"}],
        "startContainer": [{"path": "/d"}], "poststart": [{"path": "/e"}],
        "poststop": [{"path": "/f", "args": ["f", "g"], "env": ["A=b"], "timeout": 7}, {"path": "/g", "env": []}]}})");
    ASSERT_TRUE(hooks) << hooks.error().to_string();
    EXPECT_EQ(hooks->prestart.at(0).path, "/a");
    EXPECT_EQ(hooks->create_runtime.at(0).path, "/b");
    EXPECT_EQ(hooks->create_container.at(0).path, "/c");
    EXPECT_EQ(hooks->start_container.at(0).path, "/d");
    EXPECT_EQ(hooks->poststart.at(0).path, "/e");
    EXPECT_EQ(hooks->poststart.at(0).env, std::nullopt);
    ASSERT_EQ(hooks->poststop.size(), 2U);
    EXPECT_THAT(hooks->poststop[0].args, ElementsAre("f", "g"));
    EXPECT_THAT(hooks->poststop[0].env, Optional(ElementsAre("A=b")));
    EXPECT_EQ(hooks->poststop[0].timeout_s, 7U);
    EXPECT_THAT(hooks->poststop[1].env, Optional(ElementsAre()));
}

TEST(Hooks, OfAConfigurationWithoutAny) {
    auto hooks = hooks_of("{}");
    ASSERT_TRUE(hooks);
    EXPECT_FALSE(hooks->before_root_changes());
    EXPECT_EQ(longest_ms(hooks->start_container), 0U);
}

TEST(Hooks, BadOnesAreNamed) {
    EXPECT_THAT(error_of("{}"), HasSubstr("hooks.poststart[0].path"));
    EXPECT_THAT(error_of(R"({"path": "relative"})"), HasSubstr("an absolute path is expected"));
    EXPECT_THAT(error_of(R"({"path": "/a", "timeout": 0})"), HasSubstr("hooks.poststart[0].timeout"));
    EXPECT_NE(error_of(R"({"path": "/a", "timeout": -1})"), "");
    EXPECT_NE(error_of(R"({"path": "/a", "args": "a"})"), "");
    EXPECT_NE(error_of(R"(7)"), "");
}

TEST(Hooks, MayTakeTheSumOfTheirTimeouts) {
    std::vector<Hook> hooks(2);
    hooks[0].timeout_s = 2;
    hooks[1].timeout_s = 3;
    EXPECT_EQ(longest_ms(hooks), 5000U);
    hooks[1].timeout_s = 0;
    EXPECT_GT(longest_ms(hooks), 3'600'000U);
    hooks.assign(10000, hooks[1]);
    EXPECT_GT(longest_ms(hooks), 3'600'000U) << "no overflow";
}

TEST(Hooks, GetTheStateInRuncsShape) {
    state::Container container;
    container.oci_version = "1.0.2";
    container.id = "c1";
    container.bundle = "/b";
    EXPECT_EQ(hook_state(container, "stopped", 0),
              R"({"ociVersion":"1.0.2","id":"c1","status":"stopped","bundle":"/b"})");
    container.annotations["k"] = "v";
    EXPECT_EQ(
        hook_state(container, "creating", 7),
        R"({"ociVersion":"1.0.2","id":"c1","status":"creating","pid":7,"bundle":"/b","annotations":{"k":"v"}})");
}

} // namespace
} // namespace runvm::oci
