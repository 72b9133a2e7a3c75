// How a container comes to be, and how nothing of it is left when it does not.

#include "commands_fixture.h"

#include "runtime/creation.h"

namespace runvm::runtime {
namespace {

using testing::HasSubstr;

using CreationTest = CommandsTest;

TEST_F(CreationTest, EndsWithAContainerThatIsReady) {
    CreateOptions with_pid_file = options();
    with_pid_file.pid_file = folder_.path() + "/pid";
    auto created = create(context_, with_pid_file);
    ASSERT_TRUE(created) << created.error().to_string();
    EXPECT_EQ(status(), "created");
    auto container = context_.store->load("c1");
    ASSERT_TRUE(container);
    EXPECT_EQ(*os::read_file(with_pid_file.pid_file), std::to_string(container->shim.pid));
    EXPECT_TRUE(state::is_alive(container->shim));
    EXPECT_TRUE(state::is_alive(container->reaper));
    ASSERT_TRUE(remove(context_, "c1", false));
    expect_nothing_left();
}

TEST_F(CreationTest, LeavesNothingWhenTheGuestDoesNotBoot) {
    script("boot-fails");
    CreateOptions with_pid_file = options();
    with_pid_file.pid_file = folder_.path() + "/pid";
    auto created = create(context_, with_pid_file);
    ASSERT_FALSE(created);
    EXPECT_THAT(created.error().to_string(), HasSubstr("no luck"));
    EXPECT_FALSE(std::filesystem::exists(with_pid_file.pid_file));
    expect_nothing_left();

    script("");
    EXPECT_TRUE(create(context_, options())) << "the id is free again";
}

TEST_F(CreationTest, LeavesNothingWhenTheAgentRefuses) {
    script("fails=createContainer");
    auto created = create(context_, options());
    ASSERT_FALSE(created);
    EXPECT_THAT(created.error().to_string(), HasSubstr("createContainer has failed"));
    expect_nothing_left();
}

TEST_F(CreationTest, GivesUpOnAnAgentThatDoesNotAnswer) {
    script("silent=createContainer");
    context_.config.hypervisor.agent_timeout_ms = 1000;
    auto created = create(context_, options());
    ASSERT_FALSE(created);
    EXPECT_EQ(created.error().kind(), ErrorKind::timeout);
    expect_nothing_left();
}

TEST_F(CreationTest, IsInterruptedBySignalsAndUndone) {
    script("never-boots");
    int code = exit_code_of(in_another_process([&] {
        pid_t self = ::getpid();
        pid_t killer = ::fork();
        if (killer == 0) {
            while (!std::filesystem::exists(context_.root + "/c1/config.json"))
                ::usleep(1000);
            ::kill(self, SIGTERM);
            ::_exit(0);
        }
        auto created = create(context_, options());
        return !created && created.error().kind() == ErrorKind::interrupted ? 0 : 1;
    }));
    EXPECT_EQ(code, 0);
    expect_nothing_left();
}

TEST_F(CreationTest, RefusesATakenIdAndLeavesTheFirstAlone) {
    ASSERT_TRUE(create(context_, options()));
    auto again = create(context_, options());
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().kind(), ErrorKind::already_exists);
    EXPECT_EQ(status(), "created");
}

TEST_F(CreationTest, RefusesWhatItCannotRelayBeforeItStartsAnything) {
    CreateOptions many = options();
    many.preserve_fds = 62;
    auto created = create(context_, many);
    ASSERT_FALSE(created);
    EXPECT_THAT(created.error().to_string(), HasSubstr("--preserve-fds 62: at most 61"));
    EXPECT_FALSE(std::filesystem::exists(context_.root));
}

TEST_F(CreationTest, SaysWhichFileIsMissing) {
    std::filesystem::remove(folder_.path() + "/bundle/config.json");
    auto created = create(context_, options());
    ASSERT_FALSE(created);
    EXPECT_THAT(created.error().to_string(), HasSubstr("JSON specification file config.json not found"));
}

TEST_F(CreationTest, SharesHundredsOfMountsInBatches) {
    auto config = nlohmann::ordered_json::parse(oci::default_spec());
    config["process"]["terminal"] = false;
    for (int i = 0; i < 300; ++i)
        config["mounts"].push_back({{"destination", "/m/" + std::to_string(i)},
                                    {"type", "bind"},
                                    {"source", "/etc"},
                                    {"options", {"rbind", "ro"}}});
    write_config(config.dump());
    auto created = create(context_, options());
    EXPECT_TRUE(created) << created.error().to_string();
}

} // namespace
} // namespace runvm::runtime
