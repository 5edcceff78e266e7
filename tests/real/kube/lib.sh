# shellcheck shell=bash
# Shared by build, up and down.  Source it after `set -euo pipefail`.

# shellcheck disable=SC2034 # used by the scripts that source this file
KUBE_VERSION=1.34.4
KUBE_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/platrun-test
# shellcheck disable=SC2034
KUBE_BIN=$KUBE_CACHE/kube-$KUBE_VERSION

say() {
    [ -n "${QUIET-}" ] || printf 'kube: %s\n' "$*" >&2
}

die() {
    printf 'kube: %s\n' "$*" >&2
    exit 1
}

# start_time PID: the process's start in clock ticks since boot, which together with the pid names
# one process for ever; empty if there is none.
start_time() {
    # The command name, second field, may hold blanks: count from the last parenthesis.
    sed -e 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20 || :
}

# is_ours PIDFILE: true while the process that wrote "PID START" still runs.
is_ours() {
    local pid started
    read -r pid started <"$1" 2>/dev/null || return 1
    [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ]
}
