#!/usr/bin/env bats
# SIGKILL to each process at each step of start.

load ../bats/lib/common
load lib/faults

start_struck() {
    local point=$1 victim
    for victim in $(victims "$@"); do
        echo "$point, SIGKILL to $victim" >&2
        new_container
        begin_at "$point" start "$ID"
        strike "$victim"
        if [[ $victim == cli ]]; then
            # It has been started or not; the other commands work on.
            assert_equal "$CLI_STATUS" 137
            assert_matches "$(status_of "$ID")" '^(created|running)$'
            runtime exec "$ID" true
            runtime kill "$ID" KILL
            wait_status "$ID" stopped
        else
            if ((CLI_STATUS != 0)); then assert_cli_said_why; fi
            wait_status "$ID" stopped
        fi
        assert_over "$ID"
        assert_cleared "$ID"
    done
}

@test "start.before" { start_struck start.before cli monitor reaper qemu virtiofsd shim shim-init; }
@test "start.after-rpc" { start_struck start.after-rpc cli monitor reaper qemu virtiofsd shim shim-init; }

@test "a start that is killed before anything happened can be repeated" {
    new_container
    begin_at start.before start "$ID"
    strike cli
    assert_equal "$(status_of "$ID")" created
    runtime start "$ID"
    wait_until 20 grep -q ready "$BUNDLE/stdout"
    assert_cleared "$ID"
}

@test "no leak" { assert_no_leak; }
