#!/usr/bin/env bats
# SIGKILL to each process at each step of pause and resume.

load ../bats/lib/common
load lib/faults

# strike_command COMMAND POINT VICTIM...: COMMAND is pause, or resume of a paused container.
strike_command() {
    local command=$1 point=$2 victim
    shift
    for victim in $(victims "$@"); do
        echo "$point, SIGKILL to $victim" >&2
        new_container running
        if [[ $command == resume ]]; then runtime pause "$ID"; fi
        begin_at "$point" "$command" "$ID"
        strike "$victim"
        if [[ $victim == cli ]]; then
            # Paused or not: it says so, and can be resumed.
            assert_equal "$CLI_STATUS" 137
            assert_equal "$(status_of "$ID")" paused
            runtime resume "$ID"
            assert_equal "$(status_of "$ID")" running
            runtime exec "$ID" true
            runtime kill "$ID" KILL
        else
            if ((CLI_STATUS != 0)); then assert_cli_said_why; fi
        fi
        wait_status "$ID" stopped
        assert_over "$ID"
        assert_cleared "$ID"
    done
}

@test "pause.before-rpc" { strike_command pause pause.before-rpc cli monitor reaper qemu shim; }
@test "pause.after-rpc" { strike_command pause pause.after-rpc cli monitor reaper qemu virtiofsd shim shim-init; }
@test "resume.after-rpc" { strike_command resume resume.after-rpc cli monitor reaper qemu shim; }

@test "no leak" { assert_no_leak; }
