# shellcheck shell=bash
# What the files that make-bats makes run.

# shellcheck source=tests/bats/lib/common.bash
source "$(dirname "${BASH_SOURCE[0]}")/../../bats/lib/common.bash"

DIFFERENCES=$REPOSITORY/docs/differences.md

# view RUNTIME: what the bundle's process says under it, and how it ends. What the runtimes themselves say is left out, and
# so are their names.
view() {
    local status=0
    RUNTIME=$1
    NAME=$(basename "$RUNTIME")
    ROOT=$FILE_DIR/root-$NAME
    runtime run --bundle "$BUNDLE" "$ID" >"$BUNDLE/out" 2>"$BUNDLE/err" </dev/null || status=$?
    echo "exit status $status"
    cat "$BUNDLE/out"
    echo "--- stderr"
    grep -vE '^time=|level=error' "$BUNDLE/err" || true
}

is_listed() { grep -qF "| \`$1\` |" "$DIFFERENCES"; }

# compare NAME: the case is on stdin: a jq filter, "--", a shell script.
compare() {
    local name=$1 text filter probe under_test=$REPOSITORY/build/bin/runvm
    text=$(cat)
    filter=${text%%$'\n'--*}
    probe=${text#*$'\n--\n'}
    bundle sh -c "$probe" probe
    own_rootfs
    edit "$filter"
    view "$(command -v runc)" >"$BUNDLE/view.runc"
    view "$under_test" >"$BUNDLE/view.runvm"
    if cmp -s "$BUNDLE/view.runc" "$BUNDLE/view.runvm"; then
        if is_listed "$name"; then fail "docs/differences.md lists \`$name\`, but there is no difference"; fi
        return
    fi
    is_listed "$name" || fail "$(diff "$BUNDLE/view.runc" "$BUNDLE/view.runvm")"
}
