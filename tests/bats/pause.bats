#!/usr/bin/env bats
# pause and resume: a container whose processes stop, and go on.

load lib/common

# A running container that writes a line every tenth of a second.
run_ticking() {
    bundle sh -c 'trap "echo got TERM" TERM; while :; do echo tick; sleep 0.1; done'
    run_detached "$1"
    wait_until 20 grep -q tick "$BUNDLE/stdout"
}

ticks() { grep -c tick "$BUNDLE/stdout"; }
more_ticks_than() { (($(ticks) > $1)); }

# Nothing is written any more; what the process wrote before may still arrive.
assert_still() {
    sleep 0.5
    local before
    before=$(ticks)
    sleep 1
    assert_equal "$(ticks)" "$before"
}

@test "pause: the processes stop, and go on at the resume" {
    run_ticking "$ID"
    capture runtime pause "$ID"
    assert_success
    assert_equal "$STDOUT$STDERR" ""
    assert_equal "$(status_of "$ID")" paused
    assert_equal "$(runtime list --format json | jq -r ".[] | select(.id == \"$ID\").status")" paused
    assert_not_equal "$(pid_of "$ID")" 0
    assert_still

    local before
    before=$(ticks)
    capture runtime resume "$ID"
    assert_success
    assert_equal "$STDOUT$STDERR" ""
    assert_equal "$(status_of "$ID")" running
    wait_until 20 more_ticks_than "$before"
}

@test "pause: again and again" {
    run_ticking "$ID"
    local i before
    for i in 1 2 3 4 5; do
        runtime pause "$ID"
        before=$(ticks)
        runtime resume "$ID"
        wait_until 20 more_ticks_than "$before"
    done
    runtime exec "$ID" true
}

@test "pause, resume: what the status does not allow" {
    run_forever "$ID"
    capture runtime resume "$ID"
    assert_status 1
    assert_stderr_contains "container not paused"
    runtime pause "$ID"
    capture runtime pause "$ID"
    assert_status 1
    assert_stderr_contains "container not running"
    capture runtime start "$ID"
    assert_status 1
    assert_stderr_contains "cannot start a container in the paused state"
    runtime kill "$ID" KILL
    wait_status "$ID" stopped
    capture runtime pause "$ID"
    assert_status 1
    assert_stderr_contains "container not running"
    capture runtime resume "$ID"
    assert_status 1
    assert_stderr_contains "container not paused"
}

@test "pause, resume: an unknown container" {
    local command
    for command in pause resume; do
        capture runtime "$command" "$ID"
        assert_status 1
        assert_stderr_contains "container does not exist"
    done
}

@test "pause: a container that was not started is created again after its resume" {
    bundle sh -c "$FOREVER"
    create_container "$ID"
    runtime pause "$ID"
    assert_equal "$(status_of "$ID")" paused
    runtime resume "$ID"
    assert_equal "$(status_of "$ID")" created
    runtime start "$ID"
    wait_until 20 grep -q ready "$BUNDLE/stdout"
}

@test "pause: exec is refused, or waits for the resume" {
    run_forever "$ID"
    runtime pause "$ID"
    capture runtime exec "$ID" true
    assert_status 255
    assert_stderr_contains "cannot exec in a paused container (use --ignore-paused to override)"

    runtime exec --ignore-paused "$ID" sh -c 'echo resumed; exit 7' >"$BUNDLE/exec.out" <&0 &
    local exec_pid=$!
    sleep 2
    assert_equal "$(cat "$BUNDLE/exec.out")" ""
    kill -0 "$exec_pid"
    runtime resume "$ID"
    local status=0
    wait "$exec_pid" || status=$?
    assert_equal "$status" 7
    assert_equal "$(cat "$BUNDLE/exec.out")" resumed
}

@test "pause: an exec that waits for the resume can be ended" {
    only_runvm "runc's waits within the container, where only KILL reaches it"
    run_forever "$ID"
    runtime pause "$ID"
    "$RUNTIME" --root "$ROOT" exec --ignore-paused "$ID" sleep 1000 3>&- <&0 &
    local exec_pid=$!
    sleep 1
    kill -TERM "$exec_pid"
    local status=0
    wait "$exec_pid" || status=$?
    assert_not_equal "$status" 0
    runtime resume "$ID"
    assert_equal "$(runtime exec "$ID" ps -o args | grep -c '^sleep 1000')" 0
}

@test "pause: a signal arrives at the resume" {
    run_ticking "$ID"
    runtime pause "$ID"
    runtime kill "$ID" TERM
    assert_still
    if grep -q 'got TERM' "$BUNDLE/stdout"; then fail "the signal arrived in a paused container"; fi
    runtime resume "$ID"
    wait_until 20 grep -q 'got TERM' "$BUNDLE/stdout"
}

@test "pause: KILL arrives at once" {
    run_forever "$ID"
    runtime pause "$ID"
    runtime kill "$ID" KILL
    wait_status "$ID" stopped
    runtime delete "$ID"
}

@test "pause: KILL to all arrives at once" {
    run_forever "$ID"
    runtime exec --detach "$ID" sleep 1000
    runtime pause "$ID"
    runtime kill --all "$ID" KILL
    wait_status "$ID" stopped
    runtime delete "$ID"
}

@test "pause: a paused container is deleted by force only" {
    run_forever "$ID"
    runtime pause "$ID"
    capture runtime delete "$ID"
    assert_status 1
    assert_stderr_contains "cannot delete container $ID that is not stopped: paused"
    assert_equal "$(status_of "$ID")" paused
    capture runtime delete --force "$ID"
    assert_success
    assert_gone "$ID"
}

@test "pause: the clock is right after the resume" {
    run_forever "$ID"
    runtime pause "$ID"
    sleep 4
    runtime resume "$ID"
    local before inside after
    before=$(date +%s)
    inside=$(runtime exec "$ID" date +%s)
    after=$(date +%s)
    ((before - 1 <= inside && inside <= after + 1)) ||
        fail "inside it is $inside, outside it was $before before and $after afterwards"
}

# thread_times PID: each of its threads, and the processor time that it has used, in ns.
thread_times() {
    local thread
    for thread in "/proc/$1/task"/*; do echo "${thread##*/} $(cut -d' ' -f1 "$thread/schedstat")"; done
}

# assert_idle PID SECONDS: it uses less than a clock tick of 10 ms. Not counted in ticks: some microseconds of QEMU's own
# may complete one.
assert_idle() {
    local before used
    before=$(thread_times "$1")
    sleep "$2"
    used=$(awk 'NR == FNR { before[$1] = $2; next } { used += $2 - before[$1] } END { printf "%.0f", used }' \
        <(echo "$before") <(thread_times "$1"))
    ((used < 10000000)) || fail "$used ns in $2 s"
}

@test "pause: the machine uses no processor time" {
    only_runvm
    bundle sh -c 'echo ready; while :; do :; done'
    run_until_ready "$ID"
    runtime pause "$ID"
    local qemu
    qemu=$(qemu_pids)
    assert_idle "$qemu" 10
    # A command that needs the guest lets it run for a moment only.
    runtime kill "$ID" 0
    sleep 1
    assert_idle "$qemu" 2
}

@test "pause: one that ends with its monitor is stopped" {
    only_runvm
    run_forever "$ID"
    runtime pause "$ID"
    kill -KILL "$(reaper_pids)"
    wait_status "$ID" stopped
    capture runtime resume "$ID"
    assert_status 1
    assert_stderr_contains "container not paused"
    runtime delete "$ID"
}

@test "no leak" { assert_no_leak; }
