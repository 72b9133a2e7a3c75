#!/usr/bin/env bats
# --preserve-fds: more descriptors than the three, at the same numbers.

load lib/common

@test "preserve-fds: a pipe to read, a pipe to write and a socket" {
    bundle sh -c 'read line <&3; echo "3 said $line" >&4; cat <&5 | tr a-z A-Z >&5; echo stdout'
    local out
    mkfifo "$BUNDLE/written"
    cat "$BUNDLE/written" >"$BUNDLE/four" &
    local reader=$!
    out=$(printf 'socket text' | "$(program socketfd)" 5 bash -c \
        'exec 3< <(echo hello) 4>"$1"; shift; exec "$@"' - "$BUNDLE/written" \
        timeout --foreground 60 "$RUNTIME" --root "$ROOT" run --preserve-fds 3 --bundle "$BUNDLE" "$ID" \
        2>"$BUNDLE/stdout")
    wait "$reader"
    assert_equal "$out" "SOCKET TEXT"
    assert_equal "$(cat "$BUNDLE/four")" "3 said hello"
    # socketfd gives its command standard error as standard output.
    assert_equal "$(cat "$BUNDLE/stdout")" stdout
}

@test "preserve-fds: without it the container has no other descriptor" {
    bundle ls /proc/self/fd
    capture bash -c 'exec 3</dev/null 4>/dev/null; exec "$@"' - "$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    # 3 is ls's own.
    assert_stdout $'0\n1\n2\n3'
}

@test "preserve-fds: exec" {
    run_forever "$ID"
    capture bash -c 'exec 3< <(echo three) 4< <(echo four); exec "$@"' - \
        "$RUNTIME" --root "$ROOT" exec --preserve-fds 2 "$ID" sh -c 'cat <&4; cat <&3' </dev/null
    assert_success
    assert_stdout $'four\nthree'
    capture bash -c 'exec 3< <(echo three) 4< <(echo four); exec "$@"' - \
        "$RUNTIME" --root "$ROOT" exec --preserve-fds 1 "$ID" sh -c 'cat <&3; ls /proc/self/fd' </dev/null
    assert_success
    assert_stdout $'three\n0\n1\n2\n3\n4'
}

@test "preserve-fds: a detached container keeps them" {
    bundle sh -c 'cat <&3; exec sleep 1000'
    mkfifo "$BUNDLE/in"
    exec 8<>"$BUNDLE/in"
    bash -c 'exec 3<"$1"; shift; exec "$@"' - "$BUNDLE/in" "$RUNTIME" --root "$ROOT" run --detach --preserve-fds 1 \
        --bundle "$BUNDLE" "$ID" </dev/null >"$BUNDLE/stdout" 2>&1 3>&- 8>&-
    echo later >&8
    wait_until 20 grep -q later "$BUNDLE/stdout"
    exec 8>&-
}

@test "preserve-fds: one that is not open is an error" {
    only_runvm "runc 1.1 passes on whatever its own runtime has open there"
    bundle true
    capture bash -c 'exec 3</dev/null 4<&- 5</dev/null; exec "$@"' - \
        "$RUNTIME" --root "$ROOT" run --preserve-fds 3 --bundle "$BUNDLE" "$ID" </dev/null
    assert_failed
    assert_gone "$ID"
}

@test "preserve-fds: what cannot be relayed is refused by number" {
    only_runvm "a file of the host has no place in the guest"
    bundle true
    capture bash -c 'exec 3<"$1"; shift; exec "$@"' - "$FILE_DIR/base.json" \
        "$RUNTIME" --root "$ROOT" run --preserve-fds 1 --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains 3
    assert_gone "$ID"
}

@test "preserve-fds: more than can be relayed is refused before anything is started" {
    only_runvm "runc passes on as many as there are"
    bundle true
    local count
    for count in 62 2147483647; do
        capture runtime --debug run --preserve-fds "$count" --bundle "$BUNDLE" "$ID" </dev/null
        assert_failed
        assert_stderr_contains "--preserve-fds $count: at most 61 "
        [[ $STDERR != *"reserved the id"* ]]
    done
    assert_gone "$ID"
}

@test "descriptors: what the caller has closed is /dev/null, and no file of the runtime's" {
    local status=0
    bundle sh -c 'cat; exit 4'
    runtime run --bundle "$BUNDLE" "$ID" <&- >&- 2>&- || status=$?
    assert_equal "$status" 4
    runtime run --detach --bundle "$BUNDLE" "$ID-2" <&- >&- 2>&-
    wait_status "$ID-2" stopped
    runtime delete "$ID-2"
}

@test "exit status: a caller that ignores SIGCHLD gets it too" {
    bundle sh -c 'exit 5'
    capture env --ignore-signal=CHLD "$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 5
}

@test "no leak" { assert_no_leak; }
