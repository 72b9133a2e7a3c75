#!/usr/bin/env bats
# Standard input, output and error: byte for byte, with their ends, and nobody else holding them.

load lib/common

setup_file() {
    file_begin
    SHARED=${PREFIX}shared
    run_forever "$SHARED"
    # What is sent and expected: bytes that do not compress and hold every value.
    head -c 20000000 /dev/urandom >"$FILE_DIR/data"
    DATA_SUM=$(sha256sum <"$FILE_DIR/data")
    export SHARED DATA_SUM
}

sum() { sha256sum <"$1"; }

@test "stdio: 20 MB of output" {
    bundle cat /data
    own_rootfs
    cp "$FILE_DIR/data" "$BUNDLE/rootfs/data"
    runtime run --bundle "$BUNDLE" "$ID" >"$BUNDLE/out" 2>"$BUNDLE/err" </dev/null
    assert_equal "$(sum "$BUNDLE/out")" "$DATA_SUM"
    [[ ! -s $BUNDLE/err ]]
}

@test "stdio: 20 MB there and back" {
    local result
    result=$(runtime exec "$SHARED" cat <"$FILE_DIR/data" | sha256sum)
    assert_equal "$result" "$DATA_SUM"
}

@test "stdio: output and error are apart, and both are whole" {
    runtime exec "$SHARED" sh -c 'i=0; while [ $i -lt 5000 ]; do echo "out $i"; echo "err $i" >&2; i=$((i+1)); done' \
        >"$FILE_DIR/out" 2>"$FILE_DIR/err" </dev/null
    cmp "$FILE_DIR/out" <(for i in {0..4999}; do echo "out $i"; done)
    cmp "$FILE_DIR/err" <(for i in {0..4999}; do echo "err $i"; done)
}

@test "stdio: nothing is lost at the exit of a detached container" {
    bundle sh -c 'head -c 3000000 /dev/zero; echo end >&2'
    run_detached "$ID"
    wait_status "$ID" stopped 60
    # Stopped means drained: at once, without another wait.
    assert_equal "$(stat -c %s "$BUNDLE/stdout")" 3000000
    assert_equal "$(cat "$BUNDLE/stderr")" end
}

@test "stdio: the end of input arrives exactly" {
    # Not before all was read, and at all.
    local result
    result=$({ printf 'one'; sleep 1; printf 'two'; } | runtime exec "$SHARED" sh -c 'cat; echo "|end"')
    assert_equal "$result" 'onetwo|end'
}

@test "stdio: input that nobody reads does not keep the process" {
    local begin=$SECONDS
    sleep 30 | {
        runtime exec "$SHARED" true
        echo "done" >"$FILE_DIR/unread"
    } &
    local pipeline=$!
    wait_until 15 test -f "$FILE_DIR/unread"
    ((SECONDS - begin < 20))
    kill "$pipeline" 2>/dev/null || true
    local sleeper
    # Not the other sleep: bats keeps a test's time with it.
    for sleeper in $(file_processes sleep); do
        if [[ $(tr '\0' ' ' <"/proc/$sleeper/cmdline") == "sleep 30 " ]]; then kill "$sleeper"; fi
    done
    wait "$pipeline" || true
}

@test "stdio: a reader that goes away ends the writer" {
    local begin=$SECONDS
    runtime exec "$SHARED" yes </dev/null 2>/dev/null | head -c 100000 >"$FILE_DIR/head"
    assert_equal "$(stat -c %s "$FILE_DIR/head")" 100000
    ((SECONDS - begin < 30))
    no_yes() { ! runtime exec "$SHARED" ps -o comm | grep -qx yes; }
    wait_until 20 no_yes
}

@test "stdio: standard output closed from the start" {
    capture sh -c 'exec "$@" >&- 2>&- </dev/null' - "$RUNTIME" --root "$ROOT" exec "$SHARED" true
    assert_success
}

@test "stdio: a reader that stops blocks only its own process" {
    mkfifo "$FILE_DIR/stuck"
    # Nobody reads the fifo while this holds its other end.
    exec 8<>"$FILE_DIR/stuck"
    "$RUNTIME" --root "$ROOT" exec "$SHARED" yes </dev/null >"$FILE_DIR/stuck" 2>/dev/null 3>&- 8>&- &
    local stuck=$!
    sleep 1
    local result
    result=$(runtime exec "$SHARED" cat <"$FILE_DIR/data" | sha256sum)
    assert_equal "$result" "$DATA_SUM"
    capture runtime exec "$SHARED" echo hi
    assert_stdout hi
    capture runtime kill "$SHARED" 0
    assert_success
    kill -KILL "$stuck"
    exec 8>&-
    wait "$stuck" || true
}

@test "stdio: output of a slow reader is whole" {
    # cat with small reads and pauses: flow control all the way.
    local result
    result=$(runtime exec "$SHARED" head -c 2000000 /dev/zero |
        { dd bs=1000 count=20 status=none; sleep 1; cat; } | wc -c)
    assert_equal "$result" 2000000
}

@test "stdio: output is whole however long the reader pauses after the end" {
    bundle head -c 300000 /dev/zero
    local result
    result=$(runtime run --bundle "$BUNDLE" "$ID" </dev/null | { sleep 5; wc -c; })
    assert_equal "$result" 300000
}

@test "stdio: a process whose output nobody reads runs until it is killed" {
    bundle head -c 300000 /dev/zero
    mkfifo "$FILE_DIR/full"
    exec 8<>"$FILE_DIR/full"
    runtime run --detach --bundle "$BUNDLE" "$ID" </dev/null >&8 2>/dev/null
    sleep 3
    assert_equal "$(status_of "$ID")" running
    capture runtime delete "$ID"
    assert_status 1
    capture runtime kill "$ID" KILL
    assert_success
    wait_status "$ID" stopped
    runtime delete "$ID"
    # What the caller reads late is there all the same.
    exec 8>&-
    rm "$FILE_DIR/full"
    mkfifo "$FILE_DIR/full"
    exec 8<>"$FILE_DIR/full"
    runtime run --detach --bundle "$BUNDLE" "$ID" </dev/null >&8 2>/dev/null
    sleep 3
    timeout 60 head -c 300000 <&8 >"$FILE_DIR/read"
    wait_status "$ID" stopped
    exec 8>&-
    runtime delete "$ID"
}

@test "stdio: a detached container keeps nothing of the caller but its own stdio" {
    bundle sleep 1000
    # Whatever lives on must have closed these: so the pipes end although the container lives. 3 is what bats uses.
    local descriptor
    for descriptor in 3 7 9; do
        rm -f "$FILE_DIR/held"
        mkfifo "$FILE_DIR/held"
        timeout 60 cat "$FILE_DIR/held" >/dev/null &
        local reader=$!
        # With the descriptor open in the runtime, and in this shell only as long.
        bash -c 'fifo=$1; number=$2; shift 2; eval "exec $number>\"\$fifo\""; exec "$@"' - "$FILE_DIR/held" "$descriptor" \
            "$RUNTIME" --root "$ROOT" run --detach --bundle "$BUNDLE" "$ID-$descriptor" </dev/null >/dev/null 2>&1
        wait "$reader" || fail "descriptor $descriptor is still open somewhere"
        assert_equal "$(status_of "$ID-$descriptor")" running
        runtime delete --force "$ID-$descriptor"
    done
}

@test "stdio: run --detach in a pipe ends with the container's stdout, and no helper holds it" {
    bundle sh -c 'echo hello; exec >/dev/null 2>&1; sleep 1000'
    local begin=$SECONDS result
    # cat ends although the container lives: it closed its stdout, and only the container had it.
    result=$(runtime run --detach --bundle "$BUNDLE" "$ID" </dev/null 2>&1 | timeout 60 cat)
    assert_equal "$result" hello
    ((SECONDS - begin < 60))
    assert_equal "$(status_of "$ID")" running
}

@test "stdio: is not made non-blocking" {
    # Shared with the caller: another program that writes there would get EAGAIN.
    mkfifo "$FILE_DIR/blocking"
    exec 8<>"$FILE_DIR/blocking"
    runtime exec "$SHARED" sh -c 'echo a; cat' >&8 2>&8 </dev/null
    local flags
    flags=$(sed -n 's/^flags:\t//p' "/proc/$BASHPID/fdinfo/8")
    exec 8>&-
    ((!(8#$flags & 8#4000)))
}

@test "stdio: exec --detach with its output in a pipe" {
    local result
    result=$(runtime exec --detach "$SHARED" sh -c 'sleep 1; echo late' </dev/null 2>&1 | timeout 60 cat)
    assert_equal "$result" late
}

@test "no leak" { assert_no_leak "$SHARED"; }
