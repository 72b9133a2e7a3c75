#!/usr/bin/env bats
# Machines of a libvirtd in place of the embedded driver: libvirt.uri.

load lib/common

# A libvirtd of this file's own: what it reads and writes below /run, /var and /etc are its own mounts, and only its sockets
# are the host's. libvirt-qemu, without which it does not start, is made by a package that also starts the machine's own
# libvirtd.
start_libvirtd() {
    mkdir "$LIBVIRT"
    printf 'unix_sock_dir = "%s"\nauth_unix_ro = "none"\nauth_unix_rw = "none"\nlog_outputs = "2:file:%s/log"\n' \
        "$LIBVIRT" "$LIBVIRT" >"$LIBVIRT/libvirtd.conf"
    # Without cgroup_controllers it makes cgroups "machine" on the host, which nobody removes. A /dev of QEMU's own cannot be
    # made where /dev/kvm is covered.
    printf '%s\n' 'stdio_handler = "file"' 'security_driver = "none"' 'cgroup_controllers = []' 'namespaces = []' \
        >"$LIBVIRT/qemu.conf"
    { grep -v '^libvirt-qemu:' /etc/passwd && echo 'libvirt-qemu:x:64055:64055::/:/bin/false'; } >"$LIBVIRT/passwd"
    { grep -v '^libvirt-qemu:' /etc/group && echo 'libvirt-qemu:x:64055:'; } >"$LIBVIRT/group"
    # In a pid namespace whose init reaps what QEMU leaves behind, which not every machine's does.
    (unshare --mount --propagation slave --pid --fork --kill-child --mount-proc bash -c '
        set -e
        # /etc/libvirt comes with virsh; of /var/lib/libvirt and the like no host needs to have any.
        for folder in /run /var/lib /var/cache /var/log /etc/libvirt; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
        cp "$1/qemu.conf" /etc/libvirt
        mount --bind "$1/passwd" /etc/passwd
        mount --bind "$1/group" /etc/group
        # With a /dev/kvm that does not work, libvirt takes what it knows of QEMU for outdated and asks it anew, many times a start.
        if [[ -e /dev/kvm ]]; then
            : >/run/kvm
            mount --bind /run/kvm /dev/kvm
            mount -o remount,bind,ro /dev/kvm
        fi
        libvirtd --config "$1/libvirtd.conf" --pid-file "$1/pid" &
        while wait -n; do :; done' start-libvirtd "$LIBVIRT" \
        >"$LIBVIRT/stdout" 2>&1 3>&- <&0 & echo $! >"$LIBVIRT/process")
    wait_until 30 virsh_here list 2>"$LIBVIRT/wait" ||
        fail "libvirtd does not answer: $(cat "$LIBVIRT/stdout"; tail -n 5 "$LIBVIRT/log")"
}

virsh_here() { virsh --connect "$URI" "$@"; }

# unshare waits for its child whatever other signal comes.
end_libvirtd() { kill -KILL "$(cat "$LIBVIRT/process")"; }

setup_file() {
    file_begin
    export LIBVIRT=$FILE_DIR/libvirt
    export URI="qemu+unix:///system?socket=$LIBVIRT/libvirt-sock"
    for program in libvirtd virsh; do
        if ! command -v "$program" >/dev/null; then fail "$program is missing"; fi
    done
    is_runc || start_libvirtd
    chmod 0711 "$FILE_DIR" # QEMU passes through
    printf '[libvirt]\nuri = "%s"\n[paths]\nrun = "%s"\n' "$URI" "$FILE_DIR/run" >"$FILE_DIR/config.toml"
    export RUNTIME_GLOBALS="--config $FILE_DIR/config.toml"
}

setup() {
    only_runvm "libvirt is runvm's"
    ID=$PREFIX$BATS_TEST_NUMBER
}

# assert_domains PATTERN: what libvirtd's machines are called, a line each. No answer is not the answer "none".
assert_domains() {
    local names
    names=$(virsh_here list --all --name) || fail "libvirtd does not answer" || return
    # shellcheck disable=SC2053
    if [[ $names != $1 ]]; then fail "machines: $names" "expected: $1"; fi
}

# create_domain NAME: a machine that is nobody's.
create_domain() {
    virsh_here create /dev/stdin <<END
<domain type="qemu"><name>$1</name><memory unit="MiB">32</memory><os><type arch="x86_64" machine="q35">hvm</type></os></domain>
END
}

@test "libvirtd: a container's life, and its machine in virsh list" {
    bundle sh -c "$FOREVER"
    create_container "$ID"
    assert_domains "runvm-$ID-*"
    runtime start "$ID"
    wait_until 20 grep -q ready "$BUNDLE/stdout"
    assert_equal "$(runtime exec "$ID" echo inside)" inside
    # Its QEMU has a user of its own.
    local pid
    pid=$(pgrep -f "guest=runvm-$ID")
    assert_equal "$(stat -c '%u' "/proc/$pid" | cut -c 1-4)" 2100
    runtime update --memory 1g --cpu-period 100000 --cpu-quota 100000 "$ID"
    runtime pause "$ID"
    [[ $(virsh_here list) == *paused* ]]
    runtime resume "$ID"
    create_domain "other-$ID"
    virsh_here destroy "other-$ID"
    assert_equal "$(runtime exec "$ID" echo inside)" inside
    runtime kill "$ID" KILL
    wait_status "$ID" stopped
    runtime delete "$ID"
    assert_domains ""
    if [[ -n $(ls "$FILE_DIR/run/machines") ]]; then fail "its folder is still there"; fi
}

@test "libvirtd: run, and its exit code" {
    bundle sh -c 'echo out; exit 7'
    umask 077 # QEMU, which is another user, gets to its sockets all the same
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_status 7
    assert_equal "$STDOUT" out
    assert_domains ""
}

@test "libvirtd: a monitor that is killed takes its machine along" {
    bundle sh -c "$FOREVER"
    run_detached "$ID"
    kill -KILL "$(monitor_pids)"
    wait_status "$ID" stopped
    wait_until 20 assert_domains ""
    runtime delete --force "$ID"
}

@test "libvirtd: virsh destroy stops the container" {
    bundle sh -c "$FOREVER"
    run_detached "$ID"
    virsh_here destroy "$(virsh_here list --name)"
    wait_status "$ID" stopped
    runtime delete "$ID"
}

@test "libvirtd: a network is refused" {
    bundle sh -c "$FOREVER"
    local netns=$FILE_DIR/netns
    : >"$netns"
    unshare --net="$netns" ip link add veth7 type veth peer name veth8
    edit '(.linux.namespaces[] | select(.type == "network")).path = $path' --arg path "$netns"
    capture runtime create --bundle "$BUNDLE" "$ID"
    umount "$netns"
    assert_status 1
    assert_stderr_contains 'the container'\''s network namespace has the link veth'
    assert_stderr_contains 'libvirt.uri must be'
    assert_gone "$ID"
    assert_domains ""
    # Docker's hook makes them when the shims are there.
    bundle sh -c "$FOREVER"
    edit '.hooks.prestart = [{path: "/bin/sh", args: ["sh", "-c", "nsenter --net=/proc/$(jq .pid)/ns/net ip link add veth7 type veth peer name veth8"]}]'
    capture runtime create --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains 'the container'\''s network namespace has the link veth'
    assert_gone "$ID"
    assert_domains ""
}

@test "libvirtd: what a killed daemon has left is ended before its name is used again" {
    bundle sh -c "$FOREVER"
    create_container "$ID"
    local name
    name=$(virsh_here list --name | grep "runvm-$ID")
    runtime delete --force "$ID"
    wait_until 20 assert_domains ""
    create_domain "$name"
    create_container "$ID"
    assert_domains "$name"
    [[ $(virsh_here dumpxml "$name") == *virtio-serial* ]]
    runtime delete --force "$ID"
    wait_until 20 assert_domains ""
}

@test "libvirtd: without a daemon there is no machine" {
    sed 's/libvirt-sock/no-sock/' "$FILE_DIR/config.toml" >"$FILE_DIR/wrong.toml"
    RUNTIME_GLOBALS="--config $FILE_DIR/wrong.toml"
    bundle true
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains "no-sock"
    assert_gone "$ID"
}

@test "no leak" {
    end_libvirtd
    assert_no_leak
}
