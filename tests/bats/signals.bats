#!/usr/bin/env bats
# The reported pid: its wait status is the container's, and signals to it are the container's.

load lib/common

# adopt COMMAND...: runs the command under a subreaper, as conmon and containerd's shim are; REPORT tells how the reported
# process ended.
adopt() {
    REPORT=$BUNDLE/report
    "$(program subreaper)" "$BUNDLE/pid" "$REPORT" timeout --foreground 120 "$@" \
        </dev/null >"$BUNDLE/stdout" 2>"$BUNDLE/stderr" 3>&- &
    SUBREAPER=$!
    wait_until 60 test -s "$BUNDLE/pid"
}

create_and_start='"$1" --root "$2" create --bundle "$3" --pid-file "$3/pid" "$4" && "$1" --root "$2" start "$4"'

adopt_container() { adopt sh -c "$create_and_start" - "$RUNTIME" "$ROOT" "$BUNDLE" "$ID"; }

assert_ended() {
    wait "$SUBREAPER" || {
        cat "$REPORT" "$BUNDLE/stderr" >&2
        return 1
    }
    assert_equal "$(cat "$REPORT")" "$1"
}

@test "exit status: 0 and other codes" {
    bundle sh -c 'exit 0'
    adopt_container
    assert_ended "exited 0"
    runtime delete "$ID"
    bundle sh -c 'exit 255'
    adopt_container
    assert_ended "exited 255"
    # Once the process is reaped the container reads as stopped: no later.
    assert_equal "$(status_of "$ID")" stopped
}

@test "exit status: killed by a signal" {
    bundle sh -c 'echo ready; while :; do sleep 1; done'
    adopt_container
    wait_until 20 grep -q ready "$BUNDLE/stdout"
    runtime kill "$ID" KILL
    assert_ended "signaled 9"
}

@test "exit status: a signal to the reported pid is the container's" {
    bundle sh -c 'trap "echo got; exit 11" TERM; trap "echo quit" QUIT; echo ready; while :; do sleep 0.1; done'
    adopt_container
    wait_until 20 grep -q ready "$BUNDLE/stdout"
    kill -QUIT "$(cat "$BUNDLE/pid")"
    wait_until 20 grep -q quit "$BUNDLE/stdout"
    kill -TERM "$(cat "$BUNDLE/pid")"
    assert_ended "exited 11"
}

@test "exit status: SIGKILL to the reported pid, or to its process group, ends the container" {
    # conmon kills the group at a time-out.
    bundle sh -c 'echo ready; while :; do echo alive >/alive; sleep 0.1; done'
    own_rootfs
    adopt_container
    wait_until 20 grep -q ready "$BUNDLE/stdout"
    local pid
    pid=$(cat "$BUNDLE/pid")
    kill -KILL "$pid"
    assert_ended "signaled 9"
    wait_status "$ID" stopped
    # The process in the guest is dead, too.
    rm -f "$BUNDLE/rootfs/alive"
    sleep 1
    [[ ! -e $BUNDLE/rootfs/alive ]]
}

@test "exit status: an exec's pid has the exec's status" {
    run_forever "$ID"
    adopt "$RUNTIME" --root "$ROOT" exec --detach --pid-file "$BUNDLE/pid" "$ID" sh -c 'exit 33'
    assert_ended "exited 33"

    rm "$BUNDLE/pid"
    # Not a shell: a signal's default action.
    adopt "$RUNTIME" --root "$ROOT" exec --detach --pid-file "$BUNDLE/pid" "$ID" sleep 1000
    kill -TERM "$(cat "$BUNDLE/pid")"
    assert_ended "signaled 15"

    rm "$BUNDLE/pid"
    adopt "$RUNTIME" --root "$ROOT" exec --detach --pid-file "$BUNDLE/pid" "$ID" sleep 1000
    runtime kill "$ID" KILL
    assert_ended "signaled 9"
}

@test "exit status: a signal with a core dump" {
    run_forever "$ID"
    adopt "$RUNTIME" --root "$ROOT" exec --detach --pid-file "$BUNDLE/pid" "$ID" sh -c 'kill -SEGV $$'
    assert_ended "signaled 11"
}

@test "process group: the reported pid leads its own, and stopping it is the container's affair" {
    run_forever "$ID"
    local pid
    pid=$(pid_of "$ID")
    assert_equal "$(ps -o pgid= -p "$pid" | tr -d ' ')" "$pid"
    kill -STOP "$pid"
    kill -CONT "$pid"
    capture runtime exec "$ID" echo still
    assert_stdout still
    kill -KILL -- "-$pid"
    wait_status "$ID" stopped
}

@test "process group: a caller's death does not end the container" {
    bundle sh -c "$FOREVER"
    # A group of its own that is killed as a whole, as a terminal's hang-up or an engine's service does it.
    setsid sh -c "$create_and_start"'; exec sleep 1000' - "$RUNTIME" "$ROOT" "$BUNDLE" "$ID" \
        </dev/null >"$BUNDLE/stdout" 2>&1 3>&- &
    local leader=$!
    wait_until 60 grep -q ready "$BUNDLE/stdout"
    kill -KILL -- "-$leader" 2>/dev/null || kill -KILL "$leader"
    wait "$leader" || true
    capture runtime exec "$ID" echo alive
    assert_stdout alive
}

@test "no leak" { assert_no_leak; }
