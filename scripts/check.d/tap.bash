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
        # Not head, which ends as soon as it has its lines: sort would get SIGPIPE then.
        LC_ALL=C sort --random-sort --random-source=<(yes "$CHECK_SEED") | awk -v lines="$1" 'NR <= lines'
    fi
}

# each COMMAND...: runs the command for every line of stdin, as many at a time as there are cpus; {} is the line.
each() { tr '\n' '\0' | xargs -0 -r -P "$(nproc)" -I '{}' "$@"; }

# at_turns WHAT TURN...: the longest suites share the plain check's time: a seed draws one of the turns 0 to 3, and at the
# others the suite WHAT is skipped. Full mode has them all.
at_turns() {
    local what=$1 turn drawn
    shift
    if is_full; then return; fi
    drawn=$(($(cksum <<<"$CHECK_SEED" | cut -d ' ' -f 1) % 4))
    for turn in "$@"; do
        if ((turn == drawn)); then return; fi
    done
    echo "ok - $what # skip at this seed's turn ($drawn); it runs at $*, and with --full"
    exit 0
}
