// The bash completion is run by bash, with a runvm that knows two containers.

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <string>

namespace runvm::cli {
namespace {

/// What is offered for the last of the words (bash splits at '='), sorted and joined by spaces.
std::string complete(const std::string& words) {
    const std::string script =
        "runvm() { if [[ $1 == --root ]]; then echo \"in$2\"; else echo web; echo db; fi; }; "
        "source '" RUNVM_SOURCE_DIR "/completions/runvm.bash'; COMP_WORDS=(" +
        words +
        "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _runvm; "
        "printf '%s\\n' \"${COMPREPLY[@]}\" | LC_ALL=C sort | paste -sd' '";
    std::string quoted;
    for (char c : script)
        quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    FILE* bash = popen(("bash -u -c '" + quoted + "' 2>&1").c_str(), "r");
    if (bash == nullptr)
        return "cannot start bash";
    std::string out;
    std::array<char, 4096> buffer;
    while (size_t size = fread(buffer.data(), 1, buffer.size(), bash))
        out.append(buffer.data(), size);
    pclose(bash);
    if (!out.empty())
        out.pop_back();
    return out;
}

TEST(BashCompletion, Commands) {
    EXPECT_EQ(complete("runvm st"), "start state store-move");
    EXPECT_EQ(complete("runvm --debug --root /r st"), "start state store-move");
    EXPECT_EQ(complete("runvm --root = /r st"), "start state store-move");
    EXPECT_EQ(complete("runvm help ki"), "kill");
}

TEST(BashCompletion, Flags) {
    EXPECT_EQ(complete("runvm --log"), "--log --log-format");
    EXPECT_EQ(complete("runvm create --p"), "--pid-file --pidfd-socket --preserve-fds");
    EXPECT_EQ(complete("runvm state -"), "--help -h");
}

TEST(BashCompletion, Values) {
    EXPECT_EQ(complete("runvm --log-format ''"), "json text");
    EXPECT_EQ(complete("runvm --log-format ="), "json text");
    EXPECT_EQ(complete("runvm list --format = j"), "json");
    EXPECT_EQ(complete("runvm list -f t"), "table");
    EXPECT_EQ(complete("runvm create --bundle /et"), "/etc");
    EXPECT_EQ(complete("runvm exec --env A"), "");
}

TEST(BashCompletion, Containers) {
    EXPECT_EQ(complete("runvm state ''"), "db web");
    EXPECT_EQ(complete("runvm --root /r state ''"), "in/r");
    EXPECT_EQ(complete("runvm --root = /r state ''"), "in/r");
    EXPECT_EQ(complete("runvm exec -e A=1 -t w"), "web");
    EXPECT_EQ(complete("runvm exec --user 1 w"), "web");
    EXPECT_EQ(complete("runvm kill web K"), "KILL");
    EXPECT_EQ(complete("runvm state web ''"), "");
    EXPECT_EQ(complete("runvm exec web /et"), "/etc");
}

} // namespace
} // namespace runvm::cli
