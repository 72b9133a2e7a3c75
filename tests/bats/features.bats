#!/usr/bin/env bats
# features: what engines ask before they write a config.json.

load lib/common

@test "features: JSON on stdout and nothing on stderr" {
    capture "$RUNTIME" features
    assert_success
    assert_equal "$STDERR" ""
    jq -e 'type == "object"' <<<"$STDOUT"
}

@test "features: versions, namespaces, capabilities, mount options" {
    capture "$RUNTIME" features
    jq -e '(.ociVersionMin | test("^1\\.")) and (.ociVersionMax | test("^1\\."))' <<<"$STDOUT"
    jq -e '.linux.namespaces | contains(["ipc", "mount", "network", "pid", "uts"])' <<<"$STDOUT"
    jq -e '.linux.capabilities | contains(["CAP_SYS_ADMIN", "CAP_NET_RAW"])' <<<"$STDOUT"
    jq -e '.mountOptions | contains(["rbind", "ro", "nosuid", "noexec"])' <<<"$STDOUT"
    jq -e '.linux.seccomp.enabled == true' <<<"$STDOUT"
    jq -e '.linux.seccomp.actions | contains(["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"])' <<<"$STDOUT"
    jq -e '.linux.seccomp.archs | contains(["SCMP_ARCH_X86_64"])' <<<"$STDOUT"
    jq -e '.linux | has("cgroup") and has("apparmor") and has("selinux")' <<<"$STDOUT"
}

@test "features: globals before it do not matter" {
    capture "$RUNTIME" --root "$ROOT" --debug --log "$FILE_DIR/log" --log-format json --systemd-cgroup features
    assert_success
    jq -e .ociVersionMin <<<"$STDOUT"
}

@test "no leak" { assert_no_leak; }
