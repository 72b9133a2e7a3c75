#!/usr/bin/env bats
# cmake --install: the usual layout below a prefix, which works wherever that is.

load lib/common

setup_file() {
    file_begin
    cmake --install "$(dirname "$RUNTIME")/.." --prefix "$FILE_DIR/usr" >"$FILE_DIR/install.log"
}

setup() {
    only_runvm
    ID=$PREFIX$BATS_TEST_NUMBER
    RUNTIME=$FILE_DIR/usr/bin/runvm
}

@test "install: the layout" {
    local file
    for file in bin/runvm libexec/runvm/runvm-monitor libexec/runvm/runvm-reaper libexec/runvm/runvm-shim \
        share/runvm/vmlinux share/runvm/initrd.img etc/runvm/config.toml share/man/man8/runvm.8 \
        share/man/man8/runvm-create.8 share/bash-completion/completions/runvm share/zsh/site-functions/_runvm \
        share/fish/vendor_completions.d/runvm.fish; do
        [[ -s $FILE_DIR/usr/$file ]] || fail "no $file"
    done
}

@test "install: a container runs with the installed files alone" {
    capture "$RUNTIME" check --json
    assert_success
    assert_equal "$(jq -r '.[] | select(.name == "programs") | .detail' <<<"$STDOUT")" "$FILE_DIR/usr/libexec/runvm"
    bundle sh -c 'echo installed; exit 7'
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_status 7
    assert_stdout installed
}

@test "install: the installed configuration is read" {
    echo '[hypervisor]' >"$FILE_DIR/usr/etc/runvm/config.toml"
    echo 'vcpus = 0' >>"$FILE_DIR/usr/etc/runvm/config.toml"
    bundle true
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains "$FILE_DIR/usr/etc/runvm/config.toml:2: hypervisor.vcpus"
}

@test "no leak" { assert_no_leak; }
