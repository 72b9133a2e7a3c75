#pragma once
// The SELinux label of a program that is about to be started: proc_pid_attr(5), "exec".

#include "core/result.h"

#include <string>

namespace runvm::os {

/// While it lives, what the calling thread starts gets the label. Nothing happens without a label, and on a
/// host without SELinux.
class LabelOfNextExec {
public:
    /// `proc`: where the proc file system is. An error if the label is not known to the host's policy.
    static Result<LabelOfNextExec> set(const std::string& label, const std::string& proc = "/proc");

    LabelOfNextExec(LabelOfNextExec&& other) noexcept;
    LabelOfNextExec(const LabelOfNextExec&) = delete;
    LabelOfNextExec& operator=(const LabelOfNextExec&) = delete;
    LabelOfNextExec& operator=(LabelOfNextExec&&) = delete;
    ~LabelOfNextExec();

private:
    explicit LabelOfNextExec(std::string path) : path_(std::move(path)) {}

    std::string path_; ///< of what is to be reset
};

} // namespace runvm::os
