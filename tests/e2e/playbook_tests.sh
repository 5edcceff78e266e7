#!/usr/bin/env bash
# platrun test on cases: a good playbook passes all modes; one that is broken in one way each is
# caught by the mode that is made for it, with a command that repeats the failure.
. "$(dirname "$0")/lib.sh"

modes=(--crash --faults --twice --plan --undo)

# playbook NAME SED...: the good playbook, changed.
playbook() {
    local name=$1
    shift
    sed "$@" >"$work/$name.lua" <<'LUA'
local k8s = require("plat.k8s")
local M = { summary = "Set a limit", risk = "safe", undo = {} }

local function api_of(run)
  local cluster = run:cluster()
  return k8s.connect(cluster.kubernetes), cluster.namespace
end

local function set(run, limit)
  local api, ns = api_of(run)
  api:patch("configmap", ns, "limits", { data = { limit = limit } })
end

function M.undo.put_back(run, saved)
  set(run, saved.limit)
end

function M.run(run)
  local api, ns = api_of(run)
  local before = run:keep("before", function()
    return api:get("configmap", ns, "limits").data.limit
  end)
  if before ~= "20" then
    run:step("raise the limit", function(step)
      step:undo("put_back", { limit = before })
      set(run, "20")
    end)
  end
  run:prove("the limit is high", { within = "10s", readings = 1 }, function()
    return api:get("configmap", ns, "limits").data.limit == "20"
  end)
end

return M
LUA
    cat >"$work/${name}_test.lua" <<LUA
local function limit(world)
  return world:object("configmap", "limits").data.limit
end

return {
  ["a limit"] = {
    playbook = "$work/$name.lua",
    world = function(world)
      world:put({ apiVersion = "v1", kind = "ConfigMap", data = { limit = "10" },
        metadata = { name = "limits", namespace = "data-platform" } })
    end,
    goal = function(world) return limit(world) == "20", "it is " .. limit(world) end,
    invariant = { ["never above 20"] = function(world) return tonumber(limit(world)) <= 20 end },
    changes = 1,
    says = "raise the limit",
  },
}
LUA
}

# caught TITLE NAME PATTERN FLAGS...: the test fails, and its output matches.
caught() {
    local title=$1 name=$2 pattern=$3
    shift 3
    run test "$@" "$work/${name}_test.lua"
    expect "$title" 1 "$pattern"
    expect "$title: it can be repeated" 1 "^# again: platrun test .*${name}_test.lua -k 'a limit'"
}

playbook good -e ''
run test "${modes[@]}" --seeds 5 "$work/good_test.lua"
expect "a good playbook passes all modes" 0 '^1 passed, 0 failed$'
expect "the points are counted" 0 '^# crash: 4 points$'
sum='points: chance 5, crash 4, faults 3, plan 1, twice 1, undo 2; [0-9]+ plays'
expect "and summed up" 0 "^# $sum"
expect "it says that all is simulated" 0 '^# simulated: exit 0, 1 change$'
run test -j 2 -o jsonl "$work/good_test.lua"
expect "as JSON" 0 '"status":"passed"'
run test -o junit "$work/good_test.lua"
expect "as JUnit" 0 '<testsuite name="platrun test" tests="1" failures="0" skipped="0">'

playbook goalless -e 's/set(run, "20")/set(run, "19")/' -e 's/limit == "20"$/limit == "19"/'
caught "a goal that is not reached" goalless 'the goal is not reached: it is 19'
playbook failing -e 's/  run:prove/  run:must(false, "no way")\n  run:prove/'
caught "another exit status" failing '^# exit 8, want 0'
expect "with what the run said" 1 '^#   failed: .*no way'
playbook excess -e 's/      set(run, "20")/      set(run, "30")\n      set(run, "20")/'
caught "a broken invariant" excess '^# invariant "never above 20": it does not hold'
expect "with its history" 1 '^#   1\. k8s.patch configmap data-platform/limits$'
playbook eager -e 's/if before ~= "20" then/if true then/' -e 's/before ~= "20"/true/'
caught "a second run that changes something" eager \
    '^# twice again: the second run makes 1 changes' --twice
playbook undone -e 's/  set(run, saved.limit)/  set(run, "11")/'
caught "an undo that puts something else back" undone \
    '^# undo fail-change:1: it is not as it was before: configmaps .*/limits differs' --undo
playbook noundo -e '/step:undo/d'
caught "a step without undo" noundo '^# undo fail-change:1: exit 2, want 8' --undo
playbook sly -e 's/if before ~= "20" then/if not require("plat.effect").planning() then/'
caught "a plan that hides something" sly '^# plan plan: not in the plan: ' --plan
playbook drift -e 's/    return api:get("configmap", ns, "limits").data.limit$/    return "7"/'
caught "what an undo puts back is what was there" drift 'it is not as it was before' --undo
pid='return require("plat.fs").read("/proc/self/stat")'
playbook chancy -e "s|  if before ~= .20.|  run:keep('x', function() $pid end)\n&|"
caught "a journal that differs from run to run" chancy '^# the same seed gave another journal: '
playbook once -e 's/"raise the limit"/"raise the limit from " .. require("plat.time").now()/'
caught "steps whose titles differ from run to run" once '^# crash kill-settled:1: ' --crash

spawn='require("prim.task").spawn(function() require("plat.task").sleep(9999) end)'
playbook leaky -e 's|  run:prove|  require("plat.leak").now()\n&|'
mkdir -p "$work/std/plat" && cp -r stdlib/plat/. "$work/std/plat" # a task that nobody waits for
printf 'return { now = function() %s end }\n' "$spawn" >"$work/std/plat/leak.lua"
PLATRUN_STDLIB=$work/std caught "a task that is left behind" leaky '^# left behind: 1 tasks'

# What one lost answer sets off: the test finds it by chance, and says which one it was.
playbook rash -e 's|  run:prove|  local dremio = require("plat.dremio")\
  local conf = run:cluster().dremio\
  local up = try(function() return dremio.connect(conf):status() end)\
  if not up then run:step("panic", function() set(run, "30") end) end\
&|'
run test "$work/rash_test.lua"
expect "what only a fault sets off is not seen without one" 0 '^1 passed'
caught "random faults find it" rash '^# chance seed [0-9]+: invariant "never above 20"' --seeds 60
check "and it is made as short as can be" \
    grep -qE '^# again: .* --trouble [a-z0-9-]+@[0-9]+$' "$work/out"
again=$(grep -m 1 '^# again: platrun ' "$work/out" | sed 's/^# again: platrun //')
eval "run $again"
expect "the command repeats it" 1 '^# chance .*: invariant "never above 20"'
expect "with the shortest history" 1 '^#   2\. k8s.patch configmap data-platform/limits$'

playbook kept -e 's/"raise the limit", function/"raise the limit", { keep = true }, function/'
run test --undo "$work/kept_test.lua"
expect "a step that keeps its effect is excused, once it has ended" 0 '^# undo: 2 points$'
playbook gate -e '/step:undo/d' \
    -e 's/"raise the limit", function/"raise the limit", { no_return = true }, function/'
run test --undo "$work/gate_test.lua"
expect "past a point of no return nothing is put back" 0 \
    '^# undo: 2 points, 2 excused: past a point of no return$'
playbook two -e 's/  run:prove/  run:step("then", function() set(run, "20") end)\n&/' \
    -e 's/"raise the limit", function/"raise the limit", { keep = true }, function/'
sed -i -e 's/changes = 1/changes = 2/' "$work/two_test.lua"
run test --undo "$work/two_test.lua"
expect "what is kept is told, and the rest is not demanded" 0 'excused: a step keeps its effect'

run test "$work/good_test.lua" --crash --point kill-acted:1
expect "one point alone" 0 '^# crash: 1 point$'
run test --trouble drop-after:1 "$work/good_test.lua"
expect "a trouble by its name" 0 '^# chance: 1 '
run test --trouble nonsense:1 "$work/good_test.lua"
expect "one that does not exist" 64 '' 'ACT is one of fail-change, '
run test -k nothing "$work/good_test.lua"
expect "no test at all is a failure" 1 '^0 passed, 0 failed$'

bad_case() { # TITLE PATTERN LUA
    printf 'return { bad = { %s } }\n' "$3" >"$work/bad_test.lua"
    run test "$work/bad_test.lua"
    expect "$1" 64 '' "$2"
}
bad_case "an unknown field" 'unknown field "gaol" \(did you mean "goal"\?\)' \
    'playbook = "x.lua", gaol = 1'
bad_case "a case without a playbook" 'the field "playbook" is missing' 'says = "x"'
bad_case "a case that checks nothing" 'it checks nothing but the exit status' 'playbook = "x.lua"'
bad_case "a mode that is left out without a reason" 'why is the mode "undo" left out' \
    'playbook = "x.lua", says = "x", modes = { undo = false }'

run test --sandbox-speed 100000 "$work/good_test.lua"
expect "one run to watch" 0 'raise the limit'

done_testing
