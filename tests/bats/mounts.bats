#!/usr/bin/env bats
# mounts of config.json. The rootfs itself is in rootfs.bats, id-mapped mounts are in userns.bats.

load lib/common

# One container with every kind of mount. TREE is a folder of the host with a file system below it.
setup_file() {
    file_begin
    SHARED=${PREFIX}shared TREE=$FILE_DIR/tree
    mkdir -p "$TREE/below"
    mount -t tmpfs tmpfs "$TREE/below"
    echo top >"$TREE/file"
    echo below >"$TREE/below/file"
    bundle sh -c "$FOREVER"
    own_rootfs
    mkdir "$BUNDLE/data" "$BUNDLE/rootfs/var/covered"
    echo data >"$BUNDLE/data/file"
    ln -s ../../../../../../etc "$BUNDLE/rootfs/link"
    edit '.mounts += [
        {destination: "/scratch", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "noexec", "mode=1757", "size=64k", "uid=3", "gid=4"]},
        {destination: "/scratch/one/two", type: "tmpfs", source: "second"},
        {destination: "/scratch/bound", type: "bind", source: "data", options: ["rbind", "ro"]},
        {destination: "/var", type: "tmpfs", source: "lower"},
        {destination: "/var", type: "tmpfs", source: "upper"},
        {destination: "/in", type: "bind", source: $tree, options: ["rbind", "rw"]},
        {destination: "/flat", type: "bind", source: $tree, options: ["bind"]},
        {destination: "/ro", type: "bind", source: $tree, options: ["rbind", "ro"]},
        {destination: "/rro", type: "bind", source: $tree, options: ["rbind", "rro"]},
        {destination: "/rnoexec", type: "bind", source: $tree, options: ["rbind", "rnoexec", "rnosuid"]},
        {destination: "/etc/one/file", type: "bind", source: ($tree + "/file"), options: ["bind", "ro"]},
        {destination: "/restricted", type: "bind", source: "data", options: ["bind", "nosuid", "nodev", "noexec"]},
        {destination: "/link/by-link", type: "bind", source: "data", options: ["bind"]},
        {destination: "/shared", type: "tmpfs", source: "tmpfs", options: ["shared"]},
        {destination: "/slave", type: "bind", source: $tree, options: ["rbind", "rslave"]},
        {destination: "/unbindable", type: "tmpfs", source: "tmpfs", options: ["unbindable"]}]' --arg tree "$TREE"
    run_until_ready "$SHARED"
    export SHARED BUNDLE TREE
}

inside() { runtime exec "$SHARED" sh -c "$1"; }

# mount_of PATH: options, type and source of what is mounted there, the uppermost.
mount_of() {
    inside "cat /proc/self/mountinfo" |
        awk -v path="$1" '$5 == path { for (i = 7; $i != "-"; i++); print $6, $(i + 1), $(i + 2) }' | tail -n 1
}

# As podman cp does.
@test "mounts: a caller that joins the mount namespace finds the bind mounts" {
    local join=(nsenter --target "$(pid_of "$SHARED")" --mount -- /bin/busybox)
    capture "${join[@]}" cat /in/file /in/below/file /slave/file /etc/one/file
    assert_stdout $'top\nbelow\ntop\ntop'
    assert_equal "$("${join[@]}" cat /etc/by-link/file)" data
    capture "${join[@]}" touch /ro/new
    assert_stderr_contains "Read-only file system"
    "${join[@]}" touch /in/new
    inside "rm /in/new"
    # What the host mounts follows, as in the container, and what is mounted there does not come out.
    "${join[@]}" mount -t tmpfs tmpfs /in/below
    assert_equal "$(cat "$TREE/below/file")" below
    "${join[@]}" umount /in/below
}

@test "mounts: file systems of the kernel" {
    assert_equal "$(mount_of /proc)" "rw,relatime proc proc"
    assert_equal "$(mount_of /sys)" "ro,nosuid,nodev,noexec,relatime sysfs sysfs"
    assert_equal "$(mount_of /dev)" "rw,nosuid tmpfs tmpfs"
    assert_equal "$(mount_of /dev/pts)" "rw,nosuid,noexec,relatime devpts devpts"
    assert_equal "$(mount_of /dev/shm)" "rw,nosuid,nodev,noexec,relatime tmpfs shm"
    assert_equal "$(mount_of /dev/mqueue)" "rw,nosuid,nodev,noexec,relatime mqueue mqueue"
    # With cgroup v1, Debian 13's runc leaves the tmpfs around its folders writable.
    assert_matches "$(mount_of /sys/fs/cgroup)" '^r[ow],nosuid,nodev,noexec,relatime (cgroup2 cgroup|tmpfs )'
    capture inside 'ls -d /proc/1/fd /sys/class/net/lo /dev/pts/ptmx; stat -c %a /dev/pts/ptmx /dev/shm; touch /sys/x'
    assert_stdout $'/dev/pts/ptmx\n/proc/1/fd\n/sys/class/net/lo\n666\n1777'
    assert_stderr_contains "/sys/x: Read-only file system"
}

@test "mounts: options of a tmpfs" {
    assert_matches "$(mount_of /scratch)" '^rw,nosuid,nodev,noexec,relatime tmpfs'
    capture inside 'stat -c "%a %u %g" /scratch
        dd if=/dev/zero of=/scratch/big bs=1k count=100; stat -c %s /scratch/big; rm /scratch/big
        cp /bin/busybox /in/echo && /in/echo runs; rm /in/echo; printf "#!/bin/sh\n" >/scratch/script; chmod +x /scratch/script; /scratch/script'
    assert_equal "$(head -n 3 <<<"$STDOUT")" $'1757 3 4\n65536\nruns'
    assert_stderr_contains "No space left on device"
    assert_stderr_contains "/scratch/script: Permission denied"
}

@test "mounts: in their order, one over another and below one that is made" {
    # What is below /scratch is there although a tmpfs came over the rootfs's; of two at one place the later is seen.
    assert_matches "$(mount_of /scratch/one/two)" 'tmpfs second$'
    assert_matches "$(mount_of /var)" 'tmpfs upper$'
    capture inside 'cat /scratch/bound/file; touch /scratch/bound/x; ls /var; stat -c %a /scratch/one'
    assert_stdout $'data\n755'
    assert_stderr_contains "/scratch/bound/x: Read-only file system"
    # The mount points were made in the tmpfs, not in the rootfs.
    assert_equal "$(ls "$BUNDLE/rootfs/scratch")" ""
    assert_equal "$(ls "$BUNDLE/rootfs/var")" covered
}

more_everywhere() { runtime exec "$SHARED" sh -c 'tail -q -n 1 /in/file /flat/file /ro/file /etc/one/file | grep -c more | grep -x 4'; }

@test "mounts: binds of folders and files, read-only and not" {
    capture inside 'cat /in/file /etc/one/file; echo written >/in/new; cat /scratch/bound/file
        touch /ro/x; echo x >/etc/one/file; rm /etc/one/file'
    assert_stdout $'top\ntop\ndata'
    assert_stderr_contains "/ro/x: Read-only file system"
    assert_stderr_contains "/etc/one/file: Read-only file system"
    assert_equal "$(cat "$TREE/new")" written
    rm "$TREE/new"
    # Both ways: what the host writes is seen inside.
    echo more >>"$TREE/file"
    wait_until 20 more_everywhere
    capture inside 'printf "#!/bin/sh\n" >/restricted/script; chmod +x /restricted/script; /restricted/script; rm /restricted/script'
    assert_stderr_contains "/restricted/script: Permission denied"
    assert_matches "$(mount_of /restricted)" '^rw,nosuid,nodev,noexec,relatime '
}

@test "mounts: what is mounted below the source comes along with rbind, and rro and rnoexec reach it" {
    capture inside 'cat /in/below/file; ls /flat/below; echo w >/in/below/new; rm /in/below/new
        touch /ro/below/x && rm /ro/below/x && echo "ro is not recursive"
        touch /rro/below/x; touch /rro/x; cat /rro/below/file /rnoexec/below/file'
    assert_stdout $'below\nro is not recursive\nbelow\nbelow'
    assert_stderr_contains "/rro/below/x: Read-only file system"
    assert_stderr_contains "/rro/x: Read-only file system"
    assert_matches "$(mount_of /rnoexec/below)" '^rw,nosuid,noexec,'
    assert_matches "$(mount_of /in/below)" '^rw,relatime '
}

@test "mounts: propagation" {
    capture inside 'awk "\$5 ~ \"^/(shared|slave|unbindable|in)\$\" { sub(\":.*\", \"\", \$7); print \$5, \$7 }" /proc/self/mountinfo | sort'
    # A slave of nobody is a private mount.
    assert_matches "$STDOUT" $'^/in -\n/shared shared\n/slave (-|master)\n/unbindable unbindable$'
}

@test "mounts: a bind is remounted with other flags" {
    bundle sh -c 'awk "\$5 == \"/again\" { print \$6 }" /proc/self/mountinfo; touch /again/x'
    edit '.mounts += [{destination: "/again", type: "bind", source: $folder, options: ["bind"]},
        {destination: "/again", type: "bind", source: $folder, options: ["bind", "remount", "ro", "noexec"]}]' --arg folder "$TREE"
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_stdout ro,noexec,relatime
    assert_stderr_contains "/again/x: Read-only file system"
}

# Of a mount that is shared on the host, which is what a host with systemd has everywhere.
@test "mounts: what the host mounts later is seen below slaves, and not below private ones" {
    local place=$FILE_DIR/shared-on-host
    mkdir -p "$place/later"
    mount --bind "$place" "$place"
    mount --make-shared "$place"
    bundle sh -c "$FOREVER"
    edit '.mounts += [{destination: "/slave", type: "bind", source: $place, options: ["rbind", "rslave"]},
        {destination: "/private", type: "bind", source: $place, options: ["rbind", "rprivate"]}]' --arg place "$place"
    run_until_ready "$ID"
    mount -t tmpfs tmpfs "$place/later"
    touch "$place/later/file"
    capture runtime exec "$ID" ls /slave/later /private/later
    runtime delete --force "$ID"
    umount "$place/later"
    umount "$place"
    assert_stdout $'/private/later:\n\n/slave/later:\nfile'
}

@test "mounts: through a link they stay in the rootfs" {
    assert_equal "$(inside 'cat /etc/by-link/file')" data
    [[ ! -e /etc/by-link ]]
}

@test "mounts: those that cannot be are refused by name, and nothing is left" {
    bundle true
    edit '.mounts += [{destination: "/in", type: "bind", source: "/no/such/source", options: ["bind"]}]'
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains /no/such/source
    assert_gone "$ID"
    if is_runc; then return; fi
    mkfifo "$FILE_DIR/pipe"
    assert_each_refused '.mounts += [{destination: "/in", type: "tmpfs", source: "tmpfs"}]' '.mounts[7]' <<'END'
 += {destination: ""}|.destination: found ""; a path in the container is expected
 += {destination: "/"}|.destination: nothing can be mounted over the container's root; name it in root.path
 += {type: "ext4"}|.type: a file system of type ext4 needs a device, folder or server of the host
 += {type: "bind"}|.type: found "bind"; a bind mount needs bind or rbind among its options
 += {source: "", options: ["bind"]}|.source: found ""; a bind mount needs a path of the host
 += {source: "/no/such", options: ["bind"]}|.source: /no/such is missing on the host; create it or remove the mount
 += {source: ($folder + "/pipe"), options: ["bind"]}|.source: FOLDER/pipe is a FIFO of the host, whose other end cannot be reached from a VM
 += {source: $folder, options: ["bind", "size=5"]}|.options: bind mounts cannot have any filesystem-specific options applied: size=5
 += {options: "ro"}|.options: found "ro"; an array is expected
END
    # What the guest's kernel refuses is told as well.
    bundle true
    edit '.mounts += [{destination: "/in", type: "tmpfs", source: "tmpfs", options: ["no-such-option"]}]'
    own_rootfs
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains /in
    assert_stderr_blames_nobody
    assert_gone "$ID"
}

@test "no leak" {
    runtime delete --force "$SHARED"
    # Nothing holds it any more.
    umount "$TREE/below"
    assert_no_leak
}
