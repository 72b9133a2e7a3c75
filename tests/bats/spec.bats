#!/usr/bin/env bats
# spec: a config.json to begin with.

load lib/common

spec_in() { (cd "$1" && "$RUNTIME" spec "${@:2}"); }

@test "spec: writes config.json into the current folder" {
    mkdir "$FILE_DIR/here"
    capture spec_in "$FILE_DIR/here"
    assert_success
    assert_equal "$STDOUT$STDERR" ""
    jq -e '.process.args == ["sh"] and .process.terminal and .root == {path: "rootfs", readonly: true} and
           .process.cwd == "/" and .process.noNewPrivileges' "$FILE_DIR/here/config.json"
}

@test "spec: --bundle" {
    mkdir "$FILE_DIR/there"
    "$RUNTIME" spec --bundle "$FILE_DIR/there"
    jq -e .ociVersion "$FILE_DIR/there/config.json"
    mkdir "$FILE_DIR/short"
    "$RUNTIME" spec -b "$FILE_DIR/short"
    [[ -f $FILE_DIR/short/config.json ]]
}

@test "spec: has what runc's has" {
    if ! command -v runc >/dev/null; then skip "runc is not installed"; fi
    mkdir "$FILE_DIR/runc" "$FILE_DIR/ours"
    runc spec --bundle "$FILE_DIR/runc"
    "$RUNTIME" spec --bundle "$FILE_DIR/ours"
    local same='del(.ociVersion, .hostname) | .linux.namespaces |= sort_by(.type) | .linux.namespaces |= map(select(.type != "cgroup")) |
        .linux.maskedPaths |= sort | del(.linux.maskedPaths[] | select(. == "/sys/devices/virtual/powercap"))'
    assert_equal "$(jq -S "$same" "$FILE_DIR/ours/config.json")" "$(jq -S "$same" "$FILE_DIR/runc/config.json")"
}

@test "spec: does not overwrite" {
    mkdir "$FILE_DIR/taken"
    echo mine >"$FILE_DIR/taken/config.json"
    capture spec_in "$FILE_DIR/taken"
    assert_status 1
    assert_stderr_contains "config.json"
    assert_equal "$(cat "$FILE_DIR/taken/config.json")" mine
}

@test "spec: a folder that is not there, and wrong usage" {
    capture "$RUNTIME" spec --bundle "$FILE_DIR/none"
    assert_status 1
    capture "$RUNTIME" spec more
    assert_status 1
}

@test "spec: what it writes runs" {
    BUNDLE=$FILE_DIR/bundles/fresh
    mkdir "$BUNDLE"
    "$RUNTIME" spec --bundle "$BUNDLE"
    cp -a "$ROOTFS" "$BUNDLE/rootfs"
    edit '.process.terminal = false | .process.args = ["sh", "-c", "hostname; id -u; touch /x"]'
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stdout "$NAME"$'\n0'
    assert_stderr_contains "Read-only file system"
}

@test "no leak" { assert_no_leak; }
