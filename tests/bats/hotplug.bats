#!/usr/bin/env bats
# The machine's size: what the limits at create ask for, and cpus and memory that an update plugs.

load lib/common

setup_file() {
    file_begin
    printf '%s\n' '[hypervisor]' 'max_vcpus = 3' 'memory_mib = 300' 'max_memory_mib = 1500' 'memory_step_mib = 64' \
        >"$FILE_DIR/config.toml"
    export RUNTIME_GLOBALS="--config $FILE_DIR/config.toml"
    SHARED=${PREFIX}shared
    run_forever "$SHARED"
    export SHARED BUNDLE
}

setup() {
    only_runvm "of the virtual machine"
    ID=$PREFIX$BATS_TEST_NUMBER
}

guest() { runtime exec "${2:-$SHARED}" sh -c "$1"; }
memory_mib() { guest "awk '/MemTotal/ { print int(\$2 / 1024) }' /proc/meminfo" "${1:-$SHARED}"; }

@test "hotplug: cpus for a quota" {
    assert_equal "$(guest nproc)" 1
    runtime update --cpu-period 100000 --cpu-quota 150000 "$SHARED"
    assert_equal "$(guest nproc)" 2
    # The process that was there can use them, too.
    assert_equal "$(guest 'grep Cpus_allowed_list /proc/1/status')" $'Cpus_allowed_list:\t0-1'
    # They stay.
    runtime update --cpu-period 100000 --cpu-quota 50000 "$SHARED"
    assert_equal "$(guest nproc)" 2
    # No more than there may be.
    runtime update --cpu-period 100000 --cpu-quota 1000000 "$SHARED"
    assert_equal "$(guest nproc)" 3
}

@test "hotplug: cpus for a set" {
    runtime update --cpuset-cpus 0,2 "$SHARED"
    assert_equal "$(guest 'cat /sys/fs/cgroup/cpuset.cpus.effective')" 0,2
    assert_equal "$(guest 'taskset 0x4 sh -c "for i in 1 2 3 4 5; do :; done; echo ran"')" ran
    capture runtime update --cpuset-cpus 0-7 "$SHARED"
    assert_status 1
    assert_stderr_contains "cpuset.cpus"
    assert_equal "$(guest 'cat /sys/fs/cgroup/cpuset.cpus')" 0,2
    runtime update --cpuset-cpus 0-2 "$SHARED"
}

@test "hotplug: memory for a limit" {
    local before
    before=$(memory_mib)
    ((before < 300)) || fail "the guest has $before MiB"
    runtime update --memory 900m --memory-swap 900m "$SHARED"
    (($(memory_mib) >= before + 64 * 11)) || fail "the guest has $(memory_mib) MiB, and had $before"
    # It can be used: more than there was.
    assert_equal "$(guest 'dd if=/dev/zero of=/dev/null bs=500M count=1 2>/dev/null; echo $?')" 0
    # It is given back, as far as the guest can: nothing is on it now.
    runtime update --memory 100m --memory-swap 100m "$SHARED"
    wait_until 30 eval '(($(memory_mib) < before + 300))'
    # More than there may be: the limit is as said.
    runtime update --memory 100g --memory-swap 100g "$SHARED"
    assert_equal "$(guest 'cat /sys/fs/cgroup/memory.max')" $((100 << 30))
    local most
    most=$(memory_mib)
    ((most > 1300 && most < 1500)) || fail "the guest has $most MiB"
}

@test "hotplug: thirty updates in a row" {
    local i
    for ((i = 1; i <= 30; i++)); do
        runtime update --memory $((200 + i % 3 * 400))m --memory-swap -1 --cpu-quota $((i * 10000)) "$SHARED"
    done
    assert_equal "$(guest 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max')" \
        "$((200 << 20))"$'\n'"300000 100000"
}

@test "hotplug: a paused container" {
    bundle sh -c "$FOREVER"
    run_detached "$ID"
    runtime pause "$ID"
    runtime update --memory 800m --memory-swap -1 --cpu-period 100000 --cpu-quota 200000 "$ID"
    assert_equal "$(status_of "$ID")" paused
    runtime resume "$ID"
    assert_equal "$(guest nproc "$ID")" 2
    (($(memory_mib "$ID") > 700)) || fail "the guest has $(memory_mib "$ID") MiB"
    runtime delete --force "$ID"
}

@test "hotplug: the limits at create" {
    bundle sh -c 'nproc; awk "/MemTotal/ { print int(\$2 / 1024) }" /proc/meminfo; cat /sys/fs/cgroup/cpuset.cpus'
    edit '.linux.resources = {cpu: {quota: 110000, period: 100000, cpus: "0-1"}, memory: {limit: 734003200}}'
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_success
    local lines
    mapfile -t lines <<<"$STDOUT"
    assert_equal "${lines[0]} ${lines[2]}" "2 0-1"
    ((lines[1] > 700 && lines[1] < 900)) || fail "the guest has ${lines[1]} MiB"
}

is_in_state() { [[ $(sed 's/.*) //; s/ .*//' "/proc/$1/stat") == "$2" ]]; }

@test "hotplug: a QEMU that ends during an update" {
    local shared update qemu status=0
    shared=$(qemu_pids)
    bundle sh -c "$FOREVER"
    run_detached "$ID"
    qemu=$(qemu_pids | grep -vxF "$shared")
    # A machine that stands still cannot grow: the update waits for it until its end.
    # shellcheck disable=SC2086
    RUNVM_FAULT_POINT=update.before-rpc "$RUNTIME" --root "$ROOT" $RUNTIME_GLOBALS update --memory 1000m --memory-swap -1 "$ID" \
        >/dev/null 2>"$BUNDLE/update.err" <&0 3>&- &
    update=$!
    wait_until 20 is_in_state "$update" T
    kill -STOP "$qemu"
    kill -CONT "$update"
    wait_until 20 is_in_state "$update" S
    kill -KILL "$qemu"
    wait "$update" || status=$?
    assert_equal "$status" 1
    [[ -s $BUNDLE/update.err ]]
    wait_status "$ID" stopped
    runtime delete "$ID"
}

@test "no leak" { assert_no_leak "$SHARED"; }
