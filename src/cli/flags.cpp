#include "cli/flags.h"

#include <algorithm>

namespace runvm::cli {

namespace {

constexpr std::string_view container_id = "<container-id>";

constexpr std::string_view bundle_description =
    "The bundle is a folder with a specification file named \"config.json\" and a root filesystem. The new "
    "container's name, <container-id>, must be unique below --root.";

// The flags that several commands share are written once.
constexpr Flag bundle_flag = {.name = "bundle",
                              .alias = "b",
                              .kind = ValueKind::text,
                              .placeholder = "path",
                              .help = "the bundle's folder; the current folder if not given",
                              .needed_by = "containerd conmon buildah people",
                              .completion = Completion::folder};
constexpr Flag console_socket_flag = {
    .name = "console-socket",
    .kind = ValueKind::text,
    .placeholder = "path",
    .help = "unix socket that receives the descriptor of the console's pseudoterminal master",
    .needed_by = "containerd conmon buildah",
    .completion = Completion::file};
constexpr Flag pidfd_socket_flag = {.name = "pidfd-socket",
                                    .kind = ValueKind::text,
                                    .placeholder = "path",
                                    .help = "unix socket that receives a pidfd of the process",
                                    .needed_by = "containerd",
                                    .completion = Completion::file};
constexpr Flag pid_file_flag = {.name = "pid-file",
                                .kind = ValueKind::text,
                                .placeholder = "path",
                                .help = "file that receives the process's pid on the host",
                                .needed_by = "containerd conmon buildah people",
                                .completion = Completion::file};
constexpr Flag no_pivot_flag = {.name = "no-pivot",
                                .help = "accepted for runc's callers; the guest's root is never a ramdisk's",
                                .needed_by = "containerd conmon"};
constexpr Flag no_new_keyring_flag = {.name = "no-new-keyring",
                                      .help = "do not give the container a session keyring of its own",
                                      .needed_by = "containerd conmon"};
constexpr Flag preserve_fds_flag = {
    .name = "preserve-fds",
    .kind = ValueKind::integer,
    .placeholder = "N",
    .default_value = "0",
    .help = "pass N more descriptors on, from 3 upwards; they must be pipes or sockets",
    .needed_by = "containerd conmon"};
constexpr Flag detach_flag = {.name = "detach",
                              .alias = "d",
                              .help = "return when the process runs, and leave it running",
                              .needed_by = "containerd conmon people"};

constexpr Flag globals[] = {
    {.name = "debug", .help = "write debug messages to the log", .needed_by = "containerd people"},
    {.name = "log",
     .kind = ValueKind::text,
     .placeholder = "path",
     .help = "file that the log is added to; stderr if not given",
     .needed_by = "containerd conmon people",
     .completion = Completion::file},
    {.name = "log-format",
     .kind = ValueKind::text,
     .placeholder = "format",
     .default_value = "text",
     .help = "the log's format: text or json",
     .needed_by = "containerd conmon",
     .completion = Completion::choices,
     .choices = "text json"},
    {.name = "root",
     .kind = ValueKind::text,
     .placeholder = "path",
     .default_value = "/run/runvm",
     .help = "folder of the containers' state, best on a tmpfs",
     .needed_by = "containerd conmon cri-o people",
     .completion = Completion::folder},
    {.name = "config",
     .kind = ValueKind::text,
     .placeholder = "path",
     .help = "configuration file; etc/runvm/config.toml of the installation if not given",
     .needed_by = "people",
     .completion = Completion::file},
    {.name = "systemd-cgroup",
     .help = "take cgroupsPath in systemd's form, \"slice:prefix:name\"",
     .needed_by = "containerd conmon cri-o"},
    {.name = "rootless",
     .kind = ValueKind::text,
     .placeholder = "value",
     .default_value = "auto",
     .help = "ignore cgroup permission errors: true, false or auto",
     .needed_by = "containerd",
     .completion = Completion::choices,
     .choices = "true false auto"},
    // runc before 1.4 had it, and old containerd configurations set it (go-runc: Runc.Criu).
    {.name = "criu",
     .kind = ValueKind::text,
     .placeholder = "path",
     .needed_by = "containerd",
     .hidden = true},
    // Podman's --cgroups=disabled (libpod/oci_conmon_common.go); the flag is crun's.
    {.name = "cgroup-manager",
     .kind = ValueKind::text,
     .placeholder = "name",
     .needed_by = "podman",
     .completion = Completion::choices,
     .choices = "cgroupfs systemd disabled",
     .hidden = true},
    {.name = "help", .alias = "h", .help = "show help", .needed_by = "podman people"},
    {.name = "version",
     .alias = "v",
     .help = "print the version",
     .needed_by = "containerd podman cri-o people"},
};

constexpr Flag create_flags[] = {
    bundle_flag,
    console_socket_flag,
    pidfd_socket_flag,
    pid_file_flag,
    no_pivot_flag,
    no_new_keyring_flag,
    preserve_fds_flag,
    // create always detaches, but go-runc passes CreateOpts.Detach on.
    {.name = "detach", .alias = "d", .needed_by = "containerd", .hidden = true},
};

constexpr Flag run_flags[] = {
    bundle_flag,
    console_socket_flag,
    pidfd_socket_flag,
    detach_flag,
    {.name = "keep", .help = "do not delete the container when it has ended", .needed_by = "people"},
    pid_file_flag,
    {.name = "no-subreaper",
     .help = "accepted for runc's callers; runvm adopts no processes",
     .needed_by = "containerd people"},
    no_pivot_flag,
    no_new_keyring_flag,
    preserve_fds_flag,
};

constexpr Flag exec_flags[] = {
    console_socket_flag,
    pidfd_socket_flag,
    {.name = "cwd",
     .kind = ValueKind::text,
     .placeholder = "path",
     .help = "the process's working folder in the container",
     .needed_by = "people"},
    {.name = "env",
     .alias = "e",
     .kind = ValueKind::text_list,
     .placeholder = "NAME=value",
     .help = "set an environment variable",
     .needed_by = "people"},
    {.name = "tty", .alias = "t", .help = "give the process a terminal", .needed_by = "people"},
    {.name = "user",
     .alias = "u",
     .kind = ValueKind::text,
     .placeholder = "uid[:gid]",
     .help = "the process's user, and group",
     .needed_by = "people"},
    {.name = "additional-gids",
     .alias = "g",
     .kind = ValueKind::integer_list,
     .placeholder = "gid",
     .help = "add a supplementary group",
     .needed_by = "people"},
    {.name = "process",
     .alias = "p",
     .kind = ValueKind::text,
     .placeholder = "process.json",
     .help = "take the process from a file in the shape of config.json's \"process\"",
     .needed_by = "containerd conmon cri-o",
     .completion = Completion::file},
    detach_flag,
    pid_file_flag,
    {.name = "process-label",
     .kind = ValueKind::text,
     .placeholder = "label",
     .help = "accepted for runc's callers: SELinux does not reach into the guest",
     .needed_by = "people"},
    {.name = "apparmor",
     .kind = ValueKind::text,
     .placeholder = "profile",
     .help = "accepted for runc's callers: AppArmor does not reach into the guest",
     .needed_by = "people"},
    {.name = "no-new-privs", .help = "set the process's no_new_privs attribute", .needed_by = "people"},
    {.name = "cap",
     .alias = "c",
     .kind = ValueKind::text_list,
     .placeholder = "capability",
     .help = "add a capability to the process",
     .needed_by = "people"},
    preserve_fds_flag,
    {.name = "cgroup",
     .kind = ValueKind::text,
     .placeholder = "path",
     .help = "put the process into an existing cgroup below the container's",
     .needed_by = "people"},
    {.name = "ignore-paused",
     .help = "in a paused container, wait for its resume instead of failing",
     .needed_by = "people"},
    // runc had it until 1.1, hidden, for callers of older versions.
    {.name = "no-subreaper", .needed_by = "people", .hidden = true},
};

constexpr Flag kill_flags[] = {
    {.name = "all",
     .alias = "a",
     .help = "send the signal to all of the container's processes",
     .needed_by = "containerd podman cri-o people"},
};

constexpr Flag delete_flags[] = {
    {.name = "force",
     .alias = "f",
     .help = "end a container that still runs; a container that does not exist is no error",
     .needed_by = "containerd podman cri-o people"},
};

constexpr Flag events_flags[] = {
    {.name = "interval",
     .kind = ValueKind::duration,
     .placeholder = "duration",
     .default_value = "5s",
     .help = "the time between figures: 5s, 500ms, 1m30s",
     .needed_by = "containerd people"},
    {.name = "stats", .help = "print the figures once, and end", .needed_by = "containerd people"},
};

constexpr Flag ps_flags[] = {
    {.name = "format",
     .alias = "f",
     .kind = ValueKind::text,
     .placeholder = "format",
     .default_value = "table",
     .help = "table or json",
     .needed_by = "containerd people",
     .completion = Completion::choices,
     .choices = "table json"},
};

constexpr Flag list_flags[] = {
    {.name = "format",
     .alias = "f",
     .kind = ValueKind::text,
     .placeholder = "format",
     .default_value = "table",
     .help = "table or json",
     .needed_by = "containerd people",
     .completion = Completion::choices,
     .choices = "table json"},
    {.name = "quiet", .alias = "q", .help = "print the ids only", .needed_by = "people"},
};

constexpr Flag spec_flags[] = {
    {.name = "bundle",
     .alias = "b",
     .kind = ValueKind::text,
     .placeholder = "path",
     .help = "folder to write config.json to; the current folder if not given",
     .needed_by = "people",
     .completion = Completion::folder},
    {.name = "rootless", .help = "write a specification for a user who is not root", .needed_by = "people"},
};

constexpr Flag check_flags[] = {
    {.name = "json", .help = "print the findings as a JSON array", .needed_by = "people"},
};

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
    {.name = "checkpoint", .available = false},
    {.name = "restore", .available = false},
    {.name = "update", .available = false},
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
    return globals;
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
