#include "os/selinux.h"

#include "os/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace runvm::os {

namespace {

/// The kernel has this file system only while SELinux is enabled.
bool has_selinux(const std::string& proc) {
    auto filesystems = read_file(proc + "/filesystems");
    return filesystems && filesystems->find("\tselinuxfs\n") != std::string::npos;
}

} // namespace

Result<LabelOfNextExec> LabelOfNextExec::set(const std::string& label, const std::string& proc) {
    if (label.empty() || !has_selinux(proc))
        return LabelOfNextExec("");
    std::string path = proc + "/thread-self/attr/exec";
    RUNVM_TRY(write_into(path, label).context("give a program the SELinux label " + label));
    return LabelOfNextExec(std::move(path));
}

LabelOfNextExec::LabelOfNextExec(LabelOfNextExec&& other) noexcept
    : path_(std::exchange(other.path_, std::string())) {}

LabelOfNextExec::~LabelOfNextExec() {
    if (path_.empty())
        return;
    if (auto file = open_file(path_, O_WRONLY))
        (void)!::write(file->get(), "", 0);
}

} // namespace runvm::os
