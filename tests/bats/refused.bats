#!/usr/bin/env bats
# What docs/spec-coverage.md calls refused is refused with its sentence, before anything is started; what it calls
# without effect does no harm.

load lib/common

setup_file() {
    file_begin
    COVERAGE=$REPOSITORY/docs/spec-coverage.md
    export COVERAGE
}

# rows HANDLING: "FIELD|REASON" of the table.
rows() { sed -n "s/^| \`\([^\`]*\)\` | $1 | \(.*\) |$/\1|\2/p" "$COVERAGE"; }

# A value that means something, for each field. A new row of the table fails until it has one.
refused_value() {
    case $1 in
    solaris) echo '{"milestone": "x"}' ;;
    windows) echo '{"layerFolders": ["layer"]}' ;;
    zos | freebsd) echo '{"x": 1}' ;;
    vm) echo '{"kernel": {"path": "/boot/vmlinuz"}}' ;;
    linux.netDevices) echo '{"eth0": {"name": "inside"}}' ;;
    linux.intelRdt) echo '{"closID": "class"}' ;;
    linux.memoryPolicy) echo '{"mode": "MPOL_BIND", "nodes": "0"}' ;;
    linux.personality.flags) echo '["ADDR_NO_RANDOMIZE"]' ;;
    linux.resources.rdma) echo '{"mlx5_1": {"hcaHandles": 3}}' ;;
    *) fail "a value for $1 is missing in refused.bats" ;;
    esac
}

no_effect_value() {
    case $1 in
    process.commandLine | process.user.username) echo '"text"' ;;
    process.apparmorProfile) echo '"docker-default"' ;;
    process.selinuxLabel) echo '"system_u:system_r:container_t:s0:c1,c2"' ;;
    linux.mountLabel) echo '"system_u:object_r:container_file_t:s0:c1,c2"' ;;
    process.execCPUAffinity.initial) echo '"0"' ;;
    linux.seccomp.listenerPath) echo '"/run/seccomp.socket"' ;;
    linux.seccomp.listenerMetadata) echo '"data"' ;;
    linux.resources.memory.disableOOMKiller | linux.resources.memory.useHierarchy) echo true ;;
    linux.resources.memory.swappiness) echo 50 ;;
    linux.resources.memory.* | linux.resources.cpu.realtime* | linux.resources.network.classID) echo 1048576 ;;
    linux.resources.blockIO.leafWeight) echo 500 ;;
    linux.resources.network.priorities) echo '[{"name": "eth0", "priority": 500}]' ;;
    *) fail "a value for $1 is missing in refused.bats" ;;
    esac
}

# set_field FIELD VALUE: in BUNDLE.
set_field() { edit 'setpath($field / "."; $value)' --arg field "$1" --argjson value "$2"; }

@test "refused: each field has its sentence, and nothing is left" {
    only_runvm "what cannot be in a VM"
    local field reason value count=0
    while IFS='|' read -r field reason; do
        value=$(refused_value "$field")
        bundle true
        set_field "$field" "$value"
        capture runtime create --bundle "$BUNDLE" --pid-file "$BUNDLE/pid" "$ID" </dev/null
        assert_status 1
        assert_stderr_contains "$field: $reason"
        assert_stderr_blames_nobody
        assert_gone "$ID"
        [[ ! -e $BUNDLE/pid ]]
        count=$((count + 1))
    done < <(rows refused)
    ((count >= 10))
    wait_until 10 leaks_none
}

@test "refused: the first of several is told, on stderr and as one line of JSON" {
    only_runvm "what cannot be in a VM"
    bundle true
    edit '.linux.intelRdt = {closID: "a"} | .linux.resources.rdma = {mlx: {hcaHandles: 3}}'
    capture runtime --log "$BUNDLE/log" --log-format json create --bundle "$BUNDLE" "$ID" </dev/null
    assert_status 1
    assert_equal "$(wc -l <"$BUNDLE/log")" 1
    assert_equal "$(jq -r .level "$BUNDLE/log")" error
    assert_matches "$(jq -r .msg "$BUNDLE/log")" 'linux\.(intelRdt|resources\.rdma): '
}

@test "refused: an empty value says nothing, a field without effect is noted, and the container runs" {
    only_runvm "what cannot be in a VM"
    local field reason value fields=()
    bundle echo ran
    while IFS='|' read -r field reason; do
        value=$(refused_value "$field" | jq -c 'if type == "object" then {} elif type == "array" then [] else "" end')
        # An empty profile or personality is one without an action or domain.
        case $field in
        linux.seccomp.*) edit '.linux.seccomp.defaultAction = "SCMP_ACT_ALLOW"' ;;
        linux.personality.*) edit '.linux.personality.domain = "LINUX"' ;;
        esac
        set_field "$field" "$value"
    done < <(rows refused)
    while IFS='|' read -r field reason; do
        if [[ $field == *'[]'* ]]; then continue; fi # of an element, which has other fields that count
        set_field "$field" "$(no_effect_value "$field")"
        fields+=("$field")
    done < <(rows 'no effect')
    ((${#fields[@]} >= 10))
    capture runtime --debug --log "$BUNDLE/log" --log-format json run --bundle "$BUNDLE" "$ID" </dev/null
    assert_success
    assert_stdout ran
    for field in "${fields[@]}"; do
        jq -e --slurp --arg field "$field" 'any(.msg | contains($field + ": is accepted without effect"))' "$BUNDLE/log" >/dev/null ||
            fail "not in the log: $field"
    done
}

@test "no leak" { assert_no_leak; }
