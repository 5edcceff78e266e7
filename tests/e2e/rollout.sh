#!/usr/bin/env bash
# shellcheck disable=SC2154  # out, err, status and platrun are set by lib.sh
# Rollouts on the sandbox: plans, stops, undo, kill -9 in the middle of a batch and resume.
. "$(dirname "$0")/lib.sh"

sandbox=$XDG_STATE_HOME/platrun/sandbox
play=$work/rollout.lua
cp "$root/platrun.conf" "$work/"
ln -s "$root/inventory" "$work/inventory"

# Each target gets a ConfigMap; how long that takes and what goes wrong is said by arguments.
cat >"$play" <<'EOT'
local k8s = require("plat.k8s")
local task = require("plat.task")

local M = {
  summary = "Give each target a ConfigMap",
  risk = "disruptive",
  args = {
    batches = { type = "string", default = "1,2" },
    bad = { type = "string", default = "", help = "this target fails" },
    shut = { type = "integer", default = 0, help = "the gate after this batch stays shut" },
    breach = { type = "duration", default = 0, help = "the invariant breaks after so long" },
    takes = { type = "duration", default = "10s" },
    limit = { type = "integer", default = 9 },
    budget = { type = "integer", default = 0 },
    undo = { type = "string", default = "batch" },
  },
  undo = {},
}

function M.undo.remove(run, saved)
  local cluster = run:cluster()
  k8s.connect(cluster.kubernetes):delete("configmap", cluster.namespace, saved.name)
end

function M.run(run, args)
  local cluster = run:cluster()
  local api = k8s.connect(cluster.kubernetes)
  local began = require("plat.time").now()
  local function mended()
    return api:find("configmap", cluster.namespace, "mended") ~= nil
  end
  local function make(name)
    local meta = { name = name, namespace = cluster.namespace }
    api:create({ apiVersion = "v1", kind = "ConfigMap", metadata = meta })
  end
  run:rollout({
    title = "roll",
    targets = { "n1", "n2", "n3", "n4", "n5", "n6" },
    batches = args.batches,
    last = "n1",
    before_last = function(name)
      make("roll-before-" .. name)
    end,
    budget = { batch = args.budget },
    limit = args.limit,
    undo = args.undo,
    invariant = {
      name = "errors below 2 %",
      check = function()
        local over = args.breach > 0 and require("plat.time").now() - began >= args.breach
        return not over, "5.1 %"
      end,
    },
    within = "1m",
    gate = function(batch)
      return batch.number ~= args.shut or mended(), "2 of 3 ready"
    end,
    work = function(name, step)
      step:undo("remove", { name = "roll-" .. name })
      make("roll-" .. name)
      task.sleep(args.takes)
      run:must(name ~= args.bad or mended(), name .. " did not come back")
    end,
  })
  run:prove("it is there", { readings = 1 }, function()
    return true
  end)
end

return M
EOT

# Mends what is bad: a ConfigMap that the playbook looks for.
cat >"$work/mend.lua" <<'EOT'
return {
  summary = "Mend it",
  risk = "safe",
  run = function(run)
    local cluster = run:cluster()
    run:step("mend", function()
      require("plat.k8s").connect(cluster.kubernetes):create({
        apiVersion = "v1",
        kind = "ConfigMap",
        metadata = { name = "mended", namespace = cluster.namespace },
      })
    end)
  end,
}
EOT

reset() { # and forgets the runs: the newest of one second is anybody's
    rm -rf "$XDG_STATE_HOME/platrun/runs"
    "$platrun" sandbox reset >/dev/null
}
made() { # NAME: how often its ConfigMap was created
    grep -cE "roll-$1.\".*\"method\":\"POST\"" "$sandbox/world.log"
}
removed() { # NAME: how often it was removed
    grep -cE "\"method\":\"DELETE\".*/configmaps/roll-$1\"" "$sandbox/world.log"
}
there() { # the ConfigMaps that are there, by what the log says
    local names=''
    for name in n1 n2 n3 n4 n5 n6; do
        [ "$(made $name)" -gt "$(removed $name)" ] && names+=" $name"
    done
    echo "${names# }"
}
reset
run plan "$play"
expect "a plan lists batches and targets" 0 'step  roll: batch 2 of 4 \(2 targets\)'
check "the invariant is what would be watched" \
    grep -qE 'watch errors below 2 % \(beside each batch, every 5s\)' <<<"$out"
check "the gates are what would be proved" \
    test "$(grep -c 'prove roll: gate after batch' <<<"$out")" -eq 4
check "the changes are those of all targets and of the hook" \
    grep -q 'plan: 7 to change (7 will' <<<"$out"
check "the leader is last" \
    grep -q '6 targets in 4 batches: 1, 2, 2, 1; n1 goes last' <<<"$out"

run "$play"
expect "all batches" 0 'ok +prove +  roll: gate after batch 4 of 4'
check "each target once" test "$(made 'n[1-6]')" -eq 6
last=$(grep -oE 'before n1|roll n[0-9]' <<<"$out" | tail -2 | paste -sd,)
check "the leader after its hook" test "$last" = "before n1,roll n1"


reset
run "$play" bad=n4 # n4 and its neighbour n3
expect "a failing target stops it" 2 '' \
    '^failed: .*rollout "roll": 1 of 2 failed in batch 2 of 4, none allowed: n4'
check "it says who is done" grep -q '| done: n2$' <<<"$err"
check "who is not begun" grep -q '| not begun: n5, n6, n1$' <<<"$err"
check "and what to do" grep -q '^hint: mend it, then: platrun resume ' <<<"$err"
check "its batch is undone, the one before stays" test "$(there)" = n2
run resume
expect "resumed, it fails again" 2 '' '1 of 2 failed in batch 2 of 4'
check "nothing is left of it" test "$(there)" = n2
check "the first batch was not touched" test "$(made n2)" -eq 1

id=$(grep -oE 'platrun resume [^ ]+' "$work/err" | tail -1 | cut -d' ' -f3)
run "$work/mend.lua"
run resume "$id"
expect "mended and resumed" 0 'roll n4 \(attempt 3\)'
check "all are there" test "$(there)" = "n1 n2 n3 n4 n5 n6"
check "the first batch was not touched" test "$(made n2)" -eq 1
check "the undone batch was done once an attempt" test "$(made n3)$(removed n3)" = 32

reset
run "$play" bad=n4 undo=none
expect "undo=none" 2 '' '1 of 2 failed in batch 2 of 4'
check "all stays" test "$(there)" = "n2 n3 n4"
id=$(grep -oE 'platrun resume [^ ]+' "$work/err" | tail -1 | cut -d' ' -f3)
run "$work/mend.lua"
run resume "$id"
expect "mended and resumed" 0
check "each was created once" test "$(made 'n[1-6]')" -eq 6

reset
run "$play" bad=n4 undo=all
expect "undo=all" 8 '' '1 of 2 failed in batch 2 of 4'
check "nothing stays" test "$(there)" = ""
check "it cannot be resumed, and does not say so" grep -q '^hint: mend it, then run the playbook' \
    <<<"$err"

reset
run "$play" bad=n4 budget=1
expect "a failure inside the budget" 0 'roll: 5 done, 1 failed: n4'
check "it alone is undone" test "$(there)" = "n1 n2 n3 n5 n6"

reset
run "$play" shut=2
expect "a gate that stays shut" 2 '' 'the gate after batch 2 of 4 stays shut: .*2 of 3 ready'
check "its batch is undone" test "$(there)" = n2

reset
run "$play" takes=1h breach=90m
expect "a broken invariant" 2 '' \
    'rollout "roll": the invariant "errors below 2 %" is broken: 5.1 % \(in batch 2 of 4\)'
check "within one reading of sandbox time" grep -qE ' in 1h30m' <<<"$out"
check "the batch is undone" test "$(there)" = n2
reset
run "$play" takes=1h breach=90m -o jsonl
check "machines are told the reason" \
    jq -se '.[-1] | .exit == 2 and .fault.reason == "invariant"' "$work/out"

# Killed in the middle of a batch: n3 is done, n4 has begun.
interrupt() { # SIGNAL ARGUMENTS...
    local signal=$1
    shift
    reset
    "$platrun" "$play" batches=1,3 limit=1 --sandbox-speed 20 "$@" >"$work/first" 2>&1 &
    pid=$!
    wait_until 20 grep -q 'roll-n4' "$sandbox/world.log"
    kill "-$signal" $pid
    wait $pid 2>/dev/null
    status=$?
    out=$(cat "$work/first")
}
interrupt KILL takes=20s
check "killed" test $status -eq 137
check "three were begun" test "$(there)" = "n2 n3 n4"
run resume
expect "resumed" 0 'roll: batch 3 of 4'
check "it ends as if nothing had happened" test "$(there)" = "n1 n2 n3 n4 n5 n6"
for name in n1 n2 n3 n4 n5 n6; do
    check "$name was created once" test "$(made $name)" -eq 1
done
check "the hook ran once" test "$(made before-n1)" -eq 1
check "nothing was removed" test "$(removed 'n.')" -eq 0

# What fails after the resume undoes the batch, with what the killed process did in it.
interrupt KILL takes=20s bad=n5
run resume
expect "resumed, and then it fails" 2 '' '1 of 3 failed in batch 2 of 4, none allowed: n5'
check "the whole batch is undone" test "$(there)" = n2
check "each once" test "$(removed n3)$(removed n4)$(removed n5)" = 111

interrupt TERM takes=20s
expect "SIGTERM: its exit status" 143 \
    'roll: interrupted in batch 2 of 4: done: n2, n3; interrupted: n4;'
check "the batch that ran is undone" test "$(there)" = n2

# The example: no executor is restarted twice, and the next batch waits for the gate.
deletions() {
    grep -c '"method":"DELETE".*pods/dremio-executor-' "$sandbox/world.log"
}
reset
"$platrun" examples/rollout.lua --sandbox-speed 20 >"$work/first" 2>&1 &
pid=$!
wait_until 20 grep -q '"method":"DELETE"' "$sandbox/world.log"
sleep 0.5
kill -9 $pid
wait $pid 2>/dev/null
run resume
expect "the example, killed and resumed" 0 'gate after batch 2 of 2'
check "each executor was restarted once" test "$(deletions)" -eq 3
run examples/rollout.lua older=1d
expect "those that are young stay" 0 'restart: nothing to roll out'
run examples/rollout.lua drain=10m --fault query:60
expect "a query that outlives the drain stops it" 2 '' '\| not begun: dremio-executor-'
check "and nothing was restarted" test "$(deletions)" -eq 3

done_testing
