#!/usr/bin/env bats
# Long and odd paths: sockets must fit in the 108 bytes of a unix address, also below a long --root.

load lib/common

setup_file() {
    file_begin
    # 70 characters before the id, as containerd's /run/containerd/runc/<namespace>.
    local long=$FILE_DIR/
    while ((${#long} < 70)); do long+=r; done
    ROOT=$long
    export ROOT
}

@test "paths: a root of 70 characters and an id of 64" {
    assert_equal "${#ROOT}" 70
    local id=$ID-
    while ((${#id} < 64)); do id+=f; done
    run_forever "$id"
    capture runtime exec "$id" echo hi
    assert_stdout hi
    capture runtime kill "$id" TERM
    assert_success
    wait_status "$id" stopped
    assert_equal "$(runtime list -q)" "$id"
    runtime delete "$id"
}

@test "paths: a bundle with spaces and other characters, in a long path" {
    bundle sh -c 'echo hi'
    own_rootfs
    local odd="$FILE_DIR/bundles/a b,c=d'e\"f%s\\g&<h>é/"
    while ((${#odd} < 200)); do odd+=x; done
    mkdir -p "${odd%/*}"
    mv "$BUNDLE" "$odd"
    BUNDLE=$odd
    capture runtime run --bundle "$BUNDLE" --pid-file "$BUNDLE/pid file" "$ID"
    assert_success
    assert_stdout hi
}

@test "paths: a root that has to be made" {
    bundle true
    ROOT=$FILE_DIR/made/here
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_success
    rm -r "$FILE_DIR/made"
}

@test "no leak" { assert_no_leak; }
