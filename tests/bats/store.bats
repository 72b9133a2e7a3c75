#!/usr/bin/env bats
# The LevelDB store, and the way from one store to the other.

load lib/common

setup_file() {
    file_begin
    echo 'store.type = "leveldb"' >"$FILE_DIR/leveldb.toml"
}

setup() {
    only_runvm
    ID=$PREFIX$BATS_TEST_NUMBER
    RUNTIME_GLOBALS="--config $FILE_DIR/leveldb.toml"
}

# What is in LevelDB has no folder by which remove_containers would find it.
teardown() {
    local id
    for RUNTIME_GLOBALS in "" "--config $FILE_DIR/leveldb.toml"; do
        for id in $(runtime list -q </dev/null 2>/dev/null); do
            runtime delete --force "$id" >/dev/null 2>&1 </dev/null || true
        done
    done
}

@test "store: a container's life in LevelDB" {
    bundle sh -c "$FOREVER"
    create_container "$ID"
    assert_equal "$(status_of "$ID")" created
    capture runtime create --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains "container with given ID already exists"
    runtime start "$ID"
    wait_until 20 grep -q ready "$BUNDLE/stdout"
    runtime exec "$ID" true
    assert_equal "$(runtime list -q)" "$ID"
    if [[ -e $ROOT/$ID ]]; then fail "there is a folder for it"; fi
    runtime kill "$ID" KILL
    wait_status "$ID" stopped
    runtime delete "$ID"
    assert_gone "$ID"
    assert_equal "$(runtime list -q)" ""
}

@test "store: several creates at once" {
    bundle true
    local i pids=()
    for i in 1 2 3; do
        runtime run --bundle "$BUNDLE" "$ID-$i" <&0 &
        pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i"; done
    assert_equal "$(runtime list -q)" ""
}

@test "store: running containers move there and back" {
    RUNTIME_GLOBALS=
    run_forever "$ID"
    capture runtime store-move leveldb
    assert_success
    assert_equal "$STDOUT" "moved 1 containers to leveldb"
    assert_stderr_contains 'store.type = \"filesystem\"'
    capture runtime state "$ID"
    assert_stderr_contains "container does not exist"

    RUNTIME_GLOBALS="--config $FILE_DIR/leveldb.toml"
    assert_equal "$(status_of "$ID")" running
    runtime exec "$ID" true
    capture runtime store-move filesystem
    assert_success
    RUNTIME_GLOBALS=
    assert_equal "$(status_of "$ID")" running
    runtime delete --force "$ID"
    capture runtime store-move nowhere
    assert_status 1
    assert_stderr_contains "allowed are filesystem and leveldb"
}

@test "no leak" {
    # The database stays, as the root does.
    rm -rf "$ROOT/@leveldb" "$ROOT/@leveldb-spare" "$ROOT/@locks"
    assert_no_leak
}
