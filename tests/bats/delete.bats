#!/usr/bin/env bats
# delete: nothing of the container is left when it returns.

load lib/common

@test "delete: a stopped container, and its id can be used again" {
    bundle true
    run_detached "$ID"
    wait_status "$ID" stopped
    capture runtime delete "$ID"
    assert_success
    assert_equal "$STDOUT$STDERR" ""
    assert_gone "$ID"
    capture runtime delete "$ID"
    assert_status 1
    assert_stderr_contains "container does not exist"
    create_container "$ID"
}

@test "delete: a created container" {
    bundle sh -c "$FOREVER"
    create_container "$ID"
    local pid
    pid=$(pid_of "$ID")
    capture runtime delete "$ID"
    assert_success
    assert_gone "$ID"
    wait_until 10 is_gone "$pid"
}

@test "delete: a running container is refused, delete --force ends it" {
    run_forever "$ID"
    local pid
    pid=$(pid_of "$ID")
    capture runtime delete "$ID"
    assert_status 1
    assert_stderr_contains "cannot delete container $ID that is not stopped: running"
    assert_equal "$(status_of "$ID")" running
    capture runtime delete --force "$ID"
    assert_success
    assert_equal "$STDOUT$STDERR" ""
    assert_gone "$ID"
    wait_until 10 is_gone "$pid"
    capture runtime delete -f "$ID"
    assert_success
}

@test "delete: --force of what does not exist is silent" {
    capture runtime delete --force "$ID"
    assert_success
    assert_equal "$STDOUT$STDERR" ""
}

@test "delete: two at once" {
    run_forever "$ID"
    local first second
    runtime delete --force "$ID" 2>"$BUNDLE/delete.1" &
    first=$!
    runtime delete --force "$ID" 2>"$BUNDLE/delete.2" &
    second=$!
    wait "$first"
    wait "$second"
    assert_gone "$ID"
}

@test "delete: nothing holds the rootfs afterwards" {
    # Podman deletes first and unmounts then.
    bundle sh -c "$FOREVER"
    mkdir "$BUNDLE/mounted"
    mount -t tmpfs tmpfs "$BUNDLE/mounted"
    cp -a "$ROOTFS/." "$BUNDLE/mounted"
    edit '.root = {path: "mounted"}'
    run_until_ready "$ID"
    runtime kill "$ID" KILL
    wait_status "$ID" stopped
    runtime delete "$ID"
    # Not lazily: this fails with "target is busy" if any process holds it.
    umount "$BUNDLE/mounted"
}

@test "delete: --force clears a file that stands where a container's folder would" {
    only_runvm "of runvm's root"
    mkdir -p "$ROOT"
    echo 'not a container' >"$ROOT/$ID"
    capture runtime state "$ID"
    assert_status 1
    capture runtime delete "$ID"
    assert_status 1
    capture runtime delete --force "$ID"
    assert_success
    [[ ! -e $ROOT/$ID ]]
}

@test "delete: --force of what does not exist on a read-only filesystem is silent" {
    only_runvm "runc complains, and succeeds"
    mkdir "$FILE_DIR/read-only"
    mount -t tmpfs -o ro tmpfs "$FILE_DIR/read-only"
    capture "$RUNTIME" --root "$FILE_DIR/read-only" delete --force "$ID"
    umount "$FILE_DIR/read-only"
    assert_success
    assert_equal "$STDERR" ""
}

@test "delete: wrong usage" {
    capture runtime delete
    assert_status 1
    capture runtime delete "$ID" more
    assert_status 1
}

@test "no leak" { assert_no_leak; }
