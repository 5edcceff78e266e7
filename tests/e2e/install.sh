#!/usr/bin/env bash
# make install: all that a machine without the source tree needs, and nothing outside DESTDIR.
. "$(dirname "$0")/lib.sh"

check "make install" make -s --no-print-directory install DESTDIR="$work/root" PREFIX=/usr
platrun=$work/root/usr/bin/platrun
cd "$work" || exit 1

run version
expect "the installed binary runs without the source tree" 0 '^platrun '
data=$work/root/usr/share/platrun
check "the playbooks are installed" test -s "$data/playbooks/scale-dremio.lua"
check "the sandbox inventory is installed" test -d "$data/inventory/sandbox"
check "the license is installed" test -s "$work/root/usr/share/doc/platrun/LICENSE"
run "$data/playbooks/scale-dremio.lua" executors=4
expect "an installed playbook runs on the sandbox" 0 'failed=0' 'nothing real is touched'
run doc plat.k8s
expect "the documentation is inside the binary" 0 'plat\.k8s'
check "nothing else was written" test "$(ls "$work/root")" = usr

done_testing
