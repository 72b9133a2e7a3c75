#!/usr/bin/env bats
# check: what this machine can do, and the next step where it cannot.

load lib/common

setup() { only_runvm; }

# configured LINE...: the checks with a configuration file of these lines.
configured() {
    printf '%s\n' "$@" >"$FILE_DIR/config.toml"
    capture "$RUNTIME" --config "$FILE_DIR/config.toml" --root "$ROOT" check --json
}

# finding NAME KEY: what the last --json said.
finding() { jq -r --arg name "$1" --arg key "$2" '.[] | select(.name == $name) | .[$key]' <<<"$STDOUT"; }

@test "check: a machine that runs these tests passes" {
    capture "$RUNTIME" --root "$ROOT" check
    assert_success
    assert_equal "$STDERR" ""
    local name
    for name in accelerator qemu libvirt virtiofsd vsock kernel image cgroup; do
        grep -Eq "^(ok|warn) +$name " <<<"$STDOUT" || fail "no line about $name"
    done
}

@test "check: the same as JSON" {
    capture "$RUNTIME" --root "$ROOT" check --json
    assert_success
    jq -e 'length > 10 and all(.[]; (.name | length > 0) and (.status | IN("ok", "warn", "fail")) and has("detail"))' \
        <<<"$STDOUT"
    # Each that is not well has a next step.
    jq -e 'all(.[]; .status == "ok" or (.next_step | length > 0))' <<<"$STDOUT"
}

@test "check: the accelerator is the one that containers get" {
    capture "$RUNTIME" --root "$ROOT" check --json
    local accelerator
    accelerator=$(finding accelerator detail)
    bundle sleep 1000
    run_forever "$PREFIX$BATS_TEST_NUMBER"
    if tr '\0' '\n' <"/proc/$(qemu_pids | head -n 1)/cmdline" | grep -q '^kvm'; then
        assert_matches "$accelerator" '^kvm'
    else
        assert_matches "$accelerator" '^tcg'
    fi
    runtime delete --force "$PREFIX$BATS_TEST_NUMBER"
}

@test "check: a kernel that is missing" {
    configured '[hypervisor]' 'kernel = "/no/such/vmlinux"'
    assert_status 1
    assert_equal "$(finding kernel status)" fail
    assert_matches "$(finding kernel detail)" /no/such/vmlinux
    assert_not_equal "$(finding kernel next_step)" ""
}

@test "check: QEMU that is missing" {
    configured '[hypervisor]' 'emulator = "/no/such/qemu"'
    assert_status 1
    assert_equal "$(finding qemu status)" fail
}

@test "check: virtiofsd that is missing" {
    configured '[shared_fs]' 'daemon = "/no/such/virtiofsd"'
    assert_status 1
    assert_equal "$(finding virtiofsd status)" fail
}

@test "check: a configuration that cannot be read does not hide the rest" {
    configured '[hypervisor]' 'vcpus = "two"'
    assert_status 1
    assert_equal "$(finding config status)" fail
    assert_matches "$(finding config detail)" 'config.toml:2: hypervisor.vcpus'
    assert_equal "$(finding libvirt status)" ok
}

@test "check: leaves nothing" {
    capture "$RUNTIME" --root "$ROOT/not/there/yet" check
    assert_success
    [[ ! -e $ROOT/not ]]
}

@test "no leak" { assert_no_leak; }
