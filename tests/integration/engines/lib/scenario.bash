# shellcheck shell=bash
# Runs a scenario: scenario.bash FILE. The script is in the engine's namespaces and has
#   $E        the engine's command line, which adds the runtime (ENGINE_RUNTIME) to `run` and `create`
#   $DIR      an empty folder, the same path under both runtimes
#   $ENGINE   docker, podman or containerd
# and the functions below. What it prints is compared. Any command that fails fails the scenario, so both runtimes have
# really done what it is about; where a failure is expected, `try` says which.
set -euo pipefail

# try STATUS COMMAND...: it has to end with this exit status.
try() {
    local wanted=$1 status=0
    shift
    "$@" || status=$?
    if ((status != wanted)); then
        echo "expected exit status $wanted, got $status: $*" >&2
        exit 99
    fi
    echo "status $status"
}

# ends COMMAND...: prints its exit status, whatever it is.
ends() {
    local status=0
    "$@" || status=$?
    echo "status $status"
}

quiet() { "$@" >/dev/null; }

# up ARGUMENT...: a detached container.
up() { quiet "$E" run -d "$@"; }

# field NAME TEMPLATE: of `inspect`.
field() { "$E" inspect --format "$2" "$1"; }

# within SECONDS COMMAND...: as soon as it succeeds; what it says is nobody's business.
within() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= deadline)); then
            echo "still not true: $*" >&2
            exit 99
        fi
        sleep 0.1
    done
}

# has TEXT COMMAND...: what it says contains the text.
has() {
    local output
    output=$("${@:2}" 2>&1) || true
    [[ $output == *"$1"* ]]
}

is() { [[ $(field "$1" "$2") == "$3" ]]; }
is_running() { is "$1" '{{.State.Running}}' true; }
has_ended() { is "$1" '{{.State.Running}}' false; }

# on_terminal COMMAND...: on a new terminal; the script on standard input is of tests/programs/terminal.c. What it shows has no
# carriage returns.
on_terminal() {
    local status=0
    "$TERMINAL" run "$@" >"$DIR/.terminal" || status=$?
    tr -d '\r' <"$DIR/.terminal"
    return "$status"
}

# A shell command that lives until it is told to end; being pid 1 it would ignore SIGTERM without the trap.
# shellcheck disable=SC2034 # used by the scenarios
FOREVER='trap "exit 0" TERM; echo ready; while :; do sleep 0.2; done'

cd "$DIR"
# shellcheck disable=SC1090
source "$1"
