#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154  # out, err, status and platrun belong to lib.sh
# run:lock between processes: at the same time, after kill -9, on resume, broken by a person.
# Against `platrun sandbox serve`, or against a real API server:
#   LOCKS_KUBECONFIG=FILE LOCKS_NAMESPACE=NAME   may write leases and config maps there
. "$(dirname "$0")/lib.sh"

lock=job-$$ hold=$work/hold play=$work/play.lua inventory=$work/inventory.yml
config=${LOCKS_KUBECONFIG-$work/kubeconfig} namespace=${LOCKS_NAMESPACE-default}

cat >"$inventory" <<YAML
platrun:
  environment: development
  clusters:
    served:
      kubernetes: {kubeconfig: "$config"}
      namespace: $namespace
YAML
cat >"$play" <<LUA
local fs = require("plat.fs")
local k8s = require("plat.k8s")
local time = require("plat.time")
local M = {
  summary = "Change something under a lock",
  risk = "disruptive",
  args = {
    duration = { type = "duration", default = "60s" },
    holds = { type = "boolean", default = true },
  },
}
function M.run(run, args)
  local cluster = run:cluster()
  local api = k8s.connect(cluster.kubernetes)
  run:lock("$lock", { duration = args.duration })
  local function set(word)
    api:apply({
      apiVersion = "v1",
      kind = "ConfigMap",
      metadata = { name = "$lock", namespace = cluster.namespace },
      data = { word = word },
    })
  end
  run:step("begin", function() set("begun") end)
  run:step("hold", function()
    while args.holds and fs.exists("$hold") and not run.planning do time.sleep(0.05) end
  end)
  run:step("end", function() set("ended") end)
end
return M
LUA

if [ -z "${LOCKS_KUBECONFIG-}" ]; then
    XDG_STATE_HOME=$work/served "$platrun" sandbox serve --kubeconfig "$config" \
        >"$work/serve" 2>&1 &
    server=$!
    trap 'kill $server; wait $server; rm -rf "$work"' EXIT
    wait_until 20 grep -qs '^kubectl' "$work/serve" || exit 1
fi

# machine NAME: what follows runs as on a machine of its own, with files of its own.
machine() {
    export XDG_STATE_HOME=$work/$1
}
play() {
    run "$play" -i "$inventory" --yes "$@"
}
# begin NAME: in the background, until the lock is taken; sets $pid.
begin() {
    machine "$1"
    shift
    touch "$hold"
    : >"$work/first"
    "$platrun" "$play" -i "$inventory" --yes "$@" >"$work/first" 2>&1 </dev/null &
    pid=$!
    wait_until 10 grep -q ' step  begin' "$work/first"
}
finish() {
    rm -f "$hold"
    wait "$pid"
    status=$?
    out=$(cat "$work/first") err=
}
now() { # in milliseconds
    echo $(($(date +%s%N) / 1000000))
}
field() { # NAME: of the lease, as `platrun locks` shows it
    "$platrun" locks -i "$inventory" --all --json 2>/dev/null |
        jq -r --arg lock "$lock" '.locks[] | select(.name == $lock and .kind == "kubernetes")'".$1"
}

# Held: who, where, since when; at once.
begin here
machine elsewhere
from=$(now)
play
took=$(($(now) - from))
holder="held by run [0-9a-z-]+ on $(hostname) by $(id -un) \(play\), since .* \([0-9]+s ago\)"
expect "somebody else is refused" 75 '' "$holder"
check "in under a second ($took ms)" test "$took" -lt 1000
check "and is told what to do" grep -q "^hint: .*platrun locks break .*$lock" <<<"$err"
machine here
play
expect "on the same machine, too, with the pid" 75 '' "held on this machine by .* pid $pid "
machine elsewhere
run "$play" -i "$inventory" --check
expect "a plan says who has it" 0 "lock +$lock would be refused or wait: $holder"
run locks -i "$inventory"
expect "platrun locks shows it" 0 \
    "${holder#held by }, renewed .*; ends in [0-9.]+[sm] unless renewed"
check "as JSON, too" test "$(field state)" = held
check "its holder is host and run" test "$(field holder)" = "$(hostname):$(field run)"
machine here
run locks -i "$inventory"
expect "and the file of this machine" 0 "^$lock +held +this machine"
run locks break "$lock" -i "$inventory" --reason "no reason" -y
expect "the lock of a living process is not broken" 75 '' "lives: .*pid $pid "
finish
expect "the first one ends well" 0 \
    " lock  $lock \(lease $namespace/platrun-$lock on cluster served\)"
check "and gives the lock back" test "$(field state)" = free
run locks -i "$inventory"
check "a free lease is no lock to show" test "$(grep -c "$lock" <<<"$out")" -eq 0

# Two at the same time, each on a machine of its own.
refused=0 slow=0
for round in 1 2 3 4 5; do
    touch "$hold"
    for one in a b; do
        machine "$one"
        {
            from=$(now)
            "$platrun" "$play" -i "$inventory" --yes >"$work/out.$one" 2>&1 </dev/null
            echo "$? $(($(now) - from))" >"$work/end.$one"
        } &
        eval "pid_$one=\$!"
    done
    wait_until 10 test -s "$work/end.a" -o -s "$work/end.b"
    ended=$(cat "$work"/end.[ab])
    rm -f "$hold"
    wait "$pid_a" "$pid_b"
    both=$(cut -d' ' -f1 "$work"/end.[ab] | sort -n | tr '\n' ' ')
    [ "$both" = "0 75 " ] && [ "${ended%% *}" = 75 ] && refused=$((refused + 1))
    [ "${ended##* }" -lt 1000 ] || slow=$((slow + 1))
    rm -f "$work"/end.[ab]
done
check "of two in the same second one works and one exits 75 ($refused of 5)" test "$refused" -eq 5
check "in under a second each time" test "$slow" -eq 0

# The holder is killed: others wait for the lease's time, its own resume does not.
begin dead duration=3s
kill -9 "$pid"
finish 2>/dev/null
killed=$(now)
machine elsewhere
play
expect "a lease outlives its holder" 75 '' "held by run .*; it ends in [0-3]"
play --lock-timeout 20s
took=$(($(now) - killed))
expect "it is taken over" 0 "$lock .*, taken over from a run that is gone"
check "after its time and not before ($took ms)" test "$took" -ge 2900 -a "$took" -lt 8000

begin dead
kill -9 "$pid"
finish 2>/dev/null
machine dead
id=$("$platrun" locks -i "$inventory" --json 2>/dev/null |
    jq -r '.locks[] | select(.kind == "kubernetes").run')
from=$(now)
run resume "$id"
took=$(($(now) - from))
expect "its own resume takes it back" 0 " lock  $lock .*, taken back"
check "at once ($took ms)" test "$took" -lt 3000
check "and gives it back" test "$(field state)" = free

# Broken by a person: the holder notices when it renews, every third of the duration.
begin victim duration=6s
machine elsewhere
run locks break "$lock" -i "$inventory"
expect "a reason is wanted" 64 '' 'and why'
run locks break "$lock" -i "$inventory" --reason "it hangs"
expect "without a terminal it does not go without -y" 64 '' 'say -y'
check "nothing is broken" test "$(field state)" = held
run locks break "${lock}x" -i "$inventory" --reason "it hangs" -y
expect "a lock that is not there" 64 '' "did you mean \"$lock\""
run locks break "$lock" -i "$inventory" --reason "it hangs" -y
expect "a lock is broken" 0 "^broken: $lock" 'it is not expired'
check "the reason is kept" grep -q '"kind":"kubernetes".*"reason":"it hangs"' \
    "$XDG_STATE_HOME/platrun/locks.log"
play holds=false
expect "somebody else has it now" 0
sleep 2.5
finish
check "the victim changes nothing more" test "$status" -ne 0
check "and says who broke it, and why" grep -qE 'the lock is lost: .*broken by .*: it hangs' \
    <<<"$out"

# What a dead process left on this machine.
begin crash
kill -9 "$pid"
finish 2>/dev/null
machine crash
run locks
expect "a file that a dead process left" 0 "^$lock +stale"
run locks break "$lock" -i "$inventory" --reason "it crashed" -y
expect "is removed with the lease" 0 "^broken: $lock, this machine"
check "nobody holds it" test "$(field state)" = free
play
expect "and the way is free" 0

# In the sandbox: a lease of its world, renewed when it is due, on a clock that jumps.
machine sandboxed
cat >"$work/long.lua" <<LUA
local k8s = require("plat.k8s")
local time = require("plat.time")
return {
  summary = "Change something, a day later something else",
  risk = "disruptive",
  run = function(run)
    local cluster = run:cluster()
    local api = k8s.connect(cluster.kubernetes)
    run:lock("long")
    for _, word in ipairs({ "one", "two" }) do
      run:step(word, function()
        api:apply({
          apiVersion = "v1",
          kind = "ConfigMap",
          metadata = { name = "long", namespace = cluster.namespace },
          data = { word = word },
        })
        time.sleep(86400)
      end)
    end
  end,
}
LUA
run "$work/long.lua" -i "$root/inventory/sandbox"
expect "a lock of the sandbox outlives a day without a change" 0 'changed=2 .* in 2d'
check "it was taken, renewed and given back" test \
    "$(grep -c '"method":"P[A-Z]*".*/leases' "$XDG_STATE_HOME/platrun/sandbox/world.log")" -eq 3
check "no file of this machine is made" test ! -e "$XDG_STATE_HOME/platrun/locks"
for i in 1 2; do
    "$platrun" sandbox reset --sandbox-time 2036-01-01T00:00:00Z >/dev/null
    run "$work/long.lua" -i "$root/inventory/sandbox" --sandbox-time 2036-01-01T00:00:00Z
    cp "$XDG_STATE_HOME/platrun/sandbox/world.log" "$work/world.$i"
done
check "the same seed, the same leases" cmp "$work/world.1" "$work/world.2"

# Killed in the sandbox: its resume takes the lease back, another run waits for its time.
machine killed
"$platrun" "$work/long.lua" -i "$root/inventory/sandbox" --sandbox-speed 1 >"$work/first" 2>&1 &
pid=$!
wait_until 10 grep -qs '"state":"taken"' "$XDG_STATE_HOME"/platrun/runs/*/journal.jsonl
kill -9 "$pid"
wait "$pid" 2>/dev/null
run "$work/long.lua" -i "$root/inventory/sandbox"
expect "another run is refused in the sandbox, too" 75 '' 'held by run long-.* on sandbox by'
run resume "$("$platrun" runs --status unfinished -n 1 -o json | jq -r '.runs[0].id')"
expect "the killed one takes its lease back" 0 ' lock  long .*, taken back'

done_testing
