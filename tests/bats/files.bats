#!/usr/bin/env bats
# Files that the host and the container share: what either does to them, and what the guest's file system can do.

load lib/common

setup_file() {
    file_begin
    SHARED=${PREFIX}shared DATA=$FILE_DIR/data
    mkdir "$DATA"
    cp "$(program watch -static)" "$ROOTFS/bin/watch-files"
    bundle sh -c "$FOREVER"
    edit '.mounts += [{destination: "/data", type: "bind", source: $data, options: ["rbind"]},
            {destination: "/readonly", type: "bind", source: $data, options: ["rbind", "ro"]}]' --arg data "$DATA"
    run_until_ready "$SHARED"
    export SHARED BUNDLE DATA
}

inside() { runtime exec "$SHARED" sh -c "$1"; }

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
