#include "core/hash.h"
#include "os/file.h"
#include "state/claim.h"
#include "state/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdio>

namespace runvm::state {
namespace {

// Holds the sandbox's full id: a symbolic link is made together with its content, in one step.
constexpr const char* machine_link = "/machine";
constexpr const char* owner_link = "/id";

Error invalid_id(const std::string& reason) {
    return {ErrorKind::invalid_argument, "invalid container ID format: " + reason};
}

Result<std::string> read_link(const std::string& path) {
    std::array<char, PATH_MAX> target;
    ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
    if (size < 0)
        return system_error("read link " + path);
    return std::string(target.data(), static_cast<size_t>(size));
}

} // namespace

Result<void> check_id(const std::string& id) {
    // runc's validateID (libcontainer/factory_linux.go), whose words the callers and their tests know.
    if (id.empty())
        return invalid_id("it is empty");
    if (id.size() > NAME_MAX)
        return invalid_id("it has " + std::to_string(id.size()) + " characters, at most " +
                          std::to_string(NAME_MAX) + " are allowed");
    for (char c : id) {
        bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '+' || c == '-' || c == '.';
        if (!allowed)
            return invalid_id("only letters, digits and _ + - . are allowed");
    }
    if (id == "." || id == "..")
        return invalid_id("it is the name of a folder");
    return {};
}

namespace {

std::string hash_text(const std::string& text) {
    std::array<char, 17> digits;
    std::snprintf(digits.data(), digits.size(), "%016llx",
                  static_cast<unsigned long long>(stable_hash(text)));
    return digits.data();
}

} // namespace

std::string sandbox_folder(const std::string& root, const std::string& sandbox_id) {
    // The engines choose the ids, and claim_sandbox_folder sees a collision.
    return root + "/@sandboxes/" + hash_text(sandbox_id);
}

Result<std::string> claim_sandbox_folder(const std::string& root, const std::string& sandbox_id) {
    std::string folder = sandbox_folder(root, sandbox_id);
    RUNVM_TRY(os::make_folders(folder, 0700));
    std::string link = folder + owner_link;
    if (::symlink(sandbox_id.c_str(), link.c_str()) == 0)
        return folder;
    if (errno != EEXIST)
        return system_error("write " + link);
    RUNVM_ASSIGN(std::string owner, read_link(link));
    if (owner == sandbox_id)
        return folder;
    return Error(ErrorKind::already_exists, "sandbox " + sandbox_id + ": its folder " + folder +
                                                " is that of sandbox " + owner + "; choose another id");
}

Result<std::string> claim_machine_folder(const std::string& run_folder, const std::string& sandbox_folder) {
    std::string folder = run_folder + "/machines/" + hash_text(sandbox_folder);
    if (::symlink(folder.c_str(), (sandbox_folder + machine_link).c_str()) != 0)
        return system_error("write " + sandbox_folder + machine_link);
    return folder;
}

Result<std::optional<Lock>> lock_sandbox(const std::string& folder, int limit_ms) {
    std::optional<Lock> none;
    while (true) {
        auto fd = os::open_file(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (!fd && fd.error().errno_value() == ENOENT)
            return none;
        if (!fd)
            return std::move(fd).error();
        RUNVM_TRY(wait_for_lock(fd->get(), folder, "sandbox " + folder, limit_ms));
        if (is_still_at(fd->get(), folder)) // else another one may be there
            return std::optional<Lock>(Lock(std::move(*fd)));
    }
}

Result<void> remove_sandbox_folder(const std::string& folder) {
    if (auto machine = read_link(folder + machine_link))
        RUNVM_TRY(os::remove_tree(*machine));
    return os::remove_tree(folder);
}

} // namespace runvm::state
