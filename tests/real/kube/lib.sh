# shellcheck shell=bash
# Shared by build, up and down.  Source it after `set -euo pipefail`.
#
# One cluster lives in one folder:  pki/ conf/ log/ etcd/, run/NAME.pid ("PID START"), env (to
# source) and, with a node, containerd/ kubelet/ cni/ podlogs/.

# shellcheck disable=SC2034 # used by the scripts that source this file
KUBE_VERSION=1.34.4
KUBE_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/platrun-test
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
    read -r pid started 2>/dev/null <"$1" || return 1
    [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ]
}

# start NAME COMMAND...: in the background, in a session of its own, with log and pid file.
start() {
    local name=$1 pid
    shift
    setsid "$@" >"log/$name.log" 2>&1 </dev/null &
    pid=$!
    printf '%s %s\n' "$pid" "$(start_time "$pid")" >"run/$name.pid"
}

# stop NAME: TERM, after 3 s KILL: what they keep is thrown away anyway.
stop() {
    local file=run/$1.pid pid _
    [ -e "$file" ] || return 0
    if is_ours "$file"; then
        read -r pid _ <"$file"
        kill -TERM "$pid" 2>/dev/null || :
        for _ in {1..30}; do
            is_ours "$file" || break
            sleep 0.1
        done
        if is_ours "$file"; then
            kill -KILL "$pid" 2>/dev/null || :
        fi
    fi
    rm -f "$file"
}

# wait_for SECONDS NAME COMMAND...: until the command succeeds; ends the script when the time is
# over or the process NAME has died.
wait_for() {
    local seconds=$1 name=$2 until
    shift 2
    until=$((SECONDS + seconds))
    until "$@" >/dev/null 2>&1; do
        if ! is_ours "run/$name.pid"; then
            tail -n 8 "log/$name.log" >&2
            die "$name died, see $PWD/log/$name.log"
        fi
        if [ "$SECONDS" -ge "$until" ]; then
            tail -n 8 "log/$name.log" >&2
            die "no success within $seconds s: $*"
        fi
        sleep 0.2
    done
}

is_port_free() {
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# free_ports N: ports below the range from which the kernel hands out its own.
free_ports() {
    local port found=0
    while [ "$found" -lt "$1" ]; do
        port=$((20000 + RANDOM % 10000))
        if is_port_free "$port"; then
            echo "$port"
            found=$((found + 1))
        fi
    done
}
