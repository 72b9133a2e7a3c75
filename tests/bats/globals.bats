#!/usr/bin/env bats
# Globals, help, version, and the log in the form that engines read.

load lib/common

# runc's with urfave/cli: an error goes to stderr, and to the log file if there is one.
with_log() {
    LOG=$FILE_DIR/log.$RANDOM$RANDOM
    capture "$RUNTIME" --root "$ROOT" --log "$LOG" "$@"
}

@test "version: go-runc's three lines" {
    local flag
    for flag in --version -v; do
        capture "$RUNTIME" "$flag"
        assert_success
        assert_equal "$STDERR" ""
        assert_matches "$(sed -n 1p <<<"$STDOUT")" "^$NAME version [0-9]"
        grep -q '^commit: ' <<<"$STDOUT"
        assert_matches "$(grep '^spec: ' <<<"$STDOUT")" '^spec: 1\.[0-9]+\.[0-9]+'
    done
}

@test "help: of the program and of each command" {
    capture "$RUNTIME" --help
    assert_success
    local command
    for command in create start state kill delete exec run list spec features; do
        assert_stdout_contains "$command"
        capture "$RUNTIME" "$command" --help
        assert_success
        assert_stdout_contains "$command"
        assert_equal "$STDERR" ""
        capture "$RUNTIME" --help
    done
    capture "$RUNTIME" -h
    assert_success
    capture "$RUNTIME"
    assert_success
    assert_stdout_contains create
}

@test "help: names the flags that engines probe for" {
    capture "$RUNTIME" create --help
    local flag
    for flag in --bundle --pid-file --console-socket --preserve-fds --no-pivot --no-new-keyring; do
        assert_stdout_contains "$flag"
    done
    capture "$RUNTIME" exec --help
    for flag in --process --detach --tty --env --user --cwd --cap --additional-gids --pid-file --console-socket \
        --preserve-fds; do
        assert_stdout_contains "$flag"
    done
}

@test "usage: a flag without its value, in the words that Podman looks for" {
    # Podman's pkg/checkpoint/crutils asks whether a runtime can restore into a pod by `restore --lsm-mount-context`.
    capture "$RUNTIME" create --bundle
    assert_status 1
    assert_matches "$STDOUT$STDERR" 'flag needs an argument|requires an argument'
    capture "$RUNTIME" restore --lsm-mount-context
    assert_status 1
    if is_runc; then
        assert_matches "$STDOUT$STDERR" 'flag needs an argument|requires an argument'
    else
        # It cannot, and says so; nor whether it can make checkpoints at all, by `checkpoint --help`.
        assert_matches "$STDERR" 'runvm restore is not available'
        if [[ $STDOUT$STDERR =~ (flag\ needs|requires)\ an\ argument ]]; then fail "Podman would take it for able to"; fi
        capture "$RUNTIME" checkpoint --help
        assert_status 1
    fi
}

@test "usage: an unknown command or global" {
    capture "$RUNTIME" no-such-command
    assert_failed
    assert_stderr_contains no-such-command
    capture "$RUNTIME" --no-such-flag list
    assert_status 1
    assert_stderr_contains no-such-flag
    capture "$RUNTIME" --root
    assert_status 1
}

@test "log: text on stderr without --log" {
    capture "$RUNTIME" --root "$ROOT" state "$ID"
    assert_status 1
    assert_stderr_contains "container does not exist"
}

@test "log: json is exactly one line with the error, which is on stderr too" {
    # Podman parses the whole file as one object.
    with_log --log-format json state "$ID"
    assert_status 1
    assert_stderr_contains "container does not exist"
    assert_equal "$(wc -l <"$LOG")" 1
    assert_equal "$(jq -c keys "$LOG")" '["level","msg","time"]'
    assert_equal "$(jq -r .level "$LOG")" error
    assert_matches "$(jq -r .msg "$LOG")" 'container does not exist'
    assert_matches "$(jq -r .time "$LOG")" '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+)$'
}

@test "log: an error with quotes and newlines is still one line of JSON" {
    bundle true
    mv "$BUNDLE" "$FILE_DIR/bundles/a\"b"
    with_log --log-format json create --bundle "$FILE_DIR/bundles/a\"b"$'\n'c "$ID"
    assert_status 1
    assert_equal "$(wc -l <"$LOG")" 1
    jq -e .msg "$LOG"
}

@test "log: text in a file" {
    with_log state "$ID"
    assert_status 1
    grep -q 'level=error msg=".*container does not exist"' "$LOG"
}

@test "log: success writes nothing without --debug" {
    with_log --log-format json list
    assert_success
    [[ ! -s $LOG ]]
}

@test "log: --debug in JSON is JSON in every line, and the last error is the error" {
    # containerd gives up at any line that is not JSON.
    with_log --debug --log-format json state "$ID"
    assert_status 1
    jq -es 'all(has("level") and has("msg") and has("time"))' "$LOG"
    assert_matches "$(jq -rs 'map(select(.level == "error")) | last | .msg' "$LOG")" 'container does not exist'
}

@test "log: --debug of a whole life is JSON, also from the helpers" {
    bundle true
    LOG=$FILE_DIR/log.life
    RUNTIME_GLOBALS="--debug --log $LOG --log-format json"
    create_container "$ID"
    runtime start "$ID"
    wait_status "$ID" stopped
    runtime delete "$ID"
    jq -es 'length > 0 and all(has("level") and has("msg") and has("time"))' "$LOG"
    assert_equal "$(jq -r 'select(.level == "error")' "$LOG")" ""
}

@test "log: a second command appends" {
    LOG=$FILE_DIR/log.append
    local i
    for i in 1 2; do "$RUNTIME" --root "$ROOT" --log "$LOG" --log-format json state "$ID" 2>/dev/null || true; done
    assert_equal "$(wc -l <"$LOG")" 2
}

@test "log: a bad format, a file that cannot be written" {
    with_log --log-format nonsense list
    assert_status 1
    assert_stderr_contains "invalid log-format"
    capture "$RUNTIME" --root "$ROOT" --log "$FILE_DIR/no/such/folder/log" list
    assert_status 1
}

@test "globals: repeated ones, the last wins; --root=X; no-ops" {
    # A wrapper may repeat globals.
    capture "$RUNTIME" --root /no/such/root --root "$ROOT" --systemd-cgroup --rootless=false --rootless true list -q
    assert_success
    capture "$RUNTIME" --root="$ROOT" --rootless auto --criu criu --debug=false list -q
    assert_success
}

@test "globals: the default root works and is left as it was" {
    capture "$RUNTIME" state "$ID"
    assert_status 1
    assert_stderr_contains "container does not exist"
}

@test "config: an unknown key names file, line and key" {
    only_runvm
    printf '[hypervisor]\nvcpus = 1\nno_such_key = 2\n' >"$FILE_DIR/config.toml"
    capture "$RUNTIME" --config "$FILE_DIR/config.toml" --root "$ROOT" list
    assert_status 1
    assert_stderr_contains "$FILE_DIR/config.toml"
    assert_stderr_contains no_such_key
    assert_stderr_contains 3
    capture "$RUNTIME" --config "$FILE_DIR/no-such.toml" --root "$ROOT" list
    assert_status 1
    assert_stderr_contains "$FILE_DIR/no-such.toml"
}

@test "no leak" { assert_no_leak; }
