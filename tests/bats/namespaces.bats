#!/usr/bin/env bats
# The container's view: namespaces, host name, network.

load lib/common

@test "namespaces: pid 1, host name, lo is up, only its own processes" {
    bundle sh -c 'echo $$; hostname; cat /sys/class/net/lo/flags; ls /sys/class/net; ps -o pid | wc -l; cat /proc/self/cgroup >/dev/null'
    edit '.hostname = "a-name"'
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_success
    # Flags: IFF_UP|IFF_LOOPBACK. ps: the header, sh and ps, or wc.
    assert_equal "$(sed -n 1,4p <<<"$STDOUT" | tr '\n' ' ')" "1 a-name 0x9 lo "
    (($(sed -n 5p <<<"$STDOUT") <= 5))
    assert_not_equal "$(hostname 2>/dev/null || cat /proc/sys/kernel/hostname)" a-name
}

@test "namespaces: lo carries traffic" {
    bundle sh -c 'echo over lo | nc -l -p 7 >/dev/null & sleep 1; nc 127.0.0.1 7 </dev/null'
    edit '(.process.capabilities | .bounding, .effective, .permitted, .ambient) += ["CAP_NET_BIND_SERVICE"]'
    capture runtime run --bundle "$BUNDLE" "$ID"
    assert_success
    assert_stdout 'over lo'
}

@test "namespaces: a network namespace given by path" {
    mkdir -p "$FILE_DIR/netns"
    : >"$FILE_DIR/netns/given"
    unshare --net="$FILE_DIR/netns/given" true
    bundle sh -c 'cat /sys/class/net/lo/flags; sleep 1000'
    edit '(.linux.namespaces[] | select(.type == "network")).path = $path' --arg path "$FILE_DIR/netns/given"
    run_detached "$ID"
    wait_until 20 grep -q 0x "$BUNDLE/stdout"
    assert_equal "$(stat -L -c %i "/proc/$(pid_of "$ID")/ns/net")" "$(stat -c %i "$FILE_DIR/netns/given")"
    runtime delete --force "$ID"
    # Nobody keeps it: this fails only if it is not a mount point any more.
    umount "$FILE_DIR/netns/given"
}

@test "namespaces: a path that is no namespace is refused" {
    bundle true
    edit '(.linux.namespaces[] | select(.type == "network")).path = $path' --arg path "$FILE_DIR/base.json"
    capture runtime create --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_gone "$ID"
    edit '(.linux.namespaces[] | select(.type == "network")).path = "/no/such/namespace"'
    capture runtime create --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains /no/such/namespace
    assert_gone "$ID"
}

@test "namespaces: a network namespace's path may name no other kind" {
    bundle true
    edit '(.linux.namespaces[] | select(.type == "network")).path = "/proc/self/ns/ipc"'
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_failed
    assert_stderr_contains "nvalid argument"
    assert_gone "$ID"
}

@test "namespaces: the host's network is refused with a sentence" {
    only_runvm "a guest cannot be in the host's network namespace"
    bundle true
    edit 'del(.linux.namespaces[] | select(.type == "network"))'
    capture runtime create --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains network
    assert_stderr_blames_nobody
    assert_gone "$ID"
    # The same by path.
    bundle true
    edit '(.linux.namespaces[] | select(.type == "network")).path = "/proc/1/ns/net"'
    capture runtime create --bundle "$BUNDLE" "$ID"
    assert_status 1
    assert_stderr_contains network
    assert_gone "$ID"
}

@test "namespaces: a time namespace's clocks are ahead by its offsets" {
    only_runvm "runc 1.1 knows no time namespace"
    bundle sh -c 'cut -d. -f1 /proc/uptime; cat /proc/self/timens_offsets; echo ready; exec sleep 1000'
    edit '.linux.namespaces += [{"type": "time"}]
        | .linux.timeOffsets = {"boottime": {"secs": 1000000, "nanosecs": 5}, "monotonic": {"secs": 70}}'
    run_until_ready "$ID"
    (($(head -n 1 "$BUNDLE/stdout") >= 1000000))
    assert_matches "$(tr -s ' \n' ' ' <"$BUNDLE/stdout")" ' monotonic 70 0 boottime 1000000 5 '
    # An exec joins them.
    capture runtime exec "$ID" cut -d. -f1 /proc/uptime
    assert_success
    ((STDOUT >= 1000000))
}

@test "namespaces: a clock cannot be set to before the boot" {
    only_runvm "runc 1.1 knows no time namespace"
    bundle true
    edit '.linux.namespaces += [{"type": "time"}] | .linux.timeOffsets = {"boottime": {"secs": -1000000}}'
    capture runtime create --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains linux.timeOffsets
    assert_gone "$ID"
}

@test "namespaces: a session keyring of the container's own, unless it is not wanted" {
    only_runvm "needs a kernel with keyrings"
    bundle sh -c 'grep -c " _ses.$1:" /proc/keys' - "$ID"
    edit 'del(.linux.maskedPaths)'
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_stdout 1
    capture runtime run --no-new-keyring --bundle "$BUNDLE" "$ID" </dev/null
    assert_stdout 0
}

@test "namespaces: the view from inside is runc's" {
    # crun or runc on the host is the oracle: the same config.json gives the same view.
    if ! command -v runc >/dev/null; then skip "runc is not installed"; fi
    bundle sh -c 'cd /; id; umask; pwd; env | sort; grep -E "^(Cap|NoNew|Seccomp:|Sig[BIC]|Groups)" /proc/self/status
        ulimit -n; ls -la /dev | awk "{print \$1, \$3, \$4, \$5, \$6, \$NF}" | grep -v "^total" | sort; ls /dev/pts /dev/shm
        awk "{print \$2, \$3}" /proc/self/mounts | sort
        awk "{print \$2}" /proc/self/mounts | sort | while read m; do [ -d "$m" ] && (touch "$m/.w" 2>/dev/null && echo "$m writable" && rm "$m/.w"); done
        for p in /proc/kcore /proc/keys /proc/timer_list; do head -c 1 $p | wc -c; done
        for p in /proc/sys/kernel/hostname /proc/sysrq-trigger; do (echo x >$p) 2>/dev/null && echo "$p writable"; done
        cat /proc/self/oom_score_adj; cat /proc/1/comm; readlink /proc/self/fd/0 | sed "s/:.*//"'
    capture runtime run --bundle "$BUNDLE" "$ID" < <(true)
    assert_success
    local ours=$STDOUT
    capture runc --root "$FILE_DIR/runc" run --bundle "$BUNDLE" "$ID" < <(true)
    assert_success
    # cgroup v1's many folders against v2's one; /dev/console only with a terminal.
    # What the guest's kernel has in /proc and the host's has not, and with it /dev/core, which counts in the size of
    # /dev; masked files are /dev/null of the guest's devtmpfs there.
    local same='/sys/fs/cgroup/\|^/sys/fs/cgroup \(cgroup2\|tmpfs\)$\|^total\|/proc/kcore\|/proc/keys\|/proc/timer_list\|/proc/sysrq-trigger\|^drwxr-xr-x .* \.$'
    # The root's filesystem is virtiofs. Debian 13's runc leaves the tmpfs around cgroup v1's folders writable, whatever
    # config.json says.
    diff <(grep -v "$same" <<<"$ours" | sed 's,^/ .*,/ rootfs,') \
        <(grep -v "$same" <<<"$STDOUT" | grep -vx '/sys/fs/cgroup writable' | sed 's,^/ .*,/ rootfs,') >&2
}

@test "no leak" { assert_no_leak; }
