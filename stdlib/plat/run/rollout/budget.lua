--- How many targets of a rollout may fail. Pure.

local batches = require("plat.run.rollout.batches")
local check = require("plat.check")

local M = {}

local FIELDS = { "batch", "total" }
local ROUNDING = 1e-9

---@class plat.run.Budget
---@field batch? table amount for each batch, nil: only `total` limits
---@field total? integer failures in all, nil: only `batch` limits

--- A share of the failures that are allowed is rounded down: in doubt the rollout stops.
local function count(amount, of)
  return amount.count or (of * amount.percent / 100 + ROUNDING) // 1 | 0
end

--- Reads what was given as `budget`. Without one the first failure is too many; of one that says
--- only `batch` or only `total` the other does not limit.
---@param given? { batch: integer|string?, total: integer|string? }
---@param all integer how many targets there are
---@return plat.run.Budget?
---@return string? err
function M.parse(given, all)
  local amounts = {}
  for name, v in pairs(given or {}) do
    if name ~= "batch" and name ~= "total" then
      local close = check.did_you_mean(tostring(name), FIELDS)
      return nil, ("unknown field %q%s; it has batch and total"):format(tostring(name), close)
    end
    local amount, err = batches.amount(v)
    if not amount then
      return nil, ("%s: %s"):format(name, err)
    end
    amounts[name] = amount
  end
  if not amounts.batch and not amounts.total then
    amounts.batch = { count = 0 }
  end
  return { batch = amounts.batch, total = amounts.total and count(amounts.total, all) }
end

--- Returns how many may fail in a batch, nil if only the total limits.
---@param budget plat.run.Budget
---@param size integer of the batch
---@return integer?
function M.in_batch(budget, size)
  return budget.batch and count(budget.batch, size)
end

--- Returns whether so many failures are too many, and how many were allowed where.
---@param budget plat.run.Budget
---@param size integer of the batch
---@param here integer failures in the batch
---@param all integer failures in all
---@return boolean exceeded
---@return string? words "1 allowed", "3 allowed in all"
function M.exceeded(budget, size, here, all)
  local allowed = M.in_batch(budget, size)
  if allowed and here > allowed then
    return true, allowed == 0 and "none allowed" or allowed .. " allowed"
  elseif budget.total == 0 and all > 0 then
    return true, "none allowed"
  elseif budget.total and all > budget.total then
    return true, ("%d in all, %d allowed in all"):format(all, budget.total)
  end
  return false
end

return M
