#include "oci/caller_words.h"

#include "../support/matched_words.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace runvm::oci {

namespace {

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

Error error_of(ErrorKind kind, const std::string& message) {
    return Error(kind, message).add_context("create container").add_context("runvm create failed");
}

} // namespace

TEST(caller_words, infrastructure_errors_have_none_of_the_matched_words) {
    const std::array kinds = {ErrorKind::internal,    ErrorKind::invalid_argument, ErrorKind::already_exists,
                              ErrorKind::unsupported, ErrorKind::system,           ErrorKind::unavailable,
                              ErrorKind::timeout,     ErrorKind::corrupted,        ErrorKind::guest};
    for (ErrorKind kind : kinds)
        for (const char* words : test::matched_words)
            for (std::string text : {std::string(words), lower(words), "X " + std::string(words) + " y"}) {
                text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
                std::string result = lower(for_caller(error_of(kind, "open /x: " + text)));
                for (const char* forbidden : test::matched_words)
                    EXPECT_EQ(result.find(forbidden), std::string::npos) << result;
            }
}

TEST(caller_words, a_missing_kernel_is_not_a_missing_command) {
    EXPECT_EQ(
        for_caller(system_error("open /usr/share/runvm/vmlinux", ENOENT).add_context("runvm create failed")),
        "runvm create failed: open /usr/share/runvm/vmlinux: is missing");
    EXPECT_EQ(for_caller(system_error("open /dev/kvm", EACCES)), "open /dev/kvm: access was refused");
    EXPECT_EQ(for_caller(Error(ErrorKind::invalid_argument, "/x is not a directory")), "/x is not a folder");
}

// As runc 1.1.5 prints them on this platform.
TEST(caller_words, the_commands_errors_stay) {
    for (const char* text : {"exec: \"nonesuch\": executable file not found in $PATH",
                             "exec: \"/nonesuch\": stat /nonesuch: no such file or directory",
                             "exec: \"/junk/x\": stat /junk/x: not a directory"})
        EXPECT_EQ(for_caller(error_of(ErrorKind::command_not_found, text)),
                  "runvm create failed: create container: unable to start container process: " +
                      std::string(text));
    for (const char* text : {"exec: \"/noexec\": permission denied", "exec /junk: exec format error",
                             "exec: \"/dir\": is a directory"})
        EXPECT_EQ(for_caller(error_of(ErrorKind::command_not_executable, text)),
                  "runvm create failed: create container: unable to start container process: " +
                      std::string(text));
}

TEST(caller_words, glibcs_spelling_becomes_gos) {
    EXPECT_EQ(
        for_caller(Error(ErrorKind::command_not_found, "exec: \"/x\": stat /x: No such file or directory")),
        "unable to start container process: exec: \"/x\": stat /x: no such file or directory");
    EXPECT_EQ(for_caller(Error(ErrorKind::command_not_executable, "exec: \"/x\": Permission denied")),
              "unable to start container process: exec: \"/x\": permission denied");
    EXPECT_EQ(for_caller(Error(ErrorKind::command_not_executable, "exec /x: Exec format error")),
              "unable to start container process: exec /x: exec format error");
}

TEST(caller_words, a_commands_error_always_has_a_matched_word) {
    EXPECT_EQ(for_caller(Error(ErrorKind::command_not_found, "exec: \"x\": strange")),
              "unable to start container process: exec: \"x\": strange: no such file or directory");
    EXPECT_EQ(for_caller(Error(ErrorKind::command_not_executable, "exec: \"x\": strange")),
              "unable to start container process: exec: \"x\": strange: permission denied");
    EXPECT_EQ(for_caller(Error(ErrorKind::process_finished, "signal 9")),
              "signal 9: os: process already finished");
}

TEST(caller_words, states_keep_runcs_words) {
    EXPECT_EQ(for_caller(Error(ErrorKind::not_found, "container does not exist")),
              "container does not exist");
    EXPECT_EQ(for_caller(Error(ErrorKind::wrong_state, "container not running")), "container not running");
    EXPECT_EQ(for_caller(Error(ErrorKind::process_finished, "os: process already finished")),
              "os: process already finished");
    EXPECT_EQ(for_caller(Error(ErrorKind::already_exists, "container with given ID already exists")),
              "container with given ID already exists");
    EXPECT_EQ(for_caller(Error(ErrorKind::invalid_argument, "invalid container ID format")),
              "invalid container ID format");
    // A state's error says nothing of files either.
    EXPECT_EQ(for_caller(Error(ErrorKind::not_found, "open /x: No such file or directory")),
              "open /x: is missing");
}

TEST(caller_words, exit_codes) {
    Error error(ErrorKind::internal, "x");
    EXPECT_EQ(exit_code(error, "exec"), 255);
    EXPECT_EQ(exit_code(error, "run"), 1);
    EXPECT_EQ(exit_code(error, "state"), 1);
}

} // namespace runvm::oci
