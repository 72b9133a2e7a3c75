# shellcheck shell=bash
# What the files that make-bats makes run. AREA is the name of the file of cases.

DIFFERENTIAL=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/bats/lib/common.bash
source "$DIFFERENTIAL/../bats/lib/common.bash"
# shellcheck source=tests/differential/lib/fixtures.bash
source "$DIFFERENTIAL/lib/fixtures.bash"
# shellcheck source=tests/differential/lib/every-case.bash
source "$DIFFERENTIAL/lib/every-case.bash"

DIFFERENCES=$REPOSITORY/docs/differences.md
# Lines that are the runtimes' own, and those that say that they have not run it: runc's init, which is the process by
# then, has no level.
RUNTIMES_OWN='^time=|^runvm: warning: the guest is emulated|^exec .*: exec format error$'
REFUSAL='^time=.* level=error |^exec .*: exec format error$'

setup_file() {
    file_begin
    RUNVM=$RUNTIME
    make_neutral_runc
    SHARED=${PREFIX}shared
    export RUNVM RUNC SHARED
    make_neutral_host
    make_fixtures
    printf '[hypervisor]\nvcpus = %d\n' "$([[ $AREA == exec ]] && echo 2 || echo 1)" >"$FILE_DIR/config.toml"
    if [[ $AREA == exec ]]; then
        for_runtime "$RUNC" run_shared
        for_runtime "$RUNVM" run_shared
    fi
}

# What runc's process inherits of its caller, and runvm's in the guest cannot, does not depend on who runs the tests.
make_neutral_runc() {
    RUNC=$FILE_DIR/neutral/runc
    local path
    path=$(command -v runc) || fail "runc is missing: scripts/packages/test.txt"
    mkdir "$FILE_DIR/neutral"
    # shellcheck disable=SC2016 # the script's own
    printf '%s\n' '#!/bin/bash' \
        '{ renice -n 0 -p $$; ionice -c none -p $$; choom -n 0 -p $$; } >/dev/null 2>&1' \
        "exec $path \"\$@\"" >"$RUNC"
    chmod +x "$RUNC"
}

# The same for what depends on the host: the flags of the mount that has the bundles (systemd's /tmp is nosuid and nodev), and
# the one sysctl that a new network namespace takes from the first.
make_neutral_host() {
    # In a user namespace runc's init is not the host's root.
    chmod 711 "$FILE_DIR" "$FILE_DIR/bundles"
    mount --bind "$FILE_DIR" "$FILE_DIR"
    mount --make-private "$FILE_DIR"
    mount -o remount,bind,rw,suid,dev,exec,atime,diratime,relatime "$FILE_DIR"
    jq '.linux.sysctl = {"net.ipv4.ip_forward": "0"}' "$FILE_DIR/base.json" >"$FILE_DIR/base.json.new"
    mv "$FILE_DIR/base.json.new" "$FILE_DIR/base.json"
}

setup() { ID=$PREFIX$BATS_TEST_NUMBER; }
teardown() {
    for_runtime "$RUNC" remove_containers "$ID"
    for_runtime "$RUNVM" remove_containers "$ID"
}
teardown_file() {
    if [[ -z ${RUNC:-} ]]; then
        file_end
    else
        for_runtime "$RUNC" remove_containers "$PREFIX*"
        for_runtime "$RUNVM" file_end
    fi
}

assert_nothing_left() {
    remove_fixtures
    if [[ $AREA != exec ]]; then
        for_runtime "$RUNVM" assert_no_leak
    else
        for_runtime "$RUNC" runtime delete --force "$SHARED"
        for_runtime "$RUNVM" assert_no_leak "$SHARED"
    fi
}

# Of one name under both runtimes, which make of it the same cgroup when they are not told of one.
run_shared() {
    bundle sh -c "$FOREVER"
    edit '.linux.cgroupsPath = $path' --arg path "/$SHARED-$NAME"
    run_until_ready "$SHARED"
}

# for_runtime RUNTIME COMMAND...
for_runtime() {
    RUNTIME=$1
    NAME=$(basename "$RUNTIME")
    ROOT=$FILE_DIR/root
    RUNTIME_GLOBALS="--config $FILE_DIR/config.toml"
    if is_runc; then ROOT=$FILE_DIR/root-runc RUNTIME_GLOBALS=; fi
    "${@:2}"
}

# make_case TEXT: a bundle whose process runs the shell script TEXT, changed by FILTER.
make_case() {
    bundle sh -c "$1" view
    chmod 711 "$BUNDLE"
    edit '.root = {path: "rootfs"}'
    if [[ $AREA == exec ]]; then edit '.process'; fi
    edit "$FILTER" --arg bundle "$BUNDLE" --arg tree "$TREE" --arg netns "$NETNS" \
        --arg mounted_rootfs "$MOUNTED_ROOTFS"
    CONFIG=$BUNDLE/config.json
}

# on_pipes COMMAND...: the runtime's, with pipes for all three descriptors: files would be passed on by one runtime only.
on_pipes() {
    {
        {
            local status=0
            runtime "$@" < <(true) || status=$?
            echo "$status" >"$BUNDLE/status"
        } 2>&1 >&4 4>&- | cat >"$BUNDLE/err"
    } 4>&1 | cat >"$BUNDLE/out"
}

on_terminal() {
    local status=0
    # shellcheck disable=SC2086
    "$TERMINAL" run timeout --foreground --kill-after=5 "$RUNTIME_TIMEOUT_S" "$RUNTIME" --root "$ROOT" $RUNTIME_GLOBALS \
        "$@" </dev/null >"$BUNDLE/both" 2>"$BUNDLE/terminal.err" 3>&- || status=$?
    echo "$status" >"$BUNDLE/status"
    grep -E "$RUNTIMES_OWN" "$BUNDLE/both" >"$BUNDLE/err" || true
    grep -vE "$RUNTIMES_OWN" "$BUNDLE/both" >"$BUNDLE/out" || true
}

# on_console_socket COMMAND... ID: a terminal whose size is not the caller's. The exit status is nobody's.
on_console_socket() {
    rm -f "$BUNDLE/console"
    "$TERMINAL" receive "$BUNDLE/console" </dev/null >"$BUNDLE/out" 2>"$BUNDLE/receiver.err" 3>&- &
    local receiver=$!
    wait_until 10 test -S "$BUNDLE/console"
    echo 0 >"$BUNDLE/status"
    runtime "${@:1:$#-1}" --detach --console-socket "$BUNDLE/console" "${!#}" </dev/null >/dev/null 2>"$BUNDLE/err" || {
        echo $? >"$BUNDLE/status"
        kill "$receiver" # nothing comes
    }
    wait "$receiver" || true
}

# run_case: what the process says under RUNTIME, how it ends, and what its hooks have written into the bundle.
run_case() {
    local command=(run --bundle "$BUNDLE" "$ID") way=on_pipes
    if [[ $AREA == exec ]]; then
        command=(exec --process "$CONFIG" "$SHARED")
    else
        rm -rf "$BUNDLE/rootfs"
        cp -a "$ROOTFS" "$BUNDLE/rootfs"
        rm -rf "$BUNDLE/data"
        mkdir "$BUNDLE/data"
        echo text >"$BUNDLE/data/file"
        chmod 755 "$BUNDLE/data/file"
    fi
    if jq -e '(.process // .).terminal' "$CONFIG" >/dev/null; then way=on_terminal; fi
    if jq -e '(.process // .).consoleSize' "$CONFIG" >/dev/null; then way=on_console_socket; fi
    : >"$BUNDLE/hooks"
    "$way" "${command[@]}"
    tr -d '\r' <"$BUNDLE/out" | sed -E 's/(pipe|socket):\[[0-9]+\]/\1/'
    grep -vx 0 "$BUNDLE/status" | sed 's/^/exit status /' || true
    grep -vE "$RUNTIMES_OWN" "$BUNDLE/err" | sed 's/^/stderr: /' || true
    # Of a failed test bats shows it.
    grep -E "$RUNTIMES_OWN" "$BUNDLE/err" >&2 || true
    sed 's/^/hook: /' "$BUNDLE/hooks"
    # A run that is detached stays.
    if [[ $way == on_console_socket && $AREA != exec ]]; then runtime delete --force "$ID"; fi
}

# A case that neither runtime runs says nothing, whatever they have in common.
assert_has_run() {
    if grep -qE "$REFUSAL" "$BUNDLE/err"; then fail "$NAME has not run it:" "$(<"$BUNDLE/err")"; fi
}

is_listed() { grep -qF "| \`$1\` |" "$DIFFERENCES"; }

assert_alike() { diff -U1 --label "$3" --label "runvm" "$1" "$2" >&2; }

# assert_differs_as_listed NAME: the views differ in the lines that begin with "<" and ">" in EXPECTED, if docs/differences.md
# has the case, or else not at all.
assert_differs_as_listed() {
    local name=$1 differing expected
    differing=$(diff "$BUNDLE"/view.{runc,runvm} | grep '^[<>]' || true)
    expected=$(grep '^[<>]' <<<"$EXPECTED" || true)
    if is_listed "$name"; then
        if [[ -z $differing ]]; then fail "docs/differences.md lists \`$name\`, but there is no difference"; fi
        assert_alike <(echo "$expected") <(echo "$differing") "expected difference"
    else
        assert_equal "$expected" "" "docs/differences.md does not list \`$name\`, but it has expected differences"
        assert_alike "$BUNDLE"/view.{runc,runvm} runc
    fi
}

# skip_what_the_host_cannot: of what the case asks for.
skip_what_the_host_cannot() {
    if jq -e 'any(.mounts[]?; .uidMappings)' "$CONFIG" >/dev/null; then skip_unless_idmapped "$BUNDLE"; fi
    if jq -e '.linux.resources.cpu.cpus == "0"' "$CONFIG" >/dev/null && ! taskset --cpu-list 0 true 2>/dev/null; then
        skip "processor 0 is not for this test's processes"
    fi
}

# view_arguments: of the process that make_case was given; a case may have changed them.
view_arguments() { jq -c '(.process // .).args[1:]' "$CONFIG"; }

# compare NAME: of FILTER and PROBE.
compare() {
    local name=$1 view runtime
    view=$(<"$DIFFERENTIAL/view.sh")$'\n'$PROBE
    make_case "$view"
    skip_what_the_host_cannot
    for runtime in "$RUNC" "$RUNVM"; do
        for_runtime "$runtime" run_case >"$BUNDLE/view.${runtime##*/}"
        assert_has_run
        # Two processes that see nothing see the same.
        if [[ $(view_arguments) == "$(jq -cn '["-c", $view, "view"]' --arg view "$view")" ]] &&
            ! grep -qx '== probe' "$BUNDLE/view.${runtime##*/}"; then
            fail "$NAME: the view has not come to its end:" "$(<"$BUNDLE/view.${runtime##*/}")"
        fi
    done
    level_all "$BUNDLE"/view.{runc,runvm}
    assert_differs_as_listed "$name"
}

# refusal_words: the words of the runtime's error by which callers tell whose fault it is.
refusal_words() {
    local word
    while read -r word; do
        if grep -qiF -e "$word" "$BUNDLE/err"; then echo "words: $word"; fi
    done < <(matched_words)
}

# assert_refused NAME: by both, with the same exit status and the same of the words that callers match. Lines of EXPECTED that
# begin with "=" are sentences which both errors have.
assert_refused() {
    local name=$1 runtime sentence
    make_case "$PROBE"
    for runtime in "$RUNC" "$RUNVM"; do
        for_runtime "$runtime" run_case >"$BUNDLE/view.${runtime##*/}"
        if ! grep -qE "$REFUSAL" "$BUNDLE/err"; then fail "$NAME does not refuse it"; fi
        refusal_words >>"$BUNDLE/view.${runtime##*/}"
        while read -r sentence; do
            grep -qF -e "$sentence" "$BUNDLE/err" || fail "$NAME does not say: $sentence" "$(<"$BUNDLE/err")"
        done < <(sed -n 's/^= //p' <<<"$EXPECTED")
    done
    assert_differs_as_listed "$name"
}

# assert_view NAME: what runc 1.1 does not know.
assert_view() {
    make_case "$PROBE"
    skip_what_the_host_cannot
    for_runtime "$RUNVM" run_case >"$BUNDLE/view.runvm"
    assert_has_run
    assert_alike <(echo "$EXPECTED") "$BUNDLE/view.runvm" expected
}
