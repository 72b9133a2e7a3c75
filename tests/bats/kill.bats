#!/usr/bin/env bats
# kill: signals to the container's process, or to all.

load lib/common

setup_file() {
    file_begin
    SHARED=${PREFIX}shared
    # Writes the number of each signal that it gets.
    bundle sh -c 'for s in 1 2 3 10 12 15 18 28; do trap "echo got $s" $s; done
        echo ready; while :; do sleep 0.1; done'
    run_until_ready "$SHARED"
    export SHARED BUNDLE
}

got() { grep -qx "got $1" "$BUNDLE/stdout"; }

@test "kill: by name, with and without SIG, in small letters, and by number" {
    : >"$BUNDLE/stdout"
    capture runtime kill "$SHARED" HUP
    assert_success
    assert_equal "$STDOUT$STDERR" ""
    wait_until 20 got 1
    runtime kill "$SHARED" SIGINT
    wait_until 20 got 2
    runtime kill "$SHARED" 3
    wait_until 20 got 3
    runtime kill "$SHARED" usr1
    wait_until 20 got 10
    runtime kill "$SHARED" sigusr2
    wait_until 20 got 12
    runtime kill "$SHARED" WINCH
    wait_until 20 got 28
    runtime kill "$SHARED" CONT
    wait_until 20 got 18
}

@test "kill: the default is SIGTERM" {
    : >"$BUNDLE/stdout"
    runtime kill "$SHARED"
    wait_until 20 got 15
}

@test "kill: signal 0 only asks" {
    : >"$BUNDLE/stdout"
    capture runtime kill "$SHARED" 0
    assert_success
    assert_equal "$(cat "$BUNDLE/stdout")" ""
}

@test "kill: a signal that the process ignores as pid 1 does not end it" {
    runtime kill "$SHARED" ALRM
    runtime exec "$SHARED" true
    assert_equal "$(status_of "$SHARED")" running
}

@test "kill: an unknown signal" {
    local signal
    for signal in NOPE SIGNOPE 12x; do
        capture runtime kill "$SHARED" "$signal"
        assert_status 1
        # On stderr the quotes of the log are escaped.
        assert_stderr_contains "unknown signal \\\"$signal\\\""
    done
    assert_equal "$(status_of "$SHARED")" running
}

@test "kill: a signal to the reported pid reaches the process" {
    : >"$BUNDLE/stdout"
    kill -USR1 "$(pid_of "$SHARED")"
    wait_until 20 got 10
    kill -TERM "$(pid_of "$SHARED")"
    wait_until 20 got 15
}

@test "kill --all: every process of the container" {
    : >"$BUNDLE/stdout"
    runtime exec --detach "$SHARED" sh -c 'trap "echo got exec; exit" USR1; while :; do sleep 0.1; done' \
        >"$FILE_DIR/exec.out" 2>&1 </dev/null
    sleep 1
    capture runtime kill --all "$SHARED" USR1
    assert_success
    wait_until 20 grep -q 'got exec' "$FILE_DIR/exec.out"
    wait_until 20 got 10
}

@test "kill -a and the order of flags" {
    : >"$BUNDLE/stdout"
    capture runtime kill -a "$SHARED" 12
    assert_success
    wait_until 20 got 12
}

@test "kill: a created container takes KILL" {
    bundle sh -c "$FOREVER"
    create_container "$ID"
    runtime kill "$ID" KILL
    wait_status "$ID" stopped
    runtime delete "$ID"
}

@test "kill: KILL ends it, and all it started" {
    runtime exec --detach "$SHARED" sleep 1000 </dev/null >/dev/null 2>&1
    capture runtime kill "$SHARED" KILL
    assert_success
    wait_status "$SHARED" stopped
    assert_equal "$(pid_of "$SHARED")" 0
}

@test "kill: a stopped container is not running" {
    has_status "$SHARED" stopped
    capture runtime kill "$SHARED" TERM
    assert_status 1
    assert_stderr_contains "container not running"
    # containerd's words for ESRCH; runc's `kill` has them when the process ends meanwhile.
    is_runc || assert_stderr_contains "os: process already finished"
    capture runtime kill "$SHARED" 0
    assert_status 1
    # containerd's shim does this after every exit of a container without a pid namespace.
    capture runtime kill --all "$SHARED" 9
    assert_success
    capture runtime kill --all "$SHARED" 0
    assert_success
}

@test "kill: unknown containers and wrong usage" {
    capture runtime kill "$ID" TERM
    assert_status 1
    assert_stderr_contains "container does not exist"
    capture runtime kill
    assert_status 1
}

@test "no leak" { assert_no_leak "$SHARED"; }
