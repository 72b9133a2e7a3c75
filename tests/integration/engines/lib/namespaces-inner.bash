# shellcheck shell=bash
# The first process of the namespaces: prepares them, and reaps what its engine leaves to it.
set -euo pipefail

mount -t proc proc /proc
# What others have mounted is not to be held by a copy.
mapfile -t mounts < <(cut -d ' ' -f 5 /proc/self/mountinfo | grep -E '^(/tmp/runvm-|/run/)' | tac)
for mount in "${mounts[@]}"; do umount --lazy "$mount"; done

# Its /sys/class/net has the links of the namespace that it is mounted in.
mount -t sysfs sysfs /run
mount --rbind /sys/fs/cgroup /run/fs/cgroup
umount --recursive /sys
mount --move /run /sys

controllers=()
for folder in /sys/fs/cgroup/*/; do
    if [[ -f $folder/notify_on_release ]]; then controllers+=("$(basename "$folder")"); fi
done
unified=/sys/fs/cgroup
if ((${#controllers[@]} > 0)); then
    # The same layout, whose roots are the file's own cgroups.
    umount --recursive /sys/fs/cgroup
    mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
    for controller in "${controllers[@]}"; do
        mkdir "/sys/fs/cgroup/$controller"
        option=$controller
        [[ $controller != systemd ]] || option=none,name=systemd
        mount -t cgroup -o "$option" cgroup "/sys/fs/cgroup/$controller"
    done
    unified=/sys/fs/cgroup/unified
    mkdir "$unified"
else
    umount --recursive "$unified"
fi
mount -t cgroup2 cgroup2 "$unified"
# A cgroup with processes cannot have children with controllers.
mkdir "$unified/init"
echo 1 >"$unified/init/cgroup.procs"

mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mkdir /run/lock
mount -t overlay -o "lowerdir=/etc,upperdir=$FILE_DIR/etc/upper,workdir=$FILE_DIR/etc/work" overlay /etc
mount -t overlay -o "lowerdir=/var/lib,upperdir=$FILE_DIR/lib/upper,workdir=$FILE_DIR/lib/work" overlay /var/lib
ip link set lo up
touch "$FILE_DIR/namespaces.ready"
sleep infinity &
# Bash reaps any child while it waits for this one.
wait
