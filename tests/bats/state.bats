#!/usr/bin/env bats
# state: what callers parse. It asks no process and no guest.

load lib/common

setup_file() {
    file_begin
    SHARED=${PREFIX}shared
    bundle sh -c 'exit 0'
    edit '.annotations = {"org.example.key": "value"}'
    create_container "$SHARED"
    export SHARED BUNDLE
}

@test "state: created" {
    capture runtime state "$SHARED"
    assert_success
    assert_equal "$STDERR" ""
    assert_equal "$(jq -r '[.id, .status, .bundle, .rootfs, (.pid | type), (.pid > 0)] | map(tostring) | join(" ")' \
        <<<"$STDOUT")" "$SHARED created $BUNDLE $ROOTFS number true"
    assert_equal "$(jq -rc .annotations <<<"$STDOUT")" '{"org.example.key":"value"}'
    assert_equal "$(jq -r .owner <<<"$STDOUT")" ""
    assert_matches "$(jq -r .ociVersion <<<"$STDOUT")" '^1\.[0-9]+\.[0-9]+'
    # RFC 3339 with nanoseconds, in UTC: what Go's time.Time parses.
    assert_matches "$(jq -r .created <<<"$STDOUT")" '^20[0-9-]+T[0-9:]+(\.[0-9]{1,9})?Z$'
    [[ -d /proc/$(jq -r .pid <<<"$STDOUT") ]]
}

@test "state: created is the time of the creation" {
    local made now
    made=$(date -d "$(runtime state "$SHARED" | jq -r .created)" +%s)
    now=$(date +%s)
    ((made <= now && made > now - 120))
}

@test "state: has no keys but the specification's and runc's" {
    local keys='["annotations","bundle","created","id","ociVersion","owner","pid","rootfs","status"]'
    assert_equal "$(runtime state "$SHARED" | jq -c keys)" "$keys"
}

@test "state: is the same with --root relative, and through a symlink" {
    ln -s "$ROOT" "$FILE_DIR/link"
    assert_equal "$(cd "$FILE_DIR" && "$RUNTIME" --root root state "$SHARED" | jq -r .id)" "$SHARED"
    assert_equal "$("$RUNTIME" --root "$FILE_DIR/link" state "$SHARED" | jq -r .id)" "$SHARED"
    assert_equal "$("$RUNTIME" --root="$ROOT" state "$SHARED" | jq -r .id)" "$SHARED"
}

@test "state: stopped has pid 0" {
    runtime start "$SHARED"
    wait_status "$SHARED" stopped
    capture runtime state "$SHARED"
    assert_success
    assert_equal "$(jq -r .pid <<<"$STDOUT")" 0
    assert_equal "$(jq -r .bundle <<<"$STDOUT")" "$BUNDLE"
}

@test "state: unknown containers and wrong usage" {
    capture runtime state "$ID"
    assert_status 1
    assert_equal "$STDOUT" ""
    assert_stderr_contains "container does not exist"
    capture runtime state
    assert_status 1
    capture runtime state "$SHARED" more
    assert_status 1
    capture runtime state ../x
    assert_status 1
    capture "$RUNTIME" --root "$FILE_DIR/no-such-root" state "$ID"
    assert_status 1
    assert_stderr_contains "container does not exist"
}

no_machine() { [[ -z $(monitor_pids)$(qemu_pids)$(virtiofsd_pids) ]]; }

@test "state: a folder without state is reported, and delete --force clears it" {
    only_runvm
    mkdir "$ROOT/$ID"
    capture runtime state "$ID"
    assert_status 1
    assert_stderr_contains "$ID/state.json"
    capture runtime delete --force "$ID"
    assert_success
    [[ ! -e $ROOT/$ID ]]
}

@test "state: a machine whose state is gone is ended by delete --force alone" {
    only_runvm
    run_forever "$ID"
    rm "$ROOT/$ID/state.json"
    capture runtime delete "$ID"
    assert_status 1
    [[ -n $(qemu_pids) ]]
    capture runtime delete --force "$ID"
    assert_success
    wait_until 10 no_machine
}

# The state file is found by its look: the newest JSON in the container's folder that has its id.
corrupt_state() {
    local file
    for file in "$ROOT/$SHARED"/state*.json; do
        cp "$file" "$FILE_DIR/saved-$(basename "$file")"
        printf '%s' "$1" >"$file"
    done
}
restore_state() {
    local file
    for file in "$FILE_DIR"/saved-*; do mv "$file" "$ROOT/$SHARED/${file##*/saved-}"; done
}

@test "state: a corrupted or truncated state file is reported" {
    only_runvm
    local garbage
    for garbage in '' '{' '{"id": "x' 'null' '[]' '{}' '{"id": 7}' '{"status": "no such status"}'; do
        corrupt_state "$garbage"
        capture runtime state "$SHARED"
        restore_state
        assert_status 1
        assert_equal "$STDOUT" ""
        assert_stderr_contains "$SHARED"
    done
    corrupt_state "$(head -c 100000 /dev/zero | tr '\0' '[')"
    capture runtime state "$SHARED"
    restore_state
    assert_status 1
    assert_equal "$(status_of "$SHARED")" stopped
}

@test "state: a corrupted container is in list, and delete --force clears it" {
    only_runvm
    corrupt_state '{"id": "x'
    capture runtime list
    assert_success
    [[ "$STDOUT$STDERR" == *"$SHARED"* ]]
    capture runtime delete --force "$SHARED"
    assert_success
    assert_gone "$SHARED"
    [[ ! -e $ROOT/$SHARED ]]
}

@test "state: delete --force of a corrupted container ends its machine too" {
    only_runvm
    wait_until 10 no_machine # those of the tests before
    run_forever "$ID"
    truncate --size 20 "$ROOT/$ID/state.json"
    runtime delete --force "$ID"
    wait_until 10 no_machine
}

@test "no leak" { assert_no_leak "$SHARED"; }
