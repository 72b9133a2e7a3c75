# shellcheck shell=bash
# Removes what a scenario has made in the engine: containers, pods, volumes, networks and images.
set -euo pipefail

# each COMMAND...: with all lines of standard input as its last arguments, if there are any.
each() {
    local lines
    mapfile -t lines
    if ((${#lines[@]} > 0)); then "$@" "${lines[@]}" >/dev/null; fi
}

case $ENGINE in
docker | podman)
    # Podman would give each its grace time, and keeps one whose network another is in; which goes with it.
    at_once=()
    if [[ $ENGINE == podman ]]; then at_once=(--time 0 --depend --ignore); fi
    "$E" ps --all --quiet | each "$E" rm --force --volumes "${at_once[@]}"
    "$E" volume ls --quiet | each "$E" volume rm --force
    "$E" network ls --format '{{.Name}}' | { grep -vxE 'bridge|host|none|podman' || true; } | each "$E" network rm
    "$E" images --quiet --no-trunc | { grep -vxF -f "$FILE_DIR/images" || true; } | sort -u | each "$E" rmi --force
    ;;
containerd)
    "$E" task ls --quiet | while read -r task; do "$E" task delete --force "$task" >/dev/null; done
    "$E" container ls --quiet | each "$E" container delete
    ;;
esac
