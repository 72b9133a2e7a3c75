# shellcheck shell=bash
# The images: archives of docker's format, which every engine reads, of root filesystems made here, for no registry is reachable.

DEBIAN_ROOTFS=${RUNVM_ENGINES_DEBIAN:-/var/cache/runvm-engines-debian.tar}

# image_archive TAG LAYER [JQ FILTER]: an archive on stdout of one layer; the filter changes .config of the image.
image_archive() {
    local tag=$1 layer=$2 filter=${3:-.} folder digest
    folder=$(mktemp -d "$FILE_DIR/image.XXXXXX")
    digest=$(sha256sum <"$layer" | cut -d ' ' -f 1)
    ln "$layer" "$folder/layer.tar"
    jq -n --arg digest "sha256:$digest" '{architecture: "amd64", os: "linux", rootfs: {type: "layers", diff_ids: [$digest]},
        config: {Cmd: ["sh"], Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}}' |
        jq "$filter" >"$folder/config.json"
    jq -n --arg tag "$tag" '[{Config: "config.json", RepoTags: [$tag], Layers: ["layer.tar"]}]' >"$folder/manifest.json"
    tar -C "$folder" -cf - manifest.json config.json layer.tar
    rm -r "$folder"
}

# The busybox layer of this file.
busybox_layer() {
    local rootfs=$FILE_DIR/image-rootfs
    make_rootfs "$rootfs"
    mkdir -p "$rootfs"/{home,mnt,usr/bin,usr/sbin,usr/local}
    printf 'nobody:x:65534:65534:nobody:/:/bin/sh\nuser:x:1000:1000:user:/home:/bin/sh\n' >>"$rootfs/etc/passwd"
    printf 'nogroup:x:65534:\nuser:x:1000:\nextra:x:2000:user\n' >>"$rootfs/etc/group"
    # What a kernel refuses to execute in different ways.
    printf 'neither ELF nor script\n' >"$rootfs/bin/no-format"
    printf '#!/no/such/interpreter\n' >"$rootfs/bin/no-interpreter"
    printf 'echo script\n' >"$rootfs/bin/not-executable"
    chmod 755 "$rootfs"/bin/no-*
    tar -C "$rootfs" --sort=name --owner=0 --group=0 --mtime=@1700000000 -cf "$FILE_DIR/busybox.tar" .
    rm -r "$rootfs"
}

# A Debian with bash, coreutils and perl, made once a machine.
debian_layer() {
    (
        flock 9
        if [[ ! -e $DEBIAN_ROOTFS ]]; then
            local rootfs
            rootfs=$(mktemp -d /var/tmp/runvm-engines.XXXXXX)
            debootstrap --variant=minbase bookworm "$rootfs" >&2
            rm -rf "$rootfs"/var/{cache/apt,lib/apt/lists} "$rootfs"/usr/share/{doc,man,locale,info}
            tar -C "$rootfs" --exclude='./dev/*' -cf "$DEBIAN_ROOTFS.new" .
            rm -rf "$rootfs"
            mv "$DEBIAN_ROOTFS.new" "$DEBIAN_ROOTFS"
        fi
    ) 9>"$DEBIAN_ROOTFS.lock"
    # Beside the archives, for a hard link.
    cp --reflink=auto "$DEBIAN_ROOTFS" "$FILE_DIR/debian.tar"
}

# instance_load_images: busybox, ones with more in their configuration, and Debian if a scenario of the file names it.
instance_load_images() {
    busybox_layer
    image_archive docker.io/library/busybox:latest "$FILE_DIR/busybox.tar" | instance_load
    if [[ $ENGINE != containerd ]]; then
        image_archive docker.io/library/configured:latest "$FILE_DIR/busybox.tar" '.config += {Entrypoint: ["/bin/echo", "entry"],
            Cmd: ["command"], WorkingDir: "/home", User: "user", Env: (.config.Env + ["OF_IMAGE=yes"]),
            Volumes: {"/volume": {}}, StopSignal: "SIGUSR1", Labels: {"of": "image"}, ExposedPorts: {"80/tcp": {}}}' |
            instance_load
        image_archive docker.io/library/healthy:latest "$FILE_DIR/busybox.tar" '.config += {Healthcheck: {Test: ["CMD", "test",
            "-e", "/tmp/healthy"], Interval: 500000000, Timeout: 30000000000, Retries: 2}}' | instance_load
    fi
    if grep -q 'debian' "${BATS_TEST_FILENAME:-/dev/null}"; then
        debian_layer
        image_archive docker.io/library/debian:latest "$FILE_DIR/debian.tar" | instance_load
        rm "$FILE_DIR/debian.tar"
    fi
}
