#!/usr/bin/env bats
# User namespaces, and mounts with mappings of their own. Ids in the container are 100000 (uids) and 200000 (gids) less than
# the host's.

load lib/common

setup_file() {
    file_begin
    # runc's init opens the rootfs as who it is on the host.
    chmod 711 "$FILE_DIR" "$FILE_DIR/bundles"
    SHARED=${PREFIX}shared
    SHARED_BUNDLE=$FILE_DIR/bundles/shared
    export SHARED SHARED_BUNDLE
    make_shared_bundle
    BUNDLE=$SHARED_BUNDLE run_detached "$SHARED"
    wait_until 20 grep -q ready "$SHARED_BUNDLE/stdout"
}

# userns: the process of BUNDLE gets a user namespace, and a rootfs of its own that belongs to the namespace's root.
userns() {
    own_rootfs
    chmod 711 "$BUNDLE"
    chown -hR 100000:200000 "$BUNDLE/rootfs"
    edit '.linux.namespaces += [{type: "user"}]
        | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
        | .linux.gidMappings = [{containerID: 0, hostID: 200000, size: 65536}]'
}

# capabilities NAME...: the process of BUNDLE has these as well.
capabilities() {
    edit '(.process.capabilities | .bounding, .effective, .permitted) += ($names | split(" "))' --arg names "$*"
}

# One container for all tests that look at a running one.
make_shared_bundle() {
    bundle sh -c "$FOREVER"
    userns
    capabilities CAP_SYS_ADMIN CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_SETUID CAP_SETGID CAP_MKNOD
    mkdir -p "$BUNDLE/private/source/below"
    echo text >"$BUNDLE/private/source/file"
    chown 100007:200008 "$BUNDLE/private/source/file"
    echo host >"$BUNDLE/private/source/hosts"
    chown 100000:200000 "$BUNDLE/private/source/below"
    # Nobody but the host's root gets there.
    chmod 700 "$BUNDLE/private"
    edit '.mounts += [
            {destination: "/in", type: "bind", source: "private/source", options: ["rbind", "rw"]},
            {destination: "/ro", type: "bind", source: "private/source", options: ["rbind", "ro", "nosuid"]},
            {destination: "/one", type: "bind", source: "private/source/file", options: ["bind", "ro"]}]
        | .linux.sysctl = {"net.ipv4.ping_group_range": "0 7", "kernel.shmmni": "1234"}
        | .linux.rootfsPropagation = "rslave"'
    if ! is_runc; then
        # runc's root has no right to lower an OOM score or to raise a limit here, and there is no cgroup v2 to delegate;
        # runc knows neither the sysctls of a user namespace nor (1.1) time namespaces; in a user namespace it can change
        # neither a uts namespace's sysctls nor access times.
        edit '(.mounts[] | select(.destination == "/ro").options) += ["noatime"]
            | .process.oomScoreAdj = -500
            | .process.rlimits += [{type: "RLIMIT_MSGQUEUE", hard: 100000000, soft: 90000000}]
            | .linux.sysctl += {"user.max_mnt_namespaces": "77", "kernel.domainname": "example.org"}
            | .linux.namespaces += [{type: "time"}]
            | .linux.timeOffsets = {boottime: {secs: 1000000}}
            | (.mounts[] | select(.destination == "/sys/fs/cgroup").options) -= ["ro"]
            | .linux.devices = [
                {path: "/dev/full", type: "c", major: 1, minor: 7, fileMode: 384, uid: 3, gid: 4},
                {path: "/dev/below/tun", type: "c", major: 10, minor: 200, fileMode: 420, uid: 0, gid: 0}]
            | .linux.resources.devices += [{allow: true, type: "c", access: "rwm"}]'
    fi
    mv "$BUNDLE" "$SHARED_BUNDLE"
}

@test "userns: ids inside are mapped, and files are the host's" {
    capture runtime exec "$SHARED" sh -c 'cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups | tr -s " "
        id -u; id -g; stat -c "%n %u %g" / /etc/passwd /proc/1 /in/file /in/hosts /one'
    assert_success
    assert_stdout ' 0 100000 65536
 0 200000 65536
allow
0
0
/ 0 0
/etc/passwd 0 0
/proc/1 0 0
/in/file 7 8
/in/hosts 65534 65534
/one 7 8'
    capture runtime exec "$SHARED" sh -c 'echo new >/new && mkdir /in/below/new && chown 5:6 /new && stat -c "%u %g" /new'
    assert_stdout '5 6'
    assert_equal "$(stat -c '%u %g' "$SHARED_BUNDLE/rootfs/new")" "100005 200006"
    capture runtime exec "$SHARED" sh -c 'echo x >/in/file && cat /in/file; echo x >/in/hosts; mkdir /in/new'
    assert_failed
    assert_stdout x
    assert_stderr_contains "/in/hosts: Permission denied"
    assert_stderr_contains "'/in/new': Permission denied"
}

@test "userns: root inside has rights over the container and over nothing else" {
    capture runtime exec "$SHARED" sh -c '
        mkdir -p /tmp/m && mount -t tmpfs tmpfs /tmp/m && touch /tmp/m/x && umount /tmp/m && echo mounted
        hostname changed && hostname
        umount /one && echo unmounted
        mount -o remount,bind,rw /ro && echo rw && mount -o remount,bind,ro /ro
        mknod /tmp/null c 1 3 || echo no devices
        mount -t devtmpfs dev /tmp/m || echo no devtmpfs'
    assert_stdout $'mounted\nchanged\nunmounted\nrw\nno devices\nno devtmpfs'
    capture runtime exec "$SHARED" sh -c 'for p in self 1; do readlink /proc/$p/ns/user; done | uniq | wc -l'
    assert_stdout 1
}

@test "userns: devices are there and work" {
    capture runtime exec "$SHARED" sh -c '
        for d in null zero full random urandom tty; do stat -c "%n %t:%T" /dev/$d; done
        echo x >/dev/null && head -c 3 /dev/zero | wc -c; echo x >/dev/full || for l in fd stdin ptmx; do readlink /dev/$l; done'
    assert_stdout '/dev/null 1:3
/dev/zero 1:5
/dev/full 1:7
/dev/random 1:8
/dev/urandom 1:9
/dev/tty 5:0
3
/proc/self/fd
/proc/self/fd/0
pts/ptmx'
    if ! is_runc; then
        # runc binds the host's nodes with the host's owners.
        capture runtime exec "$SHARED" stat -c '%u %g %a' /dev/full /dev/below/tun /dev/null
        assert_stdout $'3 4 600\n0 0 644\n65534 65534 666'
    fi
}

@test "userns: standard streams can be opened again" {
    # Through pipes, which nobody has a name for but the process.
    capture runtime exec "$SHARED" sh -c 'echo out >/dev/stdout; echo err >/dev/stderr' < <(true)
    assert_success
    assert_stdout out
    assert_equal "$STDERR" err
    only_runvm "runc's own caller has to give an exec's pipes away"
    capture runtime exec --user 5:6 "$SHARED" sh -c 'cat /dev/stdin; echo out >/dev/stdout; id -u' < <(echo in)
    assert_success
    assert_stdout $'in\nout\n5'
}

@test "userns: exec as others; ids that are not mapped" {
    capture runtime exec --user 1:2 -g 7 "$SHARED" sh -c 'id -u; id -G; grep ^CapEff /proc/self/status; cat /in/file'
    assert_success
    # The container's root has three; in/file is text, or what a test above has written.
    assert_matches "$STDOUT" $'^1\n2 7\nCapEff:\t0000000000000000\n(text|x)$'
    capture runtime exec --user 65535:65535 "$SHARED" id -u
    assert_stdout 65535
    capture runtime exec --user 70000 "$SHARED" true
    assert_failed
    assert_stderr_contains unmapped
    capture runtime exec --user 1:70000 "$SHARED" true
    assert_failed
    assert_stderr_contains unmapped
    capture runtime exec -g 70000 "$SHARED" true
    assert_failed
    only_runvm "runc takes numbers"
    capture runtime exec --user 70000:1 "$SHARED" true
    assert_stderr_contains "cannot setuid to unmapped uid 70000 in user namespace"
    capture runtime exec --user daemon "$SHARED" sh -c 'id -u; id -g'
    assert_stdout $'1\n1'
}

@test "userns: mounts keep their flags, and mounts below them theirs" {
    capture runtime exec "$SHARED" sh -c 'touch /ro/x; grep " /ro " /proc/self/mounts; cat /ro/hosts'
    assert_stderr_contains "/ro/x: Read-only file system"
    assert_stdout_contains host
    assert_matches "$STDOUT" 'ro,nosuid'
    is_runc || assert_matches "$STDOUT" noatime
    bundle sh -c 'cat /in/below/file; touch /in/x; touch /in/below/x && echo written'
    userns
    mkdir -p "$BUNDLE/source/below"
    mount -t tmpfs -o mode=1777 tmpfs "$BUNDLE/source/below"
    echo submount >"$BUNDLE/source/below/file"
    edit '.mounts += [{destination: "/in", type: "bind", source: "source", options: ["rbind", "ro"]}]'
    capture runtime run --bundle "$BUNDLE" "$ID"
    umount "$BUNDLE/source/below"
    assert_success
    assert_stdout $'submount\nwritten'
    assert_stderr_contains "Read-only file system"
}

@test "userns: sysctls of the container's namespaces" {
    capture runtime exec "$SHARED" cat /proc/sys/net/ipv4/ping_group_range /proc/sys/kernel/shmmni
    assert_success
    assert_stdout $'0\t7\n1234'
    only_runvm "runc knows no sysctls of user namespaces, and has no right over those of uts namespaces in one"
    capture runtime exec "$SHARED" cat /proc/sys/user/max_mnt_namespaces /proc/sys/kernel/domainname
    assert_stdout $'77\nexample.org'
}

@test "userns: what takes the guest's root is done before" {
    only_runvm "root has not the right here"
    capture runtime exec "$SHARED" sh -c 'cat /proc/self/oom_score_adj /proc/1/oom_score_adj
        grep -h "^Max msgqueue" /proc/self/limits /proc/1/limits | tr -s " "; cut -d. -f1 /proc/uptime'
    assert_success
    assert_matches "$STDOUT" $'^-500\n-500\nMax msgqueue size 90000000 100000000 bytes \nMax msgqueue size 90000000 100000000 bytes \n1[0-9]{6}$'
}

@test "userns: the cgroup is the container's, its limits are not" {
    only_runvm "there is no cgroup v2 to delegate here"
    capture runtime exec "$SHARED" sh -c 'cd /sys/fs/cgroup; stat -c "%u %n" . cgroup.procs cgroup.subtree_control memory.max pids.max
        mkdir one && echo 0 >one/cgroup.procs && cat one/cgroup.procs | wc -l
        cat /proc/self/cgroup; echo 1 >memory.max; echo 0 >cgroup.procs && rmdir one && echo removed'
    assert_stdout '0 .
0 cgroup.procs
0 cgroup.subtree_control
65534 memory.max
65534 pids.max
3
0::/one
removed'
    assert_stderr_contains "memory.max: Permission denied"
}

@test "userns: paths are masked and read-only, the root too" {
    bundle sh -c 'touch /x; cat /proc/keys; ls /sys/firmware; echo 1 >/proc/sys/kernel/domainname
        awk "\$2 == \"/\" {print substr(\$4, 1, 2)}" /proc/self/mounts | tail -1; hostname'
    userns
    edit '.root.readonly = true | .hostname = "inside"'
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_success
    assert_stdout $'ro\ninside'
    assert_stderr_contains "/x: Read-only file system"
    assert_stderr_contains "/proc/sys/kernel/domainname: Read-only file system"
}

@test "userns: terminals" {
    local terminal
    terminal=$(program terminal)
    capture "$terminal" run "$RUNTIME" --root "$ROOT" exec -t "$SHARED" sh <<'SCRIPT'
expect #
send tty; stat -c '%u %g' $(tty); test -t 0 && echo all-$((3+4))\r
expect /dev/pts/
expect 0 5
expect all-7
send exit 3\r
SCRIPT
    assert_status 3
    bundle sh
    userns
    edit '.process.terminal = true | .process.user = {uid: 5, gid: 6}'
    capture "$terminal" run "$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "$ID" <<'SCRIPT'
expect $
send stat -c '%u %g' /dev/pts/0 /dev/console; echo x >/dev/tty; echo y-$((3+4)) >/dev/console\r
expect 5 5
expect 5 5
expect y-7
send exit 4\r
SCRIPT
    assert_status 4
}

@test "userns: a session keyring, with an exec's" {
    only_runvm "needs a kernel with keyrings"
    bundle sh -c "grep -c ' _ses.$ID:' /proc/keys; $FOREVER"
    userns
    edit 'del(.linux.maskedPaths)'
    run_until_ready "$ID"
    assert_equal "$(head -n 1 "$BUNDLE/stdout")" 1
    capture runtime exec "$ID" grep -c " _ses.$ID:" /proc/keys
    assert_success
}

@test "userns: a user whose id is not mapped, and hooks inside" {
    bundle true
    userns
    edit '.process.user.uid = 70000'
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_failed
    assert_stderr_contains unmapped
    assert_gone "$ID"
    edit '.process.user.uid = 1 | .process.args = ["cat", "/tmp/hook"]
        | .hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", "id -u >/tmp/hook; cat /proc/self/uid_map >>/tmp/hook"]}]'
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_success
    assert_equal "$(tr -s ' ' <<<"$STDOUT")" $'1\n 0 100000 65536'
}

@test "userns: mappings and namespaces that do not fit are refused" {
    bundle true
    userns
    refused() {
        capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
        assert_status 1
        assert_stderr_contains "$1"
        assert_gone "$ID"
    }
    edit '.linux.gidMappings = []'
    refused "ser namespaces enabled, but no gid mappings found"
    only_runvm "runc 1.1 ignores mappings without a namespace, and leaves the rest to the kernel"
    edit '.linux.namespaces |= map(select(.type != "user"))'
    refused "user namespace mappings specified, but user namespace isn't enabled in the config"
    edit '.linux.namespaces += [{type: "user"}]'
    edit '.linux.gidMappings = [{containerID: 0, hostID: 7, size: 2}, {containerID: 1, hostID: 70000, size: 1}]'
    refused "linux.gidMappings[1]: overlaps mapping 0"
    edit '.linux.gidMappings = [{containerID: 0, hostID: 7, size: 2}]
        | .linux.namespaces |= map(if .type == "user" then .path = "/proc/1/ns/user" else . end)'
    refused "a user namespace of the host cannot be joined from a VM"
}

# idmap_source: a folder with files of several owners is SOURCE; skips the test if it cannot be id-mapped on this host.
idmap_source() {
    only_runvm "runc 1.1 knows no id-mapped mounts"
    SOURCE=$BUNDLE/source
    mkdir "$SOURCE"
    echo text >"$SOURCE/file"
    chown 3:4 "$SOURCE/file"
    chmod 777 "$SOURCE"
    skip_unless_idmapped "$SOURCE"
}

@test "idmap: of a mount, without a user namespace" {
    bundle sh -c 'stat -c "%u %g" /in/file; touch /in/own; id -u; echo x >>/one; stat -c "%u %g" /one'
    idmap_source
    chown 3:4 "$SOURCE"
    own_rootfs
    edit '.process.user = {uid: 1000, gid: 2000}
        | .mounts += [{destination: "/in", type: "bind", source: "source", options: ["bind"]},
                      {destination: "/one", type: "bind", source: "source/file", options: ["bind"]}]
        | (.mounts[-2], .mounts[-1]) += {
            uidMappings: [{containerID: 3, hostID: 1000, size: 1}],
            gidMappings: [{containerID: 4, hostID: 2000, size: 1}]}'
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_success
    assert_stdout $'1000 2000\n1000\n1000 2000'
    assert_equal "$(stat -c '%u %g' "$SOURCE/own" "$SOURCE/file")" $'3 4\n3 4'
    assert_equal "$(cat "$SOURCE/file")" $'text\nx'
}

@test "idmap: with the container's mappings" {
    bundle sh -c 'stat -c "%u %g" /in/file /plain/file; touch /in/own; chown 5:6 /in/own; mkdir /in/folder; stat -c "%u %g" /in/own'
    idmap_source
    userns
    capabilities CAP_CHOWN
    edit '.mounts += [{destination: "/in", type: "bind", source: "source", options: ["bind", "idmap"]},
                      {destination: "/plain", type: "bind", source: "source", options: ["bind"]}]'
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_success
    assert_stdout $'3 4\n65534 65534\n5 6'
    assert_equal "$(stat -c '%u %g' "$SOURCE/own" "$SOURCE/folder")" $'5 6\n0 0'
}

@test "idmap: what is mounted below only with ridmap" {
    bundle sh -c 'stat -c "%n %u %g" /in/file /in/below/file /r/file /r/below/file'
    idmap_source
    userns
    mkdir "$SOURCE/below"
    mount -t tmpfs tmpfs "$SOURCE/below"
    skip_unless_idmapped "$SOURCE/below" umount "$SOURCE/below"
    echo below >"$SOURCE/below/file"
    edit '.mounts += [{destination: "/in", type: "bind", source: "source", options: ["rbind", "idmap"]},
                      {destination: "/r", type: "bind", source: "source", options: ["rbind", "ridmap"]}]'
    capture runtime run --bundle "$BUNDLE" "$ID"
    umount "$SOURCE/below"
    assert_success
    assert_stdout '/in/file 3 4
/in/below/file 65534 65534
/r/file 3 4
/r/below/file 0 0'
}

@test "idmap: what the host's kernel cannot do is refused before anything is started" {
    only_runvm "runc 1.1 knows no id-mapped mounts"
    bundle true
    edit '.mounts += [{destination: "/in", type: "bind", source: "/proc/sys", options: ["bind"],
        uidMappings: [{containerID: 0, hostID: 1, size: 1}], gidMappings: [{containerID: 0, hostID: 1, size: 1}]}]'
    capture runtime --debug create --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains "mount of /proc/sys: the file system there does not support idmapped mounts"
    [[ $STDERR != *"reserved the id"* ]]
    assert_gone "$ID"
    edit '.mounts[-1].type = "tmpfs" | .mounts[-1].options = []'
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains "mounts[7]: id-mapped mounts are only supported for bind-mounts"
}

@test "no leak" { assert_no_leak "$SHARED"; }
