# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # for and from who sources it, after e2e/lib.sh
# Many hosts on loopback that real sshds serve, for tests of SSH; and, as root, users of their own:
# in a copy of /etc that only the servers see, so that nothing of the machine is changed. A folder
# $work/mnt is their /mnt, a file $work/boot_id says which boot it is.
#
#   . "$(dirname "$0")/../hosts.sh"
#   users 'useradd pilot; ...'      # makes users by a script; false where that is not possible
#   serve 100                       # h1 to h100 in $inventory, as $login
[ -x /usr/sbin/sshd ] || {
    echo "1..0 # SKIP no sshd: apt-get install openssh-server"
    exit 0
}
unset SSH_AUTH_SOCK
export HOME=$work/home
mkdir -p "$HOME/.ssh" && chmod 755 "$work" && chmod 700 "$HOME" "$HOME/.ssh"
ssh-keygen -q -t ed25519 -N '' -f "$work/host_key"
ssh-keygen -q -t ed25519 -N '' -f "$HOME/.ssh/id_ed25519"
cp "$HOME/.ssh/id_ed25519.pub" "$work/authorized_keys"
[ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd

login=$(id -un)
inventory=$work/hosts.ini
port=$((20000 + RANDOM % 10000))
net=127.$((RANDOM % 100 + 100)).7
servers=()
stop_hosts() {
    for pid in "${servers[@]}"; do
        kill "$pid" 2>/dev/null
    done
    rm -rf "$work"
}
trap stop_hosts EXIT

# users SCRIPT: runs it where /etc is a copy; the servers are started there.
users() {
    [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null || return 1
    cp -a /etc "$work/etc"
    printf '%s\n' "$1" >"$work/users.sh"
    # shellcheck disable=SC2016 # for the inner shell
    unshare -m sh -c 'mount --bind "$1/etc" /etc && sh -e "$1/users.sh"' sh "$work" \
        >"$work/users.log" 2>&1 || {
        sed 's/^/# /' "$work/users.log"
        rm -rf "${work:?}/etc"
        return 1
    }
}

# What the login shell's own start-up files say is none of ours: they are empty here.
profile=$(getent passwd "$login" | cut -d: -f6)/.bashrc
run_server() { # CONFIG
    [ -e "$profile" ] || profile=/dev/null
    if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
        # shellcheck disable=SC2016 # for the inner shell
        exec unshare -m sh -c 'mount --bind /dev/null "$1"
            [ ! -e "$3/boot_id" ] || mount --bind "$3/boot_id" /proc/sys/kernel/random/boot_id
            for dir in etc mnt; do [ ! -d "$3/$dir" ] || mount --bind "$3/$dir" "/$dir"; done
            exec /usr/sbin/sshd -D -f "$2" -E "$2.log"' sh "$profile" "$1" "$work"
    fi
    exec /usr/sbin/sshd -D -f "$1" -E "$1.log"
}

# serve COUNT [LINES]: starts the servers, with further lines of sshd_config.
serve() {
    local first n conf key
    for ((first = 1; first <= $1; first += 16)); do # an sshd listens on 16 addresses at most
        conf=$work/sshd.$first
        {
            echo "Port $port"
            printf '%s\n' "HostKey $work/host_key" "AuthorizedKeysFile $work/authorized_keys"
            printf '%s\n' "StrictModes no" "UsePAM no" "PermitRootLogin yes" "PidFile none"
            printf '%s\n' "MaxStartups 400" "SetEnv SHLVL=3" "Subsystem sftp internal-sftp"
            for ((n = first; n < first + 16 && n <= $1; n++)); do
                echo "ListenAddress $net.$n"
            done
            echo "${2-}"
        } >"$conf"
        run_server "$conf" &
        servers+=($!)
    done
    key=$(cut -d' ' -f1,2 "$work/host_key.pub")
    for ((n = 1; n <= $1; n++)); do
        echo "h$n ansible_host=$net.$n ansible_port=$port ansible_user=$login" >>"$inventory"
        echo "[$net.$n]:$port $key" >>"$HOME/.ssh/known_hosts"
    done
    wait_until 60 all_listen "$1"
}
all_listen() {
    [ "$(cat "$work"/sshd.*.log 2>/dev/null | grep -c 'Server listening')" -ge "$1" ]
}

# sleeping MARK: how many processes `sleep MARK` live.
sleeping() {
    pgrep -fc "^sleep $1\$"
}
are_sleeping() { # COUNT MARK
    [ "$(sleeping "$2")" -eq "$1" ]
}
