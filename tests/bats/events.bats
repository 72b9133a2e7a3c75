#!/usr/bin/env bats
# events: a container's figures, and that it ran out of memory.

load lib/common

setup_file() {
    file_begin
    SHARED=${PREFIX}shared
    run_forever "$SHARED"
    export SHARED BUNDLE
}

# begin_events ID ARGUMENT...: `events` in the background; its lines go to BUNDLE/events.
begin_events() {
    runtime events "$@" >"$BUNDLE/events" 2>"$BUNDLE/events.err" <&0 &
    EVENTS=$!
}

# starve ID: runs BUNDLE with 32 MiB, and lets it use more once it is watched.
starve() {
    edit '.linux.resources.memory.limit = 33554432 | .mounts += [{destination: "/tmp", type: "tmpfs"}]'
    run_until_ready "$1"
    # The first figures come when it watches.
    begin_events --interval 300ms "$1"
    wait_until 20 has_lines stats 1
    runtime exec "$1" touch /tmp/go
}

has_lines() { (($(jq -c "select(.type == \"$1\")" "$BUNDLE/events" | wc -l) >= $2)); }

@test "events: the figures once" {
    capture runtime events --stats "$SHARED"
    assert_success
    assert_equal "$STDERR" ""
    assert_equal "$(wc -l <<<"$STDOUT")" 1
    assert_equal "$(jq -r '.type, .id' <<<"$STDOUT" | xargs)" "stats $SHARED"
    # runc has cpuset since 1.2.
    assert_matches "$(jq -c '.data | keys' <<<"$STDOUT" | tr -d '"')" \
        '^\[blkio,cpu,(cpuset,)?hugetlb,intel_rdt,memory,network_interfaces,pids\]$'
    assert_equal "$(jq '.data.pids.current > 0 and .data.memory.usage.usage > 0 and
        .data.cpu.usage.total > 0 and (.data.memory.raw | length) > 10' <<<"$STDOUT")" true
}

@test "events: the figures are the guest's" {
    only_runvm
    bundle sh -c "head -c 40000000 /dev/zero >/dev/shm/file; $FOREVER"
    edit '.linux.resources.memory.limit = 67108864 | .linux.resources.pids.limit = 50'
    run_until_ready "$ID"
    local figures current
    figures=$(runtime events --stats "$ID")
    assert_equal "$(jq '.data.memory.usage.limit, .data.pids.limit' <<<"$figures" | xargs)" "67108864 50"
    current=$(runtime exec "$ID" cat /sys/fs/cgroup/memory.current)
    ((current > 40000000))
    assert_equal "$(jq ".data.memory.usage.usage - $current | fabs < $current / 10" <<<"$figures")" true
}

@test "events: at each interval, until the container is deleted" {
    run_forever "$ID"
    begin_events --interval 300ms "$ID"
    wait_until 20 has_lines stats 3
    runtime kill "$ID" KILL
    wait_status "$ID" stopped
    sleep 0.5
    kill -0 "$EVENTS"
    runtime delete "$ID"
    local status=0
    wait "$EVENTS" || status=$?
    assert_equal "$status" 0
}

@test "events: tells of a kill for want of memory" {
    only_runvm "runc needs the memory controller in its cgroup hierarchy"
    bundle sh -c 'echo ready; while [ ! -e /tmp/go ]; do sleep 0.1; done; tail -c 64m /dev/zero; echo "tail $?"; sleep 1000'
    starve "$ID"
    wait_until 30 grep -q 'tail 137' "$BUNDLE/stdout"
    wait_until 20 has_lines oom 1
    assert_equal "$(grep oom "$BUNDLE/events" | head -n 1)" "{\"type\":\"oom\",\"id\":\"$ID\"}"
    runtime delete --force "$ID"
    wait "$EVENTS"
}

@test "events: tells of it when it is the end of the container" {
    only_runvm
    bundle sh -c 'echo ready; while [ ! -e /tmp/go ]; do sleep 0.1; done; exec tail -c 64m /dev/zero'
    starve "$ID"
    wait_status "$ID" stopped
    wait_until 20 has_lines oom 1
    runtime delete "$ID"
    wait "$EVENTS"
}

@test "events: of a paused container" {
    run_forever "$ID"
    runtime pause "$ID"
    assert_equal "$(runtime events --stats "$ID" | jq .type)" '"stats"'
    assert_equal "$(status_of "$ID")" paused
}

@test "events: bad intervals" {
    capture runtime events --interval 0s "$SHARED"
    assert_status 1
    assert_stderr_contains "duration interval must be greater than 0"
    capture runtime events --interval 5 "$SHARED"
    assert_status 1
    assert_stdout_contains 'invalid value "5" for flag -interval'
}

@test "events: a stopped and an unknown container" {
    bundle true
    run_detached "$ID"
    wait_status "$ID" stopped
    capture runtime events --stats "$ID"
    assert_status 1
    assert_stderr_contains "container with id $ID is not running"
    capture runtime events "$ID-2"
    assert_status 1
    assert_stderr_contains "container does not exist"
}

@test "events: a reader that leaves ends it" {
    only_runvm "runc goes on"
    local status=0
    { runtime events --interval 100ms "$SHARED" || status=$?; echo "$status" >"$FILE_DIR/status"; } |
        head -n 1 >"$FILE_DIR/line"
    jq -e '.type == "stats"' "$FILE_DIR/line"
    # A hang would be 124.
    assert_equal "$(cat "$FILE_DIR/status")" 1
}

@test "no leak" { assert_no_leak "$SHARED"; }
