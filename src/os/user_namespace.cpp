#include "os/user_namespace.h"

#include "os/file.h"
#include "os/process.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <array>

namespace runvm::os {

namespace {

Result<void> write_id_map(pid_t pid, const char* file, const std::vector<IdMapping>& mappings) {
    std::string path = "/proc/" + std::to_string(pid) + "/" + file;
    return write_into(path, id_map_text(mappings));
}

/// A child in a new user namespace, which stays until the other end of `held` is closed: by its parent, or by
/// its parent's end.
Result<Spawned> start_holder(int held, int other_end) {
    RUNVM_ASSIGN(Spawned holder, clone_process(CLONE_NEWUSER));
    if (holder.pid == 0) {
        // Only async-signal-safe calls: the parent may have had other threads.
        ::close(other_end);
        char byte = 0;
        while (::read(held, &byte, 1) < 0 && errno == EINTR) {
        }
        ::_exit(0);
    }
    return holder;
}

Result<Fd> namespace_of(const Spawned& holder, const IdMappings& mappings) {
    RUNVM_TRY(write_id_mappings(holder.pid, mappings));
    return open_file("/proc/" + std::to_string(holder.pid) + "/ns/user", O_RDONLY);
}

} // namespace

std::string id_map_text(const std::vector<IdMapping>& mappings) {
    std::string text;
    for (const IdMapping& mapping : mappings)
        text += std::to_string(mapping.container_id) + " " + std::to_string(mapping.host_id) + " " +
                std::to_string(mapping.size) + "\n";
    return text;
}

std::optional<uint32_t> to_host_id(const std::vector<IdMapping>& mappings, uint32_t container_id) {
    for (const IdMapping& mapping : mappings)
        if (container_id >= mapping.container_id && container_id - mapping.container_id < mapping.size)
            return mapping.host_id + (container_id - mapping.container_id);
    return std::nullopt;
}

Result<void> write_id_mappings(pid_t pid, const IdMappings& mappings) {
    RUNVM_TRY(write_id_map(pid, "uid_map", mappings.uids));
    return write_id_map(pid, "gid_map", mappings.gids);
}

Result<Fd> make_user_namespace(const IdMappings& mappings) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return system_error("make a pipe");
    Fd reader(ends[0]);
    Fd writer(ends[1]);
    RUNVM_ASSIGN(Spawned holder, start_holder(reader.get(), writer.get()).context("make a user namespace"));
    Result<Fd> made = namespace_of(holder, mappings);
    writer.reset();
    end_child(holder);
    return made;
}

} // namespace runvm::os
