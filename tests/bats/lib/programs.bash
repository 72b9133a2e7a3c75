# shellcheck shell=bash
# Small C programs for what a shell cannot do: tests/programs/*.c.

# program NAME [COMPILER OPTION...]: prints the path of the compiled program. All files of one bats run share them.
program() {
    local folder=${BATS_RUN_TMPDIR:-$TMPDIR}/programs name=$1
    shift
    mkdir -p "$folder"
    (
        flock 9
        if [[ ! -x $folder/$name ]]; then
            "${CC:-cc}" -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror "$@" -o "$folder/$name" \
                "$REPOSITORY/tests/programs/$name.c"
        fi
    ) 9>"$folder/.lock" >&2
    echo "$folder/$name"
}
