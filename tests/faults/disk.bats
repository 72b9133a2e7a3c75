#!/usr/bin/env bats
# A full disk and a read-only folder below --root.

load ../bats/lib/common
load lib/faults

setup() {
    only_runvm
    ID=$PREFIX$BATS_TEST_NUMBER
    mkdir -p "$ROOT"
    mount -t tmpfs -o size=1m,mode=700 tmpfs "$ROOT"
}

teardown() {
    mountpoint -q "$ROOT" || return 0
    mount -o remount,rw "$ROOT"
    rm -f "$ROOT/fill"
    remove_containers "$PREFIX*"
    umount "$ROOT"
}

# fill_disk FREE_KIB: leaves that much.
fill_disk() {
    dd if=/dev/zero of="$ROOT/fill" bs=1k status=none 2>/dev/null || true
    truncate -s "-$(($1))K" "$ROOT/fill"
}

@test "full disk: create fails, says why and leaves nothing" {
    bundle sh -c "$FOREVER"
    local free_kib
    for free_kib in 0 4 8 12; do
        fill_disk "$free_kib"
        capture runtime create --bundle "$BUNDLE" --pid-file "$BUNDLE/pid" "$ID" </dev/null
        echo "with $free_kib KiB free: $STATUS $STDERR" >&2
        # With some room it may succeed: then it is whole.
        if ((STATUS == 0)); then
            assert_equal "$(status_of "$ID")" created
        else
            assert_status 1
            assert_stderr_contains "o space left on device"
            wait_until 10 no_helper
        fi
        capture runtime delete --force "$ID"
        assert_success
        assert_gone "$ID"
        rm "$ROOT/fill"
    done
    wait_until 10 no_helper
    # And once there is room it works.
    create_container "$ID"
}

@test "full disk: a container that is there can be listed, started, killed and deleted" {
    bundle sh -c "$FOREVER"
    create_container "$ID"
    fill_disk 0
    assert_equal "$(status_of "$ID")" created
    capture runtime list
    assert_success
    capture runtime start "$ID"
    if ((STATUS == 0)); then wait_until 20 grep -q ready "$BUNDLE/stdout"; fi
    capture runtime exec "$ID" echo hi
    assert_success
    assert_stdout hi
    capture runtime kill "$ID" KILL
    assert_success
    wait_status "$ID" stopped
    capture runtime delete "$ID"
    assert_success
    assert_gone "$ID"
}

@test "full disk: the pid file" {
    bundle sh -c "$FOREVER"
    mkdir "$BUNDLE/small"
    mount -t tmpfs -o size=4k tmpfs "$BUNDLE/small"
    dd if=/dev/zero of="$BUNDLE/small/fill" bs=1k status=none 2>/dev/null || true
    capture runtime create --bundle "$BUNDLE" --pid-file "$BUNDLE/small/pid" "$ID" </dev/null
    umount "$BUNDLE/small"
    assert_status 1
    assert_stderr_contains pid
    assert_gone "$ID"
    wait_until 10 no_helper
}

@test "read-only root: create fails with a sentence" {
    mount -o remount,ro "$ROOT"
    bundle sh -c "$FOREVER"
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains "$ROOT"
    capture runtime delete --force "$ID"
    assert_success
    capture runtime list
    assert_success
}

@test "read-only root: what is there can be asked, and deleted later" {
    bundle sh -c "$FOREVER"
    run_detached "$ID"
    wait_until 20 grep -q ready "$BUNDLE/stdout"
    # On top, because the monitor has its log open for writing below.
    mount --bind "$ROOT" "$ROOT"
    mount -o remount,bind,ro "$ROOT"
    assert_equal "$(status_of "$ID")" running
    capture runtime exec "$ID" echo hi
    assert_stdout hi
    capture runtime kill "$ID" KILL
    assert_success
    wait_status "$ID" stopped
    capture runtime delete "$ID"
    assert_failed
    umount "$ROOT"
    capture runtime delete --force "$ID"
    assert_success
    assert_gone "$ID"
}

@test "no leak" {
    umount "$ROOT"
    assert_no_leak
}
