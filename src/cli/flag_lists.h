#pragma once
// The flags of each command, for the table of commands (flags.cpp).

#include "cli/flags.h"

namespace runvm::cli {

// The flags that several commands share are written once.
inline constexpr Flag bundle_flag = {.name = "bundle",
                                     .alias = "b",
                                     .kind = ValueKind::text,
                                     .placeholder = "path",
                                     .help = "the bundle's folder; the current folder if not given",
                                     .needed_by = "containerd conmon buildah people",
                                     .completion = Completion::folder};
inline constexpr Flag console_socket_flag = {
    .name = "console-socket",
    .kind = ValueKind::text,
    .placeholder = "path",
    .help = "unix socket that receives the descriptor of the console's pseudoterminal master",
    .needed_by = "containerd conmon buildah",
    .completion = Completion::file};
inline constexpr Flag pidfd_socket_flag = {.name = "pidfd-socket",
                                           .kind = ValueKind::text,
                                           .placeholder = "path",
                                           .help = "unix socket that receives a pidfd of the process",
                                           .needed_by = "containerd",
                                           .completion = Completion::file};
inline constexpr Flag pid_file_flag = {.name = "pid-file",
                                       .kind = ValueKind::text,
                                       .placeholder = "path",
                                       .help = "file that receives the process's pid on the host",
                                       .needed_by = "containerd conmon buildah people",
                                       .completion = Completion::file};
inline constexpr Flag no_pivot_flag = {
    .name = "no-pivot",
    .help = "accepted for runc's callers; the guest's root is never a ramdisk's",
    .needed_by = "containerd conmon"};
inline constexpr Flag no_new_keyring_flag = {.name = "no-new-keyring",
                                             .help = "do not give the container a session keyring of its own",
                                             .needed_by = "containerd conmon"};
inline constexpr Flag preserve_fds_flag = {
    .name = "preserve-fds",
    .kind = ValueKind::integer,
    .placeholder = "N",
    .default_value = "0",
    .help = "pass N more descriptors on, from 3 upwards; they must be pipes or sockets",
    .needed_by = "containerd conmon"};
inline constexpr Flag detach_flag = {.name = "detach",
                                     .alias = "d",
                                     .help = "return when the process runs, and leave it running",
                                     .needed_by = "containerd conmon people"};

inline constexpr Flag global_flag_list[] = {
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

inline constexpr Flag create_flags[] = {
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

inline constexpr Flag run_flags[] = {
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

inline constexpr Flag exec_flags[] = {
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
     .placeholder = "user[:group]",
     .help = "the process's user, and group: numbers, or names that the container's /etc/passwd and "
             "/etc/group have",
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

inline constexpr Flag kill_flags[] = {
    {.name = "all",
     .alias = "a",
     .help = "send the signal to all of the container's processes",
     .needed_by = "containerd podman cri-o people"},
};

inline constexpr Flag delete_flags[] = {
    {.name = "force",
     .alias = "f",
     .help = "end a container that still runs; a container that does not exist is no error",
     .needed_by = "containerd podman cri-o people"},
};

inline constexpr Flag events_flags[] = {
    {.name = "interval",
     .kind = ValueKind::duration,
     .placeholder = "duration",
     .default_value = "5s",
     .help = "the time between figures: 5s, 500ms, 1m30s",
     .needed_by = "containerd people"},
    {.name = "stats", .help = "print the figures once, and end", .needed_by = "containerd people"},
};

constexpr Flag text_flag(std::string_view name, std::string_view placeholder, std::string_view help) {
    return {.name = name,
            .kind = ValueKind::text,
            .placeholder = placeholder,
            .help = help,
            .needed_by = "people"};
}

inline constexpr Flag update_flags[] = {
    {.name = "resources",
     .alias = "r",
     .kind = ValueKind::text,
     .placeholder = "path",
     .help = "file with the new limits as JSON; - is standard input",
     .needed_by = "containerd podman cri-o people",
     .completion = Completion::file},
    {.name = "blkio-weight",
     .kind = ValueKind::integer,
     .placeholder = "weight",
     .default_value = "0",
     .help = "weight of the guest's block devices' input and output, 10 to 1000",
     .needed_by = "people"},
    text_flag("cpu-period", "us", "the period of the cpu limit, in microseconds"),
    text_flag("cpu-quota", "us", "the cpu time of all processes in a period, in microseconds"),
    text_flag("cpu-burst", "us", "cpu time that may be saved up and used beyond the quota, in microseconds"),
    text_flag("cpu-share", "shares", "cpu shares, relative to other containers in the same machine"),
    text_flag("cpu-rt-period", "us", "accepted for runc's callers: cgroup v2 has no realtime limits"),
    text_flag("cpu-rt-runtime", "us", "accepted for runc's callers: cgroup v2 has no realtime limits"),
    text_flag("cpuset-cpus", "list", "the guest's cpus to use: 0-1,3"),
    text_flag("cpuset-mems", "list", "the guest's memory nodes to use"),
    {.name = "kernel-memory",
     .kind = ValueKind::text,
     .placeholder = "bytes",
     .needed_by = "people",
     .hidden = true},
    {.name = "kernel-memory-tcp",
     .kind = ValueKind::text,
     .placeholder = "bytes",
     .needed_by = "people",
     .hidden = true},
    text_flag("memory", "bytes", "memory limit: bytes, or 512m, 2g; -1: none"),
    text_flag("cpu-idle", "0|1", "1: run only when nothing else in the machine does"),
    text_flag("memory-reservation", "bytes", "memory that is not reclaimed while there is other"),
    text_flag("memory-swap", "bytes", "limit of memory and swap together; -1: none"),
    {.name = "pids-limit",
     .kind = ValueKind::integer,
     .placeholder = "number",
     .default_value = "0",
     .help = "the most processes and threads; -1: no limit",
     .needed_by = "people"},
    text_flag("l3-cache-schema", "schema", "refused: Intel RDT divides the host's caches"),
    text_flag("mem-bw-schema", "schema", "refused: Intel RDT divides the host's memory bandwidth"),
};

inline constexpr Flag ps_flags[] = {
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

inline constexpr Flag list_flags[] = {
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

inline constexpr Flag spec_flags[] = {
    {.name = "bundle",
     .alias = "b",
     .kind = ValueKind::text,
     .placeholder = "path",
     .help = "folder to write config.json to; the current folder if not given",
     .needed_by = "people",
     .completion = Completion::folder},
    {.name = "rootless", .help = "write a specification for a user who is not root", .needed_by = "people"},
};

inline constexpr Flag check_flags[] = {
    {.name = "json", .help = "print the findings as a JSON array", .needed_by = "people"},
};

} // namespace runvm::cli
