# shellcheck shell=bash
# The last test of every file: after its containers are deleted nothing of them is left on the host.

# What other programs have, too, is compared with how it was when the file began.
leaks_remember() {
    LEAKS_BEFORE=$FILE_DIR/leaks.before
    export LEAKS_BEFORE
    leaks_shared_things >"$LEAKS_BEFORE"
}

# Network links, named network namespaces, libvirtd's cgroups, and files in places that all programs share. Those that are named
# for another test file (they run beside this one) do not count.
leaks_shared_things() {
    local path
    for path in /sys/class/net/* /run/netns/* /dev/shm/* /run/runvm/* \
        /run/libvirt/* /sys/fs/cgroup/*runvm* /sys/fs/cgroup/*/*runvm* /sys/fs/cgroup/*/*libvirt* \
        /sys/fs/cgroup/machine* /sys/fs/cgroup/*/machine*; do
        case $path in
        # The last two are those of network.bats and shared.bats, which remove them when they end.
        *runvm-bats* | *runvm-test* | */lo | */net/rb?????? | */net/r[vh][0-9]*) ;;
        *) if [[ -e $path || -L $path ]]; then echo "$path"; fi ;;
        esac
    done | sort
}

# A line for every thing of this file that is left.
leaks_found() {
    local pid path line ancestors=" "
    # Before anything is forked: what is here and no ancestor of this shell was left behind.
    read_file_pids
    pid=$BASHPID
    while ((pid > 1)); do
        ancestors+="$pid "
        pid=$(sed -n 's/^PPid:\t//p' "/proc/$pid/status")
    done
    for pid in "${FILE_PIDS[@]}"; do
        if [[ $ancestors == *" $pid "* || ! -d /proc/$pid ]]; then continue; fi
        line=$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)
        # The watch that bats keeps over a test's time.
        case $line in
        "sleep ${BATS_TEST_TIMEOUT:-none} " | *bats-exec-test*) ;;
        *) echo "process $pid: $line" ;;
        esac
    done

    # Any process: one that copied a mount namespace pins what was mounted there.
    while read -r path; do
        echo "mount in $path: $(grep -F -m 1 "$FILE_DIR/" "$path" 2>/dev/null)"
    done < <(grep -ls -F "$FILE_DIR/" /proc/[0-9]*/mountinfo)

    while read -r path; do
        [[ $path == "$FILE_CGROUP" ]] || echo "cgroup: $path"
    done < <(find /sys/fs/cgroup -type d \( -name "*$PREFIX*" -o -path "$FILE_CGROUP/*" \) 2>/dev/null)

    # A folder of the runtime's own may stay below --root, but nothing may be in it.
    if [[ -d $ROOT ]]; then
        find "$ROOT" -mindepth 1 ! \( -type d -name '@*' -empty \) -printf 'below --root: %p\n'
    fi
    find "$TMPDIR" -mindepth 1 -printf 'below TMPDIR: %p\n'

    while read -r path; do
        # The machine's own files: locks that are shared by all sandboxes, made once.
        [[ $path == /run/runvm/* && -f $path ]] || echo "new: $path"
    done < <(leaks_shared_things | comm -13 "$LEAKS_BEFORE" -)
}

leaks_none() {
    leaks_found >"$FILE_DIR/leaks"
    [[ ! -s $FILE_DIR/leaks ]]
}

# The body of each file's last test, "no leak". Ending takes a moment on a busy machine.
assert_no_leak() {
    local id
    for id in "$@"; do runtime delete --force "$id"; done
    wait_until 10 leaks_none || {
        cat "$FILE_DIR/leaks" >&2
        return 1
    }
}
