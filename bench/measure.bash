# shellcheck shell=bash
# How bench/figures and bench/engines measure and say it.
# shellcheck disable=SC2034 # used by those

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# timed COMMAND...: its duration in microseconds is ELAPSED_US.
timed() {
    local begin=${EPOCHREALTIME/./}
    "$@"
    ELAPSED_US=$((${EPOCHREALTIME/./} - begin))
}

minimum() { sort -n | head -n 1; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
seconds() { awk -v us="$1" 'BEGIN { printf "%.3f s", us / 1000000 }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

rows=()
beyond=0
# row FIGURE MEASURED BESIDE VALUE RELATION LIMIT: VALUE RELATION LIMIT must be true (relation: <= or >=, or - for no limit).
row() {
    local verdict=yes limit="$5 $6"
    if [[ $5 != - ]] && ! awk -v v="$4" -v l="$6" -v r="$5" 'BEGIN { exit !(r == "<=" ? v <= l : v >= l) }'; then
        verdict="**no**"
        beyond=1
    fi
    if [[ $5 == - ]]; then verdict=- limit=-; fi
    rows+=("| $1 | $2 | $3 | $4 | ${limit} | $verdict |")
    say "$1: $2, beside $3: $4 ($5 $6: $verdict)"
}

# table: the rows so far.
table() {
    printf '%s\n' '| figure | measured | beside | ratio or value | limit | met |' '|---|---|---|---|---|---|' "${rows[@]}"
}
