# shellcheck shell=bash
# Shared by the cases: starts servers on loopback, asks them through `platrun exec`, and stops them.
# shellcheck disable=SC2034,SC2154  # out, err, status, platrun and work are e2e/lib.sh's
SSHD=/usr/sbin/sshd
PYTHON=/usr/bin/python3
here=$root/tests/real/ssh_servers
inventory=$work/hosts.ini
server_pids=()
next_port=$((20000 + RANDOM % 12000)) # below those of outgoing connections
unset SSH_AUTH_SOCK
export HOME_DIR=$HOME HOME=$work/home VISITOR=$work/visitor
VISITOR_HASH=$(openssl passwd -6 -salt platrun 'open sesame')
export VISITOR_HASH

stop_servers() {
    local pid
    for pid in "${server_pids[@]}"; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    server_pids=()
}

# prepare: keys, an empty known_hosts, which accept-new fills.
prepare() {
    mkdir -p "$HOME/.ssh" /run/sshd
    chmod 700 "$HOME" "$HOME/.ssh"
    chmod 755 "$work"
    mkdir -p "$VISITOR"
    chown 4242:4242 "$VISITOR"
    local kind
    for kind in ed25519 rsa ecdsa; do
        ssh-keygen -q -t "$kind" -N '' -f "$work/host_$kind"
    done
    ssh-keygen -q -t ed25519 -N '' -f "$HOME/.ssh/id_ed25519"
    ssh-keygen -q -t rsa -b 2048 -N '' -f "$work/user_rsa"
    cat "$HOME/.ssh/id_ed25519.pub" "$work/user_rsa.pub" >"$work/authorized_keys"
    echo 'StrictHostKeyChecking accept-new' >"$HOME/.ssh/config"
}

# listens PORT [PID]: a server is there; nothing is sent to it.
listens() {
    grep -qiE "0100007F:$(printf %04X "$1") 00000000:0000 0A" /proc/net/tcp
}

# take_port: sets `port` to one that nobody uses.
take_port() {
    port=$((next_port++))
    while grep -qiE ":$(printf %04X "$port") " /proc/net/tcp /proc/net/tcp6; do
        port=$((next_port++))
    done
}

# add HOST PORT VARS...: a host of the inventory; what was known of it is forgotten.
add() {
    local name=$1 at=$2
    shift 2
    sed -i "/^$name /d" "$inventory" 2>/dev/null
    echo "$name ansible_host=127.0.0.1 ansible_port=$at $*" >>"$inventory"
    sed -i "/^\[127.0.0.1\]:$at /d" "$HOME/.ssh/known_hosts" 2>/dev/null
}

# spawn NAME COMMAND...: a server with an /etc of its own, in which the user "visitor" has the
# password "open sesame"; etc=SCRIPT changes more of it.  Its shells find no start-up files of the
# real user.
spawn() {
    local name=$1
    shift
    mkdir -p "$work/etc.$name/upper" "$work/etc.$name/work"
    # shellcheck disable=SC2016 # for the inner shell
    unshare -m sh -ec '
        [ ! -e "$HOME_DIR/.bashrc" ] || mount --bind /dev/null "$HOME_DIR/.bashrc"
        mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc
        printf "visitor:x:4242:4242::%s:%s\n" "$VISITOR" "${VISITOR_SHELL:-/bin/sh}" >>/etc/passwd
        printf "visitor:%s:19700:0:99999:7:::\n" "$VISITOR_HASH" >>/etc/shadow
        eval "$2"
        shift 2
        exec "$@"' sh "$work/etc.$name" "${etc-}" "$@" >"$work/other.$name" 2>&1 &
    server_pids+=($!)
}

# serve HOST LINES [VARS]: an sshd with LINES in its configuration.  `port` is its port.
serve() {
    local name=$1 lines=$2 conf=$work/sshd.$1
    take_port
    {
        printf '%s\n' "$lines" "Port $port" "ListenAddress 127.0.0.1" "StrictModes no" "UsePAM no"
        printf '%s\n' "PermitRootLogin yes" "PidFile none" "PrintMotd no" "LogLevel VERBOSE"
        grep -q '^AuthorizedKeysFile' <<<"$lines" ||
            echo "AuthorizedKeysFile $work/authorized_keys"
        grep -q '^HostKey ' <<<"$lines" || echo "HostKey $work/host_ed25519"
        grep -q '^Subsystem ' <<<"$lines" || echo "Subsystem sftp internal-sftp"
    } >"$conf"
    : >"$conf.log"
    spawn "$name" "$SSHD" -D -f "$conf" -E "$conf.log"
    if ! wait_until 10 listens "$port"; then
        sed 's/^/# /' "$conf.log" "$work/other.$name"
        result "sshd for $name starts" "it does not listen"
        return 1
    fi
    add "$name" "$port" "${3-}"
}

# told HOST [PATTERN]: what its sshd has written.
told() {
    grep -E "${2:-.}" "$work/sshd.$1.log"
}

# odd HOST MODE ARGUMENTS...: a server of odd.py.
odd() {
    local name=$1
    shift
    take_port
    "$PYTHON" "$here/odd.py" "$port" "$@" >"$work/odd.$name" 2>&1 &
    server_pids+=($!)
    wait_until 10 listens "$port" || result "odd.py $* starts" "$(cat "$work/odd.$name")"
    add "$name" "$port"
}

# begin SECONDS HOST ARGUMENTS...: `platrun exec`, in the background; it has to end within the time.
begin() {
    local limit=$1 name=$2
    shift 2
    (
        began=$EPOCHREALTIME
        timeout -k 2 "$limit" "$platrun" exec "$name" -i "$inventory" "$@" \
            >"$work/$name.out" 2>"$work/$name.err" </dev/null
        echo "$? $began $EPOCHREALTIME $limit" >"$work/$name.end"
    ) &
    asking[$name]=$!
}
declare -A asking

# answer HOST: waits for it; what came of it is printed, to be read by people.
answer() {
    local began ended limit
    wait "${asking[$1]}"
    read -r status began ended limit <"$work/$1.end"
    took=$(awk -v a="$began" -v b="$ended" 'BEGIN { printf "%.1f", b - a }')
    out=$(tr -d '\0' <"$work/$1.out" | head -c 20000)
    err=$(tr -d '\0' <"$work/$1.err" | head -c 20000)
    printf '%s\n' "$out" "$err" | head -n 12 | cut -c 1-200 | sed -n 's/^./#   &/p'
    [ "$status" -ne 124 ] || err="$err [not ended after $limit s]"
}

# ask SECONDS HOST ARGUMENTS...: both.
ask() {
    begin "$@"
    answer "$2"
}
