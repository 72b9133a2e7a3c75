#include "runtime/host_cgroup.h"

#include "cgroup/systemd/unit.h"
#include "os/file.h"
#include "os/process.h"
#include "runtime/termination.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>

namespace runvm::runtime {

namespace systemd = cgroup::systemd;

namespace {

// The most that was measured beside the guest's memory, with some to spare (docs/cgroups.md): QEMU with the
// 256 MiB of its translation cache, virtiofsd, monitor and shims, the sacrifice of cgroup/oom_sacrifice.h;
// and for page tables and the like a part of the guest's memory.
constexpr uint64_t processes_mib = 512;
constexpr uint64_t tables_divisor = 64;
constexpr uint64_t mib = 1024 * 1024;

std::string note_path(const state::Container& container) {
    return container.sandbox_folder + "/cgroup-" + container.id;
}

cgroup::Place place_of(const state::Container& container) {
    return cgroup::Place(container.cgroup_folders);
}

Result<void> write_limits(const state::Container& container, const std::vector<cgroup::Setting>& settings) {
    RUNVM_TRY(cgroup::apply(settings));
    return container.cgroup_unit.empty() ? Result<void>()
                                         : systemd::set_limits(container.cgroup_unit, settings);
}

} // namespace

Result<void> choose_cgroup(const Context& context, const oci::HostCgroup& wanted,
                           state::Container& container) {
    if (context.no_cgroup)
        return {};
    RUNVM_ASSIGN(auto hierarchies, cgroup::read_hierarchies());
    std::string path = wanted.path;
    if (context.systemd_cgroup) {
        if (!systemd::is_running()) // runc's words (cgroups/manager/new.go)
            return Error(ErrorKind::unsupported,
                         "systemd not running on this host, cannot use systemd cgroups manager");
        container.cgroup_unit = oci::unit_name(wanted);
        RUNVM_ASSIGN(path, systemd::path_of_unit(wanted.slice, container.cgroup_unit));
    }
    RUNVM_ASSIGN(cgroup::Place place, cgroup::Place::at(hierarchies, path));
    RUNVM_TRY(place.check_unused());
    container.cgroup_folders = place.folders();
    return {};
}

Result<void> note_cgroup(const state::Container& container) {
    nlohmann::json note = {{"unit", container.cgroup_unit}, {"folders", container.cgroup_folders}};
    return os::write_file_atomically(note_path(container), note.dump(), 0600, false);
}

void find_noted_cgroup(state::Container& container) {
    auto text = os::read_file(note_path(container));
    if (!text)
        return;
    auto note = nlohmann::json::parse(*text, nullptr, false);
    auto is_text = [](const nlohmann::json& value) { return value.is_string(); };
    if (!note.is_object() || !note["unit"].is_string() || !note["folders"].is_object() ||
        !std::all_of(note["folders"].begin(), note["folders"].end(), is_text))
        return; // half of it was written when the disk became full: nothing has been made
    container.cgroup_unit = note["unit"].get<std::string>();
    container.cgroup_folders = note["folders"].get<std::map<std::string, std::string>>();
}

// Whose end is waited for by remove_cgroup. The first process of their pid namespace goes by itself then.
void end_shims_in_cgroup(const state::Container& container) {
    for (const auto& [controllers, folder] : container.cgroup_folders) {
        auto pids = cgroup::processes_in(folder);
        if (!pids)
            continue; // it is gone
        for (pid_t pid : *pids) {
            os::Fd pidfd = open_process(state::process_ref(pid));
            auto name = os::read_file("/proc/" + std::to_string(pid) + "/comm");
            if (pidfd && name && *name == "runvm-shim\n")
                (void)os::send_signal(pidfd.get(), SIGKILL);
        }
    }
}

Result<void> found_cgroup(const state::Container& container, const std::string& slice,
                          const cgroup::Limits& limits, pid_t first) {
    cgroup::Place place = place_of(container);
    RUNVM_ASSIGN(auto hierarchies, cgroup::read_hierarchies());
    const std::string& unit = container.cgroup_unit;
    if (!unit.empty())
        RUNVM_TRY(systemd::start({unit, slice, container.id, place.is_unified()}, first));
    RUNVM_TRY(place.make(hierarchies)); // systemd knows some of the hierarchies
    RUNVM_TRY(write_limits(container,
                           cgroup::settings_of(limits, room_of(container), place, cgroup::When::at_once)));
    return place.add(first);
}

Result<void> limit_cpu_time(const state::Container& container, const cgroup::Limits& limits) {
    return write_limits(container,
                        cgroup::settings_of(limits, {}, place_of(container), cgroup::When::when_created));
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
    Result<void> stopped =
        container.cgroup_unit.empty() ? Result<void>() : systemd::stop(container.cgroup_unit);
    RUNVM_TRY(place_of(container).remove());
    // A unit without a cgroup is over for systemd, too, which may be out of reach just now.
    return container.cgroup_folders.empty() ? stopped : Result<void>();
}

Result<void> move_machine(const state::Container& from, const state::Container& to) {
    return place_of(from).move_to(place_of(to));
}

Result<void> lift_limits(const state::Container& container) {
    cgroup::Limits none;
    none.memory_bytes = -1;
    none.cpu_quota_us = -1;
    std::vector<cgroup::Setting> settings =
        cgroup::settings_of(none, {}, place_of(container), cgroup::When::at_once);
    // v1's limit of memory and swap is never below that of memory alone.
    std::reverse(settings.begin(), settings.end());
    RUNVM_TRY(write_limits(container, settings));
    return limit_cpu_time(container, none);
}

cgroup::Change change_limits(const state::Container& container, const cgroup::Limits& limits) {
    return {limits, room_of(container), place_of(container)};
}

Result<void> tell_systemd(const state::Container& container, const cgroup::Limits& limits) {
    if (container.cgroup_unit.empty())
        return {};
    std::vector<cgroup::Setting> settings;
    for (auto when : {cgroup::When::at_once, cgroup::When::when_created})
        for (cgroup::Setting& setting :
             cgroup::settings_of(limits, room_of(container), place_of(container), when))
            settings.push_back(std::move(setting));
    return systemd::set_limits(container.cgroup_unit, settings);
}

cgroup::Room room_of(const state::Container& container) {
    return {container.machine_mib * mib, (processes_mib + container.machine_mib / tables_divisor) * mib};
}

} // namespace runvm::runtime
