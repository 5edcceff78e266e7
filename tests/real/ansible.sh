# shellcheck shell=bash
# Sourced by tests that ask Ansible: makes $venv with ansible-core from PyPI, once, in
# ${XDG_CACHE_HOME:-~/.cache}/platrun-test/ansible-VERSION.  tests/lib.sh is sourced before.
version=2.18.19
cache=${XDG_CACHE_HOME:-$HOME/.cache}/platrun-test
venv=$cache/ansible-$version

need python3 python3
mkdir -p "$cache"
exec 9>"$cache/ansible.lock"
flock 9
if [ ! -e "$venv/complete" ]; then
    rm -rf "$venv"
    if ! python3 -m venv "$venv" >"$cache/ansible.log" 2>&1; then
        missing "no venv for ansible-core: apt-get install python3-venv"
    fi
    if ! "$venv/bin/pip" install -q "ansible-core==$version" >"$cache/ansible.log" 2>&1; then
        missing "pip cannot install ansible-core $version: $(tail -n 1 "$cache/ansible.log")"
    fi
    touch "$venv/complete"
fi
flock -u 9
export ANSIBLE_LOCALHOST_WARNING=false
unset ANSIBLE_VAULT_PASSWORD_FILE ANSIBLE_VAULT_IDENTITY_LIST ANSIBLE_CONFIG
