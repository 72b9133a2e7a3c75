#!/usr/bin/env bats
# start: lets the prepared process go on.

load lib/common

@test "start: the process runs, its output and its files are there when it is stopped" {
    bundle sh -c 'echo out; echo err >&2; echo file >/result'
    own_rootfs
    create_container "$ID"
    assert_equal "$(cat "$BUNDLE/stdout")" ""
    capture runtime start "$ID"
    assert_success
    assert_equal "$STDOUT$STDERR" ""
    wait_status "$ID" stopped
    assert_equal "$(cat "$BUNDLE/stdout")" out
    assert_equal "$(cat "$BUNDLE/stderr")" err
    assert_equal "$(cat "$BUNDLE/rootfs/result")" file

    # A container that has stopped cannot be started again.
    capture runtime start "$ID"
    assert_status 1
    assert_stderr_contains "cannot start a container that has stopped"
}

@test "start: a running container cannot be started" {
    run_forever "$ID"
    capture runtime start "$ID"
    assert_status 1
    assert_stderr_contains "cannot start an already running container"
    assert_equal "$(status_of "$ID")" running
}

@test "start: of several at once one wins" {
    bundle sh -c "$FOREVER"
    create_container "$ID"
    local pids=() i won=0
    for i in 1 2 3 4; do
        runtime start "$ID" 2>"$BUNDLE/start.$i" &
        pids+=($!)
    done
    for i in "${pids[@]}"; do
        if wait "$i"; then won=$((won + 1)); fi
    done
    assert_equal "$won" 1
    wait_until 20 grep -q ready "$BUNDLE/stdout"
    assert_equal "$(cat "$BUNDLE/stdout")" ready
}

@test "start: a container whose process has ended already" {
    bundle sleep 1000
    create_container "$ID"
    runtime kill "$ID" KILL
    capture runtime start "$ID"
    assert_status 1
    assert_stderr_contains "cannot start a container that has stopped"
}

@test "start: an unknown container" {
    capture runtime start "$ID"
    assert_status 1
    assert_stderr_contains "container does not exist"
}

@test "start: wrong usage" {
    capture runtime start
    assert_status 1
    capture runtime start "$ID" more
    assert_status 1
}

@test "no leak" { assert_no_leak; }
