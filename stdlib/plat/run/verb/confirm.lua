--- run:confirm: asks the person at the terminal before something is done.

local check = require("plat.check")
local fault = require("plat.fault")
local out = require("plat.out")
local prim = require("prim.task")
local tty = require("prim.tty")
local who = require("plat.runs.who")

local RISK = { safe = "routine", disruptive = "disruptive", destructive = "destructive" }

local OPTIONS = check.options("run:confirm", {
  risk = { type = "enum", enum = { "routine", "disruptive", "destructive" } },
  name = { type = "string", help = "what is to be typed; default: the cluster, else the playbook" },
})

--- One question at a time: tasks that ask at once wait for each other.
local function in_turn(run, fn)
  local before = run.asking
  local gate = prim.gate()
  run.asking = gate
  local ok, value = xpcall(function()
    if before then
      fault.must({ op = "run:confirm" }, before:wait())
    end
    return fn()
  end, fault.from_handler)
  gate:open()
  if run.asking == gate then
    run.asking = nil
  end
  if not ok then
    error(value, 0)
  end
  return value
end

--- Asks, and returns how it was answered: "yes", "typed", or nil.
local function ask(run, text, risk, name)
  out.hold(true)
  out.err(("%s asks: %s"):format(run.name, text))
  local prompt = risk == "destructive" and ('type "%s" to go on: '):format(name) or "go on? [y/N] "
  local ok, line, err = xpcall(tty.read_line, fault.from_handler, prompt)
  out.hold(false)
  if not ok then
    error(line, 0)
  elseif not line and err.kind ~= "io" then
    fault.raise_err({ op = "run:confirm" }, err) -- a cancel, a deadline
  end
  line = (line or ""):match("^%s*(.-)%s*$")
  if risk == "destructive" then
    return line == name and "typed" or nil
  end
  line = line:lower()
  return (line == "y" or line == "yes") and "yes" or nil
end

local function can_ask(options)
  return not options.cron and tty.is_tty(0) and tty.is_tty(2)
end

--- Decides without asking, where flags do; returns how.
local function by_flag(options, risk)
  if options.yes_destructive then
    return "--yes-destructive"
  elseif options.yes and risk ~= "destructive" then
    return "-y"
  end
end

local function refuse(text, options, risk)
  local flag = risk == "destructive" and "--yes-destructive" or "-y"
  local why = options.cron and "--cron asks nobody" or "there is no terminal to ask on"
  if options.yes then
    why = why .. ", and -y does not cover what is destructive"
  end
  fault.raise("refused", { op = "confirm", object = ("%q"):format(text) }, {
    msg = why,
    hint = flag .. " answers yes beforehand",
  })
end

--- Asks whether to go on; a no refuses the run, and what it did is undone. `-y` answers yes
--- beforehand below risk destructive; there a name is typed, or `--yes-destructive` given. What
--- was answered counts for a resumed run. A plan lists the question.
---@async
---@param run plat.Run
---@param text string what is about to happen
---@param opts? { risk: string?, name: string? } risk: routine, disruptive or destructive; default:
---  the playbook's
return function(run, text, opts)
  opts = OPTIONS(opts)
  if type(text) ~= "string" or text == "" then
    fault.raise("usage", { op = "run:confirm" }, { msg = "a question needs a text" })
  end
  local risk = opts.risk or RISK[(run.playbook or {}).risk] or "disruptive"
  local name = opts.name or (run.target ~= "localhost" and run.target) or run.name
  local function tell(status, how)
    run.reporter:emit("confirm", { title = text, risk = risk, status = status, how = how })
  end
  if run.planning then
    return tell("planned")
  end
  local key = "confirm: " .. text
  local before = run:recall("approval", key)
  if before and before.confirm and before.granted then
    return tell("granted", "answered before by " .. who.text(before))
  end
  local options = run.options or {}
  local how = by_flag(options, risk)
  if not how then
    if not can_ask(options) then
      tell("refused")
      refuse(text, options, risk)
    end
    how = in_turn(run, function()
      return ask(run, text, risk, name)
    end)
  end
  local record = who.here()
  record.type, record.name, record.confirm = "approval", key, true
  record.by, record.granted, record.how = who.person(record), how ~= nil, how
  run:record(record)
  run:sync()
  tell(how and "granted" or "denied", how)
  if not how then
    fault.raise("refused", { op = "confirm", object = ("%q"):format(text) }, {
      msg = "the answer was no",
      where = "",
    })
  end
end
