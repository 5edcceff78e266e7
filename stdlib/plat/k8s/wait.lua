--- Waiting until an object is ready, by watching it and its pods; says why when it is not.
local effect = require("plat.effect")
local errors = require("plat.k8s.errors")
local explain = require("plat.k8s.explain")
local fault = require("plat.fault")
local kinds = require("plat.k8s.kinds")
local list = require("plat.list")
local objects = require("plat.k8s.objects")
local predict = require("plat.k8s.predict")
local prim = require("prim.task")
local status = require("plat.k8s.status")
local task = require("plat.task")
local time = require("plat.time")
local unknown = require("plat.effect.unknown")
local watch = require("plat.k8s.watch")

local M = {}

local QUIET = 10 -- seconds without change before it says why
local SAY_EVERY = 30
local LOOK_EVERY = 5 -- seconds between looks for a fatal cause while nothing moves
local BACK_OFF = 330 -- seconds after which the kubelet has surely tried again to pull an image
local CLOCK_SKEW = 2 -- seconds between the cluster's clock and ours
local SETTLE = 3 -- seconds a fatal cause must last
local EXPLAIN_SECONDS = 12

local ALTERNATES = { ErrImagePull = "pulling", ImagePullBackOff = "pulling" }

local function note(self, text)
  if text ~= self.progress then
    self.progress, self.changed_at = text, time.mono()
  end
end

-- Keeps one object or the pods up to date: by watch, or by polling where watching is not allowed.
local function follow(self, kind, opts, take)
  opts.on_trouble = function(err)
    self.trouble[kind] = err
  end
  local _, err = fault.try(watch.run, self.client, kind, self.ns, opts, function(event)
    self.trouble[kind] = nil
    take(event)
    self.gate:open()
  end)
  if not errors.is(err, 403) and not errors.is(err, 405) then
    error(err, 0)
  end
  while true do
    local items = objects.list(self.client, kind, self.ns, {
      labels = opts.labels,
      fields = opts.name and ("metadata.name=" .. opts.name) or nil,
    }, "k8s.wait_ready")
    take({ type = "POLLED" })
    for _, object in ipairs(items) do
      take({ type = "MODIFIED", object = object })
    end
    take({ type = "SYNCED" })
    self.gate:open()
    time.sleep(self.every)
  end
end

local function follow_object(self)
  local found
  follow(self, self.res, { name = self.name }, function(event)
    if event.type == "POLLED" then
      found = nil
    elseif event.type == "SYNCED" then
      self.synced, self.object = true, found
    elseif event.type == "DELETED" then
      found, self.object = nil, nil
    else
      found = event.object
      if self.synced then
        self.object = found
      end
    end
  end)
end

-- The pods only tell progress: a wait goes on without them where they may not be read.
local function follow_pods(self, selector)
  local _, err = fault.try(follow, self, "pods", { labels = selector }, function(event)
    if event.type == "POLLED" then
      self.pods = {}
    elseif event.object then
      self.pods[event.object.metadata.name] = event.type ~= "DELETED" and event.object or nil
    end
  end)
  if not errors.is(err, 403) then
    error(err, 0)
  end
end

-- What moved is told from the readiness text and the states of the pods.
local function progress_of(self, state)
  local words = { state.text }
  for name, pod in pairs(self.pods) do
    local word, restarts = status.pod_state(pod)
    local ready = status.condition(pod, "Ready")
    -- Crash loops and failing pulls alternate between two states: that is no progress.
    word = restarts > 0 and "restarting" or ALTERNATES[word] or word
    words[#words + 1] = ("%s %s %s"):format(name, word, ready and ready.status or "")
  end
  return table.concat(words, "\n")
end

local function elapsed(self)
  return task.show_seconds(math.floor(time.mono() - self.began))
end

-- The fault of a wait that ends without success; the likeliest cause is in its first line.
local function failure(self, kind, why, explanation)
  local causes = explanation and explanation.causes or {}
  local first = causes[1]
  local msg = why
  if first then
    msg = ("%s: %s"):format(why, first.what)
  end
  local detail = explanation and explain.lines(explanation, true) or {}
  detail.causes = causes
  return fault.new(kind, self.about, {
    msg = msg,
    detail = detail,
    hint = first and first.hint or nil,
  })
end

local function look(self, with_logs)
  return explain.run(self.client, self.res, self.ns, self.name, {
    object = self.object,
    logs = with_logs,
  })
end

local function fail(self, kind, why)
  local explanation = task.shield(EXPLAIN_SECONDS, look, self, true)
  error(failure(self, kind, why, explanation), 0)
end

-- Whether a cause was last seen to fail before this wait began: somebody may have mended it since,
-- and the kubelet only tries again when its back-off ends.
local function is_old_news(self, cause)
  return cause.tried ~= nil
    and cause.tried < self.began_at - CLOCK_SKEW
    and time.mono() - self.began < BACK_OFF
end

-- Ends the wait when there is a cause that waiting will not cure, seen for SETTLE seconds.
local function check_fatal(self, state)
  local now = time.mono()
  local still = now - self.changed_at
  if not state.settled or still < SETTLE or now < self.next_look then
    return
  end
  self.next_look = now + LOOK_EVERY
  local explanation = look(self, false)
  local first = explanation.causes[1]
  self.seen = explanation
  if not first or not first.fatal or is_old_news(self, first) then
    self.fatal_key = nil
  elseif self.fatal_key == first.key then
    local text = "will not become %s (%s after %s)"
    fail(self, "failed", text:format(self.goal, state.text, elapsed(self)))
  else
    self.fatal_key, self.next_look = first.key, now + SETTLE
  end
end

local function say(self, state)
  local now = time.mono()
  if now - self.changed_at < QUIET or now < self.next_say then
    return
  end
  self.next_say = now + SAY_EVERY
  local explanation = self.seen or look(self, false)
  local causes = list.map(explanation.causes, function(cause)
    return cause.what
  end)
  effect.progress(
    ("%s %s: %s after %s%s"):format(
      self.client.target,
      self.about.object,
      state.text,
      elapsed(self),
      #causes > 0 and (": " .. table.concat(causes, "; ", 1, math.min(#causes, 3))) or ""
    )
  )
end

local function watch_pods(self, group)
  if self.following or not self.object or self.res.kind == "Pod" then
    return
  end
  local selector = explain.pod_selector(self.res, self.object)
  if selector then
    self.following = true
    group:daemon(follow_pods, self, selector)
  end
end

local function give_up(self)
  local text = ("not %s within %s (%s)"):format(self.goal, self.limit, self.read(self.object).text)
  local trouble = self.trouble[self.res]
  if trouble then
    error(fault.new("timeout", self.about, { msg = text, cause = trouble }), 0)
  end
  fail(self, "timeout", text)
end

local function loop(self, group)
  while true do
    if self.synced then
      local state = self.read(self.object)
      note(self, progress_of(self, state))
      if state.ready then
        return self.object
      elseif state.failed then
        fail(self, "failed", state.failed)
      end
      watch_pods(self, group)
      check_fatal(self, state)
      say(self, state)
    end
    local left = self.deadline - time.mono()
    if left <= 0 then
      give_up(self)
    end
    self.gate:wait(math.min(left, 1))
  end
end

local function present(self)
  return objects.find(self.client, self.res, self.ns, self.name, self.about.op)
end

-- How the object looks when the wait has ended well; nil: only a real run can know.
local function foreseen(self, now)
  if self.read(nil).ready then -- it was waited to go; its owner may have made another
    if list.get(self.object, "metadata.ownerReferences") then
      return nil
    end
    return false
  elseif now and self.read(now).ready then
    return now
  end
  return self.goal == "ready" and predict.settled(self.res.kind, now) or nil
end

local function plan(self)
  local object = effect.glance(present, self)
  local state = self.read(object)
  effect.plan_wait(
    ("at most %s until %s is %s; now: %s%s"):format(
      self.limit,
      self.about.object,
      self.goal,
      state.ready and (self.goal .. ", ") or "",
      state.text
    )
  )
  if state.ready then
    return object
  end
  self.object = object
  local update = function(now)
    return foreseen(self, now)
  end
  local overlay = predict.after_wait(self.res, self.ns, self.name, update)
  effect.plan():reached(self.client.target, overlay)
  if update(object) then
    return object
  end
  return self.goal ~= "gone"
      and unknown.new(function()
        effect
          .plan()
          :cut(("what follows depends on %s when it is %s"):format(self.about.object, self.goal))
      end)
    or nil
end

local function wait(client, res, ns, name, opts)
  local now = time.mono()
  local outer = task.deadline()
  local self = {
    client = client,
    res = res,
    ns = ns,
    name = name,
    read = opts.read,
    goal = opts.goal,
    every = opts.every,
    limit = task.show_seconds(opts.within),
    about = { op = opts.op, target = client.target, object = kinds.label(res, ns, name) },
    pods = {},
    trouble = {}, -- what the follower of the object, or of the pods, fails with
    began = now,
    began_at = effect.now(),
    changed_at = now,
    next_look = 0,
    next_say = 0,
    deadline = outer and math.min(now + opts.within, outer - 0.05) or now + opts.within,
    gate = prim.gate(),
  }
  if effect.planning() then
    return plan(self)
  end
  return task.group(function(group)
    group:daemon(follow_object, self)
    return loop(self, group)
  end)
end

--- Waits until an object is ready. An object that does not exist yet is waited for. Ends early when
--- it has failed for good. In plan mode reads once.
---@async
---@param client plat.k8s.Client
---@param kind string|table
---@param ns? string
---@param name string
---@param opts { within: number, every: number }
---@return table? object as it was when it was ready
function M.ready(client, kind, ns, name, opts)
  local res = client:resource(kind)
  return wait(client, res, ns, name, {
    op = "k8s.wait_ready",
    goal = "ready",
    within = opts.within,
    every = opts.every,
    read = function(object)
      return status.read(res, object)
    end,
  })
end

--- Waits until a function of the object says so. It is given the object, or nil while there is
--- none, and returns true, or false and how far it is; what it raises ends the wait.
---@async
---@param client plat.k8s.Client
---@param kind string|table
---@param ns? string
---@param name string
---@param opts { within: number, every: number, goal: string }
---@param check fun(object: table?): boolean, string?
---@return table? object
function M.until_true(client, kind, ns, name, opts, check)
  return wait(client, client:resource(kind), ns, name, {
    op = "k8s.wait_for",
    goal = opts.goal,
    within = opts.within,
    every = opts.every,
    read = function(object)
      local done, text = check(object)
      text = text or (object and "exists" or "does not exist")
      return { ready = done == true, text = text, settled = false }
    end,
  })
end

return M
