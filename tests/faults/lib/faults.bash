# shellcheck shell=bash
# Faults: a command stops itself at a named point (RUNVM_FAULT_POINT), a process is killed, and the command goes on.

# setup of every file here: the oracle has no such points.
setup() {
    only_runvm
    ID=$PREFIX$BATS_TEST_NUMBER
}

# victims POINT NAME...: of the processes that may be killed there those of this run: one, drawn with CHECK_SEED, or
# all in full mode.
victims() {
    local point=$1
    shift
    if [[ ${CHECK_MODE:-sample} == full ]]; then
        printf '%s\n' "$@"
    else
        printf '%s\n' "$@" | LC_ALL=C sort --random-sort --random-source=<(yes "${CHECK_SEED:-0} $point") | head -n 1
    fi
}

# The command that has stopped itself.
stopped_pids() {
    local pid
    for pid in $(file_processes "$NAME"); do
        if [[ $(sed 's/.*) //; s/ .*//' "/proc/$pid/stat" 2>/dev/null) == T ]]; then echo "$pid"; fi
    done
}

# pids_of VICTIM: cli is the one that is stopped; exec-shim is the shim that is not the container's.
pids_of() {
    case $1 in
    cli) stopped_pids ;;
    monitor) monitor_pids ;;
    reaper) reaper_pids ;;
    qemu) qemu_pids ;;
    virtiofsd) virtiofsd_pids ;;
    shim) shim_pids | head -n 1 ;;
    shim-init) shim_init_pids ;;
    exec-shim) shim_pids | grep -vx "$(cat "$BUNDLE/pid")" ;;
    esac
}

is_there() { [[ -n $(pids_of "$1") ]]; }

# begin_at POINT ARGUMENT...: starts the runtime's command in the background and waits until it has stopped itself at the
# point. Its output goes to BUNDLE/cli.out and cli.err, its exit status to BUNDLE/cli.status.
begin_at() {
    local point=$1
    shift
    rm -f "$BUNDLE"/cli.*
    RUNVM_FAULT_POINT=$point "$(program subreaper)" "$BUNDLE/pid" "$BUNDLE/report" \
        bash -c 'out=$1; shift; timeout --foreground 90 "$@" >"$out.out" 2>"$out.err"; status=$?
            echo "$status" >"$out.status.new"; mv "$out.status.new" "$out.status"; exit "$status"' - "$BUNDLE/cli" \
        "$RUNTIME" --root "$ROOT" "$@" </dev/null >/dev/null 2>&1 3>&- &
    SUBREAPER=$!
    wait_until 60 stopped_or_done
    if [[ -f $BUNDLE/cli.status ]]; then
        cat "$BUNDLE/cli.err" >&2
        fail "$* ended without reaching $point"
    fi
}

stopped_or_done() { [[ -f $BUNDLE/cli.status || -n $(stopped_pids) ]]; }

# strike VICTIM: kills it and lets the command go on; CLI_STATUS is how that ended.
strike() {
    # QEMU and virtiofsd come a moment after the monitor.
    wait_until 30 is_there "$1"
    local cli pid
    cli=$(stopped_pids)
    for pid in $(pids_of "$1"); do kill -KILL "$pid"; done
    if [[ $1 != cli ]]; then kill -CONT "$cli"; fi
    wait_until 95 test -f "$BUNDLE/cli.status"
    CLI_STATUS=$(cat "$BUNDLE/cli.status")
    assert_not_equal "$CLI_STATUS" 124 "the command hung after the death of $1"
}

no_helper() { [[ -z $(file_processes 'runvm-*')$(qemu_pids)$(virtiofsd_pids) ]]; }

is_over() { ! exists "$1" || { has_status "$1" stopped && [[ $(pid_of "$1") == 0 ]]; }; }

# assert_over ID: it is gone or stopped, and nothing lives any more.
assert_over() {
    wait_until 20 is_over "$1"
    wait_until 15 no_helper || {
        local pid
        for pid in $(file_processes 'runvm-*') $(qemu_pids) $(virtiofsd_pids); do
            echo "alive: $pid $(name_of "$pid")" >&2
        done
        return 1
    }
}

# assert_cleared ID: delete --force succeeds, and nothing of the container is left.
assert_cleared() {
    capture runtime delete --force "$1"
    assert_success
    assert_gone "$1"
    wait_until 10 no_helper
    if [[ -e $ROOT/$1 ]]; then fail "$ROOT/$1 is still there"; fi
    # What a subreaper of this test still waits for is no leak.
    kill "$SUBREAPER" 2>/dev/null || true
    wait "$SUBREAPER" 2>/dev/null || true
    assert_no_leak
}

# A failed command says something, and does not blame the user's program. That the container has ended may be true.
assert_cli_said_why() {
    [[ -s $BUNDLE/cli.err ]] || fail "the failed command said nothing"
    STDERR=$(cat "$BUNDLE/cli.err") STDOUT='' STATUS=$CLI_STATUS CAPTURED='the struck command'
    assert_stderr_blames_nobody 'container not running' 'os: process already finished'
}

# new_container [STATUS]: BUNDLE with a created (or running) container.
new_container() {
    bundle sh -c "$FOREVER"
    create_container "$ID"
    if [[ ${1:-created} == running ]]; then
        runtime start "$ID"
        wait_until 20 grep -q ready "$BUNDLE/stdout"
    fi
}
