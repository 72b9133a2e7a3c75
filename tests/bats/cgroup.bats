#!/usr/bin/env bats
# The host's cgroup of a container: who is in it, which limits it has, and that it goes with the container. What the guest does
# with the limits is in resources.bats, update.bats and hotplug.bats.

load lib/common

setup_file() {
    file_begin
    SHARED=${PREFIX}shared
    SHARED_CGROUP=/$SHARED
    bundle sh -c "$FOREVER"
    place "$SHARED_CGROUP"
    edit '.linux.resources += {memory: {limit: 67108864, swap: 67108864, reservation: 33554432},
        cpu: {shares: 512, quota: 60000, period: 50000, cpus: "0", mems: "0"}, pids: {limit: 5}}'
    run_until_ready "$SHARED"
    export SHARED SHARED_CGROUP BUNDLE
}

# place PATH: linux.cgroupsPath of BUNDLE.
place() { edit '.linux.cgroupsPath = $path' --arg path "$1"; }

# The line of /proc/PID/cgroup of each hierarchy, without its number.
cgroups_of() { cut -d : -f 3- "/proc/$1/cgroup" | sort -u; }

# folder CONTROLLER PATH: of the hierarchy that has the controller's limits.
folder() {
    local mount
    mount=$(cgroup_mounts | awk -v want="$1" '$2 == "cgroup" && $3 ~ "(^|,)" want "(,|$)" { print $1; exit }')
    if [[ -z $mount ]]; then mount=$(cgroup_mounts | awk '$2 == "cgroup2" { print $1; exit }'); fi
    echo "$mount$2"
}

is_v1() { [[ $(folder memory) != "$(folder '')" ]]; }

# host V1FILE V2FILE [PATH]: the value in the host's cgroup.
host() {
    local file=$2
    if is_v1; then file=$1; fi
    cat "$(folder "${file%%.*}" "${3:-$SHARED_CGROUP}")/$file"
}

# all_folders PATH: in every hierarchy.
all_folders() {
    local mount
    while read -r mount _; do
        if [[ -d $mount$1 ]]; then echo "$mount$1"; fi
    done < <(cgroup_mounts)
}

processes_of() { cat "$(folder memory "$1")/cgroup.procs"; }

@test "cgroup: all of a container's processes are in it, in each hierarchy" {
    local pid names=()
    mapfile -t pids < <(processes_of "$SHARED_CGROUP")
    for pid in "${pids[@]}"; do
        names+=("$(name_of "$pid")")
        assert_equal "$(cgroups_of "$pid")" "$SHARED_CGROUP"
    done
    is_runc && return
    for name in qemu-system-x86_64 runvm-monitor runvm-shim virtiofsd; do
        [[ " ${names[*]} " == *" $name "* ]] || fail "$name is not in it, but: ${names[*]}"
    done
    assert_equal "$(cgroups_of "$(pid_of "$SHARED")")" "$SHARED_CGROUP"
    # Reaper and monitor, shim and its init, QEMU and virtiofsd (some versions are two processes).
    ((${#pids[@]} == 6 || ${#pids[@]} == 7))
}

@test "cgroup: an exec's process is in it" {
    runtime exec --detach --pid-file "$FILE_DIR/exec.pid" "$SHARED" sleep 1000
    assert_equal "$(cgroups_of "$(cat "$FILE_DIR/exec.pid")")" "$SHARED_CGROUP"
    kill -KILL "$(cat "$FILE_DIR/exec.pid")"
}

@test "cgroup: limits of memory leave room for the machine" {
    only_runvm "a machine"
    local limit
    limit=$(host memory.limit_in_bytes memory.max)
    # 64 MiB, 256 MiB at least for a machine, and what is around it.
    ((limit > (256 + 256) << 20 && limit < 2 << 30))
    is_v1 || skip "the other files are cgroup v1's"
    assert_equal "$(host memory.soft_limit_in_bytes)" $((limit - 33554432))
    assert_equal "$(host memory.memsw.limit_in_bytes)" "$limit"
}

@test "cgroup: limits of cpu time are the container's" {
    if is_v1; then
        assert_equal "$(host cpu.shares) $(host cpu.cfs_quota_us) $(host cpu.cfs_period_us)" "512 60000 50000"
    else
        assert_equal "$(host '' cpu.weight) $(host '' cpu.max)" "59 60000 50000"
    fi
    assert_equal "$(host cpuset.cpus cpuset.cpus) $(host cpuset.mems cpuset.mems)" "0 0"
}

@test "cgroup: the limit of processes is the guest's alone" {
    only_runvm "a machine"
    assert_equal "$(host pids.max pids.max)" max
}

@test "cgroup: block devices are throttled" {
    local device
    device=$(lsblk --noheadings --nodeps --output MAJ:MIN 2>/dev/null | head -n 1 | tr -d ' ')
    [[ -n $device ]] || skip "there is no block device"
    bundle true
    place "/$ID"
    edit '.linux.resources.blockIO = {weight: 500, throttleReadBpsDevice: [$rate], throttleWriteIOPSDevice: [$rate]}' \
        --argjson rate "{\"major\": ${device%:*}, \"minor\": ${device#*:}, \"rate\": 1048576}"
    create_container "$ID"
    if is_v1; then
        assert_equal "$(host blkio.throttle.read_bps_device '' "/$ID")" "$device 1048576"
        assert_equal "$(host blkio.throttle.write_iops_device '' "/$ID")" "$device 1048576"
    else
        assert_contains "$(host '' io.max "/$ID")" "$device rbps=1048576 wbps=max riops=max wiops=1048576"
    fi
}

@test "cgroup: what the host's kernel refuses is told, and nothing is left" {
    only_runvm "its own words"
    bundle true
    place "/$ID"
    edit '.linux.resources.blockIO.throttleReadBpsDevice = [{major: 4000, minor: 1, rate: 1}]'
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains "4000:1 "
    assert_stderr_blames_nobody
    assert_gone "$ID"
    assert_equal "$(all_folders "/$ID")" ""
}

@test "cgroup: update changes the host's limits, too" {
    local before after
    before=$(host memory.limit_in_bytes memory.max)
    runtime update --memory 600m --memory-swap 700m --cpu-share 300 --cpu-period 100000 --cpu-quota 150000 "$SHARED"
    if is_v1; then
        assert_equal "$(host cpu.shares) $(host cpu.cfs_quota_us) $(host cpu.cfs_period_us)" "300 150000 100000"
        is_runc || assert_equal $(($(host memory.memsw.limit_in_bytes) - $(host memory.limit_in_bytes))) $((100 << 20))
    fi
    after=$(host memory.limit_in_bytes memory.max)
    ((after >= before + (500 << 20)))
    # The machine has grown, and a guest gives back what it likes.
    runtime update --memory 64m --memory-swap 64m "$SHARED"
    is_runc || assert_equal "$(host memory.limit_in_bytes memory.max)" "$after"
    runtime update --memory -1 "$SHARED"
    if is_v1; then
        (($(host memory.limit_in_bytes) > 1 << 60))
    else
        assert_equal "$(host '' memory.max)" max
    fi
    # Without a limit it was asked to be larger still.
    runtime update --memory 64m --memory-swap 64m "$SHARED"
    is_runc || (($(host memory.limit_in_bytes memory.max) > after && $(host memory.limit_in_bytes memory.max) < 1 << 40))
}

@test "cgroup: if the guest refuses an update, the host's limits stay" {
    only_runvm "a machine"
    local before
    before=$(host memory.limit_in_bytes memory.max)
    capture runtime update --memory 600m --cpu-share 77 --cpuset-cpus 500 "$SHARED"
    assert_status 1
    assert_equal "$(host memory.limit_in_bytes memory.max)" "$before"
    is_v1 || skip "cgroup v1's file"
    assert_equal "$(host cpu.shares)" 300
}

@test "cgroup: delete removes it with what is below, and not what is above" {
    local path="/$PREFIX above/a:b \"c\"" folder
    bundle true
    place "$path"
    create_container "$ID"
    assert_equal "$(cgroups_of "$(pid_of "$ID")")" "$path"
    while read -r folder; do mkdir "$folder/mine"; done < <(all_folders "$path")
    runtime delete --force "$ID"
    assert_equal "$(all_folders "$path")" ""
    while read -r folder; do rmdir "$folder"; done < <(all_folders "/$PREFIX above")
}

@test "cgroup: without a path it is named for the container" {
    bundle true
    edit 'del(.linux.cgroupsPath)'
    create_container "$ID"
    [[ $(cgroups_of "$(pid_of "$ID")") == */"$ID" ]]
}

@test "cgroup: one with processes in it is not taken" {
    only_runvm "runc 1.1 only warns"
    local folder
    bundle true
    place "$SHARED_CGROUP"
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains "container's cgroup is not empty: "
    assert_gone "$ID"
    assert_equal "$(status_of "$SHARED")" running
    [[ -n $(processes_of "$SHARED_CGROUP") ]]
    # One that is there and empty is.
    place "/$ID"
    mkdir "$(folder memory "/$ID")"
    create_container "$ID"
    folder=$(folder memory "/$ID")
    # Somebody else's process keeps it, and the container.
    sleep 1000 3>&- &
    echo $! >"$folder/cgroup.procs"
    capture runtime delete --force "$ID"
    assert_status 1
    assert_stderr_contains "processes are in it: $!"
    kill $!
    wait $! || true
    runtime delete --force "$ID"
    [[ ! -e $folder ]]
}

@test "cgroup: of a container whose processes were killed, delete --force leaves nothing" {
    only_runvm "its processes"
    local who pid
    for who in reaper_pids monitor_pids qemu_pids virtiofsd_pids shim_pids shim_init_pids; do
        bundle sh -c "$FOREVER"
        place "/$ID"
        run_until_ready "$ID"
        for pid in $($who); do
            # shellcheck disable=SC2119
            if grep -qx "$pid" "$(folder memory "/$ID")/cgroup.procs"; then kill -KILL "$pid"; fi
        done
        wait_status "$ID" stopped
        [[ -n $(all_folders "/$ID") ]]
        runtime delete --force "$ID"
        assert_equal "$who: $(all_folders "/$ID")" "$who: "
    done
}

# kills PATH: for want of memory, as engines count them.
kills() {
    local file=memory.events
    if is_v1; then file=memory.oom_control; fi
    sed -n 's/^oom_kill //p' "$(folder memory "$1")/$file"
}

@test "cgroup: a process that is out of memory is one that the host's cgroup counts" {
    bundle tail /dev/zero # keeps a line that never ends
    place "/$ID"
    edit '.linux.resources.memory = {limit: 33554432, swap: 33554432}'
    run_detached "$ID"
    wait_status "$ID" stopped
    assert_equal "$(kills "/$ID")" 1
    runtime delete "$ID"
}

@test "cgroup: of a process that is out of memory the machine and the container go on" {
    local limit
    bundle sh -c 'tail /dev/zero; echo ready; exec sleep 1000'
    place "/$ID"
    edit '.linux.resources.memory = {limit: 33554432, swap: 33554432}'
    run_until_ready "$ID"
    assert_equal "$(status_of "$ID")" running
    runtime exec "$ID" true
    limit=$(host memory.limit_in_bytes memory.max "/$ID")
    runtime kill "$ID" KILL
    wait_status "$ID" stopped
    (($(kills "/$ID") >= 1))
    assert_equal "$(host memory.limit_in_bytes memory.max "/$ID")" "$limit"
}

# This host's cgroups may be of v1; a guest has v2, and runs the host's own programs from the host's root.
@test "cgroup: all of it works with cgroup v2: the unit tests, in a guest" {
    only_runvm "needs a kernel of its own"
    # Processes leave the root, which then passes its controllers on.
    bundle sh -c 'cd /sys/fs/cgroup && mkdir leaf && echo $$ >leaf/cgroup.procs || exit
        for name in $(cat cgroup.controllers); do echo "+$name" >cgroup.subtree_control || exit; done
        TMPDIR=/var/tmp exec /mnt/unit-cgroup'
    mkdir "$BUNDLE/root"
    edit '.root = {path: "root", readonly: true}
        | .process.capabilities |= map_values(["CAP_SYS_ADMIN", "CAP_SYS_RESOURCE", "CAP_KILL", "CAP_DAC_OVERRIDE"])
        | .mounts |= map(if .destination == "/sys/fs/cgroup" then .options -= ["ro"] else . end)
        | .mounts += [{destination: "/var/tmp", type: "tmpfs", source: "tmpfs"},
            {destination: "/mnt", type: "bind", source: $tests, options: ["bind", "ro"]}]
        | .linux.resources.memory = {limit: 734003200}' --arg tests "$REPOSITORY/build/tests"
    capture unshare --mount sh -c 'mount --bind / "$1/root" && shift && exec "$@"' - "$BUNDLE" \
        "$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout_contains "[  PASSED  ]"
    [[ $STDOUT != *SKIPPED* ]] || fail "$STDOUT"
}

@test "cgroup: the memory that engines show is what the machine has" {
    local folder used qemu
    folder=$(folder memory "$SHARED_CGROUP")
    only_runvm "a machine"
    # As containerd and Podman reckon: without the page cache that is not in use.
    used=$(($(host memory.usage_in_bytes memory.current) - $(sed -n 's/^\(total_\)\?inactive_file //p' "$folder/memory.stat" | tail -n 1)))
    for pid in $(processes_of "$SHARED_CGROUP"); do
        if [[ $(name_of "$pid") == qemu* ]]; then
            qemu=$(awk '/^Pss_(Anon|Shmem):/ { bytes += $2 * 1024 } END { print bytes }' "/proc/$pid/smaps_rollup")
        fi
    done
    ((used > qemu * 8 / 10 && used < qemu * 12 / 10 + (32 << 20))) || fail "$used bytes, and QEMU has $qemu"
}

@test "cgroup: --cgroup-manager disabled leaves the host's alone" {
    only_runvm "Podman's flag"
    bundle true
    place "/$ID"
    RUNTIME_GLOBALS='--cgroup-manager disabled' create_container "$ID"
    assert_equal "$(all_folders "/$ID")" ""
    assert_equal "$(cgroups_of "$(pid_of "$ID")")" "$(cgroups_of $$)"
}

@test "cgroup: the root is refused" {
    bundle true
    place /
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_failed
    assert_gone "$ID"
}

@test "no leak" { assert_no_leak "$SHARED"; }
