# shellcheck shell=bash
# Started by `inside`: a command in the namespaces and in their cgroups, which entering the namespace alone does not change.
set -euo pipefail
for folder in /sys/fs/cgroup/*/"${FILE_CGROUP##*/}"/; do
    if [[ -f $folder/notify_on_release ]]; then echo $$ >"$folder/cgroup.procs"; fi
done
echo $$ >"$FILE_CGROUP/engine/init/cgroup.procs"
exec nsenter --target "$NAMESPACES_PID" --mount --net --pid --cgroup -- "$@"
