#!/usr/bin/env bats
# linux.devices that are disks of the host: they are disks of the virtual machine. A loop device that has a file is one.

load lib/common

setup_file() {
    file_begin
    DISK=$FILE_DIR/disk
    truncate -s 8M "$DISK"
    export DISK
    if LOOP=$(losetup --find --show "$DISK" 2>"$FILE_DIR/losetup"); then
        read -r MAJOR MINOR < <(stat -c '%Hr %Lr' "$LOOP")
    fi
    export LOOP MAJOR MINOR
}

teardown_file() {
    if [[ -n ${LOOP:-} ]]; then losetup --detach "$LOOP"; fi
    file_end
}

setup() {
    only_runvm "a host's device is in reach of runc"
    [[ -n $LOOP ]] || skip "no loop device can be made here: $(cat "$FILE_DIR/losetup")"
    ID=$PREFIX$BATS_TEST_NUMBER
}

# with_disk ACCESS: BUNDLE has it as /dev/mine, and may do this with it.
with_disk() {
    edit '.linux.devices = [{path: "/dev/mine", type: "b", major: $major, minor: $minor, fileMode: 432, uid: 3, gid: 4}]
        | .linux.resources.devices = [{allow: false, access: "rwm"},
            {allow: true, type: "b", major: $major, minor: $minor, access: $access}]
        | (.process.capabilities | .bounding, .effective, .permitted) += ["CAP_DAC_OVERRIDE"]' \
        --argjson major "$MAJOR" --argjson minor "$MINOR" --arg access "$1"
}

@test "block devices: read and written under the name that was asked for" {
    echo from-host >"$FILE_DIR/text"
    dd if="$FILE_DIR/text" of="$LOOP" conv=fsync 2>/dev/null
    bundle sh -c 'stat -c "%F %a %u:%g" /dev/mine; head -n 1 /dev/mine; wc -c </dev/mine
        echo from-guest | dd of=/dev/mine bs=4096 seek=1 conv=fsync,notrunc 2>/dev/null'
    with_disk rwm
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout $'block special file 660 3:4\nfrom-host\n8388608'
    assert_equal "$(dd if="$LOOP" iflag=direct bs=4096 skip=1 count=1 2>/dev/null | tr -d '\0')" from-guest
}

@test "block devices: what may only be read is read-only to the machine" {
    bundle sh -c 'cat /sys/block/*/ro; head -c 1 /dev/mine >/dev/null && echo read
        (echo x >/dev/mine) 2>&1 | sed "s/.*: //"'
    with_disk r
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout $'1\nread\nOperation not permitted'
}

@test "block devices: free again when the container is deleted" {
    bundle sh -c "$FOREVER"
    with_disk rwm
    run_until_ready "$ID"
    runtime exec "$ID" dd if=/dev/mine of=/dev/null bs=512 count=1 2>/dev/null
    local node
    node=$(stat -c %t:%T "/proc/$(qemu_pids)/root/dev/runvm-1")
    assert_equal "$node" "$(printf '%x:%x' "$MAJOR" "$MINOR")"
    runtime delete --force "$ID"
    wait_until 20 eval '[[ -z $(qemu_pids) ]]'
}

@test "block devices: what the host has mounted is refused, unless it is only read" {
    command -v mkfs.ext4 >/dev/null || skip "mkfs.ext4 is not installed"
    mkfs.ext4 -q -F "$LOOP"
    mkdir "$FILE_DIR/mounted"
    mount "$LOOP" "$FILE_DIR/mounted"
    bundle true
    with_disk rwm
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    local written=$STATUS message=$STDERR
    with_disk r
    capture runtime run --bundle "$BUNDLE" "$ID-read" </dev/null
    umount "$FILE_DIR/mounted"
    assert_success
    assert_equal "$written" 1
    assert_matches "$message" "give the machine /dev/mine: block device $MAJOR:$MINOR is in use .mounted"
    assert_gone "$ID"
}

@test "block devices: what a machine writes to, nobody else gets" {
    bundle sh -c "$FOREVER"
    with_disk rwm
    run_until_ready "$ID"
    if mount "$LOOP" /mnt 2>/dev/null; then
        umount /mnt
        fail "the host can mount it"
    fi
    bundle true
    with_disk rwm
    capture runtime run --bundle "$BUNDLE" "$ID-other" </dev/null
    assert_status 1
    assert_stderr_contains "is in use (mounted, part of another device, or another VM's)"
    runtime delete --force "$ID"
    capture runtime run --bundle "$BUNDLE" "$ID-other" </dev/null
    assert_success
}

@test "no leak" { assert_no_leak; }
