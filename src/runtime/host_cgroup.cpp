#include "runtime/host_cgroup.h"

namespace runvm::runtime {

namespace {

// The most that was measured beside the guest's memory, with some to spare (docs/cgroups.md): QEMU with the
// 256 MiB of its translation cache, virtiofsd, monitor and shims, the sacrifice of cgroup/oom_sacrifice.h;
// and for page tables and the like a part of the guest's memory.
constexpr uint64_t processes_mib = 512;
constexpr uint64_t tables_divisor = 64;
constexpr uint64_t mib = 1024 * 1024;

cgroup::Place place_of(const state::Container& container) {
    return cgroup::Place(container.cgroup_folders);
}

} // namespace

Result<void> choose_cgroup(const Context& context, const oci::HostCgroup& wanted,
                           state::Container& container) {
    if (context.no_cgroup)
        return {};
    RUNVM_ASSIGN(auto hierarchies, cgroup::read_hierarchies());
    if (context.systemd_cgroup) // runc's words (cgroups/manager/new.go)
        return Error(ErrorKind::unsupported,
                     "systemd not running on this host, cannot use systemd cgroups manager");
    RUNVM_ASSIGN(cgroup::Place place, cgroup::Place::at(hierarchies, wanted.path));
    RUNVM_TRY(place.check_unused());
    container.cgroup_folders = place.folders();
    return {};
}

Result<void> found_cgroup(const state::Container& container, const cgroup::Limits& limits, pid_t first) {
    cgroup::Place place = place_of(container);
    RUNVM_ASSIGN(auto hierarchies, cgroup::read_hierarchies());
    RUNVM_TRY(place.make(hierarchies));
    RUNVM_TRY(cgroup::apply(cgroup::settings_of(limits, room_of(container), place, cgroup::When::at_once)));
    return place.add(first);
}

Result<void> limit_cpu_time(const state::Container& container, const cgroup::Limits& limits) {
    return cgroup::apply(cgroup::settings_of(limits, {}, place_of(container), cgroup::When::when_created));
}

EnterCgroup enter_cgroup_of(const state::Container& container) {
    if (container.cgroup_folders.empty())
        return {};
    return [place = place_of(container)](pid_t pid) { return place.add(pid); };
}

std::string memory_cgroup_of(const state::Container& container) {
    return place_of(container).folder_of("memory");
}

Result<void> remove_cgroup(const state::Container& container) {
    return place_of(container).remove();
}

Result<void> move_machine(const state::Container& from, const state::Container& to) {
    return place_of(from).move_to(place_of(to));
}

cgroup::Change change_limits(const state::Container& container, const cgroup::Limits& limits) {
    return {limits, room_of(container), place_of(container)};
}

cgroup::Room room_of(const state::Container& container) {
    return {container.machine_mib * mib, (processes_mib + container.machine_mib / tables_divisor) * mib};
}

} // namespace runvm::runtime
