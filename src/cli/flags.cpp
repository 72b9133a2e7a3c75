#include "cli/flags.h"

#include "cli/flag_lists.h"

#include <algorithm>

namespace runvm::cli {

namespace {

constexpr std::string_view container_id = "<container-id>";

constexpr std::string_view bundle_description =
    "The bundle is a folder with a specification file named \"config.json\" and a root filesystem. The new "
    "container's name, <container-id>, must be unique below --root.";

constexpr Command all_commands[] = {
    {.name = "check",
     .summary = "tell what this machine can do, and what to do about what it cannot",
     .description =
         "Looks at everything a sandbox needs: hardware acceleration, vsock, virtiofsd, QEMU, libvirt's "
         "QEMU driver, the cgroup version, the guest's kernel and image, namespaces, free memory and the "
         "run folder. Each finding is ok, warn (works, but slower or with less) or fail, with the next "
         "step where there is one.",
     .example = "runvm check\nrunvm check --json | jq '.[] | select(.status == \"fail\")'",
     .exit_status = "0 if containers can run here, 1 if something they need is missing.",
     .flags = check_flags,
     .max_arguments = 0},
    {.name = "create",
     .summary = "create a container",
     .synopsis = container_id,
     .description =
         "Starts the container's virtual machine and prepares its process up to the point where \"runvm "
         "start\" lets it run.\n\n"
         "The bundle is a folder with a specification file named \"config.json\" and a root filesystem. "
         "The new container's name, <container-id>, must be unique below --root.",
     .example = "runvm create --bundle /containers/web web\nrunvm start web",
     .flags = create_flags,
     .min_arguments = 1,
     .max_arguments = 1},
    {.name = "delete",
     .summary = "delete what is left of a container",
     .synopsis = container_id,
     .description =
         "Deletes a container that has stopped, or that was created and never started, and frees its "
         "name. With --force a running container is ended first.",
     .example = "runvm delete web",
     .flags = delete_flags,
     .min_arguments = 1,
     .max_arguments = 1,
     .arguments = Arguments::container_id},
    {.name = "events",
     .summary = "print a container's figures and events as JSON",
     .synopsis = container_id,
     .description =
         "Prints one line of JSON for the figures of the container's cgroup in the guest each interval, and "
         "one "
         "whenever the guest's kernel killed a process of it for want of memory. Ends when the container is "
         "deleted.",
     .example = "runvm events --interval 1s web\nrunvm events --stats web | jq .data.memory.usage",
     .flags = events_flags,
     .min_arguments = 1,
     .max_arguments = 1,
     .arguments = Arguments::container_id},
    {.name = "exec",
     .summary = "run another process in a container",
     .synopsis = "<container-id> <command> [command options]  || -p process.json <container-id>",
     .description =
         "Runs a process in a container that was created or is running, with the environment, user and "
         "limits of the container's own process where the options do not say otherwise.\n\n"
         "All words after <container-id> belong to the command: options of runvm exec come first.",
     .example = "runvm exec web ps\nrunvm exec -t -e TERM=xterm web sh -c 'ls /'",
     .exit_status =
         "The command's, or 128+n if signal n ended it; 0 with --detach; 255 if runvm itself failed.",
     .flags = exec_flags,
     .min_arguments = 1,
     .flags_after_arguments = false,
     .arguments = Arguments::container_id},
    {.name = "features",
     .summary = "show what runvm supports, as JSON",
     .description =
         "Prints the runtime-spec's features document: versions, hooks, mount options, namespaces, "
         "capabilities, seccomp.",
     .example = "runvm features | jq .linux.namespaces",
     .max_arguments = 0},
    {.name = "kill",
     .summary = "send a signal to a container's process",
     .synopsis = "<container-id> [signal]",
     .description = "The signal is a name with or without SIG, or a number; TERM if not given.",
     .example = "runvm kill web\nrunvm kill web KILL",
     .flags = kill_flags,
     .min_arguments = 1,
     .max_arguments = 2,
     .arguments = Arguments::container_id_and_signal},
    {.name = "list",
     .summary = "list the containers below --root",
     .example = "runvm list\nrunvm --root /run/other list --format json",
     .flags = list_flags,
     .max_arguments = 0},
    {.name = "pause",
     .summary = "stop all processes of a container",
     .synopsis = container_id,
     .description =
         "The processes stop where they are, until \"runvm resume\". When all containers of a virtual "
         "machine "
         "are paused, the machine uses no processor time. Meanwhile \"runvm kill <container-id> KILL\" and "
         "\"runvm delete --force\" work as ever; other signals arrive at the resume.",
     .example = "runvm pause web",
     .min_arguments = 1,
     .max_arguments = 1,
     .arguments = Arguments::container_id},
    {.name = "ps",
     .summary = "list the processes of a container",
     .synopsis = "<container-id> [ps options]",
     .description =
         "The table shows the guest's processes, with the numbers that they have in the container; users "
         "other "
         "than root are shown by number. Options: -ef (the default), aux, and -o with a list of columns: "
         "pid, ppid, pgid, sid, uid, gid, user, group, stat, s, ni, nlwp, tty, c, pcpu, pmem, vsz, rss, "
         "stime, "
         "etime, etimes, time, comm, args, cmd; -o NAME=HEADER gives the last one a header of its own.\n\n"
         "The JSON form is a list of pids on the host: those of the shims that stand for the container's "
         "process "
         "and for each that was started by exec.",
     .example = "runvm ps web\nrunvm ps web -o pid,etime,args\nrunvm ps --format json web",
     .flags = ps_flags,
     .min_arguments = 1,
     .flags_after_arguments = false,
     .arguments = Arguments::container_id},
    {.name = "resume",
     .summary = "let the processes of a paused container go on",
     .synopsis = container_id,
     .description = "The guest's clock is set: the container sees that time has passed.",
     .example = "runvm resume web",
     .min_arguments = 1,
     .max_arguments = 1,
     .arguments = Arguments::container_id},
    {.name = "run",
     .summary = "create and start a container",
     .synopsis = container_id,
     .description = bundle_description,
     .example = "cd /containers/web && runvm run web",
     .exit_status =
         "The container's, or 128+n if signal n ended it; 0 with --detach; 1 if runvm itself failed.",
     .flags = run_flags,
     .min_arguments = 1,
     .max_arguments = 1},
    {.name = "spec",
     .summary = "write a specification file to start from",
     .description =
         "Writes a \"config.json\" that runs sh, to be edited. An existing one is not overwritten.",
     .example = "mkdir -p bundle/rootfs\n"
                "docker export $(docker create busybox) | tar -C bundle/rootfs -xf -\n"
                "runvm spec --bundle bundle\n"
                "runvm run --bundle bundle hello",
     .flags = spec_flags,
     .max_arguments = 0},
    {.name = "start",
     .summary = "run the process of a created container",
     .synopsis = container_id,
     .description = "The process is the one that config.json said when the container was created.",
     .example = "runvm start web",
     .min_arguments = 1,
     .max_arguments = 1,
     .arguments = Arguments::container_id},
    {.name = "state",
     .summary = "print a container's state as JSON",
     .synopsis = container_id,
     .description =
         "The status is creating, created, running, paused or stopped. The pid is that of the container's "
         "process on the host, 0 when it has stopped.",
     .example = "runvm state web | jq -r .status",
     .min_arguments = 1,
     .max_arguments = 1,
     .arguments = Arguments::container_id},
    {.name = "store-move",
     .summary = "move the containers' states into another store",
     .synopsis = "filesystem|leveldb",
     .description =
         "Moves what is kept of the containers below --root into the store that is named, from the other "
         "one. "
         "They may run meanwhile, but other commands do not find a container that has been moved before the "
         "configuration's store.type is changed. After an interruption it can be run again.",
     .example = "runvm store-move leveldb",
     .min_arguments = 1,
     .max_arguments = 1},
    {.name = "update",
     .summary = "change the limits of a container",
     .synopsis = container_id,
     .description = "The limits change in the guest, while the container runs; what is not given stays as it "
                    "is. If one is "
                    "refused, all stay. A memory limit below what the container uses is refused.\n\n"
                    "With --resources the other options are ignored. The file has the shape of config.json's "
                    "linux.resources: {\"memory\": {\"limit\": 536870912}, \"cpu\": {\"quota\": 50000, "
                    "\"period\": 100000}, "
                    "\"pids\": {\"limit\": 100}}.",
     .example = "runvm update --memory 512m --pids-limit 100 web\n"
                "echo '{\"cpu\": {\"shares\": 512}}' | runvm update --resources - web",
     .flags = update_flags,
     .min_arguments = 1,
     .max_arguments = 1,
     .arguments = Arguments::container_id},
    {.name = "checkpoint", .available = false},
    {.name = "restore", .available = false},
};

} // namespace

const std::string_view program_description =
    "runvm is used as runc is: by hand, by containerd, Docker, Podman, CRI-O or Buildah. Each container, or "
    "each "
    "Kubernetes pod, gets a virtual machine of its own.\n\n"
    "A container is made from a bundle: a folder with a specification file named \"config.json\" and a root "
    "filesystem. To run one:\n\n"
    "    # runvm run -b bundle <container-id>\n\n"
    "<container-id> is a name that you choose; it must be unique below --root. \"runvm check\" tells whether "
    "this "
    "machine has all that is needed.";

const Flag help_flag = {.name = "help", .alias = "h", .help = "show help"};

std::span<const Flag> global_flags() {
    return global_flag_list;
}

std::span<const Command> commands() {
    return all_commands;
}

const Command* find_command(std::string_view name) {
    const auto* found = std::ranges::find(all_commands, name, &Command::name);
    return found == std::end(all_commands) ? nullptr : found;
}

const Flag* find_flag(std::span<const Flag> flags, std::string_view name) {
    if (name.empty())
        return nullptr;
    for (const Flag& flag : flags) {
        if (flag.name == name || flag.alias == name)
            return &flag;
    }
    return nullptr;
}

} // namespace runvm::cli
