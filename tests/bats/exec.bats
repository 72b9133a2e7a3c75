#!/usr/bin/env bats
# exec: one more process in a container.

load lib/common

setup_file() {
    file_begin
    SHARED=${PREFIX}shared
    run_forever "$SHARED"
    export SHARED
}

@test "exec: output, exit code, arguments as they are" {
    capture runtime exec "$SHARED" sh -c 'echo out; echo err >&2; exit 7'
    assert_status 7
    assert_stdout out
    assert_equal "$STDERR" err
    capture runtime exec "$SHARED" true
    assert_success
    capture runtime exec "$SHARED" printf '%s|' '' ' ' '-c' '--' $'a\nb' 'ü'
    assert_stdout $'| |-c|--|a\nb|ü|'
}

@test "exec: a process that dies of a signal gives 128 and the signal" {
    capture runtime exec "$SHARED" sh -c 'kill -9 $$'
    assert_status 137
    capture runtime exec "$SHARED" sh -c 'kill -TERM $$'
    assert_status 143
}

@test "exec: standard input to its end" {
    capture runtime exec "$SHARED" wc -c < <(head -c 1000000 /dev/zero)
    assert_success
    assert_stdout 1000000
    capture runtime exec "$SHARED" cat </dev/null
    assert_success
    assert_stdout ""
}

@test "exec: is in the container's namespaces" {
    capture runtime exec "$SHARED" sh -c 'readlink /proc/1/ns/pid /proc/1/ns/mnt /proc/1/ns/net /proc/1/ns/uts /proc/1/ns/ipc'
    local container=$STDOUT
    capture runtime exec "$SHARED" sh -c 'readlink /proc/self/ns/pid /proc/self/ns/mnt /proc/self/ns/net /proc/self/ns/uts /proc/self/ns/ipc'
    assert_stdout "$container"
    capture runtime exec "$SHARED" ps -o comm
    assert_stdout_contains sh
}

@test "exec: -e, --env, --cwd, -u, --user, -g" {
    capture runtime exec --env A=1 --env 'B=2 3' --cwd /tmp --user 1:2 -g 7 -g 8 "$SHARED" \
        sh -c 'echo "$A,$B,$PWD,$(id -u),$(id -g),$(id -G)"'
    assert_success
    assert_stdout '1,2 3,/tmp,1,2,2 7 8'
    capture runtime exec -e A=1 -e B=2 -u 65534 "$SHARED" sh -c 'echo "$A$B$(id -u)"'
    assert_stdout 1265534
}

@test "exec: --user by name" {
    only_runvm "runc takes numbers"
    bundle sh -c "$FOREVER"
    own_rootfs
    mkdir -p "$BUNDLE/rootfs/etc"
    printf 'root:x:0:0::/root:/bin/sh\nweb:x:1001:1002::/srv/web:/bin/sh\n' >"$BUNDLE/rootfs/etc/passwd"
    printf 'root:x:0:\nweb:x:1002:\nlogs:x:40:web\nstaff:x:50:root\n' >"$BUNDLE/rootfs/etc/group"
    run_until_ready "$ID"
    local ids='echo "$(id -u) $(id -g) $(id -G) $HOME"'
    capture runtime exec -u web "$ID" sh -c "$ids"
    assert_stdout '1001 1002 1002 40 /srv/web'
    capture runtime exec -u web:staff -g 7 "$ID" sh -c "$ids"
    assert_stdout '1001 50 50 7 40 /srv/web'
    capture runtime exec -u 5:logs "$ID" sh -c "$ids"
    assert_stdout '5 40 40 /'
    capture runtime exec -u web:3 "$ID" sh -c "$ids"
    assert_stdout '1001 3 3 40 /srv/web'
    capture runtime exec -u nobody "$ID" true
    assert_status 255
    assert_stderr_contains "unable to find user nobody: no matching entries in the container's /etc/passwd"
    capture runtime exec -u 0:nogroup "$ID" true
    assert_status 255
    assert_stderr_contains "unable to find group nogroup"
}

@test "exec: the environment and folder are config.json's by default" {
    capture runtime exec "$SHARED" sh -c 'echo "$TERM $PWD $PATH"'
    assert_stdout 'xterm / /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
}

@test "exec: capabilities, --cap and no-new-privs" {
    capture runtime exec "$SHARED" grep CapEff /proc/self/status
    # audit_write, kill, net_bind_service: what `spec` writes.
    assert_stdout $'CapEff:\t0000000020000420'
    capture runtime exec --cap CAP_SYS_CHROOT "$SHARED" grep CapBnd /proc/self/status
    assert_stdout $'CapBnd:\t0000000020040420'
    capture runtime exec "$SHARED" grep NoNewPrivs /proc/self/status
    assert_stdout $'NoNewPrivs:\t1'
}

@test "exec: --process" {
    jq '.process | .args = ["sh", "-c", "echo $X; exit 4"] | .env += ["X=from file"]' "$FILE_DIR/base.json" \
        >"$FILE_DIR/process.json"
    capture runtime exec --process "$FILE_DIR/process.json" "$SHARED"
    assert_status 4
    assert_stdout 'from file'
    capture runtime exec -p "$FILE_DIR/process.json" "$SHARED"
    assert_status 4
    capture runtime exec --process "$FILE_DIR/no-such.json" "$SHARED"
    assert_status 255
    echo '{' >"$FILE_DIR/process.json"
    capture runtime exec --process "$FILE_DIR/process.json" "$SHARED"
    assert_status 255
}

@test "exec: --detach with a pid file" {
    runtime exec --detach --pid-file "$FILE_DIR/exec.pid" "$SHARED" sleep 1000 </dev/null >/dev/null 2>&1
    local pid
    pid=$(cat "$FILE_DIR/exec.pid")
    assert_matches "$(od -c <"$FILE_DIR/exec.pid")" '^0000000( +[0-9])+'
    [[ $(wc -l <"$FILE_DIR/exec.pid") == 0 ]]
    assert_not_equal "$pid" "$(pid_of "$SHARED")"
    [[ -d /proc/$pid ]]
    # containerd kills an exec so.
    kill -KILL "$pid"
    wait_until 10 is_gone "$pid"
    no_sleep() { ! runtime exec "$SHARED" ps -o args | grep -q 'sleep 1000'; }
    wait_until 20 no_sleep
    assert_equal "$(status_of "$SHARED")" running
}

@test "exec: the pid of a detached one goes away with the process" {
    runtime exec -d --pid-file "$FILE_DIR/exec.pid" "$SHARED" sleep 1 </dev/null >/dev/null 2>&1
    wait_until 20 is_gone "$(cat "$FILE_DIR/exec.pid")"
}

@test "exec: the output of a detached one goes to the caller's files" {
    runtime exec -d "$SHARED" sh -c 'sleep 1; echo later; echo error >&2' </dev/null >"$FILE_DIR/out" 2>"$FILE_DIR/err"
    wait_until 20 grep -qx later "$FILE_DIR/out"
    wait_until 20 grep -qx error "$FILE_DIR/err"
}

@test "exec: signals to the foreground command reach the process" {
    # CRI-O's exec is in the foreground.
    "$RUNTIME" --root "$ROOT" exec "$SHARED" sh -c 'trap "echo got; exit 5" TERM; echo ready; while :; do sleep 0.1; done' \
        >"$FILE_DIR/out" 2>&1 </dev/null 3>&- &
    local client=$! status=0
    wait_until 20 grep -q ready "$FILE_DIR/out"
    kill -TERM "$client"
    wait "$client" || status=$?
    assert_equal "$status" 5
    assert_equal "$(tail -1 "$FILE_DIR/out")" got
}

@test "exec: several at once" {
    local pids=() i
    for i in {1..6}; do
        runtime exec "$SHARED" sh -c "echo $i; exit $i" >"$FILE_DIR/exec.$i" 2>&1 </dev/null &
        pids+=($!)
    done
    for i in {1..6}; do
        local status=0
        wait "${pids[i - 1]}" || status=$?
        assert_equal "$status" "$i"
        assert_equal "$(cat "$FILE_DIR/exec.$i")" "$i"
    done
}

@test "exec: what the user's command did wrong" {
    capture runtime exec "$SHARED" no-such-program
    assert_status 255
    assert_stderr_contains 'unable to start container process: exec: \"no-such-program\": executable file not found in $PATH'
    capture runtime exec "$SHARED" /no/such/program
    assert_status 255
    assert_stderr_contains 'no such file or directory'
    capture runtime exec "$SHARED" /etc/passwd
    assert_status 255
    assert_stderr_contains 'permission denied'
    capture runtime exec "$SHARED" /etc/passwd/x
    assert_status 255
    assert_stderr_contains 'not a directory'
    capture runtime exec --cwd /no/such/folder "$SHARED" true
    assert_status 255
    assert_stderr_contains 'no such file or directory'
}

@test "exec: wrong usage" {
    capture runtime exec
    assert_status 1
    capture runtime exec "$SHARED"
    assert_status 255
    assert_stderr_contains 'args cannot be empty'
    capture runtime exec --no-such-flag "$SHARED" true
    assert_failed
    capture runtime exec --detach --tty "$SHARED" true
    assert_status 255
    assert_stderr_contains "cannot allocate tty if $NAME will detach without setting console socket"
    capture runtime exec --console-socket "$FILE_DIR/socket" "$SHARED" true
    assert_status 255
    assert_stderr_contains "cannot use console socket if $NAME will not detach or allocate tty"
}

@test "exec: an unknown container" {
    capture runtime exec "$ID" true
    assert_status 255
    assert_stderr_contains "container does not exist"
}

@test "exec: in a created container" {
    bundle sh -c "$FOREVER"
    create_container "$ID"
    capture runtime exec "$ID" sh -c 'echo hi; exit 3'
    assert_status 3
    assert_stdout hi
    assert_equal "$(status_of "$ID")" created
    assert_equal "$(cat "$BUNDLE/stdout")" ""
}

@test "exec: --cgroup" {
    only_runvm "the guest has cgroup v2"
    bundle sh -c "$FOREVER"
    edit '(.mounts[] | select(.type == "cgroup").options) -= ["ro"]'
    run_detached "$ID"
    local own=/proc/self/cgroup path
    assert_equal "$(runtime exec --cgroup / "$ID" cat $own)" 0::/
    capture runtime exec --cgroup .. "$ID" cat $own
    assert_status 255
    assert_stderr_contains ".. is not a sub cgroup path"
    capture runtime exec --cgroup nonexistent "$ID" cat $own
    assert_status 255
    assert_stderr_contains "the container has no cgroup nonexistent"
    capture runtime exec --cgroup memory:sub "$ID" cat $own
    assert_status 255
    assert_stderr_contains "invalid --cgroup argument: memory:sub"
    runtime exec "$ID" mkdir /sys/fs/cgroup/sub
    for path in sub /sub; do assert_equal "$(runtime exec --cgroup $path "$ID" cat $own)" 0::/sub; done
    # Once the container's processes have moved and a controller is on, nothing can be put beside the cgroups below: an exec
    # follows them, unless it names a place.
    # shellcheck disable=SC2016
    runtime exec "$ID" sh -ec 'cd /sys/fs/cgroup
        for pid in $(cat cgroup.procs); do echo $pid >sub/cgroup.procs 2>/dev/null || true; done
        echo +memory >cgroup.subtree_control'
    assert_equal "$(runtime exec "$ID" cat $own)" 0::/sub
    capture runtime exec --cgroup / "$ID" true
    assert_status 255
    assert_equal "$(runtime exec --cgroup sub "$ID" cat $own)" 0::/sub
}

@test "exec: is fast" {
    # Not a figure (those are bench/'s): it must not boot anything. The best of ten, as the machine may be busy.
    local try begin
    for try in {1..10}; do
        begin=$(date +%s%N)
        runtime exec "$SHARED" true
        if (($(date +%s%N) - begin < 1500000000)); then return; fi
    done
    fail "each of $try execs took longer than 1.5 s"
}

@test "exec: it ends before its container does" {
    # Docker 20.10 forgets a container with its first process: an exec that ended later would be waited for by its client
    # for ever. Here it still has output for a caller that does not read it yet, and a moment of its own for that.
    local try init exec killed_us reader
    mkfifo "$FILE_DIR/late"
    has_ended() { is_gone "$1" || [[ $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) == [ZX]* ]]; }
    for try in 1 2 3 4 5; do
        run_forever "$ID-$try"
        init=$(pid_of "$ID-$try")
        exec 5<>"$FILE_DIR/late"
        exec 6<"$FILE_DIR/late"
        runtime exec --detach --pid-file "$FILE_DIR/exec.pid" "$ID-$try" head -c 10000000 /dev/zero </dev/null >&5
        exec=$(cat "$FILE_DIR/exec.pid")
        exec 5>&-
        sleep 0.5
        killed_us=${EPOCHREALTIME/./}
        runtime kill "$ID-$try" KILL
        until has_ended "$init" || ((${EPOCHREALTIME/./} - killed_us > 700000)); do sleep 0.01; done
        if has_ended "$init"; then init=ended; fi
        # On a machine that is too slow to tell, nothing is said.
        if [[ $init != ended ]] || ((${EPOCHREALTIME/./} - killed_us < 1500000)); then break; fi
        exec 6<&-
    done
    cat <&6 >/dev/null &
    reader=$!
    exec 6<&-
    wait "$reader"
    assert_not_equal "$init" ended
    wait_until 20 has_ended "$init"
    has_ended "$exec"
}

@test "exec: in a stopped container" {
    # With execs still running, which end with it.
    runtime exec -d --pid-file "$FILE_DIR/exec.pid" "$SHARED" sleep 1000 </dev/null >/dev/null 2>&1
    runtime kill "$SHARED" KILL
    wait_status "$SHARED" stopped
    wait_until 10 is_gone "$(cat "$FILE_DIR/exec.pid")"
    capture runtime exec "$SHARED" true
    assert_status 255
    assert_stderr_contains "cannot exec in a stopped container"
}

@test "no leak" { assert_no_leak "$SHARED"; }
