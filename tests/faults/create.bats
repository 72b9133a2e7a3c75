#!/usr/bin/env bats
# SIGKILL to each process at each step of create.

load ../bats/lib/common
load lib/faults

# create_struck POINT VICTIM...
create_struck() {
    local point=$1 victim
    for victim in $(victims "$@"); do
        echo "$point, SIGKILL to $victim" >&2
        bundle sh -c "$FOREVER"
        begin_at "$point" create --bundle "$BUNDLE" --pid-file "$BUNDLE/pid" "$ID"
        strike "$victim"
        if [[ $victim == cli ]]; then
            assert_equal "$CLI_STATUS" 137
            # From the commit on the container does not depend on its creator.
            if [[ $point == create.after-commit ]]; then
                assert_equal "$(status_of "$ID")" created
                runtime exec "$ID" true
            else
                assert_over "$ID"
            fi
        else
            if ((CLI_STATUS != 0)); then assert_cli_said_why; fi
            assert_over "$ID"
            if ((CLI_STATUS == 0)); then
                wait "$SUBREAPER"
                assert_equal "$(cat "$BUNDLE/report")" "signaled 9"
            fi
        fi
        assert_cleared "$ID"
    done
}

@test "create.after-reserve" { create_struck create.after-reserve cli; }
@test "create.after-cgroup" { create_struck create.after-cgroup cli; }
@test "create.after-monitor" { create_struck create.after-monitor cli monitor reaper; }
@test "create.after-sandbox" { create_struck create.after-sandbox cli monitor reaper qemu virtiofsd; }
@test "create.after-shim" { create_struck create.after-shim cli monitor reaper qemu virtiofsd shim shim-init; }
@test "create.after-container" { create_struck create.after-container cli monitor reaper qemu virtiofsd shim shim-init; }
@test "create.after-commit" { create_struck create.after-commit cli monitor reaper qemu virtiofsd shim shim-init; }
@test "create.after-save" { create_struck create.after-save cli monitor reaper qemu virtiofsd shim shim-init; }

@test "a create that is killed frees its id" {
    bundle sh -c "$FOREVER"
    begin_at create.after-monitor create --bundle "$BUNDLE" --pid-file "$BUNDLE/pid" "$ID"
    strike cli
    assert_over "$ID"
    runtime delete --force "$ID"
    create_container "$ID"
    assert_equal "$(status_of "$ID")" created
}

@test "no leak" { assert_no_leak; }
