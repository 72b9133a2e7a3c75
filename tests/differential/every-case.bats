#!/usr/bin/env bats
# Of the cases as a whole: what differs in each, and that nothing is left out.

AREA=every-case
load lib/differential

# rows: the names in the table of differences.
rows() { sed -n -e '/^## Of the engines/q' -e 's/^| `\([a-z -]*: [^`]*\)` |.*/\1/p' "$DIFFERENCES"; }

@test "differential: what differs in every case does, and docs/differences.md has it" {
    FILTER='.mounts += [{destination: "/in", type: "bind", source: $tree, options: ["rbind"]}]'
    make_case "$(<"$DIFFERENTIAL/view.sh")"$'\n: </in/below/file'
    for_runtime "$RUNC" run_case >"$BUNDLE/view.runc"
    for_runtime "$RUNVM" run_case >"$BUNDLE/view.runvm"
    local name
    for name in "${EVERY_CASE[@]}"; do
        if is_same "$name"; then continue; fi
        cp "$BUNDLE/view.runc" "$BUNDLE/all.runc"
        cp "$BUNDLE/view.runvm" "$BUNDLE/all.runvm"
        level_all "$BUNDLE"/all.{runc,runvm} "$name"
        if cmp -s "$BUNDLE"/all.{runc,runvm}; then fail "without level_$name there is no difference either"; fi
        "level_$name" "$BUNDLE"/all.{runc,runvm}
        assert_alike "$BUNDLE"/all.{runc,runvm} runc
    done
    assert_equal "$(rows | sed -n 's/^every case: //p' | sort)" "$(printf '%s\n' "${EVERY_CASE[@]}" | sort)"
}

@test "differential: docs/differences.md names cases that there are" {
    local row
    while read -r row; do
        grep -qE "^== ${row#*: }( \[|\$)" "$DIFFERENTIAL/${row%%:*}.cases" || fail "no case $row"
    done < <(rows | grep -v '^every case: ')
}

@test "differential: every honoured field of docs/spec-coverage.md is in a case" {
    assert_equal "$("$DIFFERENTIAL/uncovered" "$FILE_DIR/base.json")" ""
}

@test "no leak" { assert_nothing_left; }
