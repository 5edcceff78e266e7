# shellcheck shell=bash
# Servers that are not OpenSSH.
# shellcheck disable=SC2154

# other HOST VARS COMMAND...: a server in an /etc of its own, on $port; see lib.sh.
other() {
    local name=$1 vars=$2
    shift 2
    spawn "$name" "$@"
    wait_until 10 listens "$port" || result "$name starts" "$(cat "$work/other.$name")"
    add "$name" "$port" "$vars"
}

works() {
    ask 60 "$2" -- sh -c 'echo works; echo to-err >&2; exit 5'
    expect "$1" 2 works
    check "$1: its status" grep -q 'exit 5' <<<"$out"
    check "$1: its other stream" grep -q 'to-err' <<<"$out"
}

mkdir -p "$VISITOR/.ssh"
cp "$work/authorized_keys" "$VISITOR/.ssh/authorized_keys"
chown -R 4242:4242 "$VISITOR"
chmod 700 "$VISITOR" "$VISITOR/.ssh"
chmod 600 "$VISITOR/.ssh/authorized_keys"

if command -v dropbear >/dev/null; then
    dropbearkey -t ed25519 -f "$work/dropbear_ed25519" >/dev/null 2>&1
    dropbearkey -t rsa -s 2048 -f "$work/dropbear_rsa" >/dev/null 2>&1
    take_port
    other dropbear ansible_user=visitor dropbear -F -E -p "127.0.0.1:$port" \
        -r "$work/dropbear_ed25519" -r "$work/dropbear_rsa"
    works "dropbear, an ed25519 key" dropbear
    add dropbear_rsa "$port" "ansible_user=visitor ansible_ssh_private_key_file=$work/user_rsa"
    ask 60 dropbear_rsa -- echo works
    if [ "$status" -ne 0 ]; then # libssh2 1.10
        expect "dropbear, an RSA key" 4 'user_rsa: dropbear takes no RSA keys of libssh2 1.10'
    else
        expect "dropbear, an RSA key" 0 works
    fi
    add dropbear_word "$port" "ansible_user=visitor ansible_password='open sesame'" \
        "ansible_ssh_extra_args='-o PubkeyAuthentication=no'"
    works "dropbear, a password" dropbear_word
    ask 60 dropbear -- head -c 3000000 /dev/zero
    expect "dropbear, 3 MB" 0
else
    echo "# no dropbear: apt-get install dropbear-bin"
fi

if command -v tinysshd >/dev/null; then
    tinysshd-makekey "$work/tiny" >/dev/null 2>&1
    take_port
    other tinysshd ansible_user=visitor "$PYTHON" "$here/odd.py" "$port" inetd \
        tinysshd -v "$work/tiny"
    ask 60 tinysshd -- echo works
    if grep -q 'in common' <<<"$out"; then
        expect "tinysshd: what does not fit" 4 'no cipher in common: the server has chacha20'
    else
        expect "tinysshd" 0 works
    fi
else
    echo "# no tinysshd: apt-get install tinysshd"
fi

# para HOST WAYS QUESTION VARS
para() {
    take_port
    other "$1" "ansible_user=visitor $4" "$PYTHON" "$here/para.py" "$port" \
        "$work/host_ecdsa_pem" 'open sesame' "$2" "$3"
}
cp "$work/host_ecdsa" "$work/host_ecdsa_pem"
ssh-keygen -q -p -m PEM -N '' -f "$work/host_ecdsa_pem" >/dev/null
WORD="ansible_password='open sesame'"
para para_word password - "$WORD"
works "paramiko, a password" para_word
para para_ask keyboard-interactive - "$WORD"
works "paramiko, keyboard-interactive" para_ask
para para_none none - ""
works "paramiko, which wants no proof" para_none
para para_forgets none,forgets - ""
ask 60 para_forgets -- echo works
check "a server that closes the channel: no success, in time ($took s)" \
    awk -v took="$took" -v status="$status" 'BEGIN { exit !(took < 20 && status > 0) }'
check "and it is said" grep -q 'closed the channel' <<<"$out"
para para_otp keyboard-interactive "Code: " "$WORD"
ask 60 para_otp -- true
expect "paramiko, which asks for a code too" 4 'no way to log in'
check "the question is told" grep -q 'the server asks: Code:' <<<"$out"
check "and what its login said" grep -q 'the server says: Who goes there' <<<"$out"
check "and what to do" grep -q "hint: the password's question is the only one" <<<"$out"
para para_wrong keyboard-interactive,password - "ansible_password=wrong-one"
ask 60 para_wrong -- true
expect "paramiko, a wrong password" 4 'no way to log in'
check "it was sent once" test "$(grep -cE 'password|interactive' "$work/other.para_wrong")" -eq 1
