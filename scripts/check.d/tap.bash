# shellcheck shell=bash
# Sourced by the suites. See scripts/check for what a suite is given.

: "${CHECK_MODE:=sample}" "${CHECK_SEED:=0}"
CHECK_REPOSITORY=${CHECK_REPOSITORY:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
CHECK_D=$CHECK_REPOSITORY/scripts/check.d
if [[ -z ${CHECK_WORK:-} ]]; then
    CHECK_WORK=$(mktemp -d)
    trap 'rm -rf -- "$CHECK_WORK"' EXIT
fi
export CHECK_MODE CHECK_SEED CHECK_REPOSITORY CHECK_WORK CHECK_D
cd "$CHECK_REPOSITORY" || exit 1

is_full() { [[ $CHECK_MODE == full ]]; }

# sample N: N of the lines of stdin, drawn with CHECK_SEED; all of them in full mode.
sample() {
    if is_full; then
        cat
    else
        LC_ALL=C sort --random-sort --random-source=<(yes "$CHECK_SEED") | head -n "$1"
    fi
}

# each COMMAND...: runs the command for every line of stdin, as many at a time as there are cpus; {} is the line.
each() { tr '\n' '\0' | xargs -0 -r -P "$(nproc)" -I '{}' "$@"; }

# only_in_full WHAT: leaves a suite out of the plain check. Issue 2 brings these into it once they have been seen to pass
# within their budgets.
only_in_full() {
    if is_full; then return; fi
    echo "ok - $1 # skip in the plain check; scripts/check --full runs it"
    exit 0
}
