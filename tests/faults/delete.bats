#!/usr/bin/env bats
# SIGKILL to each process at each step of delete.

load ../bats/lib/common
load lib/faults

delete_struck() {
    local point=$1 victim
    for victim in $(victims "$@"); do
        echo "$point, SIGKILL to $victim" >&2
        new_container running
        begin_at "$point" delete --force "$ID"
        # delete.after-kill: what it killed is ending by itself.
        if [[ $victim == cli ]] || is_there "$victim"; then
            strike "$victim"
        else
            kill -CONT "$(stopped_pids)"
            wait_until 95 test -f "$BUNDLE/cli.status"
            CLI_STATUS=$(cat "$BUNDLE/cli.status")
        fi
        if [[ $victim == cli ]]; then
            assert_equal "$CLI_STATUS" 137
        else
            assert_equal "$CLI_STATUS" 0
            assert_gone "$ID"
        fi
        assert_cleared "$ID"
    done
}

@test "delete.before" { delete_struck delete.before cli monitor reaper qemu virtiofsd shim shim-init; }
@test "delete.after-kill" { delete_struck delete.after-kill cli monitor reaper qemu virtiofsd; }
@test "delete.after-cgroup" { delete_struck delete.after-cgroup cli; }

@test "a delete of a stopped container that is killed can be repeated" {
    bundle true
    run_detached "$ID"
    wait_status "$ID" stopped
    begin_at delete.before delete "$ID"
    strike cli
    assert_equal "$(status_of "$ID")" stopped
    capture runtime delete "$ID"
    assert_success
    assert_gone "$ID"
}

@test "no leak" { assert_no_leak; }
