# shellcheck shell=bash
# The processes of a test file. They are found by their cgroup: QEMU's command line and environment do not name the
# test that it belongs to, and it is nobody's descendant any more.

# A cgroup of the unified hierarchy for this test file; everything that the tests start inherits it.
cgroup_enter() {
    local mount
    for mount in /sys/fs/cgroup/unified /sys/fs/cgroup; do
        [[ -f $mount/cgroup.procs ]] || continue
        FILE_CGROUP=$mount/runvm-test-${FILE_DIR##*.}
        FORMER_CGROUP=$mount$(sed -n 's/^0:://p' /proc/self/cgroup)
        export FILE_CGROUP FORMER_CGROUP
        mkdir "$FILE_CGROUP"
        echo $$ >"$FILE_CGROUP/cgroup.procs"
        return
    done
    fail "no cgroup2 hierarchy is mounted; mount one at /sys/fs/cgroup/unified"
}

cgroup_leave() {
    [[ -n ${FILE_CGROUP:-} && -d $FILE_CGROUP ]] || return 0
    echo $$ >"$FORMER_CGROUP/cgroup.procs"
    local pid tries
    for tries in {1..50}; do
        read_file_pids
        for pid in "${FILE_PIDS[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
        find /sys/fs/cgroup -depth -type d \( -name "*$PREFIX*" -o -path "$FILE_CGROUP*" \) \
            -exec rmdir {} + 2>/dev/null || true
        if [[ ! -d $FILE_CGROUP ]]; then return; fi
        sleep 0.1
    done
    fail "cgroup $FILE_CGROUP is still in use after $tries tries"
}

# The mounts of cgroup hierarchies: folder, type and options.
cgroup_mounts() {
    awk '{ for (i = 7; $i != "-"; ++i); if ($(i + 1) ~ "^cgroup2?$") print $5, $(i + 1), $NF }' /proc/self/mountinfo
}

# FILE_PIDS: all in the file's cgroup, or in those that are named for its containers: below it, beside it in cgroup v2, or at
# the top where a test says so. Nothing is forked, so what is read was there before.
read_file_pids() {
    local path pids
    FILE_PIDS=()
    for path in "$FILE_CGROUP" "$FILE_CGROUP"/* "${FILE_CGROUP%/*}/$PREFIX"*; do
        if [[ ! -f $path/cgroup.procs ]]; then continue; fi
        mapfile -t pids <"$path/cgroup.procs"
        FILE_PIDS+=("${pids[@]}")
    done
}

# name_of PID: the file name of its executable; empty when it is gone. What was replaced by a new build reads as
# "NAME (deleted)".
name_of() {
    local path
    path=$(readlink "/proc/$1/exe" 2>/dev/null) || return 0
    path=${path% (deleted)}
    echo "${path##*/}"
}

# file_processes GLOB: pids of this test file's processes whose executable's name matches.
file_processes() {
    local pid
    read_file_pids
    for pid in "${FILE_PIDS[@]}"; do
        # shellcheck disable=SC2053
        if [[ $(name_of "$pid") == $1 ]]; then echo "$pid"; fi
    done
}

# pid_in_namespace PID: its number in its own pid namespace.
pid_in_namespace() { sed -n 's/^NSpid:.*\t//p' "/proc/$1/status" 2>/dev/null; }

monitor_pids() { file_processes 'runvm-monitor'; }

# Pid 1 of the monitor's pid namespace.
reaper_pids() { file_processes 'runvm-reaper'; }

# The pids that callers see.
shim_pids() {
    local pid
    for pid in $(file_processes 'runvm-shim*'); do
        if [[ $(pid_in_namespace "$pid") != 1 ]]; then echo "$pid"; fi
    done
}

# Pid 1 of the pid namespace that a container has on the host.
shim_init_pids() {
    local pid
    for pid in $(file_processes 'runvm-shim*'); do
        if [[ $(pid_in_namespace "$pid") == 1 ]]; then echo "$pid"; fi
    done
}

qemu_pids() { file_processes 'qemu-system-*'; }
virtiofsd_pids() { file_processes 'virtiofsd*'; }

is_gone() { [[ ! -d /proc/$1 ]]; }

# same_namespace KIND PID PID: net, mnt, pid, ipc, uts.
same_namespace() { [[ $(readlink "/proc/$2/ns/$1") == "$(readlink "/proc/$3/ns/$1")" ]]; }
