# shellcheck shell=bash
# What every test file loads: `load lib/common`. RUNTIME names the runtime under test, by default this tree's
# build/bin/runvm; RUNTIME=runc runs the tests that describe behaviour both share against runc, the oracle.

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)

for part in assert bundle containers leaks processes programs refusals; do
    # shellcheck disable=SC1090
    source "$REPOSITORY/tests/bats/lib/$part.bash"
done
unset part

# Everything of one test file is below FILE_DIR, its processes are in a cgroup of its own and its ids start with
# PREFIX: so files can run beside each other, and whatever is left behind can be found and removed.
file_begin() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true
    export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-180}
    RUNTIME=$(command -v "${RUNTIME:-$REPOSITORY/build/bin/runvm}") || {
        echo "the runtime ${RUNTIME:-build/bin/runvm} is not there: build it first" >&2
        return 1
    }
    FILE_DIR=$(mktemp -d /tmp/runvm-bats.XXXXXX)
    PREFIX="bt-${FILE_DIR##*.}-"
    NAME=$(basename "$RUNTIME")
    ROOT=$FILE_DIR/root
    ROOTFS=$FILE_DIR/rootfs
    RUNTIME_GLOBALS=
    TMPDIR=$FILE_DIR/tmp
    mkdir "$TMPDIR" "$FILE_DIR/bundles"
    export RUNTIME FILE_DIR PREFIX NAME ROOT ROOTFS RUNTIME_GLOBALS TMPDIR
    cgroup_enter
    make_rootfs "$ROOTFS"
    make_base_config
    leaks_remember
}

# Ends what is left, by force where it must, and removes every trace, whatever the tests did.
file_end() {
    # A setup that failed early has made nothing, and below "" is the whole machine.
    [[ -d ${FILE_DIR:-} ]] || return 0
    remove_containers "$PREFIX*"
    cgroup_leave
    # Read as a whole: each unmount would shift the lines. The last one first: it may be on an earlier one.
    local mounts target i
    mapfile -t mounts </proc/self/mountinfo
    for ((i = ${#mounts[@]} - 1; i >= 0; i--)); do
        read -r _ _ _ _ target _ <<<"${mounts[i]}"
        if [[ $target == "$FILE_DIR" || $target == "$FILE_DIR"/* ]]; then umount -l "$target"; fi
    done
    rm -rf "$FILE_DIR"
}

# The defaults; a file that shares containers between its tests defines its own setup_file and calls file_begin.
setup_file() { file_begin; }
teardown_file() { file_end; }

# ID is a new id for each test; what a test creates is named ID, or ID and more.
# shellcheck disable=SC2034 # used by the tests
setup() { ID=$PREFIX$BATS_TEST_NUMBER; }
teardown() { remove_containers "$PREFIX$BATS_TEST_NUMBER" "$PREFIX$BATS_TEST_NUMBER-*"; }

is_runc() { [[ $NAME == runc* ]]; }

only_runvm() {
    if is_runc; then skip "about runvm only${1:+: $1}"; fi
}
