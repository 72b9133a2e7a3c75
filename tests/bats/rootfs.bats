#!/usr/bin/env bats
# The root filesystem. Bind mounts are in mounts.bats.

load lib/common

@test "rootfs: read-only" {
    bundle sh -c 'touch /x; echo $?; echo x >/etc/passwd; echo $?; mkdir /proc/x 2>/dev/null; touch /dev/shm/ok && echo shm'
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_success
    assert_stdout $'1\n1\nshm'
    assert_stderr_contains "Read-only file system"
    [[ ! -e $ROOTFS/x ]]
}

@test "rootfs: writable, and what is written is on the host with its owner and mode" {
    bundle sh -c 'echo text >/file; chmod 640 /file; chown 7:8 /file; mkdir /folder; ln -s target /link; mknod /fifo p
        echo more >>/etc/passwd; rm /etc/group; mv /tmp /moved; sync'
    own_rootfs
    edit '(.process.capabilities | .bounding, .effective, .permitted) += ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_MKNOD"]'
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_success
    assert_equal "$STDERR" ""
    cd "$BUNDLE/rootfs"
    assert_equal "$(cat file)" text
    assert_equal "$(stat -c '%a %u %g' file)" "640 7 8"
    [[ -d folder && -p fifo && ! -e etc/group && -d moved && ! -e tmp ]]
    assert_equal "$(readlink link)" target
    assert_equal "$(tail -1 etc/passwd)" more
}

@test "rootfs: what the host changes is seen inside" {
    bundle sh -c 'echo ready; while [ ! -e /go ]; do sleep 0.1; done; cat /go'
    own_rootfs
    run_until_ready "$ID"
    echo went >"$BUNDLE/rootfs/go.new"
    mv "$BUNDLE/rootfs/go.new" "$BUNDLE/rootfs/go"
    wait_status "$ID" stopped
    assert_equal "$(tail -1 "$BUNDLE/stdout")" went
}

@test "rootfs: a symlink in it does not lead out" {
    bundle sh -c 'cat /mountpoint/file; ls /etc/leak'
    own_rootfs
    mkdir "$BUNDLE/data" "$BUNDLE/outside"
    echo inside >"$BUNDLE/data/file"
    ln -s "/../../../..$BUNDLE/outside" "$BUNDLE/rootfs/mountpoint"
    edit '.mounts += [{destination: "/mountpoint", type: "bind", source: "data", options: ["bind"]}]'
    capture runtime run --bundle "$BUNDLE" "$ID"
    # It is resolved inside the rootfs, and not mounted on the host's folder.
    assert_status 1 # ls's
    assert_stdout inside
    assert_equal "$(ls "$BUNDLE/outside")" ""
}

@test "rootfs: a link in /dev that is there stays, and is not written through" {
    bundle true
    own_rootfs
    mkdir -p "$BUNDLE/rootfs/dev" "$BUNDLE/rootfs/etc"
    ln -s /etc/target "$BUNDLE/rootfs/dev/stdin"
    # Twice: the first run leaves links that lead into a /proc which is not mounted the second time.
    edit '.mounts |= map(select(.destination | startswith("/dev") | not))'
    local run
    for run in 1 2; do
        capture runtime run --bundle "$BUNDLE" "$ID"
        assert_success
    done
    [[ ! -L $BUNDLE/rootfs/etc/target ]]
    assert_equal "$(readlink "$BUNDLE/rootfs/dev/stdin")" /etc/target
}

@test "rootfs: mounts below it are part of it" {
    bundle sh -c 'cat /below/file; echo w >/below/written'
    own_rootfs
    mkdir "$BUNDLE/rootfs/below"
    mount -t tmpfs tmpfs "$BUNDLE/rootfs/below"
    echo submount >"$BUNDLE/rootfs/below/file"
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_success
    assert_stdout submount
    assert_equal "$(cat "$BUNDLE/rootfs/below/written")" w
    umount "$BUNDLE/rootfs/below"
}

@test "rootfs: two containers with one rootfs at once" {
    bundle sh -c "echo one >/one; $FOREVER"
    own_rootfs
    local first=$BUNDLE
    run_detached "$ID-1"
    bundle sh -c "echo two >/two; $FOREVER"
    edit '.root = {path: $path, readonly: false}' --arg path "$first/rootfs"
    run_detached "$ID-2"
    wait_until 20 grep -q ready "$BUNDLE/stdout"
    wait_until 20 grep -q ready "$first/stdout"
    [[ -e $first/rootfs/one && -e $first/rootfs/two ]]
    runtime exec "$ID-1" cat /two
}

@test "rootfs: nothing in it is changed by running" {
    # Mount points that exist are left alone, and none is left over.
    bundle true
    own_rootfs
    (cd "$BUNDLE/rootfs" && find . -printf '%p %y %m %u %g\n' | sort) >"$BUNDLE/before"
    runtime run --bundle "$BUNDLE" "$ID" </dev/null
    (cd "$BUNDLE/rootfs" && find . -printf '%p %y %m %u %g\n' | sort) >"$BUNDLE/after"
    diff "$BUNDLE/before" "$BUNDLE/after" >&2
}

@test "no leak" { assert_no_leak; }
