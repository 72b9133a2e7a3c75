#!/usr/bin/env bats
# update: new limits for a container.

load lib/common

setup_file() {
    file_begin
    SHARED=${PREFIX}shared
    run_forever "$SHARED"
    export SHARED BUNDLE
}

# value FILE: of the container's cgroup in the guest.
value() { runtime exec "${2:-$SHARED}" cat "/sys/fs/cgroup/$1"; }

@test "update: each flag changes its limit" {
    only_runvm "in the guest's cgroup"
    capture runtime update --memory 64m --memory-reservation 32m --memory-swap 96m --pids-limit 50 --cpu-share 512 \
        --cpu-period 50000 --cpu-quota 20000 --cpu-burst 1000 --cpuset-cpus 0 --cpuset-mems 0 "$SHARED"
    assert_success
    assert_equal "$STDOUT$STDERR" ""
    assert_equal "$(value memory.max)" 67108864
    assert_equal "$(value memory.low)" 33554432
    assert_equal "$(value pids.max)" 50
    assert_equal "$(value cpu.weight)" 59
    assert_equal "$(value cpu.max)" "20000 50000"
    assert_equal "$(value cpu.max.burst)" 1000
    assert_equal "$(value cpuset.cpus)" 0
    # What is not given stays.
    runtime update --cpu-quota 30000 "$SHARED"
    assert_equal "$(value cpu.max)" "30000 50000"
    assert_equal "$(value memory.max)" 67108864
    runtime update --memory -1 --memory-swap -1 --pids-limit -1 "$SHARED"
    assert_equal "$(value memory.max)" max
    assert_equal "$(value pids.max)" max
    runtime update --cpu-idle 1 "$SHARED"
    assert_equal "$(value cpu.idle)" 1
    runtime update --cpu-idle 0 "$SHARED"
    assert_equal "$(value cpu.idle)" 0
}

@test "update: --blkio-weight, and what cgroup v2 has not" {
    only_runvm "in the guest's cgroup"
    runtime update --blkio-weight 100 "$SHARED"
    # By runc's formula where the kernel has no BFQ.
    assert_equal "$(value io.weight 2>/dev/null || value io.bfq.weight)" "default 910"
    capture runtime update --blkio-weight 5 "$SHARED"
    assert_status 1
    assert_stderr_contains "found 5; allowed are 10 to 1000"
    local before
    before=$(value cpu.max)
    capture runtime update --cpu-rt-period 1000000 --cpu-rt-runtime 950000 "$SHARED"
    assert_success
    assert_equal "$STDOUT$STDERR" ""
    assert_equal "$(value cpu.max)" "$before"
    before=$(value memory.max)
    capture runtime update --kernel-memory 50m --kernel-memory-tcp 50m "$SHARED"
    assert_success
    assert_stderr_contains "Kernel memory settings are ignored and will be removed"
    assert_equal "$(value memory.max)" "$before"
}

@test "update: from a file and from standard input" {
    only_runvm "in the guest's cgroup"
    echo '{"memory": {"limit": 50331648}, "pids": {"limit": 60}}' >"$BUNDLE/resources.json"
    capture runtime update --resources "$BUNDLE/resources.json" "$SHARED"
    assert_success
    assert_equal "$(value memory.max) $(value pids.max)" "50331648 60"
    runtime update -r - "$SHARED" <<<'{"pids": {"limit": 61}, "unified": {"memory.high": "40000000"}}'
    assert_equal "$(value memory.max) $(value pids.max) $(value memory.high)" "50331648 61 39997440"
    # The other options do not count then.
    runtime update --pids-limit 5 --resources=- "$SHARED" <<<'{"pids": {"limit": 62}}'
    assert_equal "$(value pids.max)" 62
}

@test "update: thirty in a row" {
    only_runvm "in the guest's cgroup"
    local i
    for ((i = 1; i <= 30; i++)); do runtime update --pids-limit $((100 + i)) --memory $((64 + i))m "$SHARED"; done
    assert_equal "$(value pids.max) $(value memory.max)" "130 $((94 << 20))"
}

@test "update: less memory than is used is refused, and all stays" {
    only_runvm "in the guest's cgroup"
    bundle sh -c 'dd if=/dev/zero of=/dev/shm/file bs=1M count=24 2>/dev/null; echo ready; exec sleep 1000'
    run_until_ready "$ID"
    runtime update --pids-limit 70 --memory 100m "$ID"
    capture runtime update --pids-limit 80 --memory 8m "$ID"
    assert_status 1
    assert_stderr_contains "rejecting memory limit 8388608 <= usage"
    assert_equal "$(value memory.max "$ID")" 104857600
    assert_equal "$(value pids.max "$ID")" 70
    assert_equal "$(status_of "$ID")" running
    runtime update --memory 48m "$ID"
    assert_equal "$(value memory.max "$ID")" 50331648
}

@test "update: if the guest refuses one, the others go back" {
    only_runvm "in the guest's cgroup"
    runtime update --pids-limit 90 "$SHARED"
    capture runtime update --pids-limit 91 --cpuset-cpus 500 "$SHARED"
    assert_status 1
    assert_stderr_contains cpuset.cpus
    assert_equal "$(value pids.max)" 90
    # Also what config.json does not say any more, or never did.
    runtime update --cpu-share 512 "$SHARED"
    bundle sh -c "$FOREVER"
    run_until_ready "$ID"
    capture runtime update --pids-limit 91 --memory 64m --cpuset-cpus 500 "$SHARED"
    assert_status 1
    assert_equal "$(value pids.max)" 90
    capture runtime update --memory 64m --cpu-quota 5000 --cpuset-cpus 500 "$ID"
    assert_status 1
    assert_equal "$(value memory.max "$ID") $(value cpu.max "$ID")" "max max 100000"
}

@test "update: a quota below the burst that was, with a burst that fits" {
    only_runvm "in the guest's cgroup"
    runtime update --cpu-period 100000 --cpu-quota 90000 --cpu-burst 50000 "$SHARED"
    runtime update --cpu-period 100000 --cpu-quota 20000 --cpu-burst 10000 "$SHARED"
    assert_equal "$(value cpu.max) $(value cpu.max.burst)" "20000 100000 10000"
    runtime update --cpu-period 100000 --cpu-quota -1 --cpu-burst 0 "$SHARED"
}

@test "update: a created and a paused container" {
    only_runvm "in the guest's cgroup"
    bundle sh -c "$FOREVER"
    create_container "$ID"
    runtime update --pids-limit 95 "$ID"
    runtime start "$ID"
    wait_until 20 grep -q ready "$BUNDLE/stdout"
    assert_equal "$(value pids.max "$ID")" 95
    runtime pause "$ID"
    runtime update --pids-limit 96 "$ID"
    assert_equal "$(status_of "$ID")" paused
    runtime resume "$ID"
    assert_equal "$(value pids.max "$ID")" 96
}

@test "update: the limits hold" {
    only_runvm "in the guest's cgroup"
    runtime update --pids-limit 3 --memory 256m --memory-swap 256m "$SHARED"
    capture runtime exec "$SHARED" sh -c 'sleep 1 & sleep 1 & sleep 1 & sleep 1 & wait'
    assert_stderr_contains "can't fork"
    runtime update --pids-limit -1 "$SHARED"
    runtime exec "$SHARED" sh -c 'sleep 1 & sleep 1 & sleep 1 & wait'
}

@test "update: bad values" {
    capture runtime update --memory 12x "$SHARED"
    assert_status 1
    assert_stderr_contains "invalid value for memory"
    capture runtime update --cpu-period -5 "$SHARED"
    assert_status 1
    assert_stderr_contains "invalid value for cpu-period"
    capture runtime update --pids-limit x "$SHARED"
    assert_status 1
    assert_stdout_contains 'invalid value "x" for flag -pids-limit'
    capture runtime update --resources "$BUNDLE/none.json" "$SHARED"
    assert_status 1
    assert_stderr_contains none.json
    capture runtime update --l3-cache-schema x "$SHARED"
    assert_status 1
    assert_stderr_contains "Intel RDT"
}

@test "update: bad files" {
    only_runvm "its own words"
    capture runtime update -r - "$SHARED" <<<'{"memory": {"limit": "5"}}'
    assert_status 1
    assert_stderr_contains "standard input: memory.limit: "
    capture runtime update -r - "$SHARED" <<<'{'
    assert_status 1
    assert_stderr_contains "standard input"
    capture runtime update -r - "$SHARED" <<<'{"rdma": {"mlx5_1": {"hcaHandles": 3}}}'
    assert_status 1
    assert_stderr_contains rdma
}

@test "update: a stopped and an unknown container" {
    bundle true
    run_detached "$ID"
    wait_status "$ID" stopped
    capture runtime update --pids-limit 5 "$ID"
    assert_status 1
    assert_stderr_contains "container not running"
    capture runtime update --pids-limit 5 "$ID-2"
    assert_status 1
    assert_stderr_contains "container does not exist"
}

@test "no leak" { assert_no_leak "$SHARED"; }
