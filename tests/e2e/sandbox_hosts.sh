#!/usr/bin/env bash
# shellcheck disable=SC2154  # out, err and root are set by lib.sh
# The hosts of the sandbox from outside: commands, what they leave behind, locks, faults, records.
. "$(dirname "$0")/lib.sh"

sim=(-i "$root/inventory/sandbox")

run exec all "${sim[@]}" -- uptime
expect "a command on all hosts" 0 'ok pg-1.sandbox, .*zk-3.sandbox \(8 hosts\)'
check "it says that nothing real is touched" grep -q 'sandbox: nothing real is touched' <<<"$err"

run exec lb-1.sandbox "${sim[@]}" -- mkdir -p /srv/made/here
expect "a change" 0 'ok lb-1.sandbox'
run exec lb-1.sandbox "${sim[@]}" -- ls /srv/made
expect "is there in the next process" 0 '^  here$'
run exec lb-2.sandbox "${sim[@]}" -- ls /srv/made
expect "on that host alone" 2 "ls: cannot access '/srv/made': No such file or directory"
run exec zookeeper "${sim[@]}" -- systemctl stop zookeeper
expect "services stop" 0 'zk-1.sandbox, zk-2.sandbox, zk-3.sandbox'
run exec zk-2.sandbox "${sim[@]}" -- systemctl is-active zookeeper
expect "and stay stopped" 2 'inactive'

run exec lb-1.sandbox "${sim[@]}" -- pg_ctl promote
expect "what no rule knows fails" 2 'no simulated host knows this command'
check "with the line that adds it" grep -qF 'rules = { { { "pg_ctl", "promote" }' <<<"$out$err"
run exec lb-1.sandbox "${sim[@]}" --shell -- 'ls /srv | wc -l'
expect "there is no shell" 2 'a simulated host has no shell'

# A process that is killed loses nothing that it has answered.
snapshot=$XDG_STATE_HOME/platrun/sandbox/snapshot.json
cp "$snapshot" "$work/before.json"
run exec lb-1.sandbox "${sim[@]}" -- touch /srv/made/later
cp "$work/before.json" "$snapshot" # as if nothing had been saved behind the log
run exec lb-1.sandbox "${sim[@]}" -- ls /srv/made
expect "the log is replayed" 0 '^  later$'

cat >"$work/lock.lua" <<'EOT2'
local M = { summary = "Hold a lock on a host", risk = "safe" }
function M.run(run)
  local host = run:hosts("lb-1.sandbox")[1]
  run:lock("db", { on = host })
  run:step("work", function()
    host:run({ "touch", "/srv/worked" })
  end)
end
return M
EOT2
run "$work/lock.lua" "${sim[@]}"
expect "a lock on a simulated host" 0 'changed +step +work'
run locks "${sim[@]}" --host lb-1.sandbox
expect "is given back" 0 'no locks'
run "$work/lock.lua" "${sim[@]}" --fault host-down:lb-1.sandbox
check "a host that is down" test "$status" -ne 0
check "is named with its cause" grep -q 'lb-1.sandbox.*no route to host' <<<"$out$err"
run "$work/lock.lua" "${sim[@]}" --fault host-down:nobody
expect "a fault of no host" 64
check "is refused" grep -q 'no host "nobody" is simulated' <<<"$err"

run sim record "${sim[@]}" --hosts zk-2.sandbox -o "$work/fixture.json"
expect "a record" 0 'objects and 1 hosts in'
run sandbox reset
run sandbox reset --load "$work/fixture.json"
expect "a sandbox of it" 0 'a new sandbox'
run exec zk-2.sandbox "${sim[@]}" -- systemctl is-active zookeeper
expect "is as it was" 2 'inactive'
run sim record "${sim[@]}"
expect "a record goes to a file" 64
check "which is named" grep -q 'where shall it be written' <<<"$err"

done_testing
