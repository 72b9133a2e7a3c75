#!/usr/bin/env bats
# process of config.json: what the container's process is given. What execs are given is in exec.bats.

load lib/common

# One container whose process has every field set, and says what it sees.
setup_file() {
    file_begin
    SHARED=${PREFIX}shared
    # shellcheck disable=SC2016 # the container's shell expands it
    bundle sh -c 'report() { echo "== $1"; shift; "$@"; }
        report args sh -c "tr \\\\0 \\| </proc/$$/cmdline | sed s/.*FOREVER//; echo"
        report cwd stat -c "%n %a %u %g" "$PWD" .. ../..
        report environ sh -c "tr \\\\0 \\| </proc/$$/environ; echo"
        report home echo "$HOME"
        report ids sh -c "id -u; id -g; id -G; umask"
        touch /dev/shm/file; mkdir /dev/shm/folder
        report made stat -c "%a %u %g" /dev/shm/file /dev/shm/folder
        report status cat /proc/$$/status
        report oom cat /proc/$$/oom_score_adj
        report limits cat /proc/$$/limits
        report io ionice -p $$
        report stat cat /proc/$$/stat
        report end
        : FOREVER; '"$FOREVER" zero '' 'two  words' $'a\nline' 'ü$x"'
    own_rootfs
    cp "$(program effective-uid -static)" "$BUNDLE/rootfs/bin/effective-uid"
    chmod 4755 "$BUNDLE/rootfs/bin/effective-uid"
    echo 'web:x:33:34::/srv/web:/bin/sh' >>"$BUNDLE/rootfs/etc/passwd"
    edit '.process += {
            cwd: "/made/for/it",
            user: {uid: 33, gid: 34, umask: 23, additionalGids: [7, 8, 100000]},
            capabilities: {bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"], permitted: ["CAP_CHOWN", "CAP_KILL"],
                effective: ["CAP_KILL"], inheritable: ["CAP_KILL", "CAP_NET_RAW"], ambient: ["CAP_KILL"]},
            rlimits: [{type: "RLIMIT_NOFILE", soft: 20, hard: 30}, {type: "RLIMIT_CORE", soft: 0, hard: 0},
                {type: "RLIMIT_FSIZE", soft: 4096, hard: 8192}],
            noNewPrivileges: true,
            oomScoreAdj: 300,
            ioPriority: {class: "IOPRIO_CLASS_BE", priority: 6},
            scheduler: {policy: "SCHED_BATCH", nice: 5}}
        | .process.env += ["TWICE=1", "TWICE=2", "EMPTY=", "SPACES=  a b ", "LINES=a\nb"]'
    run_detached "$SHARED"
    wait_until 20 grep -q '== end' "$BUNDLE/stdout"
    export SHARED BUNDLE
}

# seen NAME: what the process reported under that name.
seen() { awk -v name="== $1" '$0 == name { on = 1; next } /^== / { on = 0 } on' "$BUNDLE/stdout"; }

# in_status NAME: a value of /proc/PID/status.
in_status() { seen status | sed -n "s/^$1:[[:space:]]*//p"; }

@test "process: args and env arrive byte by byte, cwd is made" {
    assert_equal "$(seen args | tail -n 1)" 'line|ü$x"|'
    assert_matches "$(seen args)" $'\\|zero\\|\\|two  words\\|a\nline\\|'
    assert_equal "$(seen cwd)" $'/made/for/it 755 0 0\n.. 755 0 0\n../.. 755 0 0'
    assert_matches "$(seen environ)" $'\\|EMPTY=\\|SPACES=  a b \\|LINES=a\nb\\|'
    # The later value counts, as in runc.
    assert_equal "$(seen environ | tr '|' '\n' | grep '^TWICE')" TWICE=2
    assert_equal "$(seen home)" /srv/web
}

@test "process: user, groups and umask" {
    assert_equal "$(seen ids)" $'33\n34\n34 7 8 100000\n0027'
    assert_equal "$(seen made)" $'640 33 34\n750 33 34'
    assert_equal "$(in_status Groups)" '7 8 100000 '
}

@test "process: the five sets of capabilities" {
    # chown 0, kill 5, net_raw 13. A user that is not root keeps through execve what is ambient.
    assert_equal "$(in_status CapBnd)" 0000000000002021
    assert_equal "$(in_status CapInh)" 0000000000002020
    assert_equal "$(in_status CapAmb)" 0000000000000020
    assert_equal "$(in_status CapPrm)" 0000000000000020
    assert_equal "$(in_status CapEff)" 0000000000000020
    # They are rights: kill of a process of another user, and no chown.
    capture runtime exec "$SHARED" sh -c 'chown 33 /etc/passwd 2>/dev/null; echo $?; grep CapEff /proc/self/status'
    assert_stdout $'1\nCapEff:\t0000000000000020'
}

@test "process: limits, and they hold" {
    assert_matches "$(seen limits)" 'Max open files +20 +30 +files'
    assert_matches "$(seen limits)" 'Max core file size +0 +0 +bytes'
    assert_matches "$(seen limits)" 'Max file size +4096 +8192 +bytes'
    capture runtime exec "$SHARED" sh -c 'head -c 10000 /dev/zero >/dev/shm/big; stat -c %s /dev/shm/big; ulimit -n; ulimit -H -n'
    assert_stdout $'4096\n20\n30'
}

@test "process: noNewPrivileges and oomScoreAdj" {
    assert_equal "$(in_status NoNewPrivs)" 1
    assert_equal "$(seen oom)" 300
}

@test "process: a set-uid program has its owner's rights, unless noNewPrivileges is set" {
    assert_equal "$(runtime exec "$SHARED" effective-uid)" 33
    jq '.process | .args = ["effective-uid"] | .noNewPrivileges = false' "$BUNDLE/config.json" >"$FILE_DIR/process.json"
    assert_equal "$(runtime exec --process "$FILE_DIR/process.json" "$SHARED")" 0
    local rootfs=$BUNDLE/rootfs
    bundle effective-uid
    edit '.root.path = $rootfs | .process.user = {uid: 33, gid: 34} | .process.noNewPrivileges = false' --arg rootfs "$rootfs"
    assert_equal "$(runtime run --bundle "$BUNDLE" "$ID" </dev/null)" 0
    edit '.mounts += [{destination: "/tmp", type: "bind", source: (.root.path + "/bin"), options: ["bind", "nosuid"]}]
        | .process.args[0] = "/tmp/effective-uid"'
    assert_equal "$(runtime run --bundle "$BUNDLE" "$ID" </dev/null)" 33
}

@test "process: ioPriority and scheduler" {
    only_runvm "runc 1.1 knows neither"
    assert_equal "$(seen io)" "best-effort: prio 6"
    assert_equal "$(seen stat | awk '{ print "nice", $19, "realtime", $40, "policy", $41 }')" "nice 5 realtime 0 policy 3"
}

@test "process: without a scheduler the usual one" {
    local fields='{ print "nice", $19, "realtime", $40, "policy", $41 }'
    bundle sh -c "cat /proc/self/stat; $FOREVER"
    run_until_ready "$ID"
    assert_equal "$(head -n 1 "$BUNDLE/stdout" | awk "$fields")" "nice 0 realtime 0 policy 0"
    assert_equal "$(runtime exec "$ID" cat /proc/self/stat | awk "$fields")" "nice 0 realtime 0 policy 0"
    runtime delete --force "$ID"
}

@test "process: exec gets the same, or what its process.json says" {
    capture runtime exec "$SHARED" sh -c 'pwd; id -u; id -G; echo "$TWICE$HOME"; grep -E "^(CapBnd|NoNewPrivs)" /proc/self/status'
    assert_stdout $'/made/for/it\n33\n34 7 8 100000\n2/srv/web\nCapBnd:\t0000000000002021\nNoNewPrivs:\t1'
    jq '.process | .args = ["sh", "-c", "pwd; id -u; id -G; ulimit -n; grep ^CapBnd /proc/self/status; cat /proc/self/oom_score_adj"]
        | .cwd = "/tmp" | .user = {uid: 5, gid: 6} | .rlimits = [{type: "RLIMIT_NOFILE", soft: 12, hard: 12}]
        | .capabilities = {bounding: ["CAP_CHOWN"]} | .oomScoreAdj = 400' "$BUNDLE/config.json" >"$FILE_DIR/process.json"
    capture runtime exec --process "$FILE_DIR/process.json" "$SHARED"
    # runc passes over an exec's oomScoreAdj.
    assert_stdout $'/tmp\n5\n6\n12\nCapBnd:\t0000000000000001\n'"$(is_runc && echo 300 || echo 400)"
}

@test "process: the user's mistakes in the words that callers match" {
    only_runvm "runc's words of a folder depend on its Go"
    # The other words are in create.bats and exec.bats.
    capture runtime exec "$SHARED" /etc
    assert_status 255
    assert_stderr_contains "permission denied"
    bundle true
    edit '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["execve", "execveat"], action: "SCMP_ACT_ERRNO"}]}'
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains "operation not permitted"
    assert_gone "$ID"
    # Of an exec: the container's own process has not come to its execve.
    create_container "$ID"
    capture runtime exec "$ID" true
    assert_status 1
    assert_stderr_contains "operation not permitted"
}

@test "process: what the kernel refuses to execute ends by itself" {
    bundle /bin/text
    own_rootfs
    printf 'neither ELF nor script\n' >"$BUNDLE/rootfs/bin/text"
    printf '#!/no/such/interpreter\n' >"$BUNDLE/rootfs/bin/script"
    chmod 755 "$BUNDLE"/rootfs/bin/{text,script}
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains "exec /bin/text: exec format error"

    edit '.process.args = ["sleep", "1000"]'
    run_detached "$ID-2"
    capture runtime exec "$ID-2" /bin/text
    assert_status 1
    assert_stderr_contains "exec /bin/text: exec format error"
    capture runtime exec "$ID-2" /bin/script
    assert_status 1
    assert_stderr_contains "exec /bin/script: no such file or directory"
}

@test "process: values that cannot be are refused by name, and nothing is left" {
    only_runvm "its own words"
    assert_each_refused . .process <<'END'
.args = []|.args: args must not be empty
.args = ["a", 5]|.args[1]: found 5; a string is expected
.cwd = "tmp"|.cwd: Cwd must be an absolute path
.env += ["NOTHING"]|.env[2]: found "NOTHING"; an environment variable has the form NAME=VALUE
.user.uid = -1|.user.uid: found -1; a whole number from 0 to 4294967294 is allowed
.user.umask = 512|.user.umask: found 512; a whole number from 0 to 511 is allowed
.user.additionalGids = [4294967295]|.user.additionalGids[0]: found 4294967295
.capabilities.permitted = []|.capabilities.effective: has a capability that is not in permitted
.rlimits = [{type: "RLIMIT_X", soft: 1, hard: 1}]|.rlimits[0].type: found "RLIMIT_X"; allowed are RLIMIT_AS,
.rlimits += [.process.rlimits[0]]|.rlimits[1].type: found "RLIMIT_NOFILE"; each limit may be given once
.rlimits[0].soft = 5000|.rlimits[0].soft: found 5000; it may not exceed the hard limit, 1024
.oomScoreAdj = 1001|.oomScoreAdj: found 1001; a whole number from -1000 to 1000 is allowed
.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 8}|.ioPriority.priority: found 8; a whole number from 0 to 7 is allowed
.scheduler = {policy: "SCHED_OTHER", nice: 20}|.scheduler.nice: found 20; with this policy -20 to 19 is allowed
.scheduler = {policy: "SCHED_OTHER", priority: 3}|.scheduler.priority: scheduler.priority can only be specified for SchedFIFO or SchedRR policy
.noNewPrivileges = "yes"|.noNewPrivileges: found "yes"; true or false is expected
END
    # An exec's are the same, and its container goes on.
    jq '.process | .rlimits[0].soft = 5000' "$FILE_DIR/base.json" >"$FILE_DIR/process.json"
    capture runtime exec --process "$FILE_DIR/process.json" "$SHARED"
    assert_status 255
    assert_stderr_contains "rlimits[0].soft: found 5000"
    assert_equal "$(status_of "$SHARED")" running
}

@test "no leak" { assert_no_leak "$SHARED"; }
