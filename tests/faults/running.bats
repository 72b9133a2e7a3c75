#!/usr/bin/env bats
# SIGKILL to each process of a running container.

load ../bats/lib/common
load lib/faults

running_struck() {
    local victim=$1 pid status=0
    bundle sh -c "$FOREVER"
    "$(program subreaper)" "$BUNDLE/pid" "$BUNDLE/report" \
        "$RUNTIME" --root "$ROOT" run --detach --bundle "$BUNDLE" --pid-file "$BUNDLE/pid" "$ID" \
        </dev/null >"$BUNDLE/stdout" 2>"$BUNDLE/stderr" 3>&- &
    SUBREAPER=$!
    wait_until 60 grep -q ready "$BUNDLE/stdout"
    runtime exec "$ID" sleep 1000 </dev/null >/dev/null 2>&1 &
    local client=$!
    wait_until 20 two_shims
    for pid in $(pids_of "$victim"); do kill -KILL "$pid"; done

    wait "$SUBREAPER"
    assert_equal "$(cat "$BUNDLE/report")" "signaled 9"
    # Whoever has reaped the reported pid sees a stopped container at once.
    assert_equal "$(status_of "$ID")" stopped
    assert_equal "$(pid_of "$ID")" 0
    wait "$client" || status=$?
    assert_matches "$status" '^(137|255)$'
    capture runtime exec "$ID" true
    assert_status 255
    assert_stderr_contains "cannot exec in a stopped container"
    capture runtime kill "$ID" TERM
    assert_status 1
    assert_stderr_contains "container not running"
    capture runtime start "$ID"
    assert_status 1
    capture runtime list
    assert_success
    assert_stdout_contains stopped
    assert_over "$ID"
    # Not --force: it is stopped.
    capture runtime delete "$ID"
    assert_success
    assert_cleared "$ID"
}

two_shims() { (($(shim_pids | wc -l) == 2)); }

@test "SIGKILL to the monitor" { running_struck monitor; }
@test "SIGKILL to the reaper" { running_struck reaper; }
@test "SIGKILL to QEMU" { running_struck qemu; }
@test "SIGKILL to virtiofsd" { running_struck virtiofsd; }
@test "SIGKILL to the shim" { running_struck shim; }
@test "SIGKILL to the shim's init" { running_struck shim-init; }

@test "a file server that answers late does not keep a process from ending" {
    local servers
    cp "$(program read-ahead -static)" "$ROOTFS/bin/read-ahead"
    bundle read-ahead
    "$(program subreaper)" "$BUNDLE/pid" "$BUNDLE/report" \
        "$RUNTIME" --root "$ROOT" run --detach --bundle "$BUNDLE" --pid-file "$BUNDLE/pid" "$ID" \
        </dev/null >"$BUNDLE/stdout" 2>"$BUNDLE/stderr" 3>&- &
    SUBREAPER=$!
    wait_until 60 grep -q ready "$BUNDLE/stdout"
    mapfile -t servers < <(virtiofsd_pids)
    kill -STOP "${servers[@]}"
    # The process and its mounts go while a read of a file is on its way, which is too much for the kernel if these
    # were the file's last mounts (src/agent/shared_folder.h).
    runtime kill "$ID" TERM
    sleep 1
    kill -CONT "${servers[@]}" || true # it was not waited for
    wait "$SUBREAPER"
    assert_equal "$(cat "$BUNDLE/report")" "exited 3"
    assert_over "$ID"
    assert_cleared "$ID"
}

# stream_cut VICTIM: the machine dies while a foreground container writes as fast as it can.
stream_cut() {
    bundle yes
    local pid status
    # The "||" keeps errexit from ending the subshell before it has noted the status.
    { echo 0 >"$BUNDLE/status"; runtime run --bundle "$BUNDLE" "$ID" </dev/null 2>"$BUNDLE/stderr" ||
        echo $? >"$BUNDLE/status"; } |
        wc -c >"$BUNDLE/bytes" &
    local pipeline=$!
    wait_until 60 has_status "$ID" running
    sleep 1
    for pid in $(pids_of "$1"); do kill -KILL "$pid"; done
    # The reader gets its end of file.
    wait "$pipeline"
    assert_equal "$(cat "$BUNDLE/status")" 137
    (($(cat "$BUNDLE/bytes") > 0))
    SUBREAPER=$pipeline
    assert_over "$ID"
    assert_cleared "$ID"
}

@test "a death in mid-stream: QEMU" { stream_cut qemu; }
@test "a death in mid-stream: the monitor" { stream_cut monitor; }

# guest_ends HOW: the guest's kernel ends in mid-stream, as a letter to /proc/sysrq-trigger makes it.
guest_ends() {
    bundle sh -c "echo ready; (sleep 1; echo $1 >/proc/sysrq-trigger) & cat /dev/zero"
    edit '.linux.readonlyPaths = []'
    "$(program subreaper)" "$BUNDLE/pid" "$BUNDLE/report" \
        "$RUNTIME" --root "$ROOT" run --detach --bundle "$BUNDLE" --pid-file "$BUNDLE/pid" "$ID" \
        </dev/null >"$BUNDLE/stdout" 2>"$BUNDLE/stderr" 3>&- &
    SUBREAPER=$!
    wait_until 60 test -f "$BUNDLE/pid"
    wait "$SUBREAPER"
    assert_equal "$(cat "$BUNDLE/report")" "signaled 9"
    assert_over "$ID"
    assert_cleared "$ID"
}

@test "the guest's kernel panics in mid-stream" { guest_ends c; }
@test "the guest reboots in mid-stream" { guest_ends b; }
@test "the guest powers itself off in mid-stream" { guest_ends o; }

@test "SIGKILL to a random process at a random time" {
    local rounds=3 round victim names=(monitor reaper qemu virtiofsd shim shim-init cli)
    if [[ ${CHECK_MODE:-sample} == full ]]; then rounds=25; fi
    RANDOM=$(printf '%s' "${CHECK_SEED:-0}" | cksum | cut -d ' ' -f 1)
    for ((round = 1; round <= rounds; round++)); do
        victim=${names[RANDOM % ${#names[@]}]}
        bundle sh -c "$FOREVER"
        runtime run --bundle "$BUNDLE" "$ID" </dev/null >"$BUNDLE/stdout" 2>"$BUNDLE/stderr" &
        SUBREAPER=$!
        local delay=$((RANDOM % 6)).$((RANDOM % 10))
        echo "round $round: $victim after $delay s" >&2
        sleep "$delay"
        local pid
        if [[ $victim == cli ]]; then
            for pid in $(file_processes "$NAME"); do kill -KILL "$pid"; done
        else
            # Too early for some: then the container runs on.
            for pid in $(pids_of "$victim"); do kill -KILL "$pid"; done
        fi
        if has_status "$ID" running || has_status "$ID" creating || has_status "$ID" created; then sleep 2; fi
        capture runtime delete --force "$ID"
        assert_success
        wait "$SUBREAPER" || true
        assert_cleared "$ID"
    done
}

@test "no leak" { assert_no_leak; }
