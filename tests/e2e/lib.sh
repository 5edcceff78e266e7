# shellcheck shell=bash
# Shared by the end-to-end tests: runs the real binary, prints TAP.
#
#   . "$(dirname "$0")/lib.sh"
#   run version                     # sets $status, $out, $err
#   expect "version says its name" 0 '^platrun '
#   done_testing
#
# Each script has a state folder of its own ($XDG_STATE_HOME) and a scratch folder ($work).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
root=$PWD
platrun=${PLATRUN:-$root/build/platrun}
work=$(mktemp -d "${TMPDIR:-/tmp}/platrun-e2e.XXXXXX")
export XDG_STATE_HOME=$work/state XDG_CONFIG_HOME=$work/config NO_COLOR=1
unset PLATRUN_INVENTORY PLATRUN_CONFIG
trap 'rm -rf "$work"' EXIT

count=0 bad=0
status=0 out='' err=''

# run ARGUMENTS...: platrun with them, in the current folder, without a terminal.
run() {
    "$platrun" "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
    out=$(cat "$work/out")
    err=$(cat "$work/err")
}

# result TITLE PROBLEM: passes when PROBLEM is empty.
result() {
    count=$((count + 1))
    if [ -z "$2" ]; then
        echo "ok $count - $1"
        return
    fi
    bad=$((bad + 1))
    echo "not ok $count - $1"
    printf '%s\n' "$2" "exit status: $status" "stdout:" "$out" "stderr:" "$err" | sed 's/^/# /'
}

# expect TITLE STATUS [OUT_PATTERN [ERR_PATTERN]]: checks the last run; patterns are extended
# regular expressions of one line.
expect() {
    local problem=''
    if [ "$status" -ne "$2" ]; then
        problem="exit status $status, want $2"
    elif [ -n "${3-}" ] && ! grep -qE -e "$3" <<<"$out"; then
        problem="stdout has no line with: $3"
    elif [ -n "${4-}" ] && ! grep -qE -e "$4" <<<"$err"; then
        problem="stderr has no line with: $4"
    fi
    result "$1" "$problem"
}

# check TITLE COMMAND...: passes when the command succeeds.
check() {
    local title=$1 problem=''
    shift
    "$@" || problem="failed: $*"
    result "$title" "$problem"
}

# wait_until SECONDS COMMAND...: true as soon as the command succeeds.
wait_until() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.05
    done
}

done_testing() {
    echo "1..$count"
    exit "$((bad > 0))"
}
