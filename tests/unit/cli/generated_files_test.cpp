#include "cli/generated_files.h"

#include "cli/flags.h"
#include "cli/help.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

namespace runvm::cli {
namespace {

using testing::HasSubstr;

std::string contents(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST(GeneratedFiles, AreWhatTheTableSays) {
    for (const GeneratedFile& file : generated_files()) {
        EXPECT_EQ(contents(std::string(RUNVM_SOURCE_DIR) + "/" + file.path), file.contents)
            << file.path << " is out of date: run `cmake --build build --target docs`";
    }
}

TEST(GeneratedFiles, NothingElseIsInTheirFolders) {
    std::set<std::string> expected;
    for (const GeneratedFile& file : generated_files())
        expected.insert(file.path);
    for (const char* folder : {"man", "completions"}) {
        for (const auto& entry :
             std::filesystem::directory_iterator(std::string(RUNVM_SOURCE_DIR) + "/" + folder)) {
            EXPECT_TRUE(expected.contains(folder + ("/" + entry.path().filename().string()))) << entry.path();
        }
    }
}

TEST(Help, ShowsEveryVisibleFlagAndCommandAndNoHiddenOne) {
    const std::string program = program_help("1.2.3\ncommit: abc");
    EXPECT_THAT(program, HasSubstr("VERSION:\n   1.2.3\ncommit: abc\n"));
    for (const Flag& flag : global_flags()) {
        const std::string name = "   --" + std::string(flag.name) + (takes_value(flag) ? " " : "");
        EXPECT_NE(contains(program, name), flag.hidden) << name;
    }
    for (const Command& command : commands()) {
        const std::string entry = "\n   " + std::string(command.name) + " ";
        EXPECT_EQ(contains(program, entry), command.available) << entry;
        const std::string help = command_help(command);
        for (const Flag& flag : command.flags) {
            const std::string name = "   --" + std::string(flag.name) + (takes_value(flag) ? " " : "");
            EXPECT_NE(contains(help, name), flag.hidden) << command.name << name;
        }
    }
}

TEST(Help, IsLaidOutAsRuncs) {
    EXPECT_EQ(command_help(*find_command("kill")), R"(NAME:
   runvm kill - send a signal to a container's process

USAGE:
   runvm kill [command options] <container-id> [signal]

DESCRIPTION:
   The signal is a name with or without SIG, or a number; TERM if not given.

EXAMPLE:
   # runvm kill web
   # runvm kill web KILL

OPTIONS:
   --all, -a  send the signal to all of the container's processes
)");
}

TEST(Help, FitsATerminal) {
    for (const Command& command : commands()) {
        std::istringstream lines(command_help(command));
        for (std::string line; std::getline(lines, line) && line != "OPTIONS:";)
            EXPECT_LE(line.size(), 110U) << line;
    }
}

// What is visible has its words; what the table repeats would be answered by the first entry only.
TEST(FlagTable, IsComplete) {
    std::set<std::string_view> names;
    for (const Command& command : commands()) {
        EXPECT_TRUE(names.insert(command.name).second) << command.name;
        EXPECT_EQ(command.summary.empty(), !command.available) << command.name;
        std::set<std::string_view> spellings = {"help", "h"};
        for (const Flag& flag : command.flags) {
            EXPECT_TRUE(spellings.insert(flag.name).second) << command.name << " " << flag.name;
            if (!flag.alias.empty()) {
                EXPECT_TRUE(spellings.insert(flag.alias).second) << command.name << " -" << flag.alias;
            }
            EXPECT_TRUE(flag.hidden || !flag.help.empty()) << command.name << " " << flag.name;
            EXPECT_EQ(takes_value(flag), !flag.placeholder.empty()) << command.name << " " << flag.name;
        }
    }
}

} // namespace
} // namespace runvm::cli
