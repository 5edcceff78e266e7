# shellcheck shell=bash
# Passwords, PAM, few attempts, and accounts that may not log in.
# shellcheck disable=SC2154

WORD="ansible_user=visitor ansible_password='open sesame'"
pam() { printf '%s\n' 'UsePAM yes' "$@"; }

# refused TITLE HOST PATTERN...: unreachable, with all these words.
refused() {
    local title=$1 name=$2 pattern
    shift 2
    ask 60 "$name" -- true
    expect "$title: unreachable" 4
    for pattern in "$@"; do
        check "$title: $pattern" grep -qE -e "$pattern" <<<"$out"
    done
}

enters() {
    ask 60 "$2" -- id -un
    expect "$1" 0 "${3:-visitor}"
}

serve plain "$(printf '%s\n' 'PasswordAuthentication yes' 'KbdInteractiveAuthentication no' \
    'MaxAuthTries 1')" "$WORD"
enters "a password, and one attempt" plain
add wrong "$port" "ansible_user=visitor ansible_password=wrong-one"
refused "a wrong password" wrong 'password' 'Too many authentication failures|no way to log in'
check "it was sent once" test "$(told plain 'Failed password' | wc -l)" -eq 1

serve interactive "$(pam 'PasswordAuthentication no' 'KbdInteractiveAuthentication yes')" "$WORD"
enters "keyboard-interactive alone" interactive
WRONG="ansible_user=visitor ansible_password=wrong-one \
ansible_ssh_common_args='-o PubkeyAuthentication=no'"
add wrong2 "$port" "$WRONG"
refused "a wrong password by keyboard-interactive" wrong2 'ansible_password, by keyboard' \
    'hint: the password is wrong'

serve both "$(pam 'PasswordAuthentication yes' 'KbdInteractiveAuthentication yes')" "$WORD"
enters "both ways" both
add wrong3 "$port" "$WRONG"
refused "a wrong password where there are two ways" wrong3 'the password is wrong'
check "it was sent by one of them" test "$(told both 'Failed (password|keyboard)' | wc -l)" -le 1
add saved "$port" "ansible_user=visitor ansible_password=wrong-one"
enters "and a default key logs in behind a wrong password" saved

serve two "$(pam 'PasswordAuthentication yes' 'KbdInteractiveAuthentication no' \
    'AuthenticationMethods publickey,password')" "$WORD"
enters "a key and a password" two
add keyonly "$port" "ansible_user=visitor"
refused "a key alone where a password is wanted too" keyonly 'wants another proof' \
    'the server takes password' 'hint: the server takes passwords alone'

# An agent full of keys, and few attempts.
eval "$(ssh-agent -s)" >/dev/null
server_pids+=("$SSH_AGENT_PID")
for n in 1 2 3 4 5 6; do
    ssh-keygen -q -t ed25519 -N '' -f "$work/agent$n"
    ssh-add -q "$work/agent$n" 2>/dev/null
done
serve few "MaxAuthTries 2" "ansible_ssh_private_key_file=$HOME/.ssh/id_ed25519"
enters "MaxAuthTries 2: the named key goes before the agent's" few root
serve fewpass "$(printf '%s\n' 'PasswordAuthentication yes' 'KbdInteractiveAuthentication no' \
    'MaxAuthTries 2')" "$WORD"
mv "$HOME/.ssh/id_ed25519" "$HOME/.ssh/away"
enters "MaxAuthTries 2: the password goes before the agent's" fewpass
serve flood "MaxAuthTries 3"
refused "a server that takes three attempts, and an agent with six keys" flood \
    'Too many authentication failures' 'hint: servers take few attempts: name the right key'
mv "$HOME/.ssh/away" "$HOME/.ssh/id_ed25519"
unset SSH_AUTH_SOCK SSH_AGENT_PID

# Accounts.
etc='echo "The machine is under repair." >/etc/nologin' \
    serve nologin "$(pam)" "ansible_user=visitor"
refused "nologin" nologin 'the server says: The machine is under repair'
check "without a hint that leads astray" test "$(grep -c hint: <<<"$out")" -eq 0
etc='sed -i "s/^visitor:\(.*\):19700:.*/visitor:\1:19700:0:99999:7::19000:/" /etc/shadow' \
    serve expired "$(pam)" "ansible_user=visitor"
refused "an expired account" expired 'the server says: Your account has expired'
etc='sed -i "s/^visitor:\(.*\):19700:.*/visitor:\1:0:0:99999:7:::/" /etc/shadow' \
    serve aged "$(pam 'PasswordAuthentication yes' 'KbdInteractiveAuthentication yes')" "$WORD"
ask 60 aged -- true
check "an expired password: not taken for success" test "$status" -ne 0
check "an expired password: the server's words" grep -qiE 'expired|change required' <<<"$out"
etc='sed -i "s/^visitor:\(.*\)/visitor:!\1/" /etc/shadow' \
    serve locked "$(pam)" "ansible_user=visitor"
ask 60 locked -- true
check "a locked account is said to be none, or lets a key in" test "$status" -ne 2
