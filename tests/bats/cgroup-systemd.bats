#!/usr/bin/env bats
# --systemd-cgroup, against a systemd that knows transient units only (tests/programs/fake-systemd.c), in a mount namespace
# where it is the one that runs.

load lib/common

setup_file() {
    file_begin
    FAKE=$(program fake-systemd -Wl,--no-as-needed -lsystemd)
    LOG=$FILE_DIR/systemd.log
    # systemd's own hierarchy, and one that has a controller; runvm makes the cgroup in the others.
    mapfile -t hierarchies < <(cgroup_mounts | awk '$3 ~ "name=systemd|,memory" { print $1 }')
    ((${#hierarchies[@]} > 0)) || mapfile -t hierarchies < <(cgroup_mounts | awk '{ print $1 }')
    mkfifo "$FILE_DIR/ready"
    # The whole of /run/systemd is the fake's: what the machine has there is not seen.
    unshare --mount sh -c 'mount -t tmpfs tmpfs /run/systemd && mkdir /run/systemd/system && exec "$@"' - \
        "$FAKE" /run/systemd/private "$LOG" "${hierarchies[@]}" >"$FILE_DIR/ready" 3>&- <&0 &
    FAKE_PID=$!
    read -r <"$FILE_DIR/ready"
    rm "$FILE_DIR/ready"
    export LOG FAKE_PID
}

teardown_file() {
    if [[ -n ${FAKE_PID:-} ]]; then kill "$FAKE_PID" || true; fi
    file_end
}

setup() {
    only_runvm "its words"
    ID=$PREFIX$BATS_TEST_NUMBER
    SLICE=${PREFIX//-/x}.slice # a dash begins another slice
    UNIT=runvmtest-$ID.scope
    PLACE=/$SLICE/$UNIT
    : >"$LOG"
}

teardown() {
    systemd_runtime delete --force "$ID" >/dev/null 2>&1 || true
    find /sys/fs/cgroup -depth -type d -path "*/$SLICE*" -exec rmdir {} + 2>/dev/null || true
}

# As `runtime`, where the fake runs.
systemd_runtime() {
    # shellcheck disable=SC2086
    nsenter --target "$FAKE_PID" --mount --wd="$PWD" \
        timeout --foreground --kill-after=5 "$RUNTIME_TIMEOUT_S" "$RUNTIME" --root "$ROOT" --systemd-cgroup $RUNTIME_GLOBALS "$@" 3>&-
}

scope() {
    bundle sh -c "$FOREVER"
    edit '.linux.cgroupsPath = $path | .linux.resources += {memory: {limit: 67108864}, cpu: {shares: 512, quota: 50000, period: 100000}}' \
        --arg path "$SLICE:runvmtest:$ID"
}

create_scope() {
    scope
    systemd_runtime create --bundle "$BUNDLE" "$ID" </dev/null >"$BUNDLE/stdout" 2>"$BUNDLE/stderr" || {
        cat "$BUNDLE/stderr" "$LOG" >&2
        return 1
    }
}

cgroups_of() { cut -d : -f 3- "/proc/$1/cgroup" | sort -u; }

@test "systemd: a container is a scope of its own, in each hierarchy" {
    create_scope
    assert_contains "$(cat "$LOG")" "start $UNIT replace
  Description=runvm container $ID
  Slice=$SLICE
  Delegate=yes
  PIDs: 1
  MemoryAccounting=yes
  CPUAccounting=yes"
    assert_contains "$(cat "$LOG")" "TasksAccounting=yes
  DefaultDependencies=no"
    assert_equal "$(cgroups_of "$(systemd_runtime state "$ID" | jq .pid)")" "$PLACE"
    systemd_runtime exec "$ID" true
    systemd_runtime delete --force "$ID"
    assert_contains "$(cat "$LOG")" "stop $UNIT"
    assert_equal "$(find /sys/fs/cgroup -type d -name "$UNIT")" ""
}

@test "systemd: is told of the limits" {
    create_scope
    assert_contains "$(cat "$LOG")" "set $UNIT runtime"
    assert_matches "$(cat "$LOG")" 'Memory(Limit|Max)=[0-9]+'
    assert_matches "$(cat "$LOG")" 'CPU(Shares=512|Weight=59)'
    assert_contains "$(cat "$LOG")" "CPUQuotaPerSecUSec=500000"
    : >"$LOG"
    systemd_runtime update --cpu-quota 70000 --memory -1 "$ID"
    assert_contains "$(cat "$LOG")" "CPUQuotaPerSecUSec=700000"
    assert_matches "$(cat "$LOG")" 'Memory(Limit|Max)=infinity'
}

@test "systemd: the remains of a unit that failed are cleared, one that is there is not" {
    : >"$LOG.$UNIT"
    create_scope
    assert_contains "$(cat "$LOG")" "start $UNIT: exists
reset $UNIT
start $UNIT replace"
    systemd_runtime delete --force "$ID"
    echo used >"$LOG.$UNIT"
    scope
    capture systemd_runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains "start the systemd unit $UNIT: systemd's StartTransientUnit: Unit was already loaded."
    rm -f "$LOG.$UNIT"
    assert_gone "$ID"
}

@test "systemd: a unit that is gone does not keep a container from being deleted" {
    create_scope
    rm "$LOG.$UNIT"
    systemd_runtime delete --force "$ID"
    assert_contains "$(cat "$LOG")" "stop $UNIT: none"
    assert_gone "$ID"
    # Nor does a systemd that is out of reach.
    create_scope
    runtime delete --force "$ID"
    assert_gone "$ID"
    assert_equal "$(find /sys/fs/cgroup -type d -name "$UNIT")" ""
    rm -f "$LOG.$UNIT"
}

@test "systemd: a slice that cannot be is refused" {
    scope
    edit '.linux.cgroupsPath = "a--b.slice:x:y"'
    capture systemd_runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains "invalid slice name: a--b.slice"
    edit '.linux.cgroupsPath = "/a/path"'
    capture systemd_runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains 'expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"/a/path\" instead'
}

@test "systemd: where it does not run, that is told" {
    [[ ! -d /run/systemd/system ]] || skip "systemd runs here"
    scope
    capture "$RUNTIME" --root "$ROOT" --systemd-cgroup create --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains "systemd not running on this host, cannot use systemd cgroups manager"
    assert_stderr_blames_nobody
    assert_gone "$ID"
}

@test "no leak" {
    kill "$FAKE_PID"
    wait_until 10 is_gone "$FAKE_PID"
    assert_no_leak
}
