# shellcheck shell=bash
# The namespaces that an engine lives in: mount, network, pid and cgroup. So its bridges, firewall rules, mounts, and files in /run,
# /etc and /var/lib are its own, and all that it starts ends with the namespaces' first process.

# Hierarchies of cgroup v1, where the host has them.
cgroup_v1_hierarchies() {
    local folder
    for folder in /sys/fs/cgroup/*/; do
        if [[ -f $folder/cgroup.procs && -f $folder/notify_on_release ]]; then echo "${folder%/}"; fi
    done
}

# namespaces_enter: what `inside` runs is in them from then on.
namespaces_enter() {
    mkdir -p "$FILE_DIR"/{etc,lib}/{upper,work} "$FILE_DIR/home"
    local hierarchy
    for hierarchy in $(cgroup_v1_hierarchies); do
        local cgroup=$hierarchy/${FILE_CGROUP##*/}
        mkdir "$cgroup"
        if [[ -f $cgroup/cpuset.cpus ]]; then
            cat "$hierarchy/cpuset.cpus" >"$cgroup/cpuset.cpus"
            cat "$hierarchy/cpuset.mems" >"$cgroup/cpuset.mems"
        fi
    done
    mkdir "$FILE_CGROUP/engine"
    bash "$ENGINES/lib/namespaces-outer.bash" </dev/null >"$FILE_DIR/namespaces.log" 2>&1 3>&- &
    NAMESPACES_PARENT=$!
    export NAMESPACES_PARENT
    wait_until 20 test -e "$FILE_DIR/namespaces.ready" || {
        cat "$FILE_DIR/namespaces.log" >&2
        return 1
    }
    NAMESPACES_PID=$(pgrep -P "$NAMESPACES_PARENT")
    export NAMESPACES_PID
}

# inside COMMAND...: runs it in them.
inside() { HOME=$FILE_DIR/home TMPDIR=$FILE_DIR/home bash "$ENGINES/lib/namespaces-inside.bash" "$@" 3>&-; }

# cgroups_are_removed FOLDER...: and those below them, whose processes may be on their way out.
cgroups_are_removed() { ! find "$@" -depth -type d -exec rmdir {} + 2>&1 | grep -q .; }

namespaces_leave() {
    if [[ -z ${NAMESPACES_PARENT:-} || -e $FILE_DIR/namespaces.left ]]; then return; fi
    touch "$FILE_DIR/namespaces.left"
    kill -KILL "${NAMESPACES_PID:-$NAMESPACES_PARENT}" 2>/dev/null || true
    wait_until 10 is_gone "${NAMESPACES_PID:-$NAMESPACES_PARENT}"
    local hierarchy folders=()
    for hierarchy in $(cgroup_v1_hierarchies) "$FILE_CGROUP/engine"; do
        if [[ $hierarchy != "$FILE_CGROUP/engine" ]]; then hierarchy+=/${FILE_CGROUP##*/}; fi
        if [[ -d $hierarchy ]]; then folders+=("$hierarchy"); fi
    done
    wait_until 10 cgroups_are_removed "${folders[@]}"
}
