#!/usr/bin/env bats
# Terminals: run -t, exec -t, console sockets, sizes, control characters.

load lib/common

setup_file() {
    file_begin
    TERMINAL=$(program terminal)
    SHARED=${PREFIX}shared
    run_forever "$SHARED"
    export TERMINAL SHARED
}

# on_terminal COMMAND...: the runtime's command on a new terminal, playing the script on standard input.
on_terminal() { capture "$TERMINAL" run "$RUNTIME" --root "$ROOT" "$@"; }

# receive: plays the script on standard input to the terminal that arrives at BUNDLE/console; RECEIVER is its pid.
receive() {
    # "<&0": else bash gives what runs in the background no standard input.
    "$TERMINAL" receive "$BUNDLE/console" <&0 >"$BUNDLE/output" 2>"$BUNDLE/receiver.err" 3>&- &
    RECEIVER=$!
    wait_until 10 test -S "$BUNDLE/console"
}

received() {
    wait "$RECEIVER" || {
        cat "$BUNDLE/receiver.err" "$BUNDLE/output" >&2
        return 1
    }
}

@test "terminal: run of a shell" {
    bundle sh
    edit '.process.terminal = true'
    on_terminal run --bundle "$BUNDLE" "$ID" <<'SCRIPT'
expect #
send echo one-$((1+1))\r
expect one-2
send tty; test -t 0 && test -t 1 && test -t 2 && echo all-$((3+4))\r
expect /dev/pts/0
expect all-7
send exit 3\r
SCRIPT
    assert_status 3
    assert_gone "$ID"
}

@test "terminal: exec -t" {
    on_terminal exec --tty "$SHARED" sh <<'SCRIPT'
expect #
send echo one-$((1+1))\r
expect one-2
send stty size\r
expect 24 80
send exit 5\r
SCRIPT
    assert_status 5
}

@test "terminal: the end of input is a control character" {
    on_terminal exec -t "$SHARED" sh -c 'cat; echo after-$((1+1))' <<'SCRIPT'
send word\r
expect word
expect word
send \x04
expect after-2
SCRIPT
    assert_success
}

@test "terminal: Ctrl-C interrupts the foreground job only" {
    on_terminal exec -t "$SHARED" sh <<'SCRIPT'
expect #
send sh -c 'echo job-$((1+1)); exec sleep 1000'\r
expect job-2
send \x03
expect #
send echo alive-$((1+1))\r
expect alive-2
send exit 0\r
SCRIPT
    assert_success
}

@test "terminal: job control" {
    on_terminal exec -t "$SHARED" sh <<'SCRIPT'
expect #
send sh -c 'echo job-$((1+1)); exec sleep 1000'\r
expect job-2
send \x1a
expect Stopped
send kill %1; fg; echo back-$((1+1))\r
expect back-2
send exit 0\r
SCRIPT
    assert_success
}

@test "terminal: a new size reaches the process" {
    on_terminal exec -t "$SHARED" sh -c 'trap "stty size; echo resized-$((1+1))" WINCH; stty size; echo ready-$((1+1))
        while :; do read -t 1 x; [ "$x" = q ] && exit; done' <<'SCRIPT'
expect 24 80
expect ready-2
size 50 132
expect 50 132
size 7 9
expect 7 9
send q\r
SCRIPT
    assert_success
}

@test "terminal: output is whole" {
    on_terminal exec -t "$SHARED" sh -c 'i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i+1)); done' </dev/null
    assert_success
    # A terminal in its initial mode sends CR LF.
    assert_equal "$STDOUT" "$(for i in {0..2999}; do printf 'line %d\r\n' "$i"; done)"
}

@test "terminal: the caller's is put back as it was" {
    capture "$TERMINAL" run sh -c 'before=$(stty -g); "$@"; after=$(stty -g); test "$before" = "$after" && echo same-$((1+1))' - \
        "$RUNTIME" --root "$ROOT" exec -t "$SHARED" true </dev/null
    assert_success
    assert_stdout_contains same-2
}

@test "terminal: --console-socket" {
    bundle sh
    edit '.process.terminal = true'
    receive <<'SCRIPT'
expect #
size 33 44
send stty size\r
expect 33 44
send exit 9\r
SCRIPT
    create_container "$ID" --console-socket "$BUNDLE/console"
    runtime start "$ID"
    received
    wait_status "$ID" stopped
    assert_equal "$(cat "$BUNDLE/stdout")" ""
}

@test "terminal: consoleSize" {
    bundle sh -c 'stty size; echo'
    edit '.process.terminal = true | .process.consoleSize = {height: 31, width: 17}'
    receive <<'SCRIPT'
expect 31 17
SCRIPT
    create_container "$ID" --console-socket "$BUNDLE/console"
    runtime start "$ID"
    received
}

@test "terminal: the resize of a received master reaches a running process" {
    bundle sh -c 'trap "stty size" WINCH; echo ready-$((1+1)); while :; do read -t 1 x; [ "$x" = q ] && exit; done'
    edit '.process.terminal = true'
    receive <<'SCRIPT'
expect ready-2
size 61 62
expect 61 62
send q\r
SCRIPT
    run_detached "$ID" --console-socket "$BUNDLE/console"
    received
}

@test "terminal: a hangup of the master ends the session" {
    bundle sh -c 'trap "exit 0" HUP; echo ready-$((1+1)); while :; do sleep 0.1; done'
    edit '.process.terminal = true'
    receive <<'SCRIPT'
expect ready-2
hangup
SCRIPT
    run_detached "$ID" --console-socket "$BUNDLE/console"
    received
    wait_status "$ID" stopped
}

@test "terminal: exec --detach with a console socket" {
    bundle true
    receive <<'SCRIPT'
expect #
send echo one-$((1+1))\r
expect one-2
send exit\r
SCRIPT
    runtime exec --detach --tty --console-socket "$BUNDLE/console" --pid-file "$BUNDLE/pid" "$SHARED" sh \
        </dev/null >/dev/null 2>&1
    received
    wait_until 10 is_gone "$(cat "$BUNDLE/pid")"
}

@test "terminal: with /dev/null as standard input" {
    bundle sh -c 'test -t 0 && test -t 1 && test -c /dev/console && ls /dev/pts && echo fine-$((1+1))'
    edit '.process.terminal = true'
    capture "$TERMINAL" run sh -c 'exec "$@" </dev/null' - "$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout_contains fine-2
}

@test "terminal: signals are forwarded while nobody reads the output" {
    bundle sh -c 'trap "exit 7" TERM; yes "$(seq 1000)" & wait'
    edit '.process.terminal = true'
    mkfifo "$BUNDLE/out"
    exec 8<>"$BUNDLE/out"
    "$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "$ID" </dev/null >"$BUNDLE/out" 2>"$BUNDLE/stderr" 3>&- 8>&- &
    local pid=$!
    wait_until 60 has_status "$ID" running
    sleep 4 # the pipe and the terminal fill up
    kill -TERM "$pid"
    wait_status "$ID" stopped
    # What was written before its end comes all the same, to a caller that reads on.
    kill -0 "$pid"
    timeout 10 cat <&8 >/dev/null 3>&- &
    local status=0
    wait "$pid" || status=$?
    exec 8>&-
    assert_equal "$status" 7
}

@test "terminal: a console socket that is not there" {
    bundle sh
    edit '.process.terminal = true'
    capture runtime create --bundle "$BUNDLE" --console-socket "$BUNDLE/no-such-socket" "$ID"
    assert_status 1
    assert_gone "$ID"
}

@test "no leak" { assert_no_leak "$SHARED"; }
