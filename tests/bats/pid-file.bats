#!/usr/bin/env bats
# The reported pid is a process that callers reach into: /proc/<pid>/root, ns/*, its cgroup.

load lib/common

setup_file() {
    file_begin
    SHARED=${PREFIX}shared
    run_forever "$SHARED"
    PID=$(cat "$BUNDLE/pid")
    export SHARED BUNDLE PID
}

@test "pid file: digits only, no newline, equals state's pid" {
    assert_matches "$(od -An -c "$BUNDLE/pid" | tr -d ' \n')" '^[0-9]+$'
    assert_equal "$PID" "$(pid_of "$SHARED")"
    kill -0 "$PID"
}

@test "pid file: an old one is replaced, not written into" {
    bundle true
    echo 99999999999999 >"$BUNDLE/pid"
    # Whoever has it open sees the old one: it is renamed into place.
    exec 8<"$BUNDLE/pid"
    create_container "$ID"
    assert_equal "$(cat <&8)" 99999999999999
    exec 8<&-
    assert_equal "$(cat "$BUNDLE/pid")" "$(pid_of "$ID")"
    assert_equal "$(find "$BUNDLE" -name '*pid*')" "$BUNDLE/pid"
}

@test "pid file: that cannot be written fails the create, and nothing is left" {
    bundle true
    capture runtime create --bundle "$BUNDLE" --pid-file "$BUNDLE/no/such/folder/pid" "$ID"
    assert_status 1
    assert_gone "$ID"
}

@test "pid: /proc/PID/root is the container's rootfs" {
    # podman cp and nerdctl cp go through it.
    [[ -x /proc/$PID/root/bin/busybox ]]
    assert_equal "$(cat "/proc/$PID/root/etc/passwd")" "$(cat "$ROOTFS/etc/passwd")"
    assert_not_equal "$(stat -L -c %d:%i "/proc/$PID/root")" "$(stat -c %d:%i /)"
}

@test "pid: has namespaces of its own" {
    local kind
    for kind in net mnt pid ipc uts; do
        if same_namespace "$kind" "$PID" $$; then fail "the $kind namespace is the host's"; fi
    done
}

@test "pid: its network namespace can be joined, and has lo and nothing else" {
    if ! command -v nsenter >/dev/null; then skip "nsenter is missing"; fi
    assert_equal "$(nsenter --net="/proc/$PID/ns/net" cat /proc/self/net/dev | sed '1,2d; s/ *\([^:]*\):.*/\1/')" lo
}

@test "pid: an exec's is in the same namespaces" {
    runtime exec --detach --pid-file "$FILE_DIR/exec.pid" "$SHARED" sleep 1000 </dev/null >/dev/null 2>&1
    local kind pid
    pid=$(cat "$FILE_DIR/exec.pid")
    for kind in net mnt pid ipc uts; do same_namespace "$kind" "$PID" "$pid"; done
    kill -KILL "$pid"
    wait_until 10 is_gone "$pid"
}

@test "pid: a create that fails leaves another's pid file alone" {
    bundle no-such-program
    echo 1 >"$BUNDLE/pid"
    capture runtime create --bundle "$BUNDLE" --pid-file "$BUNDLE/pid" "${PREFIX}fails" </dev/null
    assert_failed
    assert_equal "$(cat "$BUNDLE/pid")" 1
}

# receive_pidfd: a receiver at BUNDLE/pidfd.sock; what it says goes to BUNDLE/pidfd.
receive_pidfd() {
    rm -f "$BUNDLE/pidfd.sock"
    "$(program pidfd)" "$BUNDLE/pidfd.sock" >"$BUNDLE/pidfd" <&0 3>&- &
    RECEIVER=$!
    wait_until 10 test -S "$BUNDLE/pidfd.sock"
}

@test "pidfd socket: gets a pidfd of the reported pid, of create, exec and run" {
    only_runvm "runc has it since 1.2"
    bundle sh -c "$FOREVER"
    receive_pidfd
    create_container "$ID" --pidfd-socket "$BUNDLE/pidfd.sock"
    wait_until 20 grep -qx "pid $(pid_of "$ID")" "$BUNDLE/pidfd"
    runtime start "$ID"
    kill -0 "$RECEIVER"
    runtime kill "$ID" KILL
    wait "$RECEIVER"
    assert_equal "$(tail -n 1 "$BUNDLE/pidfd")" ended
    runtime delete "$ID"

    receive_pidfd
    capture runtime run --detach --bundle "$BUNDLE" --pid-file "$BUNDLE/pid" --pidfd-socket "$BUNDLE/pidfd.sock" "$ID" </dev/null
    assert_success
    wait_until 20 grep -qx "pid $(cat "$BUNDLE/pid")" "$BUNDLE/pidfd"
    kill "$RECEIVER"

    receive_pidfd
    runtime exec --detach --pid-file "$BUNDLE/exec.pid" --pidfd-socket "$BUNDLE/pidfd.sock" "$ID" sleep 1000 \
        </dev/null >/dev/null 2>&1
    wait_until 20 grep -qx "pid $(cat "$BUNDLE/exec.pid")" "$BUNDLE/pidfd"
    kill -KILL "$(cat "$BUNDLE/exec.pid")"
    wait "$RECEIVER"
    assert_equal "$(tail -n 1 "$BUNDLE/pidfd")" ended
}

@test "pidfd socket: that nobody listens on fails the command, and nothing is left" {
    only_runvm "runc has it since 1.2"
    bundle true
    capture runtime create --bundle "$BUNDLE" --pidfd-socket "$BUNDLE/none.sock" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains "$BUNDLE/none.sock"
    assert_stderr_blames_nobody
    assert_gone "$ID"
    capture runtime exec --detach --pidfd-socket "$BUNDLE/none.sock" "$SHARED" sleep 1000 </dev/null
    assert_status 255
    assert_stderr_contains "$BUNDLE/none.sock"
    assert_stderr_blames_nobody
    no_sleep() { ! runtime exec "$SHARED" ps -o args | grep -q 'sleep 1000'; }
    wait_until 20 no_sleep
}

@test "pid: is gone with the container" {
    runtime kill "$SHARED" KILL
    wait_until 20 is_gone "$PID"
    wait_status "$SHARED" stopped 5
}

@test "no leak" { assert_no_leak "$SHARED"; }
