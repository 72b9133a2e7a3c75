#pragma once
// What `runvm check` found, for people and for programs.

#include <string>
#include <vector>

namespace runvm::cli {

struct Finding {
    enum class Status {
        ok,
        warn, ///< containers run, but slower or with less
        fail, ///< containers cannot run
    };
    std::string name; ///< "accelerator": one word, stable for programs
    Status status = Status::ok;
    std::string detail;    ///< what was found
    std::string next_step; ///< what to do about it; empty only if ok
};

/// 0, or 1 if something failed.
int exit_status(const std::vector<Finding>& findings);

/// A line a finding, and its next step below it.
std::string to_text(const std::vector<Finding>& findings);

/// An array of {"name","status","detail","next_step"}, with a newline at the end.
std::string to_json(const std::vector<Finding>& findings);

} // namespace runvm::cli
