#!/usr/bin/env bats
# Files that the host and the container share: what either does to them, and what the guest's file system can do.

load lib/common

setup_file() {
    file_begin
    SHARED=${PREFIX}shared DATA=$FILE_DIR/data
    mkdir "$DATA"
    cp "$(program watch -static)" "$ROOTFS/bin/watch-files"
    cp "$(program lock -static)" "$ROOTFS/bin/lock-file"
    bundle sh -c "$FOREVER"
    edit '.mounts += [{destination: "/data", type: "bind", source: $data, options: ["rbind"]},
            {destination: "/readonly", type: "bind", source: $data, options: ["rbind", "ro"]}]
        | (.process.capabilities | .bounding, .effective, .permitted) += ["CAP_CHOWN", "CAP_FOWNER", "CAP_FSETID", "CAP_DAC_OVERRIDE"]' --arg data "$DATA"
    run_until_ready "$SHARED"
    export SHARED BUNDLE DATA
}

inside() { runtime exec "$SHARED" sh -c "$1"; }

@test "files: links, renames and holes are the same on both sides" {
    mkdir "$DATA/kinds"
    capture inside 'cd /data/kinds && echo 1 >a && ln a b && ln -s a c && mkdir d && mv a d/e && ln -s /nowhere f
        dd if=/dev/zero of=hole bs=1 count=1 seek=9999999 2>/dev/null; chown 3:4 d/e; chmod 4751 d/e; touch -d @1000 b'
    assert_success
    assert_equal "$(stat -c '%h %a %u:%g %Y' "$DATA/kinds/b")" "2 4751 3:4 1000"
    assert_equal "$(stat -c %i "$DATA/kinds/b")" "$(stat -c %i "$DATA/kinds/d/e")"
    assert_equal "$(readlink "$DATA/kinds/c" "$DATA/kinds/f")" $'a\n/nowhere'
    assert_equal "$(stat -c %s "$DATA/kinds/hole")" 10000000
    (($(stat -c %b "$DATA/kinds/hole") < 1000))
    assert_equal "$(inside 'cd /data/kinds; stat -c "%h %a %u:%g %Y" b; stat -c %b hole')" \
        "2 4751 3:4 1000"$'\n'"$(stat -c %b "$DATA/kinds/hole")"
}

@test "files: direct input and output" {
    # A file system that has it: the host's own answer counts.
    local direct=yes
    dd if=/dev/zero of="$DATA/direct" bs=4096 count=4 oflag=direct 2>/dev/null || direct=no
    capture inside 'dd if=/dev/zero of=/data/direct bs=4096 count=4 oflag=direct 2>/dev/null && echo yes || echo no'
    assert_stdout "$direct"
    assert_equal "$(stat -c %s "$DATA/direct")" 16384
}

@test "files: a lock of one process keeps another out" {
    echo >"$DATA/lock"
    capture inside 'cd /data; lock-file lock hold >holder & until grep -q free holder; do sleep 0.1; done
        lock-file lock try; kill $!; wait; lock-file lock try'
    assert_stdout $'taken\nfree'
}

@test "files: a single file is written in place by the host, and stays what it was when it is replaced" {
    bundle sh -c "$FOREVER"
    echo 'nameserver 10.0.0.1' >"$BUNDLE/resolv.conf"
    edit '.mounts += [{destination: "/etc/resolv.conf", type: "bind", source: "resolv.conf", options: ["bind"]}]'
    own_rootfs
    run_until_ready "$ID"
    inside_of() { runtime exec "$ID" cat /etc/resolv.conf; }
    assert_equal "$(inside_of)" 'nameserver 10.0.0.1'
    echo 'nameserver 10.0.0.22' >"$BUNDLE/resolv.conf"
    wait_until 20 eval '[[ $(inside_of) == "nameserver 10.0.0.22" ]]'
    # As under runc: it is the file that was mounted, not the name.
    echo 'nameserver 10.0.0.3' >"$BUNDLE/new"
    mv "$BUNDLE/new" "$BUNDLE/resolv.conf"
    sleep 2
    assert_equal "$(inside_of)" 'nameserver 10.0.0.22'
    runtime delete --force "$ID"
}

@test "files: /dev/shm is memory of the size that was asked for" {
    bundle sh -c 'stat -f -c "%T %S %b" /dev/shm; dd if=/dev/zero of=/dev/shm/x bs=1024k count=4 2>&1 | grep -o "No space"; stat -c %s /dev/shm/x'
    edit '(.mounts[] | select(.destination == "/dev/shm") | .options) |= map(if startswith("size=") then "size=2m" else . end)'
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_stdout $'tmpfs 4096 512\nNo space\n2097152'
}

# As Podman, and CRIs for a pod: a tmpfs of the host's, made for it.
@test "files: /dev/shm is the guest's memory, too, when an engine binds a tmpfs there" {
    bundle sh -c 'stat -f -c "%T %S %b" /dev/shm; stat -c "%a %u %g" /dev/shm; echo text >/dev/shm/file; cat /dev/shm/file'
    mkdir "$BUNDLE/shm"
    mount -t tmpfs -o mode=1770,gid=7,size=3m shm "$BUNDLE/shm"
    edit '(.mounts[] | select(.destination == "/dev/shm")) |= {destination, type: "bind", source: "shm", options: ["rbind", "rprivate"]}'
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_stdout $'tmpfs 4096 768\n1770 0 7\ntext'
    assert_equal "$(ls "$BUNDLE/shm")" ""
    # What it holds is somebody's: it is shared as any other folder.
    echo theirs >"$BUNDLE/shm/file"
    edit '.process.args = ["cat", "/dev/shm/file"]'
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    umount "$BUNDLE/shm"
    assert_stdout theirs
}

# watch_inside FILE...: a process of the container that watches them; what it hears is in WATCHED, a line an event
# (tests/programs/watch.c).
watch_inside() {
    WATCHED=$TMPDIR/watched.$BATS_TEST_NUMBER
    runtime exec "$SHARED" watch-files "$@" <&0 >"$WATCHED" 2>&1 &
    WATCHER=$!
    wait_until 20 heard watching
}

end_watch() {
    inside 'killall watch-files' || true
    wait "$WATCHER" || true
    rm -f "$WATCHED"
}

heard() { grep -qxF "$1" "$WATCHED"; }

# until_heard LINE COMMAND...: repeats the command until its event has come: when the watches are known on the host takes a
# moment, and what happens before is not heard.
until_heard() {
    local line=$1 i
    shift
    for ((i = 0; i < 200; i++)); do
        "$@"
        sleep 0.1
        if heard "$line"; then return; fi
    done
    cat "$WATCHED" >&2
    fail "not heard: $line"
}

@test "watches: what the host does to a folder and its files is heard inside" {
    mkdir "$DATA/folder"
    echo 1 >"$DATA/folder/file"
    watch_inside /data/folder /data/folder/file
    until_heard 'attrib /data/folder/file' touch "$DATA/folder/file"
    echo 22 >>"$DATA/folder/file"
    wait_until 20 heard 'modify /data/folder file'
    wait_until 20 heard 'written /data/folder file'
    # Who hears of it sees it.
    assert_equal "$(inside 'cat /data/folder/file')" $'1\n22'
    mkdir "$DATA/folder/below"
    wait_until 20 heard 'create /data/folder below'
    echo new >"$DATA/folder/part"
    mv "$DATA/folder/part" "$DATA/folder/file"
    wait_until 20 heard 'moved-from /data/folder part'
    wait_until 20 heard 'moved-to /data/folder file'
    assert_equal "$(inside 'cat /data/folder/file')" new
    chmod 600 "$DATA/folder/file"
    wait_until 20 heard 'attrib /data/folder file'
    rm "$DATA/folder/file"
    wait_until 20 heard 'delete /data/folder file'
    end_watch
}

@test "watches: on a read-only mount" {
    mkdir "$DATA/readonly"
    watch_inside /readonly/readonly
    until_heard 'create /readonly/readonly file' sh -c 'rm -f "$1"; echo >"$1"' - "$DATA/readonly/file"
    end_watch
}

@test "watches: what the container does itself is heard once" {
    mkdir "$DATA/own"
    watch_inside /data/own
    until_heard 'create /data/own host' sh -c 'rm -f "$1"; echo >"$1"' - "$DATA/own/host"
    inside 'echo >/data/own/guest; echo >/data/own/last'
    echo >"$DATA/own/end"
    wait_until 20 heard 'create /data/own end'
    assert_equal "$(grep -cxF 'create /data/own guest' "$WATCHED")" 1
    assert_equal "$(grep -cxF 'written /data/own guest' "$WATCHED")" 1
    end_watch
}

@test "watches: a thousand folders, of which one changes" {
    mkdir "$DATA/many"
    (cd "$DATA/many" && seq 1000 | xargs mkdir)
    local folders=() i
    for ((i = 1; i <= 1000; i++)); do folders+=("/data/many/$i"); done
    watch_inside "${folders[@]}"
    until_heard 'create /data/many/777 file' sh -c 'rm -f "$1"; echo >"$1"' - "$DATA/many/777/file"
    touch "$DATA/many/1/first" "$DATA/many/1000/last"
    wait_until 20 heard 'create /data/many/1 first'
    wait_until 20 heard 'create /data/many/1000 last'
    end_watch
}

@test "watches: a file that is mounted alone, and a container that is deleted" {
    bundle sh -c "watch-files /file"
    echo 1 >"$BUNDLE/file"
    edit '.mounts += [{destination: "/file", type: "bind", source: "file", options: ["bind"]}]'
    run_detached "$ID"
    WATCHED=$BUNDLE/stdout
    wait_until 20 heard watching
    until_heard 'modify /file' sh -c 'echo 22 >"$1"' - "$BUNDLE/file"
    assert_equal "$(runtime exec "$ID" cat /file)" 22
    runtime delete --force "$ID"
    echo 3 >"$BUNDLE/file"
}

@test "no leak" { assert_no_leak "$SHARED"; }
