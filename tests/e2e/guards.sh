#!/usr/bin/env bash
# shellcheck disable=SC2154  # out, err and work are set by lib.sh
# Guards end to end: small playbooks on the sandbox that are refused with 6, told why and what to
# do, and let pass; what an inventory demands of every playbook.
. "$(dirname "$0")/lib.sh"

# playbook NAME RISK < BODY: a playbook whose `run` is the body; it sees guard, k8s and api.
playbook() {
    {
        printf 'local guard = require("plat.guard")\nlocal k8s = require("plat.k8s")\n'
        printf 'local M = { summary = "Test %s", risk = "%s" }\n' "$1" "$2"
        printf 'function M.run(run)\nlocal cluster = run:cluster()\n'
        printf 'local api = k8s.connect(cluster.kubernetes)\nlocal ns = cluster.namespace\n'
        printf 'local web = api:deployment(ns, "superset-web")\n'
        cat
        printf 'end\nreturn M\n'
    } >"$work/$1.lua"
}
# play NAME FLAGS...: on a Monday evening of the sandbox, an hour later each time.
hour=0
play() {
    hour=$((hour + 1))
    local name=$1 now
    shift
    now=$(date -u -d "2026-11-23 18:00 UTC + $hours hours + $hour minutes" +%Y-%m-%dT%H:%M:%SZ)
    run "$work/$name.lua" --sandbox-time "$now" "$@"
}
hours=0

# refused TITLE REASON [HINT]: the last run was refused with 6 before any change, in these words.
refused() {
    expect "$1" 6 'changed=0' "^failed: guard \"[a-z-]+\": $2"
    if [ -n "${3-}" ]; then
        check "$1: the hint" grep -qE "^hint: .*$3" <<<"$err"
    fi
}

playbook quorum safe <<'E2'
  run:guard(guard.quorum({ leaving = 1, members = function()
    local members = {}
    for _, pod in ipairs(api:list("pods", ns)) do
      if pod.metadata.name:find("^zookeeper%-") or #members < 3 then
        local name = pod.metadata.name
        members[#members + 1] = { name = name, healthy = #members ~= 1 }
      end
    end
    return members
  end }))
E2
play quorum
refused "quorum" '[0-9]+ of [0-9]+ voters would be healthy, a majority is [0-9]+ \(down already: ' \
    'bring back first'
play quorum --override quorum --reason "ticket 12"
expect "an override lets pass and is told" 0 'skipping guard quorum: overridden: .*\(ticket 12\)'
play quorum --override quorom --reason x
refused "an override of another name does not" '[0-9]+ of'

playbook backup safe <<'E2'
  run:guard(guard.backup_age({ max = "26h", newest = function() return os.time() - 93700 end }))
E2
play backup
refused "backup age" 'the newest good backup is 26h02m old, at most 26h is allowed' 'make a new one'

playbook disk safe <<'E2'
  run:guard(guard.disk({ growth = "10Gi", read = function()
    return { { path = "/var/lib/data", size = 100 << 30, free = 25 << 30 } }
  end }))
E2
play disk
refused "disk" '/var/lib/data: 15 GiB of 100 GiB would be free \(15 %\), 20 % is needed' 'make room'

playbook drain disruptive <<'E2'
  local names = {}
  for _, node in ipairs(api:list("nodes")) do names[#names + 1] = node.metadata.name end
  run:guard(guard.nodes_ready({ client = api }))
  run:guard("one may go", guard.capacity_after({ client = api, leaving = { names[1] } }))
  names[1] = nil
  table.move(names, 2, #names + 2, 1)
  run:guard(guard.capacity_after({ client = api, leaving = names }))
E2
play drain
refused "capacity after" '[0-9]+ of [0-9]+ pods find no room on the 1 node that stay: ' 'add a node'
check "what holds is told too" grep -qE '^[^ ]+ ok +guard one may go' <<<"$out"

playbook clock safe <<'E2'
  run:guard(guard.clock_skew({ read = function()
    return { { name = "db-1", time = os.time() }, { name = "db-2", time = os.time() - 90 } }
  end }))
E2
play clock
refused "clock skew" 'the clock of db-2 is 1m3[01]s behind ours, at most 1s is allowed' 'chronyc'

playbook upgrade safe <<'E2'
  run:guard(guard.version_pair({ from = "10.4.1", to = "12.1", what = "Superset",
    allowed = { "10.x -> 11.x", "11.4.x -> 12.x" } }))
E2
play upgrade
refused "version pair" 'no rule allows 10.4.1 -> 12.1' \
    'go to 11.4.x first: 10.4.1 -> 11.4.x -> 12.1'

playbook work safe <<'E2'
  run:guard(guard.no_running_work({ what = "syncs", read = function()
    return { { name = "orders", kind = "incremental", since = os.time() - 720 } }
  end }))
E2
play work
refused "running work" 'syncs are running: orders \(incremental\) for 12m' 'wait until they end'

playbook blast safe <<'E2'
  run:guard(guard.blast_radius({ hosts = { touched = { "a", "b" }, all = 4, max = "25%" } }))
E2
play blast
refused "blast radius" '2 of 4 hosts would be touched, at most 1 \(25 %\) may be' 'review'

playbook unreadable safe <<'E2'
  run:guard(guard.disk({ read = function() error("df printed nonsense") end }))
E2
play unreadable
result "a reading that fails refuses" "$([ "$status" -ne 0 ] || echo passed)"
check "and says so" grep -q 'it could not be evaluated' <<<"$err"

playbook misspelt safe <<'E2'
  run:guard(guard.disk({ reed = function() end }))
E2
play misspelt
expect "a wrong option names itself and its line" 64 '' \
    'guard.disk: unknown option "reed" \(did you mean "read"\?\) \(.*misspelt.lua:9\)'

playbook limited safe <<'E2'
E2
sed -i 's/risk = "safe" }/risk = "safe", limits = { host = 3 } }/' "$work/limited.lua"
play limited
expect "a wrong limit of a playbook too" 1 '' \
    'limited.lua:3: field "limits": unknown limit "host" \(did you mean "hosts"\?\)'

# ---- what an inventory demands ----

cat >"$work/inv.yaml" <<'E2'
platrun:
  sandbox: true
  environment: rehearsal
  protected: true
  change_window:
    tz: Europe/Berlin
    needs: 45m
    nights: {days: mon-fri, from: "22:00", to: "04:00"}
  freeze:
    - {from: "2026-12-18", to: "2027-01-04", reason: year end}
  clusters:
    sandbox:
      kubernetes: {server: "https://kubernetes.sandbox"}
      namespace: data-platform
E2
for risk in safe disruptive destructive; do
    playbook "is-$risk" "$risk" <<'E2'
  run:step("scale", function() web:scale(3) end)
E2
done
inv=(-i "$work/inv.yaml" --yes)
play is-destructive "${inv[@]}"
refused "destructive outside the window" \
    'it is Mon 2026-11-23 19:[0-9]+ CET: outside the change window' \
    'the next window of at least 45m begins Mon 2026-11-23 22:00 CET \(in 2h[0-9]+m\)'
play is-safe "${inv[@]}" --check
expect "safe passes" 0 'will '
play is-disruptive "${inv[@]}" --check
expect "disruptive passes in the same hour" 0 'will '
play is-destructive "${inv[@]}" --check
expect "a plan lists the guard" 0 'guard change-window: would refuse now: it is Mon'
hours=720
play is-disruptive "${inv[@]}"
refused "the freeze holds for disruptive too" \
    'changes are frozen until Tue 2027-01-05 00:00 CET: year end' 'override "change-window"'
play is-safe "${inv[@]}" --check
expect "and not for safe" 0 'will '

# Nobody is at the terminal: what is not answered beforehand is refused.
hours=3
inv=(-i "$work/inv.yaml")
play is-disruptive "${inv[@]}"
expect "protected: disruptive asks" 6 'changed=0' \
    '^failed: confirm "Test is-disruptive \(disruptive\) on rehearsal"'
play is-disruptive "${inv[@]}" -y
expect "-y answers" 0 'changed=1'
play is-destructive "${inv[@]}" -y
expect "-y does not cover what is destructive" 6 'changed=0' '^hint: --yes-destructive'
play is-destructive "${inv[@]}" --yes-destructive
expect "inside the window it goes" 0 'ok +guard change-window'
sed '/change_window/,/nights/d' "$work/inv.yaml" >"$work/none.yaml"
play is-destructive -i "$work/none.yaml" --yes-destructive
refused "without a window nothing destructive" \
    'rehearsal is protected and declares no change window for what is destructive' 'change_window'
play is-destructive -i "$work/none.yaml" --yes-destructive \
    --override protected --reason "incident 7"
expect "but for an override" 0 'skipping guard protected: overridden: .*\(incident 7\)'

sed 's/^    needs: 45m/    need: 45m/' "$work/inv.yaml" >"$work/bad.yaml"
play is-safe -i "$work/bad.yaml"
expect "a wrong key in the inventory" 1 '' \
    'bad.yaml:7: change_window: unknown key "need" \(did you mean "needs"\?\)'

# The limits of a playbook hold a run to them, before the change that would pass one.
playbook deleting safe <<'EOT'
for _, name in ipairs({ "a", "b", "c" }) do
  run:step("make and delete " .. name, function()
    local meta = { name = name, namespace = ns }
    api:create({ apiVersion = "v1", kind = "ConfigMap", metadata = meta })
    api:delete("configmap", ns, name)
  end)
end
EOT
sed -i 's/risk = "safe" }/risk = "safe", limits = { deletions = 2 } }/' "$work/deleting.lua"
"$platrun" sandbox reset --sandbox-time 2026-11-23T18:00:00Z >/dev/null
play deleting --check
expect "a plan shows that it would pass a limit" 6 '' 'object 3 that is deleted'
play deleting
expect "the third deletion is refused" 2 '' 'object 3 that is deleted, at most 2'
run resume --override blast-radius --reason "ticket 7"
expect "or a resume overrides it, with a reason" 0 'blast-radius: overridden: .*ticket 7'

done_testing
