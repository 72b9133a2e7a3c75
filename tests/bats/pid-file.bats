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

@test "pid: is gone with the container" {
    runtime kill "$SHARED" KILL
    wait_until 20 is_gone "$PID"
    wait_status "$SHARED" stopped 5
}

@test "no leak" { assert_no_leak "$SHARED"; }
