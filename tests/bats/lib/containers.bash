# shellcheck shell=bash
# The runtime under test, and containers of this file's root.

# Limits are for a busy machine without KVM: a VM boots in some 5 s there, but not beside seven others.
RUNTIME_TIMEOUT_S=${RUNTIME_TIMEOUT_S:-100}

# runtime COMMAND...: with the file's --root, and a limit so that a hang is a failure (124).
runtime() {
    # shellcheck disable=SC2086
    timeout --foreground --kill-after=5 "$RUNTIME_TIMEOUT_S" "$RUNTIME" --root "$ROOT" $RUNTIME_GLOBALS "$@" 3>&-
}

# create_container ID [OPTION...]: a created container of BUNDLE; its output goes to BUNDLE/stdout and stderr.
create_container() {
    local id=$1
    shift
    runtime create --bundle "$BUNDLE" --pid-file "$BUNDLE/pid" "$@" "$id" \
        </dev/null >"$BUNDLE/stdout" 2>"$BUNDLE/stderr" || {
        cat "$BUNDLE/stderr" >&2
        return 1
    }
}

# run_detached ID [OPTION...]: the same, started.
run_detached() {
    create_container "$@"
    runtime start "$1"
}

# run_until_ready ID [OPTION...]: the same, which has said `ready`.
run_until_ready() {
    run_detached "$@"
    wait_until 20 grep -q ready "$BUNDLE/stdout"
}

# run_forever ID: a running container that does nothing until it is killed.
run_forever() {
    bundle sh -c "$FOREVER"
    run_until_ready "$1"
}

status_of() { runtime state "$1" | jq -r .status; }
pid_of() { runtime state "$1" | jq -r .pid; }

has_status() { [[ $(status_of "$1" 2>/dev/null) == "$2" ]]; }

wait_status() { wait_until "${3:-30}" has_status "$1" "$2"; }

exists() { runtime state "$1" >/dev/null 2>&1; }

# Ends and removes the containers whose ids match a pattern, also those whose state cannot be read any more.
remove_containers() {
    local pattern folder
    for pattern in "$@"; do
        for folder in "$ROOT"/$pattern; do
            [[ -d $folder ]] || continue
            runtime delete --force "${folder##*/}" >/dev/null 2>&1 </dev/null || true
        done
    done
}

assert_gone() {
    if exists "$1"; then fail "container $1 exists: $(runtime state "$1")"; fi
}
