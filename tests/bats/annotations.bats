#!/usr/bin/env bats
# Annotations that set keys of the configuration.

load lib/common

# config_allowing KEY...: a configuration file for this test.
config_allowing() {
    local keys
    keys=$(printf '"%s",' "$@")
    echo "annotations.allowed = [${keys%,}]" >"$FILE_DIR/config.toml"
    RUNTIME_GLOBALS="--config $FILE_DIR/config.toml"
}

setup() {
    only_runvm
    ID=$PREFIX$BATS_TEST_NUMBER
}

@test "annotations: a container gets the machine that it asks for" {
    config_allowing hypervisor.vcpus hypervisor.memory_mib
    bundle sh -c 'nproc; grep MemTotal /proc/meminfo | tr -dc 0-9'
    edit '.annotations = {"io.runvm.config.hypervisor.vcpus": "2", "io.runvm.config.hypervisor.memory_mib": "512"}'
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_success
    assert_equal "$(head -n 1 <<<"$STDOUT")" 2
    (($(tail -n 1 <<<"$STDOUT") < 512 * 1024)) || fail "the guest has more than 512 MiB: $STDOUT"
}

@test "annotations: what the file does not allow is refused, and nothing is left" {
    config_allowing hypervisor.vcpus
    bundle true
    edit '.annotations = {"io.runvm.config.hypervisor.kernel": "/etc/passwd"}'
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains "annotation io.runvm.config.hypervisor.kernel: the configuration does not allow it"
    assert_gone "$ID"
}

@test "annotations: a bad value is refused as in the file" {
    config_allowing hypervisor.vcpus
    bundle true
    edit '.annotations = {"io.runvm.config.hypervisor.vcpus": "many"}'
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains 'allowed: an integer from 1 to 240'
    assert_gone "$ID"
}

@test "annotations: by default none is allowed" {
    bundle true
    edit '.annotations = {"io.runvm.config.hypervisor.vcpus": "2"}'
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains "annotations.allowed has no key"
}

@test "no leak" { assert_no_leak; }
