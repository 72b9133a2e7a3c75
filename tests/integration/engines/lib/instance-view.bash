# shellcheck shell=bash
# instance-view.bash ENGINE: what there is of an engine's containers, in its namespaces: in its own view, and in the host's.
set -euo pipefail
cli=$(dirname "$0")/../bin
export ENGINE_RUNTIME=runc

case $1 in
docker | podman)
    "$cli/$1" ps --all --quiet | sed 's/^/container /'
    "$cli/$1" volume ls --quiet | sed 's/^/volume /'
    "$cli/$1" network ls --quiet | sed 's/^/network /'
    "$cli/$1" images --quiet --no-trunc | sort | sed 's/^/image /'
    ;;
containerd)
    "$cli/ctr" container ls --quiet | sed 's/^/container /'
    "$cli/ctr" task ls --quiet | sed 's/^/task /'
    "$cli/ctr" snapshot ls | awk '$3 == "Active" { print "snapshot " $1 }'
    ;;
esac

for folder in /proc/[0-9]*; do
    read -r name <"$folder/comm" || continue
    parent=$(sed -n 's/^PPid:\t//p' "$folder/status") || continue
    # Not this shell and what it has just started.
    if [[ ${folder##*/} != "$$" && $parent != "$$" ]]; then echo "process $name"; fi
done 2>/dev/null | sort
for link in /sys/class/net/*; do echo "link ${link##*/}"; done
cut -d ' ' -f 5 /proc/self/mountinfo | sort | sed 's/^/mount /'
find /sys/fs/cgroup -type d | sort | sed 's/^/cgroup /'
# A folder of runvm's may stay when it is empty, and the locks for the whole machine.
find /run -path '*runvm*' ! \( -type d -name '@*' -empty \) ! -path /run/runvm ! -path /run/runvm/qemu-uids | sort | sed 's/^/file /'
find /dev/shm | sort | sed 's/^/file /'
