#!/usr/bin/env bats
# Many commands at once.

load lib/common

# in_parallel COUNT COMMAND...: runs the command COUNT times at once, with "-N" appended to its last argument;
# FAILED is how many failed.
in_parallel() {
    local count=$1 pids=() i
    shift
    for ((i = 1; i <= count; i++)); do
        "${@:1:$#-1}" "${*: -1}-$i" </dev/null >"$FILE_DIR/parallel.$i" 2>&1 3>&- &
        pids+=($!)
    done
    FAILED=0
    for ((i = 1; i <= count; i++)); do
        if ! wait "${pids[i - 1]}"; then
            FAILED=$((FAILED + 1))
            cat "$FILE_DIR/parallel.$i" >&2
        fi
    done
    rm -f "$FILE_DIR"/parallel.*
}

@test "concurrent: 8 creates, 8 starts and 8 deletes at once" {
    bundle sh -c "$FOREVER"
    in_parallel 8 runtime create --bundle "$BUNDLE" "$ID"
    assert_equal "$FAILED" 0
    local i
    for i in {1..8}; do assert_equal "$(status_of "$ID-$i")" created; done
    assert_equal "$(runtime list -q | wc -l)" 8
    in_parallel 8 runtime start "$ID"
    assert_equal "$FAILED" 0
    for i in {1..8}; do assert_equal "$(status_of "$ID-$i")" running; done
    in_parallel 8 runtime delete --force "$ID"
    assert_equal "$FAILED" 0
    assert_equal "$(runtime list -q)" ""
}

@test "concurrent: of several creates of one id one wins" {
    bundle sh -c "$FOREVER"
    local pids=() i won=0
    for i in 1 2 3; do
        runtime create --bundle "$BUNDLE" "$ID" </dev/null >"$BUNDLE/create.$i" 2>&1 &
        pids+=($!)
    done
    for i in 1 2 3; do
        if wait "${pids[i - 1]}"; then
            won=$((won + 1))
        else
            grep -q "container with given ID already exists" "$BUNDLE/create.$i"
        fi
    done
    assert_equal "$won" 1
    assert_equal "$(status_of "$ID")" created
}

@test "concurrent: a delete --force during a create leaves either all or nothing" {
    bundle sh -c "$FOREVER"
    local delay
    for delay in 0.02 0.3; do
        runtime create --bundle "$BUNDLE" "$ID" </dev/null >"$BUNDLE/create" 2>&1 &
        local creator=$! created=0
        sleep "$delay"
        capture runtime delete --force "$ID"
        wait "$creator" || created=$?
        # Whoever comes second sees the other's result; none of them hangs (124).
        assert_not_equal "$created" 124
        assert_not_equal "$STATUS" 124
        runtime delete --force "$ID"
        assert_gone "$ID"
    done
}

@test "concurrent: state, kill and exec while a container ends" {
    bundle sh -c 'sleep 1'
    run_detached "$ID"
    local i
    for i in {1..15}; do
        capture runtime state "$ID"
        assert_success
        assert_matches "$(jq -r .status <<<"$STDOUT")" '^(running|stopped)$'
        if [[ $(jq -r .status <<<"$STDOUT") == stopped ]]; then assert_equal "$(jq -r .pid <<<"$STDOUT")" 0; fi
        capture runtime exec "$ID" true
        # Done, or refused, or killed with the container.
        [[ $STATUS == 0 || $STATUS == 255 || $STATUS == 137 ]] || { report; false; }
        capture runtime kill "$ID" 0
        [[ $STATUS == 0 || $STATUS == 1 ]] || { report; false; }
    done
    wait_status "$ID" stopped
}

@test "no leak" { assert_no_leak; }
