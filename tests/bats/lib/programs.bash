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

# skip_unless_idmapped PATH [UNDO...]: skips, after the command UNDO, if the kernel says that what is mounted there cannot be;
# any other answer is a failure.
skip_unless_idmapped() {
    local status=0 type
    type=$(stat -f -c %T "$1")
    "$(program idmap)" "$1" || status=$?
    case $status in
    0) ;;
    1)
        "${@:2}"
        skip "the host's kernel cannot id-map the file system of $1 ($type)"
        ;;
    *) fail "it cannot be told whether $1 can be id-mapped" ;;
    esac
}
