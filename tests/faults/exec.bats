#!/usr/bin/env bats
# SIGKILL to each process at each step of exec.

load ../bats/lib/common
load lib/faults

exec_struck() {
    local point=$1 victim
    for victim in $(victims "$@"); do
        echo "$point, SIGKILL to $victim" >&2
        new_container running
        begin_at "$point" exec "$ID" sleep 1000
        strike "$victim"
        assert_not_equal "$CLI_STATUS" 0
        case $victim in
        cli | exec-shim)
            # The container is not concerned.
            assert_equal "$(status_of "$ID")" running
            capture runtime exec "$ID" echo alive
            assert_success
            assert_stdout alive
            ;;
        *)
            wait_status "$ID" stopped
            assert_over "$ID"
            ;;
        esac
        assert_cleared "$ID"
    done
}

@test "exec.after-shim" { exec_struck exec.after-shim cli exec-shim monitor reaper qemu virtiofsd shim-init; }
@test "exec.after-rpc" { exec_struck exec.after-rpc cli exec-shim monitor reaper qemu virtiofsd shim-init; }

@test "no leak" { assert_no_leak; }
