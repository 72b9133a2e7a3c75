# shellcheck shell=bash
# What the cases find on the host.

# tree: a folder with a file and a file system below it; mounted_rootfs: a rootfs that is a mount of its own, as engines
# make them; netns: a network namespace by path.
# No more than the area's cases use: a mount namespace that another program makes meanwhile would have the mounts too.
make_fixtures() {
    TREE=$FILE_DIR/tree MOUNTED_ROOTFS=$FILE_DIR/mounted-rootfs NETNS=$FILE_DIR/netns/given
    TERMINAL=$(program terminal)
    cp "$(program effective-uid -static)" "$ROOTFS/bin/effective-uid"
    chmod 4755 "$ROOTFS/bin/effective-uid"
    export TREE MOUNTED_ROOTFS NETNS TERMINAL
    mkdir -p "$TREE/below" "$MOUNTED_ROOTFS" "$FILE_DIR/netns"
    echo text >"$TREE/file"
    : >"$NETNS"
    case $AREA in
    root | every-case)
        mount -t tmpfs tmpfs "$TREE/below"
        echo below >"$TREE/below/file"
        ;;
    linux)
        mount --bind "$ROOTFS" "$MOUNTED_ROOTFS"
        unshare --net="$NETNS" true
        ;;
    esac
}

remove_fixtures() {
    case $AREA in
    root | every-case) umount "$TREE/below" ;;
    linux) umount "$MOUNTED_ROOTFS" "$NETNS" ;;
    esac
}
