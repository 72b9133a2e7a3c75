# shellcheck shell=bash
# What create refuses before anything is started.

# assert_refused BASE KEY CHANGE SENTENCE: with the change BASE (jq) of a config.json, and CHANGE of its KEY, create fails
# with one error that names KEY and goes on with SENTENCE, blames neither the user's command nor its files, and leaves
# nothing. The sentence is compared with the log's: on stderr its quotes are escaped. FOLDER in it is FILE_DIR, $folder in CHANGE.
assert_refused() {
    local base=$1 key=$2 change=$3 sentence=${2#.}$4 message
    sentence=${sentence//FOLDER/$FILE_DIR}
    bundle true
    edit "$base | $key$change" --arg folder "$FILE_DIR"
    capture runtime --log "$BUNDLE/log" --log-format json create --bundle "$BUNDLE" --pid-file "$BUNDLE/pid" "$ID" </dev/null
    assert_status 1
    assert_equal "$(wc -l <"$BUNDLE/log")" 1
    message=$(jq -r .msg "$BUNDLE/log")
    if [[ $message != *"$sentence"* ]]; then fail "change: $key$change" "message: $message" "expected: $sentence"; fi
    assert_stderr_blames_nobody
    assert_gone "$ID"
    if [[ -e $BUNDLE/pid ]]; then fail "change: $key$change" "there is a pid file"; fi
}

# assert_each_refused BASE KEY: the same for each line CHANGE|SENTENCE of standard input.
assert_each_refused() {
    local change sentence
    while IFS='|' read -r change sentence; do
        assert_refused "$1" "$2" "$change" "$sentence"
    done
}
