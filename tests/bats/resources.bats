#!/usr/bin/env bats
# linux.resources at create; later changes are in update.bats and hotplug.bats, device rules in devices.bats.

load lib/common

setup_file() {
    file_begin
    SHARED=${PREFIX}shared
    # A process that never forks, which it could not at the limit, and reaps orphans, which count.
    bundle sh -c 'sleep 1000 & echo ready; wait'
    edit '.linux.resources += {
        memory: {limit: 50331648, swap: 50331648, reservation: 1048576},
        cpu: {shares: 512, quota: 190000, period: 200000, cpus: "0", mems: "0"},
        pids: {limit: 8}}'
    # runc 1.1 does not know the first, and has no cgroup v2 here for the others.
    is_runc || edit '.linux.resources.cpu.burst = 10000
        | .linux.resources.hugepageLimits = [{pageSize: "2MB", limit: 4194304}]
        | .linux.resources.unified = {"memory.high": "70000000", "cgroup.max.depth": "3"}'
    run_until_ready "$SHARED"
    export SHARED BUNDLE
}

@test "resources: each is a file of the guest's cgroup" {
    only_runvm "in the guest's cgroup"
    capture runtime exec "$SHARED" sh -c 'cd /sys/fs/cgroup
        for file in memory.max memory.swap.max memory.low memory.high cpu.weight cpu.max cpu.max.burst cpuset.cpus cpuset.mems \
            pids.max hugetlb.2MB.max cgroup.max.depth; do echo "$file $(cat $file)"; done'
    assert_success
    assert_stdout 'memory.max 50331648
memory.swap.max 0
memory.low 1048576
memory.high 69996544
cpu.weight 59
cpu.max 190000 200000
cpu.max.burst 10000
cpuset.cpus 0
cpuset.mems 0
pids.max 8
hugetlb.2MB.max 4194304
cgroup.max.depth 3'
}

@test "resources: the container cannot change them" {
    capture runtime exec "$SHARED" sh -c 'echo max >/sys/fs/cgroup/pids.max || echo max >/sys/fs/cgroup/pids/pids.max'
    assert_failed
    capture runtime exec "$SHARED" sh -c 'mkdir /sys/fs/cgroup/mine'
    assert_failed
    # Of cgroup v1, Debian 13's runc leaves the folder around the controllers' writable, for whom it belongs to.
    is_runc || assert_stderr_contains "Read-only file system"
}

@test "resources: the limit of processes holds, for execs too" {
    capture runtime exec "$SHARED" sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 2 & done; wait'
    assert_failed
    assert_stderr_contains "can't fork"
    assert_equal "$(status_of "$SHARED")" running
    wait_until 20 runtime exec "$SHARED" sh -c 'true | true | true'
}

@test "resources: what needs more memory than the limit is killed, the container goes on" {
    # tail keeps the one line that it reads.
    capture runtime exec "$SHARED" sh -c 'head -c 70000000 /dev/zero | tail -n 1 | wc -c; echo went on'
    assert_success
    assert_stdout $'0\nwent on'
    assert_equal "$(status_of "$SHARED")" running
}

@test "resources: values that cannot be are refused by name, and nothing is left" {
    only_runvm "its own words"
    assert_each_refused . .linux.resources <<'END'
.memory = {swap: 67108864}|.memory.swap: unable to set swap limit without memory limit
.memory = {limit: 67108864, swap: 1048576}|.memory.swap: memory+swap limit should be >= memory limit
.memory = {limit: "64m"}|.memory.limit: found "64m"; a whole number
.cpu = {idle: 2}|.cpu.idle: found 2; a whole number from 0 to 1 is allowed
.cpu = {period: -1}|.cpu.period: found -1; a whole number
.blockIO = {weight: 5}|.blockIO.weight: found 5; allowed are 10 to 1000
.hugepageLimits = [{pageSize: "2", limit: 1}]|.hugepageLimits[0].pageSize: found "2"; a size such as 64KB, 2MB or 1GB is expected
.unified = {"../x.y": "1"}|.unified.../x.y: unified resource "../x.y" must be a file name (no slashes)
.unified = {"x": "1"}|.unified.x: unified resource "x" must be in the form CONTROLLER.PARAMETER
END
}

only_one_machine() { (($(qemu_pids | wc -l) == 1)); }

@test "resources: what the guest's kernel refuses is told, and nothing is left" {
    only_runvm "its own words"
    bundle true
    edit '.linux.resources.unified = {"pids.no_such_file": "1"}'
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains pids.no_such_file
    assert_stderr_blames_nobody
    assert_gone "$ID"
    wait_until 10 only_one_machine
}

@test "no leak" { assert_no_leak "$SHARED"; }
