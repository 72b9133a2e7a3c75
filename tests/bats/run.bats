#!/usr/bin/env bats
# run: create, start, wait and delete in one.

load lib/common

@test "run: output and exit code, and nothing is left" {
    bundle sh -c 'echo out; echo err >&2; exit 42'
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_status 42
    assert_stdout out
    assert_equal "$STDERR" err
    assert_gone "$ID"
    [[ ! -e $ROOT/$ID ]]
}

@test "run: death by a signal gives 128 and the signal" {
    bundle sh -c "$FOREVER"
    runtime run --bundle "$BUNDLE" "$ID" </dev/null >"$BUNDLE/stdout" 2>&1 &
    local client=$! status=0
    wait_until 60 grep -q ready "$BUNDLE/stdout"
    runtime kill "$ID" KILL
    wait "$client" || status=$?
    assert_equal "$status" 137
    assert_gone "$ID"
}

@test "run: standard input and a chain of pipes" {
    bundle sh -c 'tr a-z A-Z; echo done >&2'
    local result
    result=$(printf 'one\ntwo\n' | runtime run --bundle "$BUNDLE" "$ID" 2>"$FILE_DIR/err" | sort -r)
    assert_equal "$result" $'TWO\nONE'
    assert_equal "$(cat "$FILE_DIR/err")" "done"
}

@test "run: arguments and environment arrive byte by byte" {
    bundle sh -c 'printf "%s|" "$0" "$@" "$E"' '' ' ' $'a\tb\nc' 'ü€' '--help' '$HOME'
    edit '.process.env += ["E=a=b\n\"quoted\""]'
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_success
    assert_stdout $'| |a\tb\nc|ü€|--help|$HOME|a=b\n"quoted"|'
}

@test "run: signals to the foreground command reach the process" {
    bundle sh -c 'trap "echo got; exit 5" TERM; echo ready; while :; do sleep 0.1; done'
    "$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "$ID" >"$BUNDLE/stdout" 2>&1 </dev/null 3>&- &
    local client=$! status=0
    wait_until 60 grep -q ready "$BUNDLE/stdout"
    assert_equal "$(status_of "$ID")" running
    kill -TERM "$client"
    wait "$client" || status=$?
    assert_equal "$status" 5
    assert_equal "$(tail -1 "$BUNDLE/stdout")" got
    assert_gone "$ID"
}

@test "run: --detach, --pid-file; stopped containers stay" {
    bundle sh -c "$FOREVER"
    capture runtime run --detach --bundle "$BUNDLE" --pid-file "$BUNDLE/pid" "$ID"
    assert_success
    assert_equal "$(status_of "$ID")" running
    assert_equal "$(cat "$BUNDLE/pid")" "$(pid_of "$ID")"
    runtime kill "$ID" KILL
    wait_status "$ID" stopped
}

@test "run: --no-subreaper and --no-pivot change nothing" {
    # The process is the caller's subreaper's in any case: runvm adopts none, and the guest's root is no ramdisk's.
    bundle sh -c 'echo ready; exit 3'
    own_rootfs
    local flags
    for flags in '' '--no-subreaper --no-pivot' '-no-subreaper'; do
        # shellcheck disable=SC2086
        capture "$(program subreaper)" "$BUNDLE/pid" "$BUNDLE/report" \
            "$RUNTIME" --root "$ROOT" run --detach $flags --bundle "$BUNDLE" --pid-file "$BUNDLE/pid" "$ID" </dev/null
        assert_success
        assert_equal "$STDOUT" ready "$flags"
        assert_equal "$(cat "$BUNDLE/report")" "exited 3" "$flags"
        runtime delete "$ID"
    done
    create_container "$ID" --no-pivot
    assert_equal "$(status_of "$ID")" created
}

@test "run: --keep leaves the stopped container" {
    if is_runc && ! runtime run --help | grep -q -- --keep; then skip "this runc has no --keep"; fi
    bundle sh -c 'exit 6'
    capture runtime run --keep --bundle "$BUNDLE" "$ID"
    assert_status 6
    assert_equal "$(status_of "$ID")" stopped
    runtime delete "$ID"
}

@test "run: what cannot be started leaves nothing" {
    bundle no-such-program
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains 'unable to start container process: exec: \"no-such-program\": executable file not found in $PATH'
    assert_gone "$ID"
    [[ ! -e $ROOT/$ID ]]
}

@test "run: what the user's command did wrong" {
    local command words
    while read -r command words; do
        bundle "$command"
        capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
        assert_status 1
        # Newer versions of runc call a folder what it is, which Docker 20.10 does not understand.
        if is_runc && [[ $command == /etc ]]; then words='(is a directory|permission denied)'; fi
        assert_matches "$STDERR" "$words"
        assert_gone "$ID"
    done <<'END'
/no/such/program no such file or directory
/etc/passwd/x not a directory
/etc/passwd permission denied
/etc permission denied
END
}

@test "run: can be interrupted while it reads the bundle" {
    bundle true
    rm "$BUNDLE/config.json"
    mkfifo "$BUNDLE/config.json"
    capture timeout --kill-after=10 3 "$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 124 # by SIGTERM; 137 if that had not been enough
    assert_gone "$ID"
}

@test "run: an id that is taken" {
    bundle sh -c "$FOREVER"
    create_container "$ID"
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains "container with given ID already exists"
    assert_equal "$(status_of "$ID")" created
}

@test "run: the processes that the first one left end with it" {
    bundle sh -c 'sleep 1000 & exit 0'
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_success
}

@test "run: wrong usage" {
    bundle true
    capture runtime run
    assert_status 1
    capture runtime run --bundle "$BUNDLE" ../x
    assert_status 1
    assert_stderr_contains "invalid container ID format"
    edit '.process.terminal = true'
    capture runtime run --detach --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains "cannot allocate tty if $NAME will detach without setting console socket"
}

@test "no leak" { assert_no_leak; }
