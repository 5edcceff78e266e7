--- run:prove: an end state that can be observed, several times in a row.

local check = require("plat.check")
local effect = require("plat.effect")
local fault = require("plat.fault")
local task = require("plat.task")

local M = {}

--- Validates the options of run:prove.
M.options = check.options("run:prove", {
  within = { type = "duration", default = "5m" },
  every = { type = "duration", default = "5s" },
  readings = { type = "integer", min = 1, default = 3, help = "good readings one after the other" },
})

--- Whether a reading that failed may be better next time.
local function passing(err)
  return err.kind == "connect"
    or err.kind == "timeout" and not err.deadline
    or err.kind == "http" and (err.code == 429 or (err.code or 0) >= 500)
end

local function readings(opts, fn, told)
  local good = 0
  while good < opts.readings do
    local ok, value, detail = xpcall(fn, fault.from_handler)
    if not ok and not passing(value) then
      error(value, 0)
    end
    good = ok and value and good + 1 or 0
    told.last = not ok and tostring(value) or detail
    if told.last then
      effect.progress(tostring(told.last))
    end
    if good < opts.readings then
      task.sleep(opts.every)
    end
  end
end

--- Waits until the function returns true `readings` times one after the other. Raises kind "failed"
--- with what was seen last when that does not happen within the deadline.
---@async
---@param opts { within: number, every: number, readings: integer }
---@param fn fun(): boolean, string?
function M.wait(opts, fn)
  local told = {}
  local _, err = fault.try(task.timeout, opts.within, function()
    readings(opts, fn, told)
    return true
  end)
  if err and err.deadline then
    local seen = told.last and (": " .. tostring(told.last)) or ""
    fault.raise("failed", { op = "prove" }, {
      msg = ("not true within %s%s"):format(task.show_seconds(opts.within), seen),
    })
  elseif err then
    error(err, 0)
  end
end

return M
