#!/usr/bin/env bats
# linux.seccomp: an action after the other in one profile, which execs are under as well.

load lib/common

setup_file() {
    file_begin
    SHARED=${PREFIX}shared
    bundle sh -c "$FOREVER"
    own_rootfs
    cp "$(program seccomp -static)" "$BUNDLE/rootfs/bin/seccomp"
    edit '.linux.seccomp = {
        defaultAction: "SCMP_ACT_ALLOW",
        architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        syscalls: [
            {names: ["mkdir", "mkdirat", "no_such_call_of_tomorrow"], action: "SCMP_ACT_ERRNO", errnoRet: 28},
            {names: ["link", "linkat"], action: "SCMP_ACT_ERRNO"},
            {names: ["umask"], action: "SCMP_ACT_KILL", args: [{index: 0, value: 4, op: "SCMP_CMP_EQ"}]},
            {names: ["umask"], action: "SCMP_ACT_KILL_PROCESS", args: [{index: 0, value: 5, op: "SCMP_CMP_EQ"}]},
            {names: ["umask"], action: "SCMP_ACT_TRAP", args: [{index: 0, value: 6, op: "SCMP_CMP_EQ"}]},
            {names: ["umask"], action: "SCMP_ACT_LOG", args: [{index: 0, value: 7, op: "SCMP_CMP_EQ"}]},
            {names: ["umask"], action: "SCMP_ACT_TRACE", errnoRet: 1, args: [{index: 0, value: 8, op: "SCMP_CMP_EQ"}]},
            {names: ["umask"], action: "SCMP_ACT_ERRNO", args: [{index: 0, value: 448, valueTwo: 64, op: "SCMP_CMP_MASKED_EQ"}]},
            {names: ["kill"], action: "SCMP_ACT_ERRNO",
                args: [{index: 0, value: 1, op: "SCMP_CMP_LE"}, {index: 1, value: 9, op: "SCMP_CMP_GT"}]}]}'
    # runc 1.1 knows no flag but TSYNC.
    is_runc || edit '.linux.seccomp.flags = ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"]'
    run_until_ready "$SHARED"
    export SHARED BUNDLE
}

inside() { runtime exec "$SHARED" sh -c "$1"; }

@test "seccomp: errno, the profile's own or EPERM; unknown calls are left out" {
    capture inside 'mkdir /dev/shm/d; ln /etc/passwd /etc/other; grep ^Seccomp: /proc/self/status /proc/1/status'
    assert_stderr_contains "'/dev/shm/d': No space left on device"
    assert_stderr_contains "/etc/other: Operation not permitted"
    assert_stdout $'/proc/self/status:Seccomp:\t2\n/proc/1/status:Seccomp:\t2'
}

@test "seccomp: kill is death by SIGSYS" {
    local mask
    for mask in 4 5; do
        capture inside "umask $mask; echo never"
        assert_status 159
        assert_stdout ""
    done
    assert_equal "$(status_of "$SHARED")" running
}

@test "seccomp: trap is a signal that can be handled" {
    capture inside 'umask 6; echo never'
    assert_status 159
    capture runtime exec "$SHARED" seccomp trap
    assert_success
    assert_stdout "SIGSYS of umask"
}

@test "seccomp: log lets the call through, trace without a tracer does not" {
    capture inside 'umask 7; umask; umask 010; umask'
    # ENOSYS of umask is taken for a mask by the shell: the one before stays.
    assert_stdout $'0007\n0007'
}

@test "seccomp: arguments are compared, all of a rule's have to fit" {
    capture inside 'umask 0112; umask; umask 0002; umask; kill -USR1 1; kill -0 1 && echo asked; kill -USR1 99'
    assert_stdout $'0022\n0002\nasked'
    assert_stderr_contains "can't kill pid 1: Operation not permitted"
    assert_stderr_contains "can't kill pid 99: No such process"
}

@test "seccomp: calls of an architecture that is listed are filtered, of another one they kill" {
    capture runtime exec "$SHARED" seccomp int80
    assert_success
    assert_stdout "errno 28"
    capture runtime exec "$SHARED" seccomp x32
    assert_status 159
    local shared_bundle=$BUNDLE
    bundle seccomp int80
    edit '.root.path = $rootfs | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"],
        syscalls: [{names: ["mkdir"], action: "SCMP_ACT_ERRNO"}]}' --arg rootfs "$shared_bundle/rootfs"
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 159
}

@test "seccomp: what cannot be is refused by name, and nothing is left" {
    only_runvm "its own words"
    local profile='{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir"], action: "SCMP_ACT_ERRNO"}]}'
    assert_each_refused ".linux.seccomp = $profile" .linux.seccomp <<'END'
.defaultAction = "SCMP_ACT_X"|.defaultAction: found "SCMP_ACT_X"; allowed are SCMP_ACT_ALLOW,
.defaultErrnoRet = 5|.defaultErrnoRet: the action SCMP_ACT_ALLOW has no errno
.architectures = ["SCMP_ARCH_VAX"]|.architectures[0]: found "SCMP_ARCH_VAX"; allowed are SCMP_ARCH_AARCH64,
.flags = ["SECCOMP_FILTER_FLAG_X"]|.flags[0]: found "SECCOMP_FILTER_FLAG_X"; allowed are SECCOMP_FILTER_FLAG_LOG,
.flags = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]|.flags[0]: concerns seccomp listeners, which a VM cannot have
.syscalls[0].action = "SCMP_ACT_NOTIFY"|.syscalls[0].action: a seccomp listener of the host cannot serve a process in a VM
.syscalls[0].names = []|.syscalls[0].names: found an array; at least one system call is expected
.syscalls[0].names = [""]|.syscalls[0].names[0]: empty string is not a valid syscall
.syscalls[0].args = [{index: 6, value: 0, op: "SCMP_CMP_EQ"}]|.syscalls[0].args[0].index: found 6; a whole number from 0 to 5 is allowed
.syscalls[0].args = [{index: 0, value: 0, op: "EQ"}]|.syscalls[0].args[0].op: found "EQ"; allowed are SCMP_CMP_EQ,
END
}

@test "no leak" { assert_no_leak "$SHARED"; }
