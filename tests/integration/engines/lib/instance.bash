# shellcheck shell=bash
# The engines: how an instance is started, from the files of examples/, and asked.

EXAMPLES=$REPOSITORY/examples
case $ENGINE in
docker | podman) ENGINE_CLI=$ENGINE ;;
containerd) ENGINE_CLI=ctr ;;
esac

# example FILE: it, with the runvm under test.
example() { sed "s|/usr/local/bin/runvm|$RUNVM|" "$EXAMPLES/$1"; }

# engine ARGUMENT...: the engine's command line, under runc where that matters.
engine() { ENGINE_RUNTIME=${ENGINE_RUNTIME:-runc} inside "$ENGINES/bin/$ENGINE_CLI" "$@"; }

# instance_daemon COMMAND...: a daemon that ends with the namespaces.
instance_daemon() {
    inside setsid "$@" </dev/null >"$FILE_DIR/daemon.log" 2>&1 &
}

instance_answers() { engine "$@" >/dev/null 2>&1; }

instance_start_docker() {
    example docker/daemon.json >"$FILE_DIR/daemon.json"
    instance_daemon dockerd --config-file "$FILE_DIR/daemon.json" --data-root "$FILE_DIR/docker" --exec-root /run/docker \
        --pidfile /run/docker.pid --host unix:///run/docker.sock --storage-driver overlay2 --log-level warn
    wait_until 40 instance_answers info || instance_failed
}

instance_start_containerd() {
    example containerd/config-1.6.toml >"$FILE_DIR/containerd.toml"
    # Its own paths come first: a table of TOML has no end.
    {
        printf 'root = "%s"\nstate = "/run/containerd"\n' "$FILE_DIR/containerd"
        cat "$FILE_DIR/containerd.toml"
    } >"$FILE_DIR/containerd-private.toml"
    instance_daemon containerd --log-level warn --config "$FILE_DIR/containerd-private.toml"
    wait_until 40 instance_answers version || instance_failed
}

# There is no daemon.
instance_start_podman() {
    local folder=/etc/containers/containers.conf.d
    inside mkdir -p "$folder"
    example podman/containers.conf.d/50-runvm.conf | inside tee "$folder/50-runvm.conf" >/dev/null
    # Root may lack CAP_SYS_RESOURCE, and there is no systemd.
    inside tee "$folder/60-test.conf" >/dev/null <<'END_OF_CONF'
[containers]
log_driver = "k8s-file"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
END_OF_CONF
    : >"$FILE_DIR/daemon.log"
    engine info >/dev/null || instance_failed
}

instance_failed() {
    cat "$FILE_DIR/daemon.log" >&2
    fail "$ENGINE has not started"
}

instance_log_tail() { tail -n 12 "$FILE_DIR/daemon.log" | cut -c 1-400; }

# instance_load: an archive on standard input. It may have been loaded before.
instance_load() {
    case $ENGINE in
    docker | podman) engine load >/dev/null ;;
    containerd) engine image import - >/dev/null ;;
    esac
}

# What the first container leaves for all that follow (a bridge, cgroups), and the list of images.
instance_warm_up() {
    case $ENGINE in
    docker | podman)
        engine run --rm busybox true
        engine run --rm --network host busybox true
        engine images -q --no-trunc >"$FILE_DIR/images"
        ;;
    containerd) engine run --rm docker.io/library/busybox:latest warm-up true ;;
    esac
}
