#!/usr/bin/env bats
# What QEMU and the helpers may do, read from /proc.

load lib/common

setup_file() {
    file_begin
    is_runc && return
    FIRST=${PREFIX}first
    SECOND=${PREFIX}second
    run_forever "$FIRST"
    QEMU_1=$(qemu_pids)
    VIRTIOFSD_1=$(virtiofsd_pids)
    MONITOR_1=$(monitor_pids)
    REAPER_1=$(reaper_pids)
    run_forever "$SECOND"
    QEMU_2=$(qemu_pids | grep -vx "$QEMU_1")
    export FIRST SECOND QEMU_1 QEMU_2 VIRTIOFSD_1 MONITOR_1 REAPER_1
}

setup() {
    only_runvm
    ID=$PREFIX$BATS_TEST_NUMBER
}

# status_field PID FIELD
status_field() { sed -n "s/^$2:\t*//p" "/proc/$1/status"; }

@test "security: one QEMU and one monitor a sandbox" {
    assert_matches "$QEMU_1" '^[0-9]+$'
    assert_matches "$QEMU_2" '^[0-9]+$'
    assert_matches "$MONITOR_1" '^[0-9]+$'
    assert_matches "$REAPER_1" '^[0-9]+$'
    assert_matches "$VIRTIOFSD_1" '^[0-9]+'
}

@test "security: QEMU has a uid of its own, which is not root's" {
    local first second
    first=$(status_field "$QEMU_1" Uid)
    second=$(status_field "$QEMU_2" Uid)
    # Real, effective, saved and filesystem uid are one.
    assert_equal "$(tr '\t' '\n' <<<"$first" | sort -u | wc -l)" 1
    assert_not_equal "${first%%$'\t'*}" 0
    assert_not_equal "${second%%$'\t'*}" 0
    assert_not_equal "${first%%$'\t'*}" "${second%%$'\t'*}"
    # Nor anyone's who has an account.
    run getent passwd "${first%%$'\t'*}"
    assert_equal "$output" ""
    [[ $(status_field "$QEMU_1" Gid) != 0* ]]
    assert_equal "$(status_field "$QEMU_1" Groups | tr -d ' ' | grep -c '^0$')" 0
}

@test "security: QEMU has no capabilities, cannot gain any, and runs under seccomp" {
    local pid set
    for pid in "$QEMU_1" "$QEMU_2"; do
        for set in CapInh CapPrm CapEff CapAmb; do
            assert_equal "$(status_field "$pid" "$set")" 0000000000000000 "$set"
        done
        assert_equal "$(status_field "$pid" Seccomp)" 2
        assert_equal "$(status_field "$pid" NoNewPrivs)" 1
    done
    # All threads: a filter is a thread's own.
    local task
    for task in "/proc/$QEMU_1/task/"*; do
        assert_equal "$(sed -n 's/^Seccomp:\t//p' "$task/status")" 2 "$task"
        assert_equal "$(sed -n 's/^CapEff:\t//p' "$task/status")" 0000000000000000 "$task"
    done
}

@test "security: QEMU is in an empty network namespace, not the host's nor the container's" {
    assert_not_equal "$(readlink "/proc/$QEMU_1/ns/net")" "$(readlink /proc/self/ns/net)"
    assert_not_equal "$(readlink "/proc/$QEMU_1/ns/net")" "$(readlink "/proc/$(pid_of "$FIRST")/ns/net")"
    assert_not_equal "$(readlink "/proc/$QEMU_1/ns/net")" "$(readlink "/proc/$QEMU_2/ns/net")"
    assert_equal "$(sed '1,2d; s/ *\([^:]*\):.*/\1/' "/proc/$QEMU_1/net/dev")" lo
}

@test "security: QEMU, virtiofsd and monitor see a root of their own, without the host's files" {
    local pid path
    for pid in "$QEMU_1" $VIRTIOFSD_1 "$MONITOR_1"; do
        assert_not_equal "$(readlink "/proc/$pid/ns/mnt")" "$(readlink /proc/self/ns/mnt)"
        for path in root home tmp/runvm-bats.* etc/shadow var/lib/dpkg boot/grub boot/config-* dev/kmem dev/mem dev/sda; do
            if [[ -e /proc/$pid/root/$path ]]; then fail "$(name_of "$pid") sees /$path"; fi
        done
    done
}

@test "security: the monitor's processes are in a pid namespace of their own" {
    assert_equal "$(readlink "/proc/$REAPER_1/ns/pid")" "$(readlink "/proc/$QEMU_1/ns/pid")"
    assert_equal "$(readlink "/proc/$REAPER_1/ns/pid")" "$(readlink "/proc/$MONITOR_1/ns/pid")"
    assert_not_equal "$(readlink "/proc/$REAPER_1/ns/pid")" "$(readlink /proc/self/ns/pid)"
    assert_equal "$(pid_in_namespace "$REAPER_1")" 1
}

@test "security: no helper is in the caller's session or process group" {
    # Else a kill of the group would strand the VM.
    local pid
    for pid in "$QEMU_1" $VIRTIOFSD_1 "$MONITOR_1" "$REAPER_1" $(shim_pids) $(shim_init_pids); do
        assert_not_equal "$(ps -o sid= -p "$pid" | tr -d ' ')" "$(ps -o sid= -p $$ | tr -d ' ')" "$(name_of "$pid")"
        assert_not_equal "$(ps -o pgid= -p "$pid" | tr -d ' ')" "$(ps -o pgid= -p $$ | tr -d ' ')" "$(name_of "$pid")"
    done
}

@test "security: the state is root's alone" {
    assert_equal "$(find "$ROOT" ! -type s ! -type l \( -perm /077 -o ! -user root \) -printf '%m %p\n')" ""
    assert_equal "$(stat -c %a "$ROOT/$FIRST")" 700
}

@test "security: the container's stdio is the shim's only" {
    local pid
    for pid in "$QEMU_1" $VIRTIOFSD_1 "$MONITOR_1" "$REAPER_1" $(shim_init_pids); do
        assert_equal "$(find "/proc/$pid/fd" -mindepth 1 -printf '%l\n' | grep -c 'bundles/')" 0 "$(name_of "$pid")"
    done
}

@test "no leak" { assert_no_leak ${FIRST:+"$FIRST" "$SECOND"}; }
