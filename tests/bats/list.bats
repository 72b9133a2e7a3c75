#!/usr/bin/env bats
# list: all containers of a root.

load lib/common

setup_file() {
    file_begin
    SHARED=${PREFIX}shared
    bundle sh -c "$FOREVER"
    edit '.annotations = {"a": "b"}'
    create_container "$SHARED"
    export SHARED BUNDLE
}

empty_root() { "$RUNTIME" --root "$FILE_DIR/empty-root" "$@"; }

@test "list: of nothing" {
    capture empty_root list
    assert_success
    assert_equal "$(awk '{print $1, $2, $3, $4, $5, $6}' <<<"$STDOUT")" "ID PID STATUS BUNDLE CREATED OWNER"
    capture empty_root list -q
    assert_stdout ""
    capture empty_root list --format json
    assert_success
    assert_equal "$(jq -c 'length' <<<"$STDOUT")" 0
}

@test "list: the table" {
    capture runtime list
    assert_success
    assert_equal "$STDERR" ""
    assert_equal "$(awk 'NR == 2 {print $1, $2, $3, $4, $6}' <<<"$STDOUT")" \
        "$SHARED $(pid_of "$SHARED") created $BUNDLE root"
    assert_equal "$(wc -l <<<"$STDOUT")" 2
}

@test "list: -q, --quiet" {
    capture runtime list -q
    assert_stdout "$SHARED"
    capture runtime list --quiet
    assert_stdout "$SHARED"
}

@test "list: json" {
    capture runtime list --format json
    assert_success
    assert_equal "$(jq -c '.[0] | keys' <<<"$STDOUT")" \
        '["annotations","bundle","created","id","ociVersion","owner","pid","rootfs","status"]'
    assert_equal "$(jq -r '.[0] | .id, .status, .bundle, .rootfs, .owner, .annotations.a' <<<"$STDOUT" | tr '\n' ' ')" \
        "$SHARED created $BUNDLE $ROOTFS root b "
    assert_equal "$(jq -r '.[0].created' <<<"$STDOUT")" "$(runtime state "$SHARED" | jq -r .created)"
    capture runtime list --format=json
    assert_equal "$(jq -r '.[0].id' <<<"$STDOUT")" "$SHARED"
    capture runtime list -f json
    assert_equal "$(jq -r '.[0].id' <<<"$STDOUT")" "$SHARED"
}

@test "list: wrong usage" {
    capture runtime list --format nonsense
    assert_status 1
    assert_stderr_contains "invalid format option"
    capture runtime list more
    assert_status 1
}

@test "list: while containers come and go" {
    bundle true
    local i
    (for i in {1..3}; do runtime create --bundle "$BUNDLE" "$ID-$i" </dev/null >/dev/null 2>&1 &&
        runtime delete --force "$ID-$i"; done) &
    local maker=$!
    while kill -0 "$maker" 2>/dev/null; do
        capture runtime list --format json
        assert_success
        jq -e --arg id "$SHARED" 'any(.id == $id)' <<<"$STDOUT" >/dev/null
        sleep 0.05
    done
    wait "$maker"
}

@test "list: stopped" {
    runtime kill "$SHARED" KILL
    wait_status "$SHARED" stopped
    assert_equal "$(runtime list | awk 'NR == 2 {print $1, $2, $3}')" "$SHARED 0 stopped"
}

# copies FOLDER ROOT: 1000 copies of a stopped container's folder below ROOT, as the runtime itself would have
# written them.
copies() {
    local i id=${1##*/} file text
    mkdir "$2" "$2"/copy-{0..999}
    for file in "$1"/*.json; do
        text=$(<"$file")
        for ((i = 0; i < 1000; i++)); do printf '%s\n' "${text//"$id"/copy-$i}" >"$2/copy-$i/${file##*/}"; done
    done
}

milliseconds() {
    local begin end
    begin=$(date +%s%N)
    "$@" >/dev/null
    end=$(date +%s%N)
    echo $(((end - begin) / 1000000))
}

@test "list: 1000 containers, no slower than runc" {
    copies "$ROOT/$SHARED" "$FILE_DIR/many"
    capture "$RUNTIME" --root "$FILE_DIR/many" list -q
    assert_success
    assert_equal "$(sort <<<"$STDOUT")" "$(printf 'copy-%d\n' {0..999} | sort)"
    local ours runcs
    ours=$(milliseconds "$RUNTIME" --root "$FILE_DIR/many" list)
    rm -r "$FILE_DIR/many"
    if is_runc || ! command -v runc >/dev/null; then return; fi

    bundle true
    runc --root "$FILE_DIR/runc" run --detach --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1
    copies "$FILE_DIR/runc/$ID" "$FILE_DIR/many"
    runcs=$(milliseconds runc --root "$FILE_DIR/many" list)
    rm -r "$FILE_DIR/many"
    runc --root "$FILE_DIR/runc" delete --force "$ID"
    echo "1000 containers: $ours ms, runc $runcs ms" >&2
    # 500 ms: one measurement on a busy machine says little.
    ((ours <= runcs * 2 + 500))
}

@test "no leak" { assert_no_leak "$SHARED"; }
