#!/usr/bin/env bats
# The links of the container's network namespace in the guest. Each file has a bridge of its own on the host, with the
# host at .1; namespaces are made as engines make them.

load lib/common

setup_file() {
    file_begin
    # Names of links have at most 15 characters.
    TAG=${FILE_DIR##*.}
    BRIDGE=rb$TAG
    # Others run beside this file: the subnet is of its process.
    SUBNET=10.$((64 + BASHPID / 250 % 64)).$((BASHPID % 250))
    SUBNET6=fd00:$(printf '%x' $((BASHPID % 65536)))
    export TAG BRIDGE SUBNET SUBNET6
    ip link add "$BRIDGE" type bridge
    ip addr add "$SUBNET.1/24" dev "$BRIDGE"
    ip addr add "$SUBNET6::1/64" dev "$BRIDGE" nodad
    ip link set "$BRIDGE" up
}

teardown_file() {
    file_end
    local name
    for name in $(ip netns list | awk '{print $1}'); do
        if [[ $name == "runvm-bats-$TAG-"* ]]; then ip netns del "$name"; fi
    done
    ip link del "$BRIDGE"
}

setup() {
    ID=$PREFIX$BATS_TEST_NUMBER
    RESOLVERS=()
}

teardown() {
    local pid
    for pid in "${RESOLVERS[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    remove_containers "$PREFIX$BATS_TEST_NUMBER" "$PREFIX$BATS_TEST_NUMBER-*"
    local name
    for name in $(ip netns list | awk '{print $1}'); do
        if [[ $name == "runvm-bats-$TAG-$BATS_TEST_NUMBER"* ]]; then ip netns del "$name"; fi
    done
}

# new_namespace [SUFFIX]: a namespace with lo up; its name is SPACE.
new_namespace() {
    SPACE=runvm-bats-$TAG-$BATS_TEST_NUMBER${1:-}
    ip netns add "$SPACE"
    ip -n "$SPACE" link set lo up
}

# add_link SPACE NAME NUMBER: a link to the bridge, with addresses of that number and MAC 02:72:00:00:00:NUMBER.
add_link() {
    local space=$1 name=$2 number=$3
    local peer=rv$number$TAG
    ip link add "${peer:0:15}" type veth peer name "$name" netns "$space"
    ip link set "${peer:0:15}" master "$BRIDGE" up
    ip -n "$space" link set "$name" address "02:72:00:00:00:$number" mtu 1400 up
    ip -n "$space" addr add "$SUBNET.$number/24" brd + dev "$name"
    ip -n "$space" addr add "$SUBNET6::$number/64" dev "$name" nodad
}

# join SPACE: BUNDLE's container is in that namespace, and may use ping.
join() {
    edit '(.linux.namespaces[] | select(.type == "network")).path = $path
        | (.process.capabilities | .bounding, .effective, .permitted) += ["CAP_NET_RAW", "CAP_NET_ADMIN"]' \
        --arg path "/run/netns/$1"
}

# answers ADDRESS: the host, or a namespace named second, gets there.
answers() {
    local inside=()
    [[ -z ${2:-} ]] || inside=(ip netns exec "$2")
    "${inside[@]}" busybox ping -c 1 -W 5 "$1" >/dev/null
}

# begin_resolver SPACE ADDRESS [UPSTREAM]: a name server (tests/programs/resolver.c) at port 53; SPACE empty: on the host.
begin_resolver() {
    local inside=() program output
    [[ -z $1 ]] || inside=(ip netns exec "$1")
    program=$(program resolver -static)
    output=$FILE_DIR/resolver.$BATS_TEST_NUMBER.${#RESOLVERS[@]}
    "${inside[@]}" "$program" "$2" 53 ${3:+"$3"} >"$output" 2>&1 3>&- <&0 &
    RESOLVERS+=($!)
    wait_until 10 grep -q ready "$output"
}

has_taps() { ip -n "$1" -o link show 2>/dev/null | grep -q rvtap; }
has_no_taps() { ! has_taps "$1"; }
has_filters() { [[ -n $(tc -n "$1" filter show dev "$2" ingress 2>/dev/null) ]]; }

# in_guest ID COMMAND...
in_guest() {
    local id=$1
    shift
    runtime exec "$id" "$@" </dev/null
}
guest_has() { in_guest "$1" sh -c "$2" >/dev/null 2>&1; }

@test "network: addresses, MAC, MTU, routes and neighbours are the namespace's, v4 and v6" {
    new_namespace
    add_link "$SPACE" eth0 20
    ip -n "$SPACE" route add default via "$SUBNET.1"
    ip -n "$SPACE" -6 route add default via "$SUBNET6::1"
    ip -n "$SPACE" route add 10.200.0.0/16 via "$SUBNET.9" metric 50
    ip -n "$SPACE" neigh add "$SUBNET.77" lladdr 02:00:00:00:00:77 dev eth0 nud permanent
    bundle sh -c 'ip -o link; ip -o addr; ip route; ip -6 route; ip neigh'
    join "$SPACE"
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_matches "$STDOUT" 'eth0: <[A-Z,_-]*UP[A-Z,_]*> mtu 1400 .*link/ether 02:72:00:00:00:20'
    assert_stdout_contains "inet $SUBNET.20/24 brd $SUBNET.255 scope global eth0"
    assert_stdout_contains "inet6 $SUBNET6::20/64 scope global"
    assert_stdout_contains "inet6 fe80::72:ff:fe00:20/64 scope link"
    assert_stdout_contains "default via $SUBNET.1 dev eth0"
    assert_stdout_contains "default via $SUBNET6::1 dev eth0"
    assert_stdout_contains "10.200.0.0/16 via $SUBNET.9 dev eth0  metric 50"
    assert_stdout_contains "$SUBNET.77 dev eth0 lladdr 02:00:00:00:00:77"
    assert_stdout_contains "::1/128 scope host"
    if [[ $STDOUT == *tentative* ]]; then fail "an address cannot be used yet: $STDOUT"; fi
}

@test "network: it works from the process's first moment on, to the host and back" {
    new_namespace
    add_link "$SPACE" eth0 21
    bundle sh -c "ping -c 1 -W 5 $SUBNET.1 && ping -c 1 -W 5 $SUBNET6::1 && $FOREVER"
    join "$SPACE"
    run_until_ready "$ID"
    answers "$SUBNET.21"
    answers "$SUBNET6::21"
    # TCP, with large segments; what the guest has got comes back as its sum.
    head -c 3000000 /dev/urandom >"$BUNDLE/data"
    runtime exec --detach "$ID" nc -l -p 5000 -e md5sum </dev/null
    wait_until 20 guest_has "$ID" 'grep -q ":1388 " /proc/net/tcp /proc/net/tcp6'
    busybox nc -w 20 "$SUBNET.21" 5000 <"$BUNDLE/data" >"$BUNDLE/sum"
    assert_equal "$(cut -c1-32 "$BUNDLE/sum")" "$(md5sum <"$BUNDLE/data" | cut -c1-32)"
}

@test "network: two containers on one bridge reach each other, and the namespace itself does not answer" {
    new_namespace -a
    local first=$SPACE
    add_link "$first" eth0 22
    bundle sh -c "$FOREVER"
    join "$first"
    run_until_ready "$ID-a"
    new_namespace -b
    add_link "$SPACE" eth0 23
    bundle sh -c "ping -c 1 -W 5 $SUBNET.22 && ping -c 1 -W 5 $SUBNET6::22"
    join "$SPACE"
    capture runtime run --bundle "$BUNDLE" "$ID-b" </dev/null
    assert_success
    # What answered is the guest: without its machine nobody does.
    runtime pause "$ID-a"
    ip neigh flush dev "$BRIDGE"
    if answers "$SUBNET.22"; then fail "somebody else answers for the container"; fi
    runtime resume "$ID-a"
    answers "$SUBNET.22"
}

@test "network: links that a hook makes, and that come between create and start, are there" {
    new_namespace
    bundle sh -c "ip -o -4 addr; ping -c 1 -W 5 $SUBNET.1"
    join "$SPACE"
    cat >"$BUNDLE/hook" <<EOF
#!/bin/sh -e
ip link add rh24${TAG:0:8} type veth peer name eth0 netns $SPACE
ip link set rh24${TAG:0:8} master $BRIDGE up
ip -n $SPACE addr add $SUBNET.24/24 dev eth0
ip -n $SPACE link set eth0 up
EOF
    chmod +x "$BUNDLE/hook"
    edit '.hooks.prestart = [{path: $hook, env: [$path]}]' --arg hook "$BUNDLE/hook" --arg path "PATH=$PATH"
    create_container "$ID"
    add_link "$SPACE" eth1 25
    runtime start "$ID"
    wait_status "$ID" stopped
    grep -q "eth0.*$SUBNET.24/24" "$BUNDLE/stdout"
    grep -q "eth1.*$SUBNET.25/24" "$BUNDLE/stdout"
    grep -q " 0% packet loss" "$BUNDLE/stdout"
}

@test "network: links and addresses come and go while it runs" {
    new_namespace
    add_link "$SPACE" eth0 26
    bundle sh -c "$FOREVER"
    join "$SPACE"
    run_until_ready "$ID"
    answers "$SUBNET.26"
    # docker network connect, and disconnect.
    add_link "$SPACE" eth1 27
    wait_until 20 guest_has "$ID" "ip -o addr show dev eth1 | grep -q $SUBNET6::27"
    answers "$SUBNET.27"
    ip -n "$SPACE" link set eth1 address 02:72:00:00:01:27 mtu 1300
    wait_until 20 guest_has "$ID" "ip link show dev eth1 | tr '\n' ' ' | grep -q 'mtu 1300 .*02:72:00:00:01:27'"
    ip neigh flush dev "$BRIDGE" # as after any change of an address
    answers "$SUBNET.27"
    answers "$SUBNET6::27"
    ip -n "$SPACE" link del eth0
    wait_until 20 guest_has "$ID" '! ip link show dev eth0'
    # In this order: the kernel removes the second address of a subnet with the first.
    ip -n "$SPACE" addr del "$SUBNET.27/24" dev eth1
    ip -n "$SPACE" addr add "$SUBNET.127/24" dev eth1
    wait_until 20 guest_has "$ID" "ip -o addr show dev eth1 | grep -q $SUBNET.127"
    wait_until 20 guest_has "$ID" "! ip -o addr show dev eth1 | grep -q '$SUBNET.27/'"
    # A link of the name that is free again.
    add_link "$SPACE" eth0 28
    wait_until 20 guest_has "$ID" "ip -o addr show dev eth0 | grep -q $SUBNET.28"
    answers "$SUBNET.28"
    wait_until 20 test "$(ip -n "$SPACE" -o link show | grep -c rvtap)" = 2
}

@test "network: what the container configures itself stays" {
    new_namespace
    add_link "$SPACE" eth0 29
    bundle sh -c "ip addr add 10.255.1.1/32 dev eth0 && ip route add 10.254.0.0/16 via $SUBNET.1 && $FOREVER"
    join "$SPACE"
    run_until_ready "$ID"
    ip -n "$SPACE" route add 10.253.0.0/16 via "$SUBNET.1"
    wait_until 20 guest_has "$ID" 'ip route | grep -q 10.253'
    guest_has "$ID" 'ip route | grep -q 10.254'
    guest_has "$ID" 'ip addr | grep -q 10.255.1.1'
}

@test "network: a namespace of its own has lo alone, and no NIC" {
    bundle sh -c 'ls /sys/class/net; ls /sys/module | grep -c virtio_net; cat /proc/sys/net/ipv6/conf/lo/disable_ipv6'
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout $'lo\n0\n0'
}

@test "network: lo without IPv6 stays so" {
    new_namespace
    ip netns exec "$SPACE" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6'
    bundle sh -c 'ip -o addr show dev lo'
    join "$SPACE"
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout_contains 127.0.0.1/8
    if [[ $STDOUT == *inet6* ]]; then fail "$STDOUT"; fi
}

@test "network: with network.model none the guest has lo alone" {
    printf '[network]\nmodel = "none"\n' >"$FILE_DIR/none.toml"
    new_namespace
    add_link "$SPACE" eth0 30
    bundle ls /sys/class/net
    join "$SPACE"
    capture runtime --config "$FILE_DIR/none.toml" run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout lo
    has_no_taps "$SPACE"
}

@test "network: with network.model macvtap the guest has the links, too, and they come and go" {
    printf '[network]\nmodel = "macvtap"\n' >"$FILE_DIR/macvtap.toml"
    new_namespace
    add_link "$SPACE" eth0 35
    bundle sh -c "ping -c 1 -W 5 $SUBNET.1 && ping -c 1 -W 5 $SUBNET6::1 && $FOREVER"
    join "$SPACE"
    local RUNTIME_GLOBALS="--config $FILE_DIR/macvtap.toml"
    run_until_ready "$ID"
    answers "$SUBNET.35"
    answers "$SUBNET6::35"
    has_no_taps "$SPACE"
    if has_filters "$SPACE" eth0; then fail "there are filters"; fi
    add_link "$SPACE" eth1 36
    wait_until 20 guest_has "$ID" "ip -o addr show dev eth1 | grep -q $SUBNET6::36"
    answers "$SUBNET.36"
    ip -n "$SPACE" link set eth1 address 02:72:00:00:01:36 mtu 1300
    wait_until 20 guest_has "$ID" "ip link show dev eth1 | tr '\n' ' ' | grep -q 'mtu 1300 .*02:72:00:00:01:36'"
    ip neigh flush dev "$BRIDGE" # as after any change of an address
    answers "$SUBNET.36"
    ip -n "$SPACE" link del eth0
    wait_until 20 guest_has "$ID" '! ip link show dev eth0'
    # What the machine leaves when nothing can clear up: the link is free for the next one.
    kill -KILL "$(monitor_pids)"
    wait_status "$ID" stopped
    runtime delete --force "$ID"
    bundle ping -c 1 -W 5 "$SUBNET.1"
    join "$SPACE"
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
}

@test "network: a machine has 31 NICs, and one more is refused with a sentence" {
    new_namespace
    add_link "$SPACE" eth0 38
    for ((i = 1; i <= 15; i++)); do
        ip -n "$SPACE" link add "a$i" type veth peer name "b$i"
    done
    bundle sh -c 'set -- /sys/class/net/[abe]*; echo $#'
    join "$SPACE"
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout 31
    ip -n "$SPACE" link add more type veth peer name still-more
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_stderr_contains "more: plug a NIC into the machine: it has no slot left of 31"
}

@test "network: the links of a living machine are not another one's" {
    new_namespace
    add_link "$SPACE" eth0 40
    bundle sh -c "$FOREVER"
    join "$SPACE"
    run_until_ready "$ID"
    answers "$SUBNET.40"
    # Of another root, which knows nothing of the first.
    bundle true
    join "$SPACE"
    capture "$RUNTIME" --root "$FILE_DIR/other-root" run --bundle "$BUNDLE" "$ID-other" </dev/null
    assert_status 1
    assert_stderr_contains 'link eth0: another machine has the link already'
    answers "$SUBNET.40"
    rm -rf "$FILE_DIR/other-root"
}

@test "network: sysctls of a link find it" {
    new_namespace
    add_link "$SPACE" eth0 37
    bundle cat /proc/sys/net/ipv4/conf/eth0/rp_filter
    join "$SPACE"
    edit '.linux.sysctl["net.ipv4.conf.eth0.rp_filter"] = "2"'
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout 2
}

@test "network: names are asked at 127.0.0.11 where the namespace has a resolver, over UDP and TCP" {
    new_namespace
    begin_resolver "$SPACE" 127.0.0.11
    # One question: the type A of "tcp.test".
    # shellcheck disable=SC2016 # for the container's shell
    bundle sh -c 'nslookup udp.test 127.0.0.11
        printf "\0\032\022\064\001\0\0\001\0\0\0\0\0\0\003tcp\004test\0\0\001\0\001" | nc 127.0.0.11 53 |
            hexdump -v -e "1/1 \"%02x\""'
    join "$SPACE"
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_stdout_contains 10.9.8.7
    assert_stdout_contains 002a1234
    assert_stdout_contains 0a090806
}

@test "network: names are answered to a container that has port 53 itself, and asks without connecting" {
    new_namespace
    begin_resolver "$SPACE" 127.0.0.11
    cp "$(program resolver -static)" "$ROOTFS/bin/resolver"
    bundle sh -c 'resolver 0.0.0.0 53 127.0.0.11 & sleep 1; nslookup name.test 127.0.0.1; nslookup other.test 127.0.0.11'
    join "$SPACE"
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_equal "$(grep -c 10.9.8.7 <<<"$STDOUT")" 2
}

@test "network: the resolver's own queries reach servers beyond the link" {
    new_namespace
    add_link "$SPACE" eth0 33
    begin_resolver "" "$SUBNET.1"
    begin_resolver "$SPACE" 127.0.0.11 "$SUBNET.1"
    bundle sh -c "nslookup udp.test 127.0.0.11; ping -c 1 -W 5 $SUBNET.1"
    join "$SPACE"
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout_contains 10.9.8.7
}

@test "network: a resolver that comes with a link, while it runs, is asked" {
    new_namespace
    bundle sh -c "$FOREVER"
    join "$SPACE"
    run_until_ready "$ID"
    begin_resolver "$SPACE" 127.0.0.11
    add_link "$SPACE" eth0 34
    wait_until 20 guest_has "$ID" 'nslookup name.test 127.0.0.11 | grep -q 10.9.8.7'
}

@test "network: the host's is refused before anything is touched" {
    bundle true
    edit '(.linux.namespaces[] | select(.type == "network")).path = $path' --arg path "/proc/$$/ns/net"
    ip link show >"$BUNDLE/before"
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_failed
    assert_stderr_contains "is the host's network namespace"
    assert_gone "$ID"
    diff "$BUNDLE/before" <(ip link show)
}

@test "network: a link that something else redirects is refused with a sentence" {
    new_namespace
    add_link "$SPACE" eth0 31
    tc -n "$SPACE" qdisc add dev eth0 ingress
    bundle true
    join "$SPACE"
    capture runtime run --bundle "$BUNDLE" "$ID" </dev/null
    assert_failed
    assert_stderr_contains "link eth0: the link has an ingress queue"
    assert_stderr_blames_nobody
}

@test "network: nothing is left in a namespace that lives on, after an end and after a SIGKILL of the monitor" {
    new_namespace
    add_link "$SPACE" eth0 32
    bundle sh -c "$FOREVER"
    join "$SPACE"
    run_until_ready "$ID"
    has_filters "$SPACE" eth0
    runtime kill "$ID" KILL
    wait_status "$ID" stopped
    runtime delete "$ID"
    wait_until 10 has_no_taps "$SPACE"
    if has_filters "$SPACE" eth0; then fail "filters are left after an end"; fi

    run_until_ready "$ID"
    kill -KILL "$(monitor_pids)"
    wait_status "$ID" stopped
    wait_until 10 has_no_taps "$SPACE"
    # Until `delete` the link is silent; a container that comes before takes it over.
    bundle ping -c 1 -W 5 "$SUBNET.1"
    join "$SPACE"
    capture runtime run --bundle "$BUNDLE" "$ID-next" </dev/null
    assert_success
    runtime delete "$ID"
    if has_filters "$SPACE" eth0; then fail "filters are left after a SIGKILL"; fi
    answers "$SUBNET.1" "$SPACE"
}

@test "network: no leak" {
    ip link del "$BRIDGE"
    assert_no_leak
    ip link add "$BRIDGE" type bridge # for teardown_file
}
