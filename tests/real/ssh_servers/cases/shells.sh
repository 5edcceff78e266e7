# shellcheck shell=bash
# Login shells of all kinds, and a host that has nothing but busybox.
# shellcheck disable=SC2016,SC2154  # the scripts are the host's

# shell NAME PROGRAM: the visitor's login shell.
shell() {
    local name=$1
    if [ ! -x "$2" ]; then
        echo "# no $2"
        return
    fi
    VISITOR_SHELL=$2 serve "$name" "" ansible_user=visitor
    ask 60 "$name" -- sh -c 'printf "%s|" "$@" "$0"; echo; echo err >&2; exit 6' \
        'a  b' "q'u\"o" '$HOME `x` !y' 'ä*?' ''
    expect "$name: words arrive" 2 "^ *q'u\"o\\|[\$]HOME \`x\` !y\\|.*\\*\\?\\|\\|a  b\\|"
    check "$name: the status" grep -q 'exit 6' <<<"$out"
    check "$name: the other stream" grep -q '^ *err' <<<"$out"
    ask 60 "$name" -- sh -c 'kill -9 $$'
    expect "$name: a signal is told" 2 'SIGKILL|exit 137'
    ask 60 "$name" -T 2s -- sh -c 'sleep 4242.5'
    expect "$name: a deadline" 2 'no answer in 2 s'
    check "$name: nothing stays behind" wait_until 20 gone 'sleep 4242.5'
}

# gone WORDS: no process has this command line.
gone() {
    ! grep -azlx "$(tr ' ' '\n' <<<"$1" | head -n 1)" /proc/[0-9]*/cmdline 2>/dev/null |
        xargs -r grep -laz "${1##* }" 2>/dev/null | grep -q .
}

ln -sf "$(command -v busybox)" "$work/sh"
shell dash /bin/dash
shell bash /bin/bash
shell busybox "$work/sh"
shell zsh /bin/zsh
shell ksh /bin/ksh93
shell csh /bin/tcsh
shell fish /usr/bin/fish
VISITOR_SHELL=/bin/rbash serve rbash "" "ansible_user=visitor"
ask 60 rbash -- echo works
expect "rbash: it says why, and what to do" 2 'restricted'
check "rbash: a hint" grep -q 'hint: `platrun_supervise: false`' <<<"$out"
add rbash "$port" "ansible_user=visitor platrun_supervise=false"
ask 60 rbash -- sh -c 'echo works; exit 6'
expect "rbash: as it is told" 2 works
check "rbash: the status" grep -q 'exit 6' <<<"$out"

VISITOR_SHELL=/usr/sbin/nologin serve nologin_shell "" ansible_user=visitor
ask 60 nologin_shell -- true
check "a login shell that lets nobody in: no success" test "$status" -ne 0
check "its words are shown" grep -qi 'not available' <<<"$out$err"
VISITOR_SHELL=/no/such/shell serve no_shell "" ansible_user=visitor
ask 60 no_shell -- true
check "a login shell that is not there: no success" test "$status" -ne 0

# Nothing but busybox.
chmod 755 "$work" && mkdir -p "$work"/root/{bin,dev,tmp,etc,proc,home} "$work/root$VISITOR"
cp "$(command -v busybox)" "$work/root/bin/busybox"
for applet in $(busybox --list); do
    [ "$applet" = busybox ] || ln -sf busybox "$work/root/bin/$applet" 2>/dev/null
done
mknod -m 666 "$work/root/dev/null" c 1 3
mknod -m 666 "$work/root/dev/zero" c 1 5
chmod 1777 "$work/root/tmp"
chown 4242:4242 "$work/root$VISITOR"
export work
etc='mount --bind "$work/root" /mnt' serve poor "ChrootDirectory /mnt" ansible_user=visitor
ask 60 poor -- sh -c 'echo "$@"; ls /bin/busybox; exit 7' sh 'a  b'
expect "a host with busybox alone" 2 'a  b'
check "it really is that one" grep -q '^ */bin/busybox' <<<"$out"
check "its status" grep -q 'exit 7' <<<"$out"
ask 60 poor -- head -c 2000000 /dev/zero
expect "2 MB from it" 0
ask 60 poor -T 2s -- sleep 4343.5
expect "a deadline there" 2 'no answer in 2 s'
check "nothing stays behind there" wait_until 20 gone 'sleep 4343.5'
