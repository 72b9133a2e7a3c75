// ps: the guest's processes, and what stands for them on the host.

#include "core/number.h"
#include "core/time.h"
#include "oci/process_table.h"
#include "runtime/commands.h"
#include "runtime/monitor_connection.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>

namespace runvm::runtime {

namespace {

struct NamespaceId {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const NamespaceId&) const = default;
};

// Inode 0: the process is gone.
NamespaceId pid_namespace_of(pid_t pid) {
    struct stat info {};
    if (::stat(("/proc/" + std::to_string(pid) + "/ns/pid").c_str(), &info) != 0)
        return {};
    return {info.st_dev, info.st_ino};
}

// All processes of a pid namespace but its first.
std::vector<pid_t> processes_beside(pid_t first) {
    std::vector<pid_t> pids;
    NamespaceId wanted = pid_namespace_of(first);
    std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir("/proc"), ::closedir);
    if (wanted.inode == 0 || !listing)
        return pids;
    while (const dirent* entry = ::readdir(listing.get())) {
        auto pid = whole_number<pid_t>(entry->d_name);
        if (pid && *pid != first && pid_namespace_of(*pid) == wanted)
            pids.push_back(*pid);
    }
    std::sort(pids.begin(), pids.end());
    return pids;
}

} // namespace

Result<std::vector<pid_t>> host_pids(Context& context, const std::string& id) {
    RUNVM_ASSIGN(state::Container container, load(context, id));
    if (state::effective_status(container) == state::Status::stopped || !state::is_alive(container.shim_init))
        return std::vector<pid_t>();
    return processes_beside(container.shim_init.pid);
}

Result<std::string> process_table(Context& context, const std::string& id,
                                  const std::vector<std::string>& options) {
    RUNVM_ASSIGN(state::Container container, load(context, id));
    if (state::effective_status(container) == state::Status::stopped)
        return oci::process_table({{}, 0, now_ns()}, options);
    RUNVM_ASSIGN(auto connection, MonitorConnection::open(container.sandbox_folder));
    auto request = connection->sandbox().listProcessesRequest();
    request.setId(id);
    RUNVM_ASSIGN(auto answer,
                 connection->wait(request.send(), guest_call_limit_ms(context.config), "listProcesses"));
    return oci::process_table({answer.getProcesses(), answer.getMemoryBytes(), now_ns()}, options);
}

} // namespace runvm::runtime
