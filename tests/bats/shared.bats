#!/usr/bin/env bats
# Containers in one network namespace share a machine, and so its localhost: `--network container:X`, pods.

load lib/common

# run_joined ID OTHER: a running container in the network namespace of OTHER, which lives.
run_joined() {
    local path
    path=/proc/$(pid_of "$2")/ns/net
    bundle sh -c "$FOREVER"
    edit '(.linux.namespaces[] | select(.type == "network")).path = $path' --arg path "$path"
    run_until_ready "$1"
}

# run_pair: ID-a, and ID-b which has joined it.
run_pair() {
    run_forever "$ID-a"
    run_joined "$ID-b" "$ID-a"
}

# serves ID PORT WORD: a process of the container says WORD to who connects.
serves() {
    runtime exec --detach "$1" nc -ll -p "$2" -e echo "$3" </dev/null
    wait_until 20 listens "$1" "$2"
}
listens() { runtime exec "$1" grep -q ":$(printf '%04X' "$2") .* 0A " /proc/net/tcp /proc/net/tcp6 </dev/null; }

# hears ID PORT
hears() { runtime exec "$1" nc -w 10 127.0.0.1 "$2" </dev/null; }

machines() { qemu_pids | wc -l; }
no_machines() { (($(machines) == 0)); }

# processes_of FOLDER
processes_of() { cat "$1/cgroup.procs"; }

# folder_of ID: its cgroup on the host, in the hierarchy that counts memory.
folder_of() {
    jq -r '.cgroup_folders | to_entries | (map(select(.key | test("(^|,)memory(,|$)"))) + .)[0].value' \
        "$ROOT/$1/state.json"
}

@test "shared: localhost is one, both ways, and all else is each one's own" {
    run_pair
    if ! is_runc; then assert_equal "$(machines)" 1; fi
    serves "$ID-a" 5001 "from a"
    assert_equal "$(hears "$ID-b" 5001)" "from a"
    serves "$ID-b" 5002 "from b"
    assert_equal "$(hears "$ID-a" 5002)" "from b"
    same_namespace net "$(pid_of "$ID-a")" "$(pid_of "$ID-b")"
    capture runtime exec "$ID-b" ps -o args
    assert_success
    assert_equal "$(grep -c 'from a' <<<"$STDOUT")" 0 "processes of the other container"
    runtime exec "$ID-a" touch /dev/shm/of-a
    capture runtime exec "$ID-b" test -e /dev/shm/of-a
    assert_status 1
}

@test "shared: the first goes, the second stays" {
    run_pair
    runtime kill "$ID-a" KILL
    wait_status "$ID-a" stopped
    runtime delete "$ID-a"
    assert_equal "$(status_of "$ID-b")" running
    assert_equal "$(runtime exec "$ID-b" echo lives)" lives
    if ! is_runc; then assert_equal "$(machines)" 1; fi
    runtime kill "$ID-b" TERM
    wait_status "$ID-b" stopped
    wait_until 10 no_machines
    runtime delete "$ID-b"
}

@test "shared: the second goes, the first stays" {
    run_pair
    capture runtime delete --force "$ID-b"
    assert_success
    assert_equal "$(runtime exec "$ID-a" echo lives)" lives
    run_joined "$ID-b" "$ID-a"
    serves "$ID-a" 5001 again
    assert_equal "$(hears "$ID-b" 5001)" again
    capture runtime delete --force "$ID-a"
    assert_success
    assert_equal "$(status_of "$ID-b")" running
    capture runtime delete --force "$ID-b"
    assert_success
    wait_until 10 no_machines
}

@test "shared: a third joins by the second when the first is gone" {
    only_runvm "about the machine"
    run_pair
    runtime delete --force "$ID-a"
    run_joined "$ID-c" "$ID-b"
    assert_equal "$(machines)" 1
    serves "$ID-b" 5001 "from b"
    assert_equal "$(hears "$ID-c" 5001)" "from b"
    # The name of the first is free, and means another machine now.
    run_forever "$ID-a"
    assert_equal "$(machines)" 2
    capture hears "$ID-a" 5001
    assert_failed
    runtime delete --force "$ID-b"
    runtime delete --force "$ID-c"
    assert_equal "$(runtime exec "$ID-a" echo lives)" lives
}

@test "shared: each one's end has its own exit code" {
    run_forever "$ID-a"
    bundle sh -c 'exit 7'
    edit '(.linux.namespaces[] | select(.type == "network")).path = $path' \
        --arg path "/proc/$(pid_of "$ID-a")/ns/net"
    capture runtime run --bundle "$BUNDLE" "$ID-b" </dev/null
    assert_status 7
    assert_gone "$ID-b"
    assert_equal "$(runtime exec "$ID-a" echo lives)" lives
    # One that cannot be made.
    edit '.process.args = ["/no/such/command"]'
    capture runtime run --bundle "$BUNDLE" "$ID-b" </dev/null
    assert_failed
    assert_gone "$ID-b"
    assert_equal "$(runtime exec "$ID-a" echo lives)" lives
}

@test "shared: SIGKILL to a shim ends its container alone" {
    run_pair
    kill -KILL "$(pid_of "$ID-a")"
    wait_status "$ID-a" stopped
    assert_equal "$(runtime exec "$ID-b" echo lives)" lives
    runtime delete "$ID-a"
    assert_equal "$(runtime exec "$ID-b" echo lives)" lives
}

# machine_struck LIST [--force]: the machine's end, by SIGKILL to what LIST prints, is that of both.
machine_struck() {
    local pid
    run_pair
    for pid in $("$1"); do kill -KILL "$pid"; done
    wait_status "$ID-a" stopped
    wait_status "$ID-b" stopped
    wait_until 10 no_machines
    runtime delete "${@:2}" "$ID-b"
    runtime delete "${@:2}" "$ID-a"
    assert_gone "$ID-a"
    assert_gone "$ID-b"
}

@test "shared: SIGKILL to QEMU" {
    only_runvm
    machine_struck qemu_pids
}

@test "shared: SIGKILL to the monitor" {
    only_runvm
    machine_struck monitor_pids
}

@test "shared: SIGKILL to the reaper, delete --force" {
    only_runvm
    machine_struck reaper_pids --force
}

@test "shared: SIGKILL to the joiner's shim, delete --force" {
    run_pair
    kill -KILL "$(pid_of "$ID-b")"
    runtime delete --force "$ID-b"
    assert_gone "$ID-b"
    assert_equal "$(runtime exec "$ID-a" echo lives)" lives
}

@test "shared: pause stops one; the machine is suspended when all are paused" {
    run_pair
    runtime pause "$ID-a"
    assert_equal "$(status_of "$ID-a")" paused
    assert_equal "$(runtime exec "$ID-b" echo lives)" lives
    runtime pause "$ID-b"
    # One that joins then lets it run.
    if ! is_runc; then
        run_joined "$ID-c" "$ID-a"
        assert_equal "$(runtime exec "$ID-c" echo lives)" lives
        runtime delete --force "$ID-c"
    fi
    runtime resume "$ID-a"
    runtime resume "$ID-b"
    assert_equal "$(runtime exec "$ID-a" echo lives)$(runtime exec "$ID-b" echo lives)" liveslives
}

@test "shared: a create that is killed leaves the other alone" {
    only_runvm "runc has no such points"
    run_forever "$ID-a"
    bundle sh -c "$FOREVER"
    edit '(.linux.namespaces[] | select(.type == "network")).path = $path' \
        --arg path "/proc/$(pid_of "$ID-a")/ns/net"
    local point pid
    for point in create.before-join create.after-join create.after-container create.after-save; do
        RUNVM_FAULT_POINT=$point "$RUNTIME" --root "$ROOT" create --bundle "$BUNDLE" "$ID-b" \
            </dev/null >/dev/null 2>&1 3>&- &
        pid=$!
        wait_until 60 has_stopped_itself "$pid"
        kill -KILL "$pid"
        wait_status "$ID-b" stopped
        runtime delete --force "$ID-b"
        assert_gone "$ID-b"
        assert_equal "$(runtime exec "$ID-a" echo lives)" lives
    done
    assert_equal "$(machines)" 1
}
has_stopped_itself() { [[ $(sed 's/.*) //; s/ .*//' "/proc/$1/stat") == T ]]; }

@test "shared: the machine goes to the other's cgroup, unbounded" {
    only_runvm "about the machine"
    bundle sh -c "$FOREVER"
    edit '.linux.cgroupsPath = $path | .linux.resources.memory = {limit: 134217728}
        | .linux.resources.cpu = {quota: 50000, period: 100000}' --arg path "/$ID-a"
    run_until_ready "$ID-a"
    local first second file
    first=$(folder_of "$ID-a")
    file=$first/memory.limit_in_bytes
    [[ -f $file ]] || file=$first/memory.max
    if [[ ! -f $file ]]; then skip "no memory controller"; fi
    local limit
    limit=$(cat "$file")
    [[ $limit != max && $limit -lt 4294967296 ]]
    bundle sh -c "$FOREVER"
    edit '.linux.cgroupsPath = $own | .linux.resources.memory = {limit: 67108864}
        | (.linux.namespaces[] | select(.type == "network")).path = $path' \
        --arg own "/$ID-b" --arg path "/proc/$(pid_of "$ID-a")/ns/net"
    run_until_ready "$ID-b"
    second=$(folder_of "$ID-b")
    limit=$(cat "$file")
    [[ $limit == max || $limit -gt 1099511627776 ]] || fail "the limit of all is $limit"
    processes_of "$second" | grep -qx "$(pid_of "$ID-b")"
    processes_of "$first" | grep -qx "$(qemu_pids)"
    # What a container may use is the guest's business, and an update does not bound the machine again.
    assert_equal "$(runtime exec "$ID-b" cat /sys/fs/cgroup/memory.max)" 67108864
    runtime update --memory 100663296 "$ID-a"
    limit=$(cat "$file")
    [[ $limit == max || $limit -gt 1099511627776 ]] || fail "after an update the limit of all is $limit"
    assert_equal "$(runtime exec "$ID-a" cat /sys/fs/cgroup/memory.max)" 100663296
    runtime delete --force "$ID-a"
    if [[ -d $first ]]; then fail "$first is left"; fi
    processes_of "$second" | grep -qx "$(qemu_pids)"
    assert_equal "$(runtime exec "$ID-b" echo lives)" lives
    runtime delete --force "$ID-b"
    if [[ -d $second ]]; then fail "$second is left"; fi
}

@test "shared: no leak" { assert_no_leak; }
