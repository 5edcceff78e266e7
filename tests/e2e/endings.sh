#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154,SC2317  # out, err, status and platrun belong to lib.sh
# How runs end: exit status, undo as declared, and the story that `platrun runs show` tells.
. "$(dirname "$0")/lib.sh"

play=$work/play.lua
cp "$root/platrun.conf" "$work/"
ln -s "$root/inventory" "$work/inventory"
cat >"$play" <<'EOT'
local k8s = require("plat.k8s")
local task = require("plat.task")

local M = {
  summary = "Set a ConfigMap, then end in one way or another",
  risk = "disruptive",
  args = {
    how = { type = "string", required = true },
    undoing = { type = "string", default = "" },
  },
  undo_within = "2m",
}

local function open(run)
  local cluster = run:cluster()
  return k8s.connect(cluster.kubernetes), cluster.namespace
end

M.undo = {
  remove = function(run, saved)
    local api, ns = open(run)
    if saved.fails then
      error("the undo fails")
    end
    api:delete("configmap", ns, saved.name)
  end,
}

local HOW = {}

function HOW.wait()
  task.sleep(3600)
end

function HOW.guard(run)
  run:guard("late", function()
    return false, "it does not hold"
  end)
end

function HOW.fail()
  error("this went wrong")
end

function HOW.approve(run)
  run:approve("go on", { text = "shall it go on?" })
end

function HOW.fine() end

function M.evidence(_, err)
  return "seen when it failed: " .. err.msg
end

function M.run(run, args)
  local api, ns = open(run)
  if args.how == "early" then
    HOW.guard(run)
  end
  run:step("make it", function(step)
    step:undo("remove", { name = "made", fails = args.undoing == "fails" })
    local meta = { name = "made", namespace = ns }
    api:create({ apiVersion = "v1", kind = "ConfigMap", metadata = meta })
  end)
  run:step("then", function()
    HOW[args.how](run)
  end)
end

return M
EOT

made() { # how often the ConfigMap is there
    grep -c '"name":"made"' "$XDG_STATE_HOME/platrun/sandbox/snapshot.json"
}
recorded() { # TEXT: some run has recorded it
    grep -qs "$1" "$XDG_STATE_HOME"/platrun/runs/*/journal.jsonl
}
fresh() {
    "$platrun" sandbox reset >/dev/null
    rm -rf "$XDG_STATE_HOME/platrun/runs"
}
story() { # TITLE PATTERN: the newest run's story has a line with it
    "$platrun" runs show >"$work/out" 2>"$work/err" </dev/null
    status=$? out=$(cat "$work/out") err=$(cat "$work/err")
    expect "$1" 0 "$2"
}
signal() { # NAME: sent while the run waits in its second step, in real time
    "$platrun" "$play" how=wait --sandbox-speed 1 >"$work/out" 2>"$work/err" </dev/null &
    local pid=$!
    wait_until 20 recorded '"title":"then"'
    kill "-$1" $pid
    wait $pid
    status=$? out=$(cat "$work/out") err=$(cat "$work/err")
}

fresh
run "$play" how=fine
expect "a run that works" 0 'changed=1'
story "is told as changed" '  changed \(exit 0\)'

fresh
run "$play" how=early
expect "a guard before any change: 6" 6 'changed=0'
story "and its story" 'refused'

fresh
run "$play" how=guard
expect "a guard after a change: what was done is undone" 8 'undone: 1 of 1'
check "nothing is left" test "$(made)" -eq 0
check "the evidence that the playbook gathers is kept" \
    grep -qx 'seen when it failed: it does not hold' \
    "$XDG_STATE_HOME"/platrun/runs/*/log/evidence.txt
check "and the fault" \
    grep -q 'it does not hold' "$XDG_STATE_HOME"/platrun/runs/*/log/failure.txt
story "its story tells of the undo" 'compensated'

fresh
run "$play" how=fail
expect "an error after a change: undone" 8 'undone: 1 of 1' 'this went wrong'
check "nothing is left of it" test "$(made)" -eq 0
story "the story names the error" 'this went wrong'

fresh
run "$play" how=fail undoing=fails
expect "an undo that fails: 9" 9 'the undo failed: ' 'this went wrong'
check "what was made is there" test "$(made)" -gt 0
story "the story says what failed, and what to do" 'platrun resume'

fresh
run "$play" how=wait --deadline 10m
expect "a deadline: 124, and undone" 124 'undone: 1 of 1'
check "nothing is left after the deadline" test "$(made)" -eq 0
story "the story says deadline" 'deadline'

fresh
signal INT
expect "SIGINT: 130, and undone" 130 'undone: 1 of 1' 'SIGINT'
check "nothing is left after SIGINT" test "$(made)" -eq 0
story "the story says cancelled" 'cancelled'

fresh
signal TERM
expect "SIGTERM: 143, and undone" 143 'undone: 1 of 1' 'SIGTERM'
check "nothing is left after SIGTERM" test "$(made)" -eq 0

fresh
run "$play" how=approve
expect "an approval is waited for: 3, nothing is undone" 3 '' 'platrun approve'
check "it stays" test "$(made)" -gt 0
run reject last --reason "not today"
expect "rejected" 0
run resume
expect "a rejected run is undone" 8 'undone: 1 of 1' 'not today'
check "nothing is left after the rejection" test "$(made)" -eq 0

fresh
run "$play" how=approve
run approve last
run resume
expect "an approved run goes on" 0 'skipping +step +make it'
check "and what it did stays" test "$(made)" -gt 0

# Under cron: silence unless something is to be done, and never twice at once.
cat >"$work/nap.lua" <<'EOT'
local time = require("plat.time")
return {
  summary = "Take a nap",
  risk = "safe",
  args = {
    seconds = { type = "number", default = 0 },
    fail = { type = "boolean", default = false },
  },
  run = function(run, args)
    run:step("nap", function()
      time.sleep(args.seconds)
    end)
    run:must(not args.fail, "a bad dream")
  end,
}
EOT
run "$work/nap.lua" --cron -i localhost,
expect "cron: nothing is said about a success" 0
check "not a word" test -z "$out$err"
run "$work/nap.lua" --cron -i localhost, fail=true
expect "cron: a failure is told from its begin" 2 'ok +step +nap' 'a bad dream'
"$platrun" "$work/nap.lua" --cron -i localhost, seconds=20 >/dev/null 2>&1 &
pid=$!
wait_until 20 recorded '"seconds":20'
run "$work/nap.lua" --cron -i localhost, seconds=20
expect "cron: the same once more is refused" 75 '' "pid $pid"
run "$work/nap.lua" --cron -i localhost, seconds=0
expect "with other arguments it is another job" 0
kill $pid
wait $pid

done_testing
