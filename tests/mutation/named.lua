--- Mistakes that a person could make, by name: what the tests must notice. `find` stands once in
--- the file. `tests` are tried before those of the area; `why` is the reason where one is missed.
local FLEET = "stdlib/plat/dremio/fleet.lua"
local SCALE = "stdlib/plat/k8s/scale.lua"
local WAIT = "stdlib/plat/k8s/wait.lua"
local PLAY = "playbooks/scale-dremio.lua"
local STEPS = "stdlib/plat/run/steps.lua"
local UNDO = "stdlib/plat/run/undo.lua"
local RECORDER = "stdlib/plat/run/recorder.lua"
local MEMORY = "stdlib/plat/run/memory.lua"
local ENDING = "stdlib/plat/run/ending.lua"
local GUARDS = "stdlib/plat/run/guards.lua"
local EFFECT = "stdlib/plat/effect.lua"

local function one(name, file, find, replace, more)
  local mutant = { name = name, file = file, find = find, replace = replace }
  for field, value in pairs(more or {}) do
    mutant[field] = value
  end
  return mutant
end

return {
  -- the playbook
  one(
    "scales before it drains",
    PLAY,
    [[fleet:drain(name, { within = args.drain, cancel = args.cancel_queries })
      fleet:resize(last, last + 1)]],
    [[fleet:resize(last, last + 1)
      fleet:drain(name, { within = args.drain, cancel = args.cancel_queries })]]
  ),
  one(
    "does not drain",
    PLAY,
    "fleet:drain(name, { within = args.drain, cancel = args.cancel_queries })\n",
    "\n"
  ),
  one("does not wait for those that leave", PLAY, "fleet:wait_left(name, LEAVE)\n", "\n"),
  one(
    "does not wait for those that join",
    PLAY,
    [[fleet:resize(want, before)
      fleet:wait_joined(want, JOIN)]],
    "fleet:resize(want, before)"
  ),
  one(
    "forgets the undo of growing",
    PLAY,
    [[fleet:undo(step, before)
      fleet:resize(want, before)]],
    "fleet:resize(want, before)"
  ),
  one(
    "forgets the undo of retiring",
    PLAY,
    [[fleet:undo(step, before)
      fleet:hold(last + 1)]],
    "fleet:hold(last + 1)"
  ),
  one(
    "undoes to the number that was wanted",
    PLAY,
    [[fleet:undo(step, before)
      fleet:resize(want, before)]],
    [[fleet:undo(step, want)
      fleet:resize(want, before)]]
  ),
  one(
    "retires two at once",
    PLAY,
    "fleet:resize(last, last + 1)",
    "fleet:resize(math.max(want, last - 1), last + 1)"
  ),
  one("retires one too few", PLAY, "want or before, -1 do", "want + 1 or before, -1 do"),
  one("drains the lowest ordinal", PLAY, "fleet:names(last, last)[1]", "fleet:names(0, 0)[1]"),
  one("skips the guard of the minimum", PLAY, "return want >= fleet.min, (", "return want >= 0, ("),
  one("skips the guard of one owner", PLAY, "return executors.one_owner(look)", "return true"),
  one("skips the guard of movement", PLAY, "return look.moving == nil, look.moving", "return true"),
  one(
    "skips the guard of room",
    PLAY,
    "return fleet:has_room(look, want - look.replicas)",
    "return true"
  ),
  one(
    "decides anew when it is resumed",
    PLAY,
    [[return { before = look.replicas, change = executors.compare(look, want) }
  end)]],
    [[return {}
  end)
  plan = { before = look.replicas, change = executors.compare(look, want) }]],
    { tests = { "tests/playbooks/scale_dremio_test.lua --crash -k shrinks" } }
  ),
  one("proves nothing", PLAY, "return fleet:is_whole(want)", "return true"),
  -- the executors
  one(
    "ignores an autoscaler",
    FLEET,
    "if not hpa then\n    self._set",
    "if true then\n    self._set"
  ),
  one(
    "does not hold the autoscaler",
    FLEET,
    "self:set_bounds({ hpa = hpa.name, min = count, max = count })",
    "local _ = count"
  ),
  one(
    "leaves room above when it shrinks",
    FLEET,
    "math.max(want, hpa.max) or want",
    "hpa.max or hpa.max"
  ),
  one("does not wait for the autoscaler", FLEET, "wait_autoscaler(self, want, max)\nend", "end"),
  one(
    "forgets the undo of bounds",
    FLEET,
    [[step:undo("bounds", { cluster = self.cluster, bounds = bounds })]],
    "local _ = bounds"
  ),
  one(
    "names of ordinals from one",
    FLEET,
    "for ordinal = from, to do",
    "for ordinal = from + 1, to + 1 do"
  ),
  one(
    "expects one executor too few",
    FLEET,
    "self:names(0, count - 1), { within",
    "self:names(0, count - 2), { within"
  ),
  one(
    "cancels queries that nobody allowed to cancel",
    FLEET,
    "or not opts.cancel or not",
    "or not"
  ),
  one(
    "a pod that is gone is enough, the coordinator may still use it",
    FLEET,
    "  self.api:wait_gone(name, { within = within })\n",
    "\n"
  ),
  one(
    "grows when it shall shrink",
    FLEET,
    "if want > look.replicas then",
    "if want < look.replicas then"
  ),
  -- the client
  one(
    "scales without a look at autoscalers",
    SCALE,
    [[if opts.hpa ~= "ignore" then]],
    "if false then"
  ),
  one("scales on top of somebody else", SCALE, "elseif now ~= from then", "elseif false then"),
  one(
    "scales whatever the version",
    SCALE,
    [[resourceVersion = list.get(scale, "metadata.resourceVersion"),]],
    "resourceVersion = nil,"
  ),
  one(
    "scales to what it is",
    SCALE,
    [[if from == want then
    return false
  end]],
    ""
  ),
  -- the engine
  one(
    "doubles an effect on resume",
    RECORDER,
    [[if word == "done" or word == "failed" then
    return known.outcome]],
    [[if word == "failed" then
    return known.outcome]]
  ),
  one(
    "enters finished steps again",
    STEPS,
    [[return known.status == "ok" or known.status == "changed" or known.rescued]],
    "return known.rescued"
  ),
  one(
    "sends before the intent is on disk",
    RECORDER,
    "local ok, err = xpcall(run.sync, fault.from_handler, run)",
    "local ok, err = true, nil"
  ),
  one(
    "writes no intent",
    RECORDER,
    [[record.type = "intent"
  run:record(record)]],
    [[record.type = "intent"]]
  ),
  one("changes without its lock", RECORDER, "    lock:check()\n", "    local _ = lock\n"),
  one(
    "a lost answer counts as done",
    EFFECT,
    [[return status < 500 and "failed" or "unknown"]],
    [[return status < 500 and "failed" or "done"]]
  ),
  one(
    "a lost connection counts as not happened",
    EFFECT,
    [[kind == "connect" and not err.sent or]],
    [[kind == "connect" or]]
  ),
  one("a change outside a step", EFFECT, "if not step or step.host == step then", "if false then"),
  one(
    "a plan performs its changes",
    EFFECT,
    [[if state.mode == "plan" then
    return state.plan:change(change)
  end]],
    ""
  ),
  one(
    "undoes the oldest first",
    UNDO,
    "local entry = run.undo[#run.undo]",
    "local entry = run.undo[1]"
  ),
  one(
    "undoes what did not happen",
    UNDO,
    "return (run.newest[entry.step] or 0) > entry.seq",
    "return true"
  ),
  one("undoes kept steps", STEPS, "if ok and opts.keep then", "if false then"),
  one(
    "undoes past the point of no return",
    RECORDER,
    "run.undo, run.passed_no_return = pending.new(), at.key",
    "run.passed_no_return = at.key"
  ),
  one(
    "undoes past it after a resume",
    MEMORY,
    [[m.no_return, m.barriers[r.step] = r.step, true
  m.undo = pending.new()]],
    [[m.no_return, m.barriers[r.step] = r.step, true]]
  ),
  one(
    "an undo that fails ends as undone",
    ENDING,
    "elseif undone.failed then\n    return 9",
    "elseif undone.failed then\n    return 8"
  ),
  one(
    "undoes in spite of --no-undo",
    ENDING,
    "elseif run.options.no_undo then",
    "elseif false then"
  ),
  one(
    "locks are not given back",
    ENDING,
    "      release(lock)\n",
    "      local _ = release, lock\n"
  ),
  one(
    "a guard that cannot be evaluated passes",
    GUARDS,
    [[return false, "it could not be evaluated", nil, err]],
    "return true"
  ),
  one("a guard's answer is anything true", GUARDS, "if value == true then", "if value then"),
  one(
    "one good reading is enough",
    "stdlib/plat/run/prove.lua",
    "good = ok and value and good + 1 or 0",
    "good = ok and value and opts.readings or 0"
  ),
  one(
    "good readings need not follow each other",
    "stdlib/plat/dremio/watch.lua",
    "good = seen.good and good + 1 or 0",
    "good = seen.good and good + 1 or good"
  ),
  one(
    "a watch that is too old ends the wait",
    "stdlib/plat/k8s/watch.lua",
    [[if errors.is(err, 410) then
    self.version = nil
    return
  end]],
    ""
  ),
  one(
    "a rollout goes on after the first failure",
    "stdlib/plat/run/rollout/budget.lua",
    "if allowed and here > allowed then",
    "if allowed and here > allowed + 1 then"
  ),
  one(
    "believes a status of before the change",
    "stdlib/plat/k8s/status.lua",
    [[return number(object, "observedGeneration") >= (object.metadata.generation or 0)]],
    "return true"
  ),
  one(
    "a wait has no deadline",
    WAIT,
    "if left <= 0 then\n      give_up(self)",
    "if false then\n      give_up(self)"
  ),
}
