--- Tells people what a run does: one line a step on stdout, a live line on a terminal.

local fault = require("plat.fault")
local list = require("plat.list")
local out = require("plat.out")
local task = require("plat.task")
local time = require("prim.time")
local tty = require("prim.tty")

local M = {}

local Text = { __name = "plat.run.Text" }
Text.__index = Text

--- Returns a reporter.
---@param opts { diff: boolean?, planning: boolean? }
---@return table reporter
function M.new(opts)
  return setmetatable({
    diff = opts.diff,
    planning = opts.planning,
    stamped = not tty.is_tty(1),
    doing = {}, -- steps in the order of their start; ended ones are removed late
    running = {}, -- by key: those that run
    runs = 0, -- how many
    count = { ok = 0, changed = 0, failed = 0, skipped = 0 },
    began = time.mono(),
  }, Text)
end

--- Returns a step's title, behind its host if it has one.
local function titled(e)
  return e.host and e.host .. ": " .. e.title or e.title
end

local function show(v)
  if type(v) == "string" then
    return v
  end
  return tostring(v)
end

function Text:line(text)
  if self.stamped then
    text = require("plat.time").rfc3339(self.now or time.now()) .. " " .. text
  end
  out.line(text)
end

--- A line of the run: word, kind, title, and how long it took.
function Text:item(word, kind, title, seconds, depth, host)
  if not host then -- those of hosts are in the recap
    self.count[word] = (self.count[word] or 0) + 1
  end
  if out.verbosity() < 0 and word ~= "failed" then
    return
  end
  local took = seconds and seconds >= 0.5 and out.paint("dim", "  " .. task.show_seconds(seconds))
    or ""
  local indent = ("  "):rep(depth or 0)
  self:line(
    ("%s %s %s%s%s"):format(
      out.paint(word, ("%-8s"):format(word)),
      out.paint("dim", ("%-5s"):format(kind)),
      indent,
      title,
      took
    )
  )
end

local on = {}

--- Further events, one a file in plat.run.say, loaded when they first come.
local said = {}
for _, name in ipairs(require("prim.sys").modules("plat.run.say.")) do
  said[name] = true
end

local function say(name)
  said[name] = require("plat.run.say." .. name)
  return said[name]
end

function on.start(self, e)
  local args = {}
  for name, value in pairs(e.args) do
    local decl = e.declared[name] or {}
    local shown = decl.type == "duration" and task.show_seconds(value) or show(value)
    args[#args + 1] = name .. "=" .. shown
  end
  local tail = #args > 0 and "  " .. table.concat(args, " ") or ""
  if out.verbosity() >= 0 then
    local what = e.planning and "plan of " or ""
    self:line(out.paint("bold", what .. e.name) .. ": " .. e.summary .. tail)
  end
end

function on.guard(self, e)
  if e.status == "ok" then
    self:item("ok", "guard", e.title)
  elseif e.status == "overridden" then
    self:item("skipping", "guard", ("%s: overridden: %s (%s)"):format(e.title, e.reason, e.why))
  else
    self:item("failed", "guard", e.title)
  end
end

function on.step_start(self, e)
  table.insert(self.doing, e)
  self.running[e.key], self.runs = e, self.runs + 1
  if self.planning then
    self:line(("%s %s"):format(out.paint("dim", "step "), ("  "):rep(e.depth) .. titled(e)))
  else
    self:tick()
  end
end

--- A thousand hosts are in a step at once: not every end looks at all of them.
local function forget(self, e)
  local doing, running = self.doing, self.running
  if running[e.key] then
    running[e.key], self.runs = nil, self.runs - 1
  end
  while doing[1] and running[doing[#doing].key] ~= doing[#doing] do
    doing[#doing] = nil
  end
  if #doing > 2 * self.runs + 16 then
    self.doing = list.where(doing, function(step)
      return running[step.key] == step
    end)
  end
  out.live(nil)
end

function on.step_end(self, e)
  forget(self, e)
  if e.status == "failed" and e.changed and not e.host then
    self.count.changed = self.count.changed + 1
  end
  if self.planning then
    if e.ended_early then
      self:line("        " .. out.paint("skipping", "maybe   ") .. e.ended_early)
    end
    return
  end
  self:item(e.status, e.kind or "step", titled(e), e.seconds, e.depth, e.host)
  self:tick()
end

function on.change(self, e)
  if out.verbosity() >= 1 then
    self:line(("         %s: %s"):format(e.op, e.text))
  end
end

function on.progress(self, e)
  local step = self.running[e.step]
  if step then
    if step.note ~= e.text and not out.is_live() and out.verbosity() >= 1 then
      self:line(("         %s: %s"):format(titled(step), e.text))
    end
    step.note = e.text
  end
  self:tick()
end

function on.plan_change(self, e)
  self:line(
    ("        %s%s: %s"):format(
      out.paint(e.class == "will" and "changed" or "skipping", ("%-8s"):format(e.class)),
      e.hosts and #e.hosts > 1 and "each" or e.target,
      e.text
    )
  )
  if self.diff and e.diff then
    for _, d in ipairs(e.diff) do
      if d.before ~= nil then
        self:line(("        %s%s: %s"):format(out.paint("failed", "- "), d.path, show(d.before)))
      end
      if d.after ~= nil then
        self:line(("        %s%s: %s"):format(out.paint("ok", "+ "), d.path, show(d.after)))
      end
      for line in (d.unified or ""):gmatch("[^\n]+") do
        local color = ({ ["-"] = "failed", ["+"] = "ok", ["@"] = "dim" })[line:sub(1, 1)]
        self:line("          " .. (color and out.paint(color, line) or line))
      end
    end
  elseif self.diff and e.args then
    for name, value in pairs(e.args) do
      if type(value) ~= "table" then
        self:line(("          %s: %s"):format(name, show(value)))
      end
    end
  end
end

function on.plan_wait(self, e)
  self:line(("        %s%s"):format(out.paint("dim", "wait    "), e.text))
end

function on.plan_prove(self, e)
  self:line(
    ("%s %s (checked afterwards, within %s)"):format(
      out.paint("dim", "prove"),
      e.title,
      task.show_seconds(e.within)
    )
  )
end

function on.log(self, e)
  self:line("         " .. e.text)
end

local function show_plan(self, e)
  local n = e.plan
  if n.will + n.maybe + n.opaque == 0 then
    self:line(e.steps == 0 and "nothing to do" or "no change")
    return
  end
  self:line(
    ("plan: %d to change (%d will, %d maybe, %d opaque), coverage %d %%; nothing changed"):format(
      n.will + n.maybe + n.opaque,
      n.will,
      n.maybe,
      n.opaque,
      math.floor(n.coverage * 100 + 0.5)
    )
  )
end

function on.finish(self, e)
  out.live(nil)
  if e.fault then
    local where = e.fault.step and (e.fault.step .. ": ") or ""
    local word = e.exit == 3 and out.paint("changed", "waits: ") or out.paint("failed", "failed: ")
    out.err(word .. where .. fault.text(e.fault, out.verbosity()))
  end
  if out.verbosity() < 0 and not e.fault then
    return
  end
  if e.plan and (not e.fault or e.fault.hosts) then
    show_plan(self, e)
    return
  end
  if e.steps == 0 and not e.fault then
    self:line("nothing to do")
  end
  if e.fault and not e.plan then
    say("ending")(self, e)
  end
  local failed = self.count.failed
  if e.fault and not self.hosts_told and not e.unreachable and e.exit ~= 3 then
    failed = math.max(failed, 1) -- it failed between its steps
  end
  self:line(
    ("%s : ok=%d changed=%d unreachable=%d failed=%d skipped=%d  in %s%s"):format(
      e.target,
      self.count.ok,
      self.count.changed,
      e.unreachable and not self.hosts_told and 1 or 0,
      failed,
      self.count.skipping or 0,
      task.show_seconds(time.mono() - self.began),
      e.sandbox and " of sandbox time" or ""
    )
  )
end

--- Handles an event.
---@param name string
---@param e table
function Text:emit(name, e)
  local fn = on[name] or said[name]
  if fn then
    (fn == true and say(name) or fn)(self, e)
  end
end

--- Renews the live line. Called once a second and after each event.
function Text:tick()
  local step = self.doing[#self.doing]
  if not step or not out.is_live() then
    return
  end
  local more = self.runs > 1 and (" (+%d more)"):format(self.runs - 1) or ""
  local note = step.note and ("  " .. step.note) or ""
  local seconds = task.show_seconds(math.floor(time.mono() - step.at))
  out.live(("running  step  %s%s  %s%s"):format(titled(step), more, seconds, note))
end

--- Says that a long step still runs, where no live line can. Called twice a minute.
function Text:heartbeat()
  local step = self.doing[#self.doing]
  if step and not out.is_live() and out.verbosity() >= 0 then
    local seconds = task.show_seconds(math.floor(time.mono() - step.at))
    self:line(
      ("running  step  %s  %s%s"):format(
        titled(step),
        seconds,
        step.note and ("  " .. step.note) or ""
      )
    )
  end
end

return M
