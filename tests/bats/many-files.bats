#!/usr/bin/env bats
# Trees of more files than virtiofsd can hold open.

load lib/common

FOLDERS=100 FILES_A_FOLDER=1000
# Hard limits of open files: the one of the machines that this runs on, and one for a sample of the tree.
LIMIT=20000 LOW_LIMIT=1000

setup_file() {
    file_begin
    TREE=$FILE_DIR/tree LARGE=${PREFIX}large SMALL=${PREFIX}small
    mkdir "$TREE"
    mount -t tmpfs -o mode=0755,nr_inodes=0 tmpfs "$TREE"
    local folder
    for ((folder = 0; folder < FOLDERS; folder++)); do
        mkdir "$TREE/$folder"
        # One process a folder: each line becomes a file that holds it.
        (cd "$TREE/$folder" && seq "$FILES_A_FOLDER" | split --lines=1 --suffix-length=4 --numeric-suffixes - f)
    done
    bundle sh -c "$FOREVER"
    edit '.mounts += [{destination: "/tree", type: "bind", source: $tree, options: ["rbind", "ro"]}]' --arg tree "$TREE"
    export LARGE SMALL BUNDLE TREE
    (ulimit -n "$LIMIT" && run_until_ready "$LARGE")
    edit '.linux.resources.cpu = {quota: 200000, period: 100000}'
    (ulimit -n "$LOW_LIMIT" && run_until_ready "$SMALL")
}

setup() { ID=$PREFIX$BATS_TEST_NUMBER; }

inside() { runtime exec "$1" sh -c "$2"; }

# virtiofsd_with LIMIT: the pid of the virtiofsd that has this hard limit of open files.
virtiofsd_with() {
    local pid
    for pid in $(file_processes 'virtiofsd*'); do
        if [[ $(awk '/Max open files/ { print $5 }' "/proc/$pid/limits") == "$1" ]]; then echo "$pid"; fi
    done
}

@test "many files: a hundred thousand are found, again and again" {
    local round
    for round in 1 2; do
        capture inside "$LARGE" 'find /tree -type f | wc -l'
        assert_stdout "$((FOLDERS * FILES_A_FOLDER))"
        assert_equal "$STDERR" "" "round $round"
    done
}

@test "many files: four times as many as fit are read by four processes at once, twice" {
    local round
    for round in 1 2; do
        capture inside "$SMALL" '{
                for part in 1 2 3 4; do
                    find /tree/${part}0 -type f -exec cat {} + &
                done
                wait
            } | awk "{ sum += \$1 } END { printf \"%d\", sum }"'
        assert_stdout "$((4 * FILES_A_FOLDER * (FILES_A_FOLDER + 1) / 2))"
        assert_equal "$STDERR" "" "round $round"
    done
}

@test "many files: what is open stays" {
    capture inside "$SMALL" 'exec 7</tree/7/f0006; cd /tree/5
        find /tree/4? -type f | wc -l
        cat <&7; cat f0004; pwd'
    assert_stdout $'10000\n7\n5\n/tree/5'
    assert_equal "$STDERR" ""
}

@test "many files: virtiofsd has room left" {
    only_runvm "of the virtual machine"
    local limit pid
    for limit in "$LIMIT" "$LOW_LIMIT"; do
        pid=$(virtiofsd_with "$limit")
        # Forgotten, and closed.
        (($(find "/proc/$pid/fd" | wc -l) < limit * 3 / 4))
    done
}

@test "no leak" {
    runtime delete --force "$LARGE"
    runtime delete --force "$SMALL"
    umount "$TREE"
    assert_no_leak
}
