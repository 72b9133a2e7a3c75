# shellcheck shell=bash
# Assertions that say what they saw. `capture` fills STATUS, STDOUT and STDERR.

fail() {
    printf '%s\n' "$@" >&2
    return 1
}

# Runs a command with its output in files, not pipes: a process that it leaves behind cannot make the test wait.
# Standard input is the caller's; the test runner's descriptor 3 is closed.
capture() {
    local out=$TMPDIR/capture.$BASHPID.out err=$TMPDIR/capture.$BASHPID.err
    STATUS=0
    "$@" >"$out" 2>"$err" 3>&- || STATUS=$?
    STDOUT=$(tr -d '\0' <"$out")
    STDERR=$(tr -d '\0' <"$err")
    rm -f "$out" "$err"
    CAPTURED="$*"
}

report() {
    printf 'command: %s\nstatus: %s\nstdout: %s\nstderr: %s\n' "$CAPTURED" "$STATUS" "$STDOUT" "$STDERR" >&2
}

assert_status() {
    if [[ $STATUS != "$1" ]]; then
        report
        fail "expected exit status $1"
    fi
}

assert_success() { assert_status 0; }

assert_failed() {
    if [[ $STATUS == 0 || $STATUS == 124 ]]; then
        report
        fail "expected a failure (124 would be a time-out)"
    fi
}

assert_stdout() {
    if [[ $STDOUT != "$1" ]]; then
        report
        fail "expected stdout: $1"
    fi
}

assert_stdout_contains() {
    if [[ $STDOUT != *"$1"* ]]; then
        report
        fail "expected in stdout: $1"
    fi
}

assert_stderr_contains() {
    if [[ $STDERR != *"$1"* ]]; then
        report
        fail "expected in stderr: $1"
    fi
}

# The words by which callers tell that the *user's* command or process is at fault, one a line.
matched_words() { grep -o '"[^"]*"' "$REPOSITORY/tests/unit/support/matched_words.h" | tr -d '"'; }

# assert_stderr_blames_nobody [WORDS...]: an error of the runtime's own must not have them, but for WORDS, which are true.
assert_stderr_blames_nobody() {
    local word words
    mapfile -t words < <(matched_words)
    for word in "${words[@]:?}"; do
        if [[ ${STDERR,,} == *"$word"* && ! $'\n'$(printf '%s\n' "$@")$'\n' == *$'\n'$word$'\n'* ]]; then
            report
            fail "stderr must not contain: $word"
        fi
    done
}

assert_equal() {
    if [[ $1 != "$2" ]]; then fail "${3:+$3: }got: $1" "expected: $2"; fi
}

assert_not_equal() {
    if [[ $1 == "$2" ]]; then fail "${3:+$3: }got: $1, which it must not be"; fi
}

assert_contains() {
    if [[ $1 != *"$2"* ]]; then fail "${3:+$3: }got: $1" "expected in it: $2"; fi
}

assert_matches() {
    if [[ ! $1 =~ $2 ]]; then fail "${3:+$3: }got: $1" "expected a match of: $2"; fi
}

# wait_until SECONDS COMMAND...: succeeds as soon as the command does.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        if ((SECONDS >= deadline)); then
            fail "still not true: $*"
            return 1
        fi
        sleep 0.1
    done
}
