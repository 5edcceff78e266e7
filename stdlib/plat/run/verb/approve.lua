--- run:approve: stops the run until a second person has agreed, for hours if need be.

local approval = require("plat.runs.approval")
local check = require("plat.check")
local clock = require("prim.time")
local fault = require("plat.fault")
local who = require("plat.runs.who")

local OPTIONS = check.options("run:approve", {
  text = { type = "string", help = "what is asked for, in a sentence" },
  by = { type = "list", help = "users and @groups who may approve" },
  not_starter = { type = "boolean", help = "whoever started the run may not; true wins" },
  expires = { type = "duration", default = "24h", help = "then it is asked for anew" },
  notify = { type = "boolean", default = true, help = "tell people as platrun.conf says" },
})

--- What the inventory says about approvals, nothing when there is no inventory.
local function rules(run)
  if run.cluster_used then
    return run.cluster_used.approvals or {}
  end
  local inventory, err = fault.try(run.inventory)
  if inventory then
    return inventory:approvals()
  elseif err.kind ~= "usage" then
    error(err, 0)
  end
  return {} -- none was chosen, and the playbook did without
end

local function demand(run, name, opts)
  local own = rules(run)
  return {
    type = "request",
    name = name,
    text = opts.text or name,
    by = opts.by,
    approvers = own.approvers,
    not_starter = opts.not_starter or own.four_eyes or false,
    expires_at = clock.real() + opts.expires, -- people live in real time, also in a sandbox
    asked_by = who.here(),
  }
end

local function suspend(run, name, text)
  fault.raise("refused", { op = "approve", object = ("%q"):format(name) }, {
    msg = "waits for an approval: " .. text,
    hint = ("platrun approve %s"):format(run.id),
    exit = 3,
    suspend = true,
    where = "",
  })
end

local function reject(name, decision)
  fault.raise("refused", { op = "approve", object = ("%q"):format(name) }, {
    msg = ("rejected by %s: %s"):format(
      approval.decider(decision),
      decision.reason or "no reason given"
    ),
    where = "",
  })
end

--- Returns what was decided about the newest request, nil while nothing is.
local function decided(run, name, request)
  local decision = run:recall("approval", name)
  if decision and not decision.confirm and (decision.n or 0) > (request.n or 0) then
    return decision
  end
end

--- Goes on after a granted approval: the guards hold again, and it need not be given once more.
local function go_on(run, name, decision, tell)
  if not decision.used then
    run:check_guards() -- hours may have passed
    run:record({
      type = "approval",
      name = name,
      granted = true,
      used = true,
      by = decision.by,
      user = decision.user,
      host = decision.host,
      sudo_user = decision.sudo_user,
    })
    run:sync()
  end
  tell("granted", approval.decider(decision))
end

--- Stops the run until somebody says `platrun approve RUN`; `platrun resume RUN` then goes on
--- behind this line, after the guards have been asked again. A rejected run is undone. Who may
--- approve is said here and by the inventory (`approvals:`); both count.
---@async
---@param run plat.Run
---@param name string
---@param opts? { text: string?, by: string[]?, not_starter: boolean?, expires: string|number?,
---  notify: boolean? }
return function(run, name, opts)
  opts = OPTIONS(opts)
  if type(name) ~= "string" or name == "" then
    fault.raise("usage", { op = "run:approve" }, { msg = "an approval needs a name" })
  end
  local text = opts.text or name
  local function tell(status, by)
    run.reporter:emit("approval", { title = name, text = text, status = status, by = by })
  end
  if run.planning then
    return tell("planned")
  elseif not run.journal then
    fault.raise("refused", { op = "run:approve", object = name }, {
      msg = "nobody could approve a run that is not recorded",
    })
  end
  local request = run:recall("request", name)
  local decision = request and decided(run, name, request)
  if decision and decision.used then
    return go_on(run, name, decision, tell)
  elseif decision and not decision.granted then
    tell("rejected", approval.decider(decision))
    reject(name, decision)
  end
  if request and not approval.is_expired(request, clock.real()) then
    if decision then
      return go_on(run, name, decision, tell)
    end
    tell("waiting")
    suspend(run, name, text)
  end
  if request then
    tell("expired")
  end
  run:record(demand(run, name, opts))
  run:sync()
  if opts.notify then
    local line = "%s waits for an approval: %s; platrun approve %s"
    run:notify(line:format(run.name, text, run.id), { quiet = true })
  end
  tell("asked")
  suspend(run, name, text)
end
