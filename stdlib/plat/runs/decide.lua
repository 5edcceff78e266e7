--- Answers a run that waits for an approval: what `platrun approve` and `platrun reject` share.

local approval = require("plat.runs.approval")
local clock = require("prim.time")
local fault = require("plat.fault")
local journal = require("plat.journal")
local list = require("plat.list")
local out = require("plat.out")
local runs = require("plat.runs")
local tell = require("plat.runs.tell")
local time = require("plat.time")
local who = require("plat.runs.who")

local M = {}

local function refuse(id, msg, hint)
  fault.raise("refused", { op = "approve", object = id }, { msg = msg, hint = hint, where = "" })
end

--- Raises unless the run waits for an answer.
local function check_waits(run)
  local asked = run.waits
  if run.status == "running" then
    refuse(run.id, "it does not wait: it runs, by " .. run.holder, "platrun runs tail " .. run.id)
  elseif run.problem then
    fault.raise(
      run.whole == "unreadable" and "io" or "parse",
      { op = "approve", object = run.id },
      {
        msg = ("%s: %s"):format(run.status, run.problem),
        hint = runs.next(run)[1],
        where = "",
      }
    )
  elseif not asked then
    refuse(
      run.id,
      ("it waits for no approval: it is %s"):format(run.status),
      "platrun runs show " .. run.id
    )
  elseif asked.decision then
    local word = asked.decision.granted and "approved" or "rejected"
    refuse(
      run.id,
      ("it has been %s by %s at %s"):format(
        word,
        approval.decider(asked.decision),
        runs.stamp(asked.decision.t)
      ),
      "platrun resume " .. run.id
    )
  end
end

local function args_text(head)
  local words = {}
  for name, value in pairs(head.args or {}) do
    words[#words + 1] = ("%s=%s"):format(name, tostring(value))
  end
  return table.concat(words, " ")
end

--- Says what is asked for, by whom, and what was done so far.
local function show(run)
  local head, request = run.head, run.waits.request
  local book = head.playbook or {}
  out.line(out.paint("bold", request.text))
  out.line(("  run        %s"):format(run.id))
  out.line(("  playbook   %s: %s"):format(book.path, book.summary))
  local args = args_text(head)
  if args ~= "" then
    out.line("  arguments  " .. args)
  end
  local inventory = type(head.inventory) == "table" and head.inventory.path
  if inventory then
    out.line(("  inventory  %s%s"):format(inventory, head.sandbox and " (sandbox)" or ""))
  end
  out.line(("  started    %s by %s"):format(runs.stamp(head.t), who.text(request.asked_by or head)))
  out.line(("  asked      %s"):format(runs.stamp(request.t)))
  if request.expires_at then
    local left = request.expires_at - clock.real()
    local when = left > 0 and "in " .. time.human(left) or time.human(-left) .. " ago"
    out.line(("  expires    %s (%s)"):format(runs.stamp(request.expires_at), when))
  end
  local may = list.copy(request.by or request.approvers or {})
  local rules = #may > 0 and { table.concat(may, ", ") } or {}
  rules[#rules + 1] = request.not_starter and "not whoever started it" or nil
  if #rules > 0 then
    out.line("  may        " .. table.concat(rules, "; "))
  end
  for _, line in ipairs(tell.progress(run)) do
    out.line(line)
  end
end

local function record(run, granted, opts)
  local here = who.here()
  here.type, here.name, here.granted = "approval", run.waits.request.name, granted
  here.by = opts.as or who.person(here)
  here.reason = opts.reason
  return here
end

--- Appends the decision, under the run's lock: of two who decide at once, one is told so.
local function append(id, make)
  local j = journal.open(id)
  local ok, err = fault.try(function()
    local run = runs.read(id, true) -- again: it may have changed before the lock was ours
    check_waits(run)
    j:append(make(run))
    j:commit()
    return true
  end)
  j:close()
  if not ok then
    error(err, 0)
  end
end

--- Decides about a run that waits.
---@async
---@param word? string which run; without one the only one that waits
---@param granted boolean
---@param opts { as: string?, reason: string?, output: string? }
---@return plat.runs.Run run as it is after the decision
function M.decide(word, granted, opts)
  local run = runs.read(word and runs.find(word) or M.only_waiting())
  check_waits(run)
  if opts.output ~= "json" then
    show(run)
  end
  append(run.id, function(now)
    local request = now.waits.request
    local entry = record(now, granted, opts)
    if granted then
      if approval.is_expired(request, clock.real()) then
        refuse(
          run.id,
          ("the request expired at %s"):format(runs.stamp(request.expires_at)),
          ("platrun resume %s asks anew"):format(run.id)
        )
      end
      local problem = approval.problem(request, entry, approval.starters(now.records))
      if problem then
        refuse(run.id, problem, opts.as and "--as is recorded, but the real user counts" or nil)
      end
    end
    return entry
  end)
  return runs.read(run.id)
end

--- Returns the id of the only run that waits for a decision. Raises kind "usage" when there is
--- none, or more than one.
---@return string id
function M.only_waiting()
  local found = {}
  for run in runs.newest_first() do
    if run.waits and not run.waits.decision then
      found[#found + 1] = run
    end
  end
  if #found == 1 then
    return found[1].id
  end
  local ids = list.map(found, function(run)
    return ("%s (%s)"):format(run.id, run.waits.request.text)
  end)
  fault.raise("usage", nil, {
    msg = #found == 0 and "no run waits for an approval"
      or "which run? these wait: " .. table.concat(ids, ", "),
    hint = #found == 0 and "platrun runs lists the runs" or "platrun approve RUN",
    where = "",
  })
end

return M
