# shellcheck shell=bash
# What the files that make-bats makes run. ENGINE is docker, podman or containerd.
#
# One instance of the engine serves a file: its own daemon, store and configuration (examples/), in namespaces of its own
# (lib/namespaces.bash). It knows both runtimes, so that both have the same images. Each scenario runs under runc, then under runvm
# with the same names, and what it says has to be the same.

ENGINES=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/bats/lib/common.bash
source "$ENGINES/../../bats/lib/common.bash"
# shellcheck source=tests/integration/engines/lib/namespaces.bash
source "$ENGINES/lib/namespaces.bash"
# shellcheck source=tests/integration/engines/lib/images.bash
source "$ENGINES/lib/images.bash"
# shellcheck source=tests/integration/engines/lib/instance.bash
source "$ENGINES/lib/instance.bash"

DIFFERENCES=$REPOSITORY/docs/differences.md
# Of one run of a scenario: some machines boot several times in it, beside other tests.
SCENARIO_TIMEOUT_S=${SCENARIO_TIMEOUT_S:-80}

setup_file() {
    file_begin
    RUNVM=$RUNTIME
    TERMINAL=$(program terminal)
    export RUNVM TERMINAL
    # Images and scenarios are read by other users of the containers.
    chmod 711 "$FILE_DIR"
    namespaces_enter
    "instance_start_$ENGINE"
    instance_load_images
    instance_warm_up
    inside bash "$ENGINES/lib/instance-view.bash" "$ENGINE" >"$FILE_DIR/view.before"
}

teardown_file() {
    namespaces_leave
    file_end
}

setup() { :; }
teardown() { :; }

# run_scenario RUNTIME: SCRIPT under it; what it says is in FILE_DIR/said.RUNTIME.
run_scenario() {
    local runtime=$1 status=0
    rm -rf "$FILE_DIR/work"
    mkdir "$FILE_DIR/work"
    chmod 755 "$FILE_DIR/work"
    printf '%s\n' "$SCRIPT" >"$FILE_DIR/script"
    export ENGINE_RUNTIME=$runtime DIR=$FILE_DIR/work E=$ENGINES/bin/$ENGINE_CLI ENGINE REPOSITORY
    inside timeout --kill-after=5 "$SCENARIO_TIMEOUT_S" bash "$ENGINES/lib/scenario.bash" "$FILE_DIR/script" \
        </dev/null >"$FILE_DIR/out" 2>"$FILE_DIR/err" || status=$?
    {
        cat "$FILE_DIR/out"
        sed 's/^/stderr: /' "$FILE_DIR/err"
    } | tr -d '\0' | sed -E -f "$ENGINES/lib/level.sed" >"$FILE_DIR/said.$runtime"
    if ((status != 0)); then
        instance_log_tail >&2
        inside bash "$ENGINES/lib/clean.bash" >&2 || true
        fail "under $runtime the scenario has ended with $status; it has said:" "$(<"$FILE_DIR/said.$runtime")"
    fi
    inside bash "$ENGINES/lib/clean.bash" >&2 || fail "what the scenario has made under $runtime cannot be removed"
}

is_listed() { grep -qF "| \`$1\` |" "$DIFFERENCES"; }

# compare NAME: SCRIPT says the same under both runtimes, but for the lines EXPECTED.
compare() {
    local name=$1 differing expected
    run_scenario runc
    if is_runc; then return; fi
    run_scenario runvm
    differing=$(diff "$FILE_DIR"/said.{runc,runvm} | grep '^[<>]' || true)
    # shellcheck disable=SC2153 # what the scenario's test sets
    expected=$(grep '^[<>]' <<<"$EXPECTED" || true)
    if is_listed "$name"; then
        if [[ -z $differing ]]; then fail "docs/differences.md lists \`$name\`, but there is no difference"; fi
        diff -U1 --label 'expected difference' --label 'difference' <(echo "$expected") <(echo "$differing") >&2
    else
        assert_equal "$expected" "" "docs/differences.md does not list \`$name\`, but it has expected differences"
        diff -U3 --label runc --label runvm "$FILE_DIR"/said.{runc,runvm} >&2 || {
            instance_log_tail >&2
            fail "the scenario says something else under runvm"
        }
    fi
}

# assert_says NAME: SCRIPT says what is EXPECTED under runvm.
assert_says() {
    if is_runc; then skip "about runvm only"; fi
    run_scenario runvm
    diff -U3 --label expected --label runvm <(sed -n 's/^= //p' <<<"$EXPECTED") "$FILE_DIR/said.runvm" >&2
}

view_is_clean() {
    inside bash "$ENGINES/lib/instance-view.bash" "$ENGINE" >"$FILE_DIR/view.after" &&
        diff -U0 "$FILE_DIR"/view.{before,after} >"$FILE_DIR/view.diff"
}

# The last test of each file: the engine has what it had at its start, and so has the host.
assert_nothing_left() {
    wait_until 15 view_is_clean || {
        cat "$FILE_DIR/view.diff" >&2
        return 1
    }
    namespaces_leave
    assert_no_leak
}
