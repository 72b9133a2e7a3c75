#include "cli/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace runvm::cli {
namespace {

using Action = Invocation::Action;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Invocation parse_words(std::vector<std::string> words) {
    words.insert(words.begin(), "runvm");
    return parse(words);
}

std::string error_of(std::vector<std::string> words) {
    const Invocation line = parse_words(std::move(words));
    EXPECT_EQ(line.action, Action::refuse);
    return line.error;
}

TEST(Parser, NoWordsShowTheProgramsHelp) {
    const Invocation line = parse_words({});
    EXPECT_EQ(line.action, Action::show_help);
    EXPECT_EQ(line.command, nullptr);
    EXPECT_EQ(parse({}).action, Action::show_help);
}

TEST(Parser, LongOptionsTakeOneDashOrTwoAndTheirValueEitherWay) {
    for (const auto& flag : std::vector<std::vector<std::string>>{
             {"--root", "/r"}, {"-root", "/r"}, {"--root=/r"}, {"-root=/r"}}) {
        std::vector<std::string> words = flag;
        words.insert(words.end(), {"run", "-no-subreaper", "--keep=true", "-b=/b", "c1"});
        const Invocation line = parse_words(words);
        ASSERT_EQ(line.action, Action::run) << line.error;
        EXPECT_EQ(line.globals.text("root"), "/r");
        EXPECT_TRUE(line.flags.boolean("no-subreaper"));
        EXPECT_TRUE(line.flags.boolean("keep"));
        EXPECT_EQ(line.flags.text("bundle"), "/b");
        EXPECT_THAT(line.arguments, ElementsAre("c1"));
    }
}

TEST(Parser, DefaultsStandWhereNothingIsGiven) {
    const Invocation line = parse_words({"list"});
    EXPECT_EQ(line.flags.text("format"), "table");
    EXPECT_FALSE(line.flags.given("format"));
    EXPECT_EQ(line.globals.text("root"), "/run/runvm");
    EXPECT_FALSE(line.globals.given("root"));
    EXPECT_EQ(parse_words({"create", "c1"}).flags.integer("preserve-fds"), 0);
    EXPECT_THAT(parse_words({"exec", "c1", "true"}).flags.texts("env"), IsEmpty());
}

TEST(Parser, RepeatedFlagsLastOneCountsAndListsGrow) {
    const Invocation line =
        parse_words({"--root", "/a", "--debug", "--root=/b", "--debug=false", "exec", "--env", "A=1", "-e",
                     "B=a,b", "-env=C=3", "-g", "7", "--additional-gids=0x10", "c1", "true"});
    ASSERT_EQ(line.action, Action::run) << line.error;
    EXPECT_EQ(line.globals.text("root"), "/b");
    EXPECT_FALSE(line.globals.boolean("debug"));
    EXPECT_THAT(line.flags.texts("env"), ElementsAre("A=1", "B=a,b", "C=3"));
    EXPECT_THAT(line.flags.integers("additional-gids"), ElementsAre(7, 16));
}

TEST(Parser, ExecPassesEverythingAfterTheIdOn) {
    const Invocation line =
        parse_words({"exec", "-t", "c1", "sh", "-c", "echo --help", "-t", "--", "--root"});
    ASSERT_EQ(line.action, Action::run) << line.error;
    EXPECT_TRUE(line.flags.boolean("tty"));
    EXPECT_THAT(line.arguments, ElementsAre("c1", "sh", "-c", "echo --help", "-t", "--", "--root"));
    EXPECT_THAT(parse_words({"exec", "--", "c1", "-x"}).arguments, ElementsAre("c1", "-x"));
}

TEST(Parser, OtherCommandsTakeKnownFlagsAfterTheId) {
    EXPECT_TRUE(parse_words({"delete", "c1", "--force"}).flags.boolean("force"));
    EXPECT_EQ(parse_words({"create", "c1", "--bundle", "/b"}).flags.text("bundle"), "/b");
    const Invocation line = parse_words({"kill", "c1", "-9"});
    EXPECT_EQ(line.action, Action::run);
    EXPECT_THAT(line.arguments, ElementsAre("c1", "-9"));
    EXPECT_EQ(error_of({"delete", "c1", "--", "-f"}), "runvm: \"delete\" requires exactly 1 argument(s)");
    EXPECT_EQ(parse_words({"state", "c1", "--help"}).action, Action::show_help);
}

TEST(Parser, ASingleDashIsAnArgument) {
    EXPECT_THAT(parse_words({"state", "-"}).arguments, ElementsAre("-"));
}

// The words are runc's: Podman looks for "flag needs an argument" (checkpoint probes), people know the
// others.
TEST(Parser, ErrorsUseTheWordsOfRunc) {
    EXPECT_EQ(error_of({"--bogus"}), "flag provided but not defined: -bogus");
    EXPECT_EQ(error_of({"create", "--bogus", "c1"}), "flag provided but not defined: -bogus");
    EXPECT_EQ(error_of({"list", "-qf", "json"}), "flag provided but not defined: -qf");
    EXPECT_EQ(error_of({"--root"}), "flag needs an argument: -root");
    EXPECT_EQ(error_of({"create", "--bundle"}), "flag needs an argument: -bundle");
    EXPECT_EQ(error_of({"exec", "-e"}), "flag needs an argument: -e");
    EXPECT_EQ(error_of({"create", "c1", "-b"}), "flag needs an argument: -b");
    EXPECT_EQ(error_of({"---x"}), "bad flag syntax: ---x");
    EXPECT_EQ(error_of({"--=x"}), "bad flag syntax: --=x");
    EXPECT_EQ(error_of({"--debug=foo", "list"}), "invalid boolean value \"foo\" for -debug: parse error");
    EXPECT_EQ(error_of({"run", "--preserve-fds", "abc", "c1"}),
              "invalid value \"abc\" for flag -preserve-fds: parse error");
    EXPECT_THAT(error_of({"exec", "-g", "abc", "c1", "true"}),
                HasSubstr("invalid value \"abc\" for flag -g: "));
}

TEST(Parser, ArgumentsAreCounted) {
    EXPECT_EQ(error_of({"state"}), "runvm: \"state\" requires exactly 1 argument(s)");
    EXPECT_EQ(error_of({"start", "a", "b"}), "runvm: \"start\" requires exactly 1 argument(s)");
    EXPECT_EQ(error_of({"list", "a"}), "runvm: \"list\" requires exactly 0 argument(s)");
    EXPECT_EQ(error_of({"kill"}), "runvm: \"kill\" requires a minimum of 1 argument(s)");
    EXPECT_EQ(error_of({"kill", "a", "9", "b"}), "runvm: \"kill\" requires a maximum of 2 argument(s)");
    EXPECT_EQ(error_of({"exec"}), "runvm: \"exec\" requires a minimum of 1 argument(s)");
    EXPECT_EQ(parse({"/usr/bin/runvm", "state"}).error,
              "/usr/bin/runvm: \"state\" requires exactly 1 argument(s)");
}

TEST(Parser, HelpAndVersion) {
    for (const char* word : {"--help", "-h", "help", "h"})
        EXPECT_EQ(parse_words({word}).action, Action::show_help) << word;
    for (const char* word : {"--version", "-v", "-version"})
        EXPECT_EQ(parse_words({word, "list"}).action, Action::show_version) << word;
    const Invocation help = parse_words({"help", "exec"});
    EXPECT_EQ(help.action, Action::show_help);
    EXPECT_EQ(help.command, find_command("exec"));
    EXPECT_EQ(parse_words({"create", "-h"}).command, find_command("create"));
    EXPECT_EQ(parse_words({"state", "--help=false", "c1"}).action, Action::run);
}

TEST(Parser, UnknownAndUnavailableCommands) {
    const Invocation bogus = parse_words({"bogus", "--help"});
    EXPECT_EQ(bogus.action, Action::no_such_command);
    EXPECT_EQ(bogus.error, "No help topic for 'bogus'");
    // Podman takes `checkpoint --help` with exit status 0 as "can checkpoint".
    for (const char* name : {"checkpoint", "restore"}) {
        const Invocation line = parse_words({name, "--help"});
        EXPECT_EQ(line.action, Action::not_available);
        EXPECT_EQ(line.error, std::string("runvm ") + name + " is not available yet");
    }
}

TEST(Parser, GlobalsAreKeptWhereTheCommandIsWrong) {
    const Invocation line = parse_words({"--log", "/l", "--log-format", "json", "create", "--bogus"});
    EXPECT_EQ(line.action, Action::refuse);
    EXPECT_EQ(line.command, find_command("create"));
    EXPECT_EQ(line.globals.text("log"), "/l");
    EXPECT_EQ(line.globals.text("log-format"), "json");
}

TEST(Parser, Numbers) {
    EXPECT_EQ(parse_integer("12"), 12);
    EXPECT_EQ(parse_integer("-3"), -3);
    EXPECT_EQ(parse_integer("+3"), 3);
    EXPECT_EQ(parse_integer("0"), 0);
    EXPECT_EQ(parse_integer("010"), 8);
    EXPECT_EQ(parse_integer("0o17"), 15);
    EXPECT_EQ(parse_integer("0b11"), 3);
    EXPECT_EQ(parse_integer("0X1f"), 31);
    for (const char* wrong : {"", "-", "--1", "+-1", "1x", "0x", " 1", "1 ", "99999999999", "0x-1", "1.0"})
        EXPECT_EQ(parse_integer(wrong), std::nullopt) << '"' << wrong << '"';
}

TEST(Parser, Durations) {
    using Case = std::pair<const char*, int64_t>;
    for (auto [text, ms] : {Case{"5s", 5000},
                            {"100ms", 100},
                            {"1m30s", 90'000},
                            {"1h", 3'600'000},
                            {"0", 0},
                            {"1.5s", 1500},
                            {".5s", 500},
                            {"1us", 1},
                            {"1ns", 1},
                            {"0s", 0},
                            {"-2s", -2000},
                            {"+2s", 2000},
                            {"3\u00b5s", 1}})
        EXPECT_EQ(parse_duration_ms(text), ms) << text;
    for (const char* text :
         {"", "5", "s", "5x", "5 s", "1e3s", "1.s.", "--5s", "5s3", "999999999999h", "nans", "infs"})
        EXPECT_FALSE(parse_duration_ms(text)) << text;
    EXPECT_EQ(parse_words({"events", "a"}).flags.duration_ms("interval"), 5000);
    EXPECT_EQ(error_of({"events", "--interval=x", "a"}),
              "invalid value \"x\" for flag -interval: parse error");
}

TEST(Parser, AskingForAFlagThatIsNotInTheTableIsABug) {
    const Invocation line = parse_words({"list"});
    EXPECT_THROW(line.flags.text("fromat"), std::logic_error);
    EXPECT_THROW(line.flags.boolean("format"), std::logic_error);
}

} // namespace
} // namespace runvm::cli
