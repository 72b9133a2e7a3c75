#!/usr/bin/env bats
# Guests that do not become ready: an error that names the step and shows the end of the console, in time, and
# nothing left.

load ../bats/lib/common
load lib/faults

setup_file() {
    file_begin
    is_runc && return
    SHARE=$(dirname "$RUNTIME")/../share/runvm
    GUEST=$(program guest -static)
    export SHARE GUEST
}

# configure LINE...: the file given with --config; boot_timeout_ms is generous enough for the guest to come to its init.
configure() {
    printf '%s\n' '[hypervisor]' 'boot_timeout_ms = 10000' "$@" >"$BUNDLE/config.toml"
    RUNTIME_GLOBALS="--config $BUNDLE/config.toml"
}

# image_with_init: BUNDLE/initrd.img is the guest's with another /init: the later archive wins.
image_with_init() {
    mkdir "$BUNDLE/image"
    cp "$GUEST" "$BUNDLE/image/init"
    cp "$SHARE/initrd.img" "$BUNDLE/initrd.img"
    (cd "$BUNDLE/image" && echo init | cpio --create --quiet --format=newc --owner=+0:+0) >>"$BUNDLE/initrd.img"
}

# assert_create_fails: within the boot's time-out and some more.
assert_create_fails() {
    local begin=$SECONDS
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    echo "after $((SECONDS - begin)) s: $STDERR" >&2
    assert_status 1
    ((SECONDS - begin < 30)) || fail "took $((SECONDS - begin)) s"
    assert_stderr_blames_nobody
    assert_gone "$ID"
    wait_until 10 no_helper
    capture runtime delete --force "$ID"
    assert_success
    assert_no_leak
}

@test "a kernel file that is not there" {
    bundle true
    configure "kernel = \"$BUNDLE/no-such-kernel\""
    assert_create_fails
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_stderr_contains "$BUNDLE/no-such-kernel"
}

@test "an image that is not there" {
    bundle true
    configure "image = \"$BUNDLE/no-such-image\""
    assert_create_fails
}

@test "a kernel file of garbage" {
    bundle true
    head -c 1000000 /dev/urandom >"$BUNDLE/garbage"
    configure "kernel = \"$BUNDLE/garbage\""
    assert_create_fails
}

@test "an image of garbage" {
    bundle true
    head -c 1000000 /dev/urandom >"$BUNDLE/garbage"
    configure "image = \"$BUNDLE/garbage\""
    assert_create_fails
    # The kernel says on the console what it thinks of it.
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_stderr_contains panic
}

@test "a guest that never boots" {
    bundle true
    cc -m32 -nostdlib -static -Wl,-Ttext=0x200000,--build-id=none -o "$BUNDLE/hang" \
        "$REPOSITORY/tests/programs/hang.S"
    configure "kernel = \"$BUNDLE/hang\""
    assert_create_fails
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_stderr_contains boot
}

# hang_create: starts a create, whose pid is then CREATOR, that waits for a guest which never boots.
hang_create() {
    bundle true
    cc -m32 -nostdlib -static -Wl,-Ttext=0x200000,--build-id=none -o "$BUNDLE/hang" \
        "$REPOSITORY/tests/programs/hang.S"
    printf '%s\n' '[hypervisor]' 'boot_timeout_ms = 120000' "kernel = \"$BUNDLE/hang\"" >"$BUNDLE/config.toml"
    RUNTIME_GLOBALS="--config $BUNDLE/config.toml"
    # shellcheck disable=SC2086
    "$RUNTIME" --root "$ROOT" $RUNTIME_GLOBALS "$@" --bundle "$BUNDLE" "$ID" </dev/null >"$BUNDLE/stdout" 2>"$BUNDLE/stderr" 3>&- &
    CREATOR=$!
    wait_until 30 qemu_runs
}

qemu_runs() { [[ -n $(qemu_pids) ]]; }

@test "a boot that hangs can be interrupted" {
    local command status
    for command in create run; do
        hang_create "$command"
        kill -TERM "$CREATOR"
        status=0
        wait "$CREATOR" || status=$?
        assert_equal "$status" 1
        grep -q 'interrupted by SIGTERM' "$BUNDLE/stderr"
        assert_gone "$ID"
        wait_until 10 no_helper
        assert_no_leak
    done
}

@test "delete --force ends a boot that hangs" {
    hang_create create
    capture runtime delete --force "$ID"
    assert_success
    assert_gone "$ID"
    local status=0
    wait "$CREATOR" || status=$?
    assert_equal "$status" 1
    wait_until 10 no_helper
}

@test "a guest that boots and never answers" {
    bundle true
    image_with_init
    configure "image = \"$BUNDLE/initrd.img\"" 'kernel_command_line = "guest=sleep"'
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains boot
    # The console's last lines.
    assert_stderr_contains "this init never answers"
    assert_create_fails
}

@test "a guest that answers garbage and then nothing" {
    bundle true
    image_with_init
    configure "image = \"$BUNDLE/initrd.img\"" 'kernel_command_line = "guest=babble"'
    assert_create_fails
}

@test "a guest that floods" {
    bundle true
    image_with_init
    configure "image = \"$BUNDLE/initrd.img\"" 'kernel_command_line = "guest=flood"'
    runtime create --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 &
    local creator=$! pid most_kib=0 now_kib
    while kill -0 "$creator" 2>/dev/null; do
        for pid in $(monitor_pids); do
            now_kib=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status" 2>/dev/null) || true
            if ((${now_kib:-0} > most_kib)); then most_kib=$now_kib; fi
        done
        sleep 0.5
    done
    wait "$creator" || true
    echo "the monitor's largest size: $most_kib KiB" >&2
    # It must not gather what the guest sends.
    ((most_kib < 150000))
    assert_create_fails
}

@test "a guest that echoes" {
    bundle true
    image_with_init
    configure "image = \"$BUNDLE/initrd.img\"" 'kernel_command_line = "guest=echo"'
    assert_create_fails
}

@test "a guest that ends at once" {
    bundle true
    configure 'kernel_command_line = "rdinit=/no/such/init"'
    assert_create_fails
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_stderr_contains "the machine ended"
    # It ended because the guest did, and says nothing of the daemon that ends with it.
    [[ $STDERR != *"virtiofsd has ended"* ]]
}

@test "QEMU that is not there" {
    bundle true
    configure "emulator = \"$BUNDLE/no-such-qemu\""
    assert_create_fails
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_stderr_contains "$BUNDLE/no-such-qemu"
}

@test "virtiofsd that ends at once" {
    bundle true
    configure '[shared_fs]' 'daemon = "/bin/false"'
    assert_create_fails
}

@test "no leak" { assert_no_leak; }
