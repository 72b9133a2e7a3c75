#!/usr/bin/env bats
# create: everything up to the process's execve, and nothing of it when it fails.

load lib/common

@test "create: the container is there and has not started" {
    bundle sh -c 'echo started'
    capture runtime create --bundle "$BUNDLE" --pid-file "$BUNDLE/pid" "$ID"
    assert_success
    assert_equal "$STDOUT$STDERR" ""
    assert_equal "$(status_of "$ID")" created
    assert_equal "$(cat "$BUNDLE/pid")" "$(pid_of "$ID")"
}

@test "create: the same id again is refused and the first is left alone" {
    bundle sh -c "$FOREVER"
    run_detached "$ID"
    local pid
    pid=$(pid_of "$ID")
    capture runtime create --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains "container with given ID already exists"
    assert_equal "$(status_of "$ID")" running
    assert_equal "$(pid_of "$ID")" "$pid"
}

@test "create: ids are checked" {
    bundle true
    local bad
    for bad in . .. a/b ../x '@x' 'a b' 'ä' $'a\nb'; do
        capture runtime create --bundle "$BUNDLE" "$bad"
        assert_status 1
        assert_stderr_contains "invalid container ID format"
    done
    capture runtime create --bundle "$BUNDLE" ""
    assert_status 1
    [[ ! -e $ROOT/../x ]]
}

@test "create: an id of 200 characters with every character that is allowed" {
    local id=${ID}_+.
    while ((${#id} < 200)); do id+=aZ09; done
    bundle sh -c 'exit 3'
    create_container "$id"
    assert_equal "$(runtime state "$id" | jq -r .id)" "$id"
    capture runtime delete --force "$id"
    assert_success
}

@test "create: wrong usage fails" {
    bundle true
    capture runtime create --bundle "$BUNDLE"
    assert_status 1
    assert_stderr_contains "requires exactly 1 argument"
    capture runtime create --bundle "$BUNDLE" "$ID" more
    assert_status 1
    capture runtime create --bundle "$BUNDLE" --no-such-flag "$ID"
    assert_status 1
    assert_stderr_contains no-such-flag
    assert_gone "$ID"
}

@test "create: a bundle that cannot be used is named" {
    mkdir "$FILE_DIR/bundles/empty"
    capture runtime create --bundle "$FILE_DIR/bundles/empty" "$ID"
    assert_status 1
    assert_stderr_contains config.json
    capture runtime create --bundle "$FILE_DIR/bundles/none" "$ID"
    assert_status 1
    assert_stderr_contains "$FILE_DIR/bundles/none"
    bundle true
    echo '{"ociVersion": "1.0.2", ' >"$BUNDLE/config.json"
    capture runtime create --bundle "$BUNDLE" "$ID"
    assert_status 1
    bundle true
    edit '.root.path = "no-such-rootfs"'
    capture runtime create --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains no-such-rootfs
    assert_gone "$ID"
}

@test "create: a terminal and a console socket belong together" {
    bundle true
    edit '.process.terminal = true'
    capture runtime create --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains "cannot allocate tty if $NAME will detach without setting console socket"
    edit '.process.terminal = false'
    capture runtime create --bundle "$BUNDLE" --console-socket "$BUNDLE/socket" "$ID"
    assert_status 1
    assert_stderr_contains "cannot use console socket if $NAME will not detach or allocate tty"
    assert_gone "$ID"
}

@test "create: an executable that is not in PATH" {
    bundle no-such-program
    capture runtime create --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains 'unable to start container process: exec: \"no-such-program\": executable file not found in $PATH'
    assert_gone "$ID"
}

@test "create: an executable that does not exist" {
    bundle /no/such/program
    capture runtime create --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains "no such file or directory"
    assert_gone "$ID"
}

@test "create: a file that is not executable" {
    bundle /etc/passwd
    capture runtime create --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains "permission denied"
    assert_gone "$ID"
}

@test "create: a path through a file" {
    bundle /etc/passwd/x
    capture runtime create --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains "not a directory"
    assert_gone "$ID"
}

@test "create: a folder" {
    bundle /etc
    capture runtime create --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains "permission denied"
    assert_gone "$ID"
}

@test "create: an id is free again after a create that failed" {
    bundle no-such-program
    capture runtime create --bundle "$BUNDLE" "$ID"
    assert_status 1
    bundle true
    create_container "$ID"
    has_status "$ID" created
}

@test "create: the bundle is the current folder by default" {
    bundle sh -c 'echo here'
    (cd "$BUNDLE" && runtime create "$ID" </dev/null >stdout 2>stderr)
    assert_equal "$(runtime state "$ID" | jq -r .bundle)" "$BUNDLE"
}

@test "create: config.json may be rewritten afterwards, and two containers may share a bundle" {
    bundle sh -c 'echo first'
    create_container "$ID-1"
    mv "$BUNDLE/stdout" "$BUNDLE/stdout-1"
    edit '.process.args = ["sh", "-c", "echo second"]'
    create_container "$ID-2"
    rm "$BUNDLE/config.json"
    runtime start "$ID-1"
    runtime start "$ID-2"
    wait_status "$ID-1" stopped
    wait_status "$ID-2" stopped
    assert_equal "$(cat "$BUNDLE/stdout-1")" first
    assert_equal "$(cat "$BUNDLE/stdout")" second
}

@test "create: annotations, user and working folder of config.json" {
    bundle sh -c 'id -u; id -g; pwd; echo "$FOO"'
    edit '.annotations = {"org.example.a": "b"} | .process.user = {uid: 1, gid: 2} | .process.cwd = "/tmp" |
          .process.env += ["FOO=bar baz"]'
    run_detached "$ID"
    wait_status "$ID" stopped
    assert_equal "$(cat "$BUNDLE/stdout")" $'1\n2\n/tmp\nbar baz'
    assert_equal "$(runtime state "$ID" | jq -r '.annotations["org.example.a"]')" b
}

@test "create: config.json that is not there, in runc's words" {
    bundle true
    mv "$BUNDLE/config.json" "$BUNDLE/other.json"
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains "JSON specification file config.json not found"
    assert_gone "$ID"
}

@test "create: an argument that is too long is not an executable without permission" {
    bundle true
    jq --null-input '[range(200000)] | map("x") | add' >"$BUNDLE/long.json"
    edit '.process.args += $long' --slurpfile long "$BUNDLE/long.json"
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains "argument list too long"
    assert_stderr_blames_nobody
    assert_gone "$ID"
}

@test "create: a memory limit far beyond the host's memory" {
    bundle sh -c 'cat /sys/fs/cgroup/memory.max || cat /sys/fs/cgroup/memory/memory.limit_in_bytes'
    edit '.linux.resources.memory.limit = 1125899906842624'
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout 1125899906842624
}

@test "create: 300 bind mounts" {
    bundle sh -c 'cat /many/1 /many/150 /many/299 | tr -d "\n"; grep -c " /many/" /proc/self/mounts'
    mkdir "$BUNDLE/many"
    local i
    for ((i = 0; i < 300; ++i)); do echo "$i." >"$BUNDLE/many/$i"; done
    edit '.mounts += [range(300) | tostring
        | {destination: ("/many/" + .), type: "bind", source: ($from + "/" + .), options: ["bind", "ro"]}]' --arg from "$BUNDLE/many"
    own_rootfs
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout 1.150.299.300
}

@test "no leak" { assert_no_leak; }
