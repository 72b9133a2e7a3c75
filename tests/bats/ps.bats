#!/usr/bin/env bats
# ps: the processes of a container.

load lib/common

setup_file() {
    file_begin
    SHARED=${PREFIX}shared
    bundle sh -c 'sleep 1001 & echo ready; while :; do wait; done'
    run_until_ready "$SHARED"
    export SHARED BUNDLE
}

@test "ps: without options a table in full format" {
    capture runtime ps "$SHARED"
    assert_success
    assert_equal "$STDERR" ""
    local header
    header=$(head -n 1 <<<"$STDOUT" | tr -s ' ')
    assert_equal "${header% }" "UID PID PPID C STIME TTY TIME CMD"
    assert_equal "$(grep -c 'sleep 1001$' <<<"$STDOUT")" 1
    assert_matches "$(tail -n +2 <<<"$STDOUT" | head -n 1)" '^root .* sh -c '
    assert_equal "$(runtime ps "$SHARED" -ef | grep -o '[^:]*$')" "$(grep -o '[^:]*$' <<<"$STDOUT")"
}

@test "ps: the numbers are those of the container" {
    only_runvm "runc shows those of the host"
    assert_equal "$(runtime ps "$SHARED" -o pid,comm | sed -n 2p | tr -s ' ')" " 1 sh"
    local pid
    pid=$(runtime ps "$SHARED" -o pid,args | sed -n 's/^ *\([0-9]*\) sleep 1001$/\1/p')
    assert_equal "$(runtime exec "$SHARED" cat "/proc/$pid/comm")" sleep
}

@test "ps: aux" {
    capture runtime ps "$SHARED" aux
    assert_success
    assert_equal "$(head -n 1 <<<"$STDOUT" | tr -s ' ')" "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND"
    assert_equal "$(grep -c 'sleep 1001$' <<<"$STDOUT")" 1
}

@test "ps: columns of choice" {
    capture runtime ps "$SHARED" -o pid,comm
    assert_success
    assert_equal "$(head -n 1 <<<"$STDOUT" | tr -s ' ' | sed 's/^ //')" "PID COMMAND"
    assert_equal "$(grep -c ' sleep$' <<<"$STDOUT")" 1
    assert_equal "$(wc -l <<<"$STDOUT")" 3
}

@test "ps: an option that is not known" {
    capture runtime ps "$SHARED" --nonsense
    assert_status 1
    assert_equal "$STDOUT" ""
    if ! is_runc; then
        assert_stderr_contains 'ps option `--nonsense` is not known; allowed are -ef, aux and -o with a list of pid,'
    fi
}

@test "ps: as JSON, the pids on the host" {
    capture runtime ps --format json "$SHARED"
    assert_success
    assert_equal "$(jq -r '.[0] | type' <<<"$STDOUT")" number
    assert_equal "$(jq "map(select(. == $(pid_of "$SHARED"))) | length" <<<"$STDOUT")" 1
    assert_equal "$(runtime ps -f json "$SHARED")" "$STDOUT"
}

@test "ps: as JSON, one more for each exec" {
    bundle sleep 1000
    run_detached "$ID"
    assert_equal "$(runtime ps --format json "$ID")" "[$(pid_of "$ID")]"
    runtime exec --detach --pid-file "$BUNDLE/exec.pid" "$ID" sleep 1002
    local pid pids
    pid=$(cat "$BUNDLE/exec.pid")
    pids=$(runtime ps --format json "$ID")
    assert_equal "$(jq length <<<"$pids")" 2
    assert_equal "$(jq "index($pid) != null" <<<"$pids")" true
    # What `docker top` does with them.
    local listed
    for listed in $(jq '.[]' <<<"$pids"); do kill -0 "$listed"; done
    kill -KILL "$pid"
    wait_until 20 is_gone "$pid"
    assert_equal "$(runtime ps --format json "$ID")" "[$(pid_of "$ID")]"
}

@test "ps: another format" {
    capture runtime ps --format xml "$SHARED"
    assert_status 1
    assert_stderr_contains "invalid format option"
}

@test "ps: of a created and of a stopped container" {
    bundle sh -c "$FOREVER"
    create_container "$ID"
    assert_equal "$(runtime ps --format json "$ID")" "[$(pid_of "$ID")]"
    runtime kill "$ID" KILL
    wait_status "$ID" stopped
    assert_equal "$(runtime ps --format json "$ID")" null
    assert_equal "$(runtime ps "$ID" | wc -l)" 1
}

@test "ps: of a paused container" {
    run_forever "$ID"
    runtime pause "$ID"
    assert_equal "$(runtime ps "$ID" | wc -l)" "$(runtime ps "$ID" aux | wc -l)"
    assert_not_equal "$(runtime ps "$ID" | wc -l)" 1
    assert_equal "$(status_of "$ID")" paused
}

@test "ps: an unknown container" {
    capture runtime ps "$ID"
    assert_status 1
    assert_stderr_contains "container does not exist"
}

@test "no leak" { assert_no_leak "$SHARED"; }
