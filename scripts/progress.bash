# shellcheck shell=bash
# Sourced by the scripts here: steps that show that they are alive.

STEP_INTERVAL_S=10

# tail_of FILE: its last line that says something, in at most 100 characters.
tail_of() {
    tr '\r' '\n' <"$1" | grep -a -v '^[[:space:]]*$' | tail -n 1 | cut -c1-100
}

# step TITLE COMMAND...: runs the command with its output in a log. Every few seconds a line says how long it has
# run and what it printed last. When it fails the log's end is shown, and the command's status returned.
step() {
    local title=$1 log status=0 started=$SECONDS pid last=$SECONDS
    shift
    log=$(mktemp)
    printf '==> %s\n' "$title"
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    # shellcheck disable=SC2064 # this step's own process
    trap "kill $pid 2>/dev/null; rm -f '$log'; exit 130" INT TERM
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        if ((SECONDS - last >= STEP_INTERVAL_S)); then
            last=$SECONDS
            printf '    %4d s  %s\n' $((SECONDS - started)) "$(tail_of "$log")"
        fi
    done
    wait "$pid" || status=$?
    trap - INT TERM
    if ((status != 0)); then
        printf '    failed with status %d after %d s; the end of its output:\n' "$status" $((SECONDS - started))
        tail -n 60 "$log" | sed 's/^/    | /'
    elif ((SECONDS - started >= 3)); then
        printf '    done in %d s\n' $((SECONDS - started))
    fi
    rm -f "$log"
    return "$status"
}
