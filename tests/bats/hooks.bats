#!/usr/bin/env bats
# The bundle's hooks: when, where and with what they run, and what comes of one that fails. runc is the oracle.

load lib/common

# hook KIND SCRIPT: adds a hook that is a shell script.
hook() {
    edit '.hooks[$kind] += [{path: "/bin/sh", args: ["sh", "-c", $script, "hook"]}]' --arg kind "$1" --arg script "$2"
}

early=(prestart createRuntime createContainer)
all=("${early[@]}" poststart poststop)

@test "hooks: run in their order, with the state on stdin" {
    bundle echo process
    local kind
    for kind in "${all[@]}"; do hook "$kind" "cat >>$BUNDLE/$kind; echo $kind >>$BUNDLE/order"; done
    hook prestart "echo second >>$BUNDLE/order"
    edit '.annotations = {key: "value"}'
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout process
    assert_equal "$(tr '\n' ' ' <"$BUNDLE/order")" "prestart second createRuntime createContainer poststart poststop "
    for kind in "${all[@]}"; do
        assert_equal "$(jq -r '[.id, .bundle, .annotations.key] | join(" ")' "$BUNDLE/$kind")" "$ID $BUNDLE value"
    done
    local running=running
    if is_runc; then running=created; fi # it runs poststart hooks in create
    assert_equal "$(jq -r .status "${all[@]/#/$BUNDLE/}" | tr '\n' ' ')" "creating creating creating $running stopped "
    # On the host it is the pid that state says, in the container the first one.
    assert_equal "$(jq -r .pid "$BUNDLE/createContainer")" 1
    assert_equal "$(jq -r .pid "$BUNDLE/prestart")" "$(jq -r .pid "$BUNDLE/poststart")"
}

@test "hooks: the pid of the state has the container's namespaces" {
    bundle sleep 1000
    hook createRuntime "pid=\$(jq .pid); readlink /proc/\$pid/ns/net /proc/\$pid/ns/uts >$BUNDLE/namespaces"
    hook createContainer "readlink /proc/self/ns/net /proc/self/ns/uts >$BUNDLE/inside; pwd >$BUNDLE/cwd"
    runtime create --bundle "$BUNDLE" "$ID" </dev/null >/dev/null
    local pid
    pid=$(runtime state "$ID" | jq .pid)
    assert_equal "$(cat "$BUNDLE/namespaces")" "$(readlink "/proc/$pid/ns/net" "/proc/$pid/ns/uts")"
    assert_equal "$(cat "$BUNDLE/inside")" "$(cat "$BUNDLE/namespaces")"
    assert_equal "$(cat "$BUNDLE/cwd")" "$(jq -r .root.path "$BUNDLE/config.json")"
    runtime delete --force "$ID"
}

@test "hooks: what createContainer mounts in the rootfs is seen inside, and not on the host" {
    bundle cat /tmp/of-hook
    own_rootfs
    hook createContainer "mount -t tmpfs tmpfs tmp && echo mounted >tmp/of-hook"
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout mounted
    [[ ! -e $BUNDLE/rootfs/tmp/of-hook ]]
}

@test "hooks: prestart may mount by the state's pid" {
    # As nvidia-container-runtime-hook does.
    bundle cat /tmp/of-hook
    own_rootfs
    hook prestart "pid=\$(jq .pid); nsenter --target \$pid --mount sh -c 'mount -t tmpfs tmpfs $BUNDLE/rootfs/tmp && echo entered >$BUNDLE/rootfs/tmp/of-hook'"
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout entered
}

@test "hooks: startContainer runs in the container, as the process will" {
    bundle sh -c 'cat /tmp/hook'
    edit '.mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["mode=1777"]}]
        | .process.user = {uid: 7, gid: 8} | .process.env += ["A=b"]'
    hook startContainer 'cat >/tmp/state; { id -u; echo "$A"; grep -o "\"status\":\"created\",\"pid\":1" /tmp/state; } >/tmp/hook'
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout $'7\nb\n"status":"created","pid":1'
}

@test "hooks: startContainer waits for start" {
    bundle sh -c 'ls /tmp/of-hook; sleep 1000'
    own_rootfs
    hook startContainer 'touch /tmp/of-hook'
    runtime create --bundle "$BUNDLE" "$ID" </dev/null >"$BUNDLE/stdout"
    [[ ! -e $BUNDLE/rootfs/tmp/of-hook ]]
    runtime start "$ID"
    wait_until 20 grep -q of-hook "$BUNDLE/stdout"
    runtime delete --force "$ID"
}

@test "hooks: startContainer under a profile that hides clone3" {
    only_runvm "its own way to start a process"
    bundle echo process
    edit '.process.noNewPrivileges = true | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38}]}'
    hook startContainer 'exit 0'
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout process
}

@test "hooks: may take longer than the agent's answers" {
    only_runvm "its own time limits"
    printf '[hypervisor]\nagent_timeout_ms = 5000\n' >"$FILE_DIR/slow.toml"
    local RUNTIME_GLOBALS="--config $FILE_DIR/slow.toml"
    bundle echo process
    hook prestart 'sleep 7'
    hook startContainer 'sleep 7'
    edit '.hooks.startContainer[0].timeout = 30'
    hook poststart "touch $BUNDLE/poststart"
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout process
    [[ -e $BUNDLE/poststart ]]
}

@test "hooks: an early one that fails undoes the create, and poststop is run" {
    local kind
    for kind in "${early[@]}"; do
        bundle true
        hook "$kind" 'echo out; echo err >&2; exit 3'
        hook poststop "touch $BUNDLE/poststop"
        capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
        assert_status 1
        assert_stderr_contains "exit status 3, stdout: out"
        assert_stderr_contains "hook #0"
        assert_gone "$ID"
        [[ -e $BUNDLE/poststop ]]
        rm "$BUNDLE/poststop"
    done
}

@test "hooks: poststart that fails stops the container, and the start fails" {
    only_runvm "runc runs poststart hooks in create"
    bundle sleep 1000
    hook poststart 'exit 3'
    runtime create --bundle "$BUNDLE" "$ID" </dev/null >/dev/null
    capture runtime start "$ID"
    assert_status 1
    assert_stderr_contains "exit status 3"
    wait_status "$ID" stopped
    runtime delete "$ID"
}

@test "hooks: startContainer that fails stops the container, and the start fails" {
    only_runvm "runc's start has returned by then"
    bundle sleep 1000
    hook startContainer 'echo reason >&2; exit 3'
    runtime create --bundle "$BUNDLE" "$ID" </dev/null >/dev/null
    capture runtime start "$ID"
    assert_status 1
    assert_stderr_contains "startContainer hook #0: exit status 3, stdout: , stderr: reason"
    wait_status "$ID" stopped
    runtime delete "$ID"
}

@test "hooks: poststop that fails is a warning, and the next one runs" {
    bundle true
    hook poststop 'exit 3'
    only_runvm "runc stops at the first"
    hook poststop "touch $BUNDLE/second"
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stderr_contains "level=warning"
    assert_gone "$ID"
    [[ -e $BUNDLE/second ]]
}

@test "hooks: one that runs past its timeout is killed" {
    only_runvm "runc's create dies of it"
    bundle true
    edit '.hooks.prestart = [{path: "/bin/sh", args: ["sh", "-c", "sleep 1000"], timeout: 1}]'
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains "hook ran past specified timeout of 1.0s"
    assert_gone "$ID"
}

@test "hooks: one that is not there is named" {
    bundle true
    edit '.hooks.prestart = [{path: "/no/such/hook"}]'
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains /no/such/hook
    assert_gone "$ID"
}

@test "hooks: an interrupt ends the one that runs, and the create" {
    only_runvm "runc waits for the hook"
    bundle true
    hook prestart "touch $BUNDLE/runs; sleep 1000"
    (
        trap - INT
        exec "$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>"$BUNDLE/stderr"
    ) &
    local command=$!
    wait_until 30 test -e "$BUNDLE/runs"
    kill -TERM "$command"
    wait "$command" && fail "it succeeded"
    assert_gone "$ID"
}

@test "no leak" { assert_no_leak; }
