# shellcheck shell=bash
# What the cases find on the host.

# tree: a folder with a file and a file system below it; mounted_rootfs: a rootfs that is a mount of its own, as engines
# make them; netns: a network namespace by path.
make_fixtures() {
    TREE=$FILE_DIR/tree MOUNTED_ROOTFS=$FILE_DIR/mounted-rootfs NETNS=$FILE_DIR/netns/given
    TERMINAL=$(program terminal)
    export TREE MOUNTED_ROOTFS NETNS TERMINAL
    mkdir -p "$TREE/below" "$MOUNTED_ROOTFS" "$FILE_DIR/netns"
    mount --bind "$ROOTFS" "$MOUNTED_ROOTFS"
    echo text >"$TREE/file"
    mount -t tmpfs tmpfs "$TREE/below"
    echo below >"$TREE/below/file"
    : >"$NETNS"
    unshare --net="$NETNS" true
}

remove_fixtures() {
    umount "$TREE/below" "$MOUNTED_ROOTFS" "$NETNS"
}
