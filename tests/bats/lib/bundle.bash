# shellcheck shell=bash
# Bundles of a busybox rootfs.

busybox_path() {
    local candidate
    for candidate in /bin/busybox /usr/bin/busybox; do
        if [[ -x $candidate ]]; then
            echo "$candidate"
            return
        fi
    done
    fail "busybox is missing; install busybox-static"
}

make_rootfs() {
    local rootfs=$1 busybox name
    busybox=$(busybox_path)
    mkdir -p "$rootfs"/{bin,dev,etc,proc,sys,root,run,tmp,var}
    cp "$busybox" "$rootfs/bin/busybox"
    for name in $("$busybox" --list); do
        [[ $name == busybox ]] || ln -s busybox "$rootfs/bin/$name"
    done
    printf 'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/:/bin/sh\n' >"$rootfs/etc/passwd"
    printf 'root:x:0:\ndaemon:x:1:\n' >"$rootfs/etc/group"
    chmod 1777 "$rootfs/tmp"
}

# What `spec` writes, less the terminal.
make_base_config() {
    local folder=$FILE_DIR/spec
    mkdir "$folder"
    "$RUNTIME" spec --bundle "$folder"
    jq --arg rootfs "$ROOTFS" '.process.terminal = false | .root.path = $rootfs' "$folder/config.json" \
        >"$FILE_DIR/base.json"
    rm -r "$folder"
}

# bundle ARG...: a new bundle whose process has these arguments; its path is BUNDLE. The rootfs is the file's,
# read-only as `spec` says.
bundle() {
    BUNDLE=$(mktemp -d "$FILE_DIR/bundles/XXXXXX")
    jq '.process.args = $ARGS.positional' "$FILE_DIR/base.json" --args -- "$@" >"$BUNDLE/config.json"
}

# edit FILTER [JQ OPTION...]: changes config.json of BUNDLE.
edit() {
    local filter=$1
    shift
    jq "$@" "$filter" "$BUNDLE/config.json" >"$BUNDLE/config.json.new"
    mv "$BUNDLE/config.json.new" "$BUNDLE/config.json"
}

# own_rootfs: gives BUNDLE a rootfs of its own, writable; its path is BUNDLE/rootfs.
own_rootfs() {
    cp -a "$ROOTFS" "$BUNDLE/rootfs"
    edit '.root = {path: "rootfs", readonly: false}'
}

# A shell command that lives until it is killed and says when it runs; being pid 1 of its namespace it would ignore
# SIGTERM without the trap.
FOREVER='trap "exit 0" TERM; echo ready; while :; do sleep 1; done'
