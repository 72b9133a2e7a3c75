# shellcheck shell=bash
# Started by namespaces_enter: goes into the file's cgroups, and becomes the parent of the namespaces' first process.
set -euo pipefail
for folder in /sys/fs/cgroup/*/"${FILE_CGROUP##*/}"/; do
    if [[ -f $folder/notify_on_release ]]; then echo $$ >"$folder/cgroup.procs"; fi
done
echo $$ >"$FILE_CGROUP/engine/cgroup.procs"
exec unshare --mount --propagation private --net --pid --cgroup --fork --kill-child -- \
    bash "$(dirname "$0")/namespaces-inner.bash"
