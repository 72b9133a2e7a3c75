#!/usr/bin/env bats
# Device nodes: the default ones, linux.devices, and the rules of linux.resources.devices.

load lib/common

setup_file() {
    file_begin
    SHARED=${PREFIX}shared
    bundle sh -c "$FOREVER"
    own_rootfs
    edit '.linux.devices = [
            {path: "/dev/mine", type: "c", major: 1, minor: 5, fileMode: 432, uid: 3, gid: 4},
            {path: "/dev/below/a/pipe", type: "p", fileMode: 384},
            {path: "/dev/plain", type: "u", major: 1, minor: 3},
            {path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 438},
            {path: "/dev/zero", type: "c", major: 1, minor: 5, fileMode: 384, uid: 7, gid: 8}]
        | .linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 1, minor: 5, access: "rwm"},
            {allow: true, type: "c", major: 10, minor: 229, access: "r"}]
        | (.process.capabilities | .bounding, .effective, .permitted) += ["CAP_MKNOD", "CAP_DAC_OVERRIDE"]'
    run_until_ready "$SHARED"
    export SHARED BUNDLE
}

inside() { runtime exec "$SHARED" sh -c "$1"; }

@test "devices: the default nodes and links" {
    capture inside 'cd /dev; stat -c "%n %F %a %u:%g %t:%T" null full random urandom tty
        for link in fd stdin stdout stderr ptmx; do echo "$link $(readlink $link)"; done'
    assert_stdout 'null character special file 666 0:0 1:3
full character special file 666 0:0 1:7
random character special file 666 0:0 1:8
urandom character special file 666 0:0 1:9
tty character special file 666 0:0 5:0
fd /proc/self/fd
stdin /proc/self/fd/0
stdout /proc/self/fd/1
stderr /proc/self/fd/2
ptmx pts/ptmx'
    # None of the host's or of the guest's besides.
    assert_equal "$(inside 'find /dev -type b | wc -l')" 0
}

@test "devices: the default ones work" {
    capture inside 'echo x >/dev/null; wc -c </dev/null; head -c 4 /dev/zero | wc -c; head -c 8 /dev/urandom | wc -c
        echo over >/dev/stdout; echo x >/dev/full'
    assert_stdout $'0\n4\n8\nover'
    assert_stderr_contains "No space left on device"
}

@test "devices: linux.devices with modes and owners, over a default one too" {
    capture inside 'cd /dev; stat -c "%n %F %a %u:%g %t:%T" mine below/a/pipe plain zero; head -c 3 mine | wc -c; echo x >plain'
    assert_success
    assert_stdout 'mine character special file 660 3:4 1:5
below/a/pipe fifo 600 0:0 0:0
plain character special file 666 0:0 1:3
zero character special file 600 7:8 1:5
3'
}

@test "devices: what no rule allows cannot be opened, whatever node is made" {
    capture inside 'cd /dev; mknod loop-control c 10 237 && mknod loop b 7 0 && echo made
        for node in /dev/loop-control /dev/loop; do (: <$node); done; rm /dev/loop-control /dev/loop'
    assert_stdout made
    assert_stderr_contains "/dev/loop-control: Operation not permitted"
    assert_stderr_contains "/dev/loop: Operation not permitted"
}

@test "devices: a rule's access is all that it allows" {
    capture inside '(: </dev/fuse) && echo read; (: >/dev/fuse) || echo "not written"'
    assert_stdout $'read\nnot written'
    assert_stderr_contains "/dev/fuse: Operation not permitted"
}

@test "devices: a device of the host is refused, and left out of a privileged container's" {
    only_runvm "a host's device is in reach of runc"
    local device major minor
    # One that no guest has: the first of the host's that is no memory, terminal or misc device. (Disks: block-devices.bats.)
    for device in /sys/dev/char/*; do
        IFS=: read -r major minor <<<"${device##*/}"
        case $device in
        */block/7:* | */char/1:* | */char/5:* | */char/10:* | */char/136:*) ;;
        *) break ;;
        esac
    done
    local type=c
    bundle sh -c 'ls /dev/of-host; ls /dev/fuse; mknod /dev/log c 1 11; (: </dev/log) && echo opened'
    own_rootfs
    edit '.linux.devices = [{path: "/dev/of-host", type: $type, major: $major, minor: $minor, fileMode: 438},
            {path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 438}]
        | .process.capabilities |= map_values(. + ["CAP_MKNOD", "CAP_SYSLOG"])' \
        --arg type "$type" --argjson major "$major" --argjson minor "$minor"
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains "linux.devices[0]: /dev/of-host is a device of the host, which a container in a VM cannot reach; remove it"
    assert_stderr_blames_nobody
    assert_gone "$ID"
    # Docker lists every device of the host for a privileged one.
    edit '.linux.resources.devices = [{allow: true, access: "rwm"}]'
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout $'/dev/fuse\nopened'
    assert_stderr_contains "/dev/of-host: No such file"
}

@test "devices: values that cannot be are refused by name, and nothing is left" {
    only_runvm "its own words"
    assert_each_refused . .linux <<'END'
.devices = [{path: "dev/x", type: "c", major: 1, minor: 3}]|.devices[0].path: found "dev/x"; an absolute path is expected
.devices = [{path: "/dev/x", type: "x", major: 1, minor: 3}]|.devices[0].type: found "x"; allowed are c, u, b, p
.devices = [{path: "/dev/x", type: "c", major: 5000, minor: 3}]|.devices[0].major: found 5000; a whole number from 0 to 4095 is allowed
.resources.devices = [{allow: true, type: "x", access: "r"}]|.resources.devices[0].type: found "x"; allowed are a, b, c
.resources.devices = [{allow: true, access: "rx"}]|.resources.devices[0].access: found "rx"; allowed are the letters r, w, m
.resources.devices = [{allow: true, access: ""}]|.resources.devices[0].access: device access cannot be empty
END
}

@test "no leak" { assert_no_leak "$SHARED"; }
