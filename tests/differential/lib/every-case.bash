# shellcheck shell=bash
# What differs in every case, by name; docs/differences.md says why. level_NAME RUNC RUNVM makes two views alike in it, and
# only in it.

# What is different on some hosts only has a function same_NAME, which is true on the others.
EVERY_CASE=(host_files submounts tmpfs_inodes cgroup_version kernel_files limits_not_set masked_paths sysfs_read_only)

level_host_files() {
    local type
    type=$(findmnt --noheadings --output FSTYPE --target "$FILE_DIR")
    sed -i -E "s,^(mount [^ ]+ [^ ]+ [^ ]+) ($type|virtiofs) .*,\1 files of the host," "$@"
}

# The cases look at the submount of lib/fixtures.bash themselves.
level_submounts() { sed -i '/^mount .*\/below /d' "$@"; }

level_tmpfs_inodes() { sed -i '/^mount .* tmpfs /s/,inode64//' "$@"; }

same_tmpfs_inodes() { grep -q ' tmpfs .*inode64' /proc/self/mounts; }

level_cgroup_version() { sed -i '/^mount \/sys\/fs\/cgroup/d' "$@"; }

same_cgroup_version() { [[ -e /sys/fs/cgroup/cgroup.controllers ]]; }

# Files of /proc and /sys that one of the kernels has not.
level_kernel_files() {
    local path commands=()
    while read -r path; do
        commands+=(-e "\\,^path $path:,d" -e "\\,^mount $path ,d" -e "\\,^write $path\$,d")
        if [[ $path == /proc/kcore ]]; then commands+=(-e "\\,^'/dev/core' -> ,d"); fi
    done < <(sed -n 's/^path \(.*\): missing$/\1/p' "$@" | sort -u)
    sed -i -e '' "${commands[@]}" "$@"
}

# /proc/self/limits of what the configuration does not set.
level_limits_not_set() {
    local set row commands=()
    set=$(jq -r '(.process // .).rlimits // [] | .[].type' "$CONFIG")
    while read -r row; do
        if [[ $'\n'$set$'\n' != *$'\n'"${row%% *}"$'\n'* ]]; then commands+=(-e "/^Max ${row#* } /d"); fi
    done <<'END'
RLIMIT_CPU cpu time
RLIMIT_FSIZE file size
RLIMIT_DATA data size
RLIMIT_STACK stack size
RLIMIT_CORE core file size
RLIMIT_RSS resident set
RLIMIT_NPROC processes
RLIMIT_NOFILE open files
RLIMIT_MEMLOCK locked memory
RLIMIT_AS address space
RLIMIT_LOCKS file locks
RLIMIT_SIGPENDING pending signals
RLIMIT_MSGQUEUE msgqueue size
RLIMIT_NICE nice priority
RLIMIT_RTPRIO realtime priority
RLIMIT_RTTIME realtime timeout
END
    sed -i -e '' "${commands[@]}" "$@"
}

# What covers a masked file is /dev/null of the guest's devtmpfs, not the container's own; a folder's has one inode.
level_masked_paths() {
    local path config=$CONFIG
    if [[ $AREA == exec ]]; then config=$FILE_DIR/base.json; fi
    sed -i -E 's/^(mount .* tmpfs tmpfs ro),nr_inodes=1(,inode64)?$/\1/' "$@"
    while read -r path; do
        sed -i "/ tmpfs tmpfs ro\$/!s#^mount $path .*#mount $path a file#" "$@"
    done < <(jq -r '.linux.maskedPaths // [] | .[]' "$config")
}

level_sysfs_read_only() { sed -i -E 's/^(mount .* sysfs sysfs) r[ow]$/\1/' "$@"; }
