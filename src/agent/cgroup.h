#pragma once
// The cgroup (v2) of a container in the guest: /sys/fs/cgroup/runvm/<id>.

#include "core/result.h"
#include "os/fd.h"
#include "protocol/common.capnp.h"

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace runvm::agent {

class Cgroup {
public:
    /// The folder all containers' cgroups are in, made at boot with every controller enabled.
    static constexpr const char* parent = "/sys/fs/cgroup/runvm";

    /// Makes the parent; once, at boot.
    static Result<void> prepare_parent();

    /// Makes the cgroup of a container. already_exists if it is there.
    static Result<Cgroup> create(const std::string& id);

    Cgroup(Cgroup&&) noexcept = default;
    Cgroup& operator=(Cgroup&&) noexcept = default;

    const std::string& path() const { return path_; }
    int fd() const { return folder_.get(); }

    /// Lets a user make cgroups below and move processes between them.
    Result<void> give_to(uid_t uid) const;

    /// Writes the resource files, and makes the device rules effective.
    Result<void> apply(protocol::Resources::Reader resources);

    /// The same for a container that runs: refuses a memory limit that its processes would have to die for
    /// (busy), and takes no device rules. After an error all files are as before.
    Result<void> update(protocol::Resources::Reader resources);

    /// A cgroup below this one; empty: this one.
    Result<os::Fd> open_below(const std::string& path) const;

    /// The contents of one of its files, 64 KiB at most; empty if it has no such file.
    Result<std::string> read(const std::string& name) const;

    /// Every process in it and below it, as numbered in the agent's pid namespace.
    Result<std::vector<pid_t>> processes() const;

    /// Sends SIGKILL to all of them in one step; those that fork meanwhile do not escape.
    Result<void> kill() const;

    /// Asks for all its processes to stop, or to go on; and has it come to that?
    Result<void> set_frozen(bool frozen) const;
    bool is_frozen() const;

    /// Is any process left, zombies not counted?
    bool populated() const;

    /// Has the kernel killed a process in it for want of memory?
    bool oom_killed() const;

    /// Removes it with everything below; EBUSY while a process is left.
    Result<void> remove();

private:
    Cgroup(std::string path, os::Fd folder) : path_(std::move(path)), folder_(std::move(folder)) {}

    Result<void> write(const std::string& name, const std::string& value, bool optional) const;
    struct File {
        std::string name;
        std::string value;
        bool optional = false;
    };
    static std::vector<File> files_of(protocol::Resources::Reader resources);
    Result<void> write_files(const std::vector<File>& files) const;
    /// Their contents, in reverse: what takes a failed `write_files` back.
    std::vector<File> read_files(const std::vector<File>& files) const;
    /// Has a file with lines of "key value" another value than 0 there?
    bool says(const char* file, const char* key) const;
    Result<uint64_t> memory_usage() const;
    Result<void> make_room(uint64_t limit_bytes) const;

    std::string path_;
    os::Fd folder_;
};

/// The number of a "key value" line of a cgroup file's text; 0 if the key is not there. Exposed for the
/// tests.
uint64_t keyed_value(const std::string& text, const std::string& key);

} // namespace runvm::agent
