# shellcheck shell=bash
# What differs in every case, by name; docs/differences.md says why. level_NAME RUNC RUNVM makes two views alike in it, and
# only in it.

# What is different on some hosts or in some cases only has a function same_NAME, which is true in the others: there nothing is
# levelled.
EVERY_CASE=(host_files submounts tmpfs_inodes cgroup_version cgroup_options kernel_files kernel_links bound_devices loginuid
    limits_not_set masked_paths sysfs_read_only)

# level_all RUNC RUNVM [NAME]: in all of them, or all but one.
level_all() {
    local level
    for level in "${EVERY_CASE[@]}"; do
        if [[ $level == "${3:-}" ]] || is_same "$level"; then continue; fi
        "level_$level" "$1" "$2"
    done
}

# is_same NAME: it is no difference on this host.
is_same() { declare -F "same_$1" >/dev/null && "same_$1"; }

# Of what is there by the configuration: the root, bind mounts, and what of the root is mounted over itself to be read-only.
level_host_files() {
    local type place
    type=$(findmnt --noheadings --output FSTYPE --target "$FILE_DIR")
    while read -r place; do
        sed -i -E "s#^(mount $place [^ ]+ [^ ]+) ($type|virtiofs) .*#\1 files of the host#" "$@"
    done < <(jq -r '"/", (.mounts // [] | .[] | select(.type == "bind" or (.options // [] | any(. == "bind" or . == "rbind")))
        | .destination), (.linux.readonlyPaths // [] | .[])' "$CONFIG")
}

# The cases look at the submount of lib/fixtures.bash themselves.
level_submounts() { sed -i '/^mount .*\/below /d' "$@"; }

level_tmpfs_inodes() { sed -i '/^mount .* tmpfs /s/,inode64//' "$@"; }

same_tmpfs_inodes() { grep -q ' tmpfs .*inode64' /proc/self/mounts; }

level_cgroup_version() { sed -i '/^mount \/sys\/fs\/cgroup/d' "$@"; }

same_cgroup_version() { [[ -e /sys/fs/cgroup/cgroup.controllers ]]; }

level_cgroup_options() { sed -i -E 's/^(mount .* cgroup2 cgroup) .*/\1/' "$@"; }

same_cgroup_options() { ! same_cgroup_version || [[ $(findmnt --noheadings --output FS-OPTIONS /sys/fs/cgroup) == rw ]]; }

# Files of /proc and /sys that one of the kernels has not, and of folders that are not masked whether anything is in them.
level_kernel_files() {
    local path masked commands=()
    masked=$(masked_paths)
    for path in /proc/asound /proc/bus /proc/fs /proc/irq /proc/scsi; do
        if [[ $'\n'$masked$'\n' != *$'\n'$path$'\n'* ]]; then
            commands+=(-e "s,^path $path: (files|empty)\$,path $path: a folder,")
        fi
    done
    sed -i -E -e '' "${commands[@]}" "$@"
    commands=()
    while read -r path; do
        commands+=(-e "\\,^path $path:,d" -e "\\,^mount $path ,d" -e "\\,^write $path\$,d")
        if [[ $path == /proc/kcore ]]; then commands+=(-e "\\,^'/dev/core' -> ,d"); fi
    done < <(sed -n 's/^path \(.*\): missing$/\1/p' "$@" | sort -u)
    sed -i -e '' "${commands[@]}" "$@"
}

# What a kernel with IPv6 in IPv4 and the like built in puts into a new network namespace.
level_kernel_links() { sed -i -E '/^(tunl|sit|gre|gretap|erspan|ip_vti|ip6_vti|ip6tnl|ip6gre)0$/d' "$@"; }

same_kernel_links() { [[ $(unshare --net cat /proc/self/net/dev | grep -c :) == 1 ]]; }

# The nodes themselves are in the view.
level_bound_devices() { sed -i -E '/^mount \/dev\/[a-z]+ .* devtmpfs devtmpfs /d' "$@"; }

same_bound_devices() { ! jq -e 'any(.linux.namespaces[]?; .type == "user")' "$CONFIG" >/dev/null; }

level_loginuid() { sed -i '/^self\/loginuid /d' "$@"; }

same_loginuid() { [[ $(cat /proc/self/loginuid 2>/dev/null) == 4294967295 ]]; }

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

# masked_paths: the configuration's, a line each; an exec's are its container's.
masked_paths() {
    local config=$CONFIG
    if [[ $AREA == exec ]]; then config=$FILE_DIR/base.json; fi
    jq -r '.linux.maskedPaths // [] | .[]' "$config"
}

# What covers a masked file is /dev/null of the guest's devtmpfs, not the container's own; a folder's has one inode.
level_masked_paths() {
    local path
    sed -i -E 's/^(mount .* tmpfs tmpfs ro),nr_inodes=1(,inode64)?$/\1/' "$@"
    while read -r path; do
        sed -i "/ tmpfs tmpfs ro\$/!s#^mount $path .*#mount $path a file#" "$@"
    done < <(masked_paths)
}

level_sysfs_read_only() { sed -i -E 's/^(mount .* sysfs sysfs) r[ow]$/\1/' "$@"; }
