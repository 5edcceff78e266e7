# shellcheck shell=bash
# OpenSSH set otherwise than Debian sets it.
# shellcheck disable=SC2016,SC2154  # the patterns are what hints say

# fits TITLE HOST PATTERN...: it works; unfit: it does not, with all these words.
fits() {
    ask 60 "$2" -- echo works
    expect "$1" 0 works
}
unfit() {
    local title=$1 name=$2 pattern
    shift 2
    ask 60 "$name" -- true
    expect "$title: unreachable" 4 "host $name: ssh: .*$1"
    shift
    for pattern in "$@"; do
        check "$title: $pattern" grep -qE -e "$pattern" <<<"$out"
    done
}

old=false # what libssh2 1.10 lacks
case $("$platrun" version -v 2>/dev/null; dpkg-query -Wf '${Version}' libssh2-1 2>/dev/null) in
    *1.10.*) old=true ;;
esac

# lacks TITLE HOST PATTERN...: fits where the library is newer.
lacks() {
    if $old; then unfit "$@"; else fits "$1" "$2"; fi
}

serve one "MaxSessions 1"
fits "MaxSessions 1" one
serve nosftp "Subsystem sftp /nonexistent"
fits "without SFTP" nosftp
serve rekey "RekeyLimit 1M"
ask 60 rekey -- sh -c 'head -c 20000000 /dev/zero | tr "\0" x | sha256sum
    head -c 8000000 /dev/zero'
sum=$(head -c 20000000 /dev/zero | tr '\0' x | sha256sum)
expect "keys are exchanged anew each megabyte" 0 "${sum%% *}"
check "8 MB came through" grep -q 'ok rekey' <<<"$out"
serve notty "$(printf '%s\n' 'PermitTTY no' 'AllowTcpForwarding no' 'X11Forwarding no')"
fits "PermitTTY no, AllowTcpForwarding no" notty

serve etm "MACs hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com"
lacks "EtM MACs alone" etm 'no MAC in common: the server has hmac-sha2-256-etm' \
    'hint: on the host, add hmac-sha2-256 to MACs in sshd_config'
serve gcm "Ciphers aes256-gcm@openssh.com,chacha20-poly1305@openssh.com"
lacks "GCM and chacha20 ciphers alone" gcm 'no cipher in common: the server has aes256-gcm' \
    'hint: on the host, add aes256-ctr to Ciphers in sshd_config'
serve rsa "HostKey $work/host_rsa"
lacks "an RSA host key alone" rsa 'no type of host key in common: the server has rsa-sha2-512' \
    'hint: on the host, `ssh-keygen -A` makes an ed25519 key'
serve sntrup "KexAlgorithms sntrup761x25519-sha512@openssh.com"
unfit "a post-quantum key exchange alone" sntrup \
    'no key exchange in common: the server has sntrup' \
    'hint: on the host, add curve25519-sha256 to KexAlgorithms in sshd_config'
add mine "$port" "ansible_ssh_common_args='-o KexAlgorithms=ecdh-sha2-nistp256'"
unfit "a key exchange that we restrict" mine 'no key exchange in common' \
    'hint: of ours, only what `kexalgorithms ecdh-sha2-nistp256` allows was offered'
serve strict "$(printf '%s\n' 'PubkeyAcceptedAlgorithms rsa-sha2-256' 'MaxAuthTries 2')" \
    "ansible_ssh_private_key_file=$work/user_rsa"
fits "RSA with SHA-256 where SHA-512 is not taken" strict
add strict2 "$port" "ansible_ssh_private_key_file=$work/user_rsa" \
    "ansible_ssh_extra_args='-o PubkeyAcceptedAlgorithms=rsa-sha2-256'"
fits "and with one attempt as it is told" strict2

# Certificates of users and hosts.
ssh-keygen -q -t ed25519 -N '' -f "$work/ca"
cp "$HOME/.ssh/id_ed25519" "$work/certified"
cp "$HOME/.ssh/id_ed25519.pub" "$work/certified.pub"
ssh-keygen -q -s "$work/ca" -I me -n root "$work/certified.pub"
cp "$work/host_ecdsa" "$work/host_cert"
cp "$work/host_ecdsa.pub" "$work/host_cert.pub"
ssh-keygen -q -s "$work/ca" -h -I host -n 127.0.0.1 "$work/host_cert.pub"
authority="$(printf '%s\n' "TrustedUserCAKeys $work/ca.pub" 'AuthorizedKeysFile none' \
    "HostKey $work/host_cert" "HostCertificate $work/host_cert-cert.pub")"
serve ca "$authority" "ansible_ssh_private_key_file=$work/certified"
fits "a certificate of the user" ca
check "and it was the certificate" told ca 'Accepted publickey.*CA ED25519'
add nocert "$port" "ansible_ssh_private_key_file=$work/user_rsa"
unfit "a key without a certificate" nocert 'no way to log in'
printf '@cert-authority * %s\n' "$(cat "$work/ca.pub")" >"$work/known_ca"
add hostca "$port" "ansible_ssh_private_key_file=$work/certified" \
    "ansible_ssh_common_args='-o UserKnownHostsFile=$work/known_ca -o StrictHostKeyChecking=yes'"
unfit "a host that is known by its authority alone" hostca 'an authority is known for it' \
    'known_ca:1' 'ssh -p [0-9]+ 127.0.0.1 cat /etc/ssh/ssh_host_ecdsa_key.pub' \
    "echo '.* ecdsa-sha2-nistp256 AAAA"

# Words and rules of the server.
printf 'Property of the crown.\nNo trespassing.\n' >"$work/words"
serve banner "Banner $work/words"
fits "a banner" banner
ask 60 banner -v -- true
expect "and -v shows it" 0 '' 'host banner: the server says: No trespassing'
serve closed "$(printf '%s\n' "Banner $work/words" 'DenyUsers root')"
unfit "a user who may not log in" closed 'no way to log in' \
    'the server says: Property of the crown' \
    'id_ed25519: the server does not accept the key' 'hint: ssh-copy-id'
serve forced "ForceCommand echo forced; exit 7"
ask 60 forced -- echo mine
expect "a forced command: ours did not run, and that is said" 2 'did not run it: forced'
add forced "$port" platrun_supervise=false
ask 60 forced -- echo mine
expect "and as it is asked for: it runs in place of ours" 2 'exit 7'
check "its output is what comes" grep -q forced <<<"$out"
serve nobody "PubkeyAuthentication no"
unfit "no keys, no password" nobody \
    'no way to log in: the server takes (keyboard-interactive, )?password' \
    'hint: the server takes passwords alone: set ansible_password'
serve full "$(printf '%s\n' 'MaxStartups 1' 'LoginGraceTime 3')"
exec {slot}<>"/dev/tcp/127.0.0.1/$port" # takes the one place
ask 60 full -- echo works
exec {slot}>&-
expect "MaxStartups 1, and somebody is there: it waits for its turn" 0 works
