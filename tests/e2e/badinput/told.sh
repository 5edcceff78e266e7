# shellcheck shell=bash disable=SC2154 # err, out and status are set by lib.sh
# How an error must look to the person who is paged: sourced after lib.sh.

# told TITLE STATUS PATTERN: the last run ended with STATUS; stderr holds one line "error: ..." or
# "failed: ..." (perhaps with its cause below) that matches PATTERN, an extended regular expression,
# and a hint; no traceback anywhere. With hint=no the line may stand alone.
told() {
    local title=$1 want=$2 pattern=$3 said lines problem=''
    said=$(grep -vE '^(warning|sandbox): ' <<<"$err")
    lines=$(grep -c '' <<<"$said")
    if [ "$status" -ne "$want" ]; then
        problem="exit status $status, want $want"
    elif ! grep -qE '^(error|failed): ' <<<"$said"; then
        problem="stderr has no line that begins with error: or failed:"
    elif ! grep -qE -e "$pattern" <<<"$said"; then
        problem="stderr has no line with: $pattern"
    elif grep -qE 'stack traceback|\[C\]: |internal error|plat/[a-z0-9_/]+\.lua' <<<"$out$err"; then
        problem="it shows its own insides"
    elif [ "${hint-}" != no ] && ! grep -q '^hint: .' <<<"$said"; then
        problem="no hint"
    elif [ "$lines" -gt 3 ]; then
        problem="$lines lines, 3 at most"
    fi
    result "$title" "$problem"
}
