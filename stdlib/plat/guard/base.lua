--- What all guards share: the guard itself, checked options, and readings that may be wrong.
--
-- A guard fails closed: what is missing, of the wrong type, not a number or too old refuses, like
-- what is known to be bad. Deciding is a pure function of its own in each module (`M.decide`).

local check = require("plat.check")
local fault = require("plat.fault")
local list = require("plat.list")
local time = require("plat.time")

local M = {}

---@class plat.Guard
---@field name string what `--override NAME` calls it
---@field again boolean checked again before a point of no return, after an approval and on resume
---@field check fun(): boolean, string?, string? true, or false, the reason and what to do
local Guard = { __name = "plat.Guard" }
Guard.__index = Guard

function Guard:__tostring()
  return "guard " .. self.name
end

M.COMMON = {
  name = { type = "string", help = "what --override calls it; default: the name of its kind" },
  again = { type = "boolean", default = true, help = "checked again before points of no return" },
}

--- Raises the mistake of a playbook: with its line and the name of the option.
---@param fn string "guard.quorum"
---@param problem string 'option "leaving": ...'
function M.misuse(fn, problem)
  local err = fault.new("usage", { op = fn }, { hint = "platrun doc plat.guard explains it" })
  err.msg = err.where and ("%s (%s)"):format(problem, err.where) or problem
  error(err, 0)
end

--- Returns what checks an option table, with the options all guards have.
---@param fn string
---@param schema table<string, table> see plat.check
---@return fun(opts: table?): table
function M.options(fn, schema)
  local validate = check.options(fn, list.merge(M.COMMON, schema))
  return function(given)
    local opts, err = fault.try(validate, given)
    if not opts then
      M.misuse(fn, (err.msg:gsub("^" .. fn:gsub("%p", "%%%0") .. ": ", "")))
    end
    if opts.name == "" then
      M.misuse(fn, 'option "name": a guard needs a name')
    end
    return opts
  end
end

--- Returns a guard.
---@param kind string its name, unless the options name it
---@param opts { name: string?, again: boolean? }
---@param decide fun(): boolean, string?, string?
---@return plat.Guard
function M.new(kind, opts, decide)
  return setmetatable(
    { name = opts.name or kind, again = opts.again ~= false, check = decide },
    Guard
  )
end

--- Returns whether a value is a guard.
---@param v any
---@return boolean
function M.is(v)
  return type(v) == "table" and getmetatable(v) == Guard
end

--- Returns what an option holds, or what it reads if it is a function.
---@async
---@param source any
---@return any
function M.read(source)
  if type(source) == "function" then
    return source()
  end
  return source
end

--- Returns a number that can be reckoned with, or nil: not text, not NaN, not infinite.
---@param v any
---@return number?
function M.number(v)
  if type(v) ~= "number" or v ~= v or v == math.huge or v == -math.huge then
    return nil
  end
  return v
end

--- Returns whether a value is a list, perhaps an empty one.
---@param v any
---@return boolean
function M.is_list(v)
  return type(v) == "table" and not M.is(v) and list.count(v) == #v
end

--- Returns why a reading is no list of named items, or nil. Two items of one name cannot be told
--- apart, so they are refused too.
---@param items any
---@param what string "member"
---@return string?
function M.unnamed(items, what)
  if items == nil then
    return ("no %s is known: the reading gave nothing"):format(what)
  elseif not M.is_list(items) then
    return ("the reading is no list of %ss"):format(what)
  end
  local seen = {}
  for i, item in ipairs(items) do
    local name = type(item) == "table" and item.name
    if type(name) ~= "string" or name == "" then
      return ("%s %d of the reading has no name"):format(what, i)
    elseif seen[name] then
      return ("the reading has two %ss named %s"):format(what, name)
    end
    seen[name] = true
  end
  return nil
end

--- Returns why readings are too old, or nil. Each tells in `at` when it was made (unix seconds).
---@param items table[]
---@param fresh number? seconds; nil: age does not matter
---@param now number unix seconds
---@return string? reason
---@return string? hint
function M.stale(items, fresh, now)
  for _, item in ipairs(fresh and items or {}) do
    local at, label = M.number(item.at), item.name or item.path or "a reading"
    if not at then
      return ("%s does not say when it was read"):format(label), "give each reading `at`"
    elseif at > now + 1 then
      return ("%s was read in the future"):format(label), "compare the clocks of both sides"
    elseif now - at > fresh then
      return ("%s was read %s ago, at most %s is allowed"):format(
        label,
        time.human(now - at),
        time.human(fresh)
      ),
        "read it again"
    end
  end
  return nil
end

--- Returns names for a message: all, or the first six and how many more.
---@param names string[]
---@return string
function M.some(names)
  if #names <= 7 then
    return table.concat(names, ", ")
  end
  return ("%s and %d more"):format(table.concat(names, ", ", 1, 6), #names - 6)
end

--- Returns a number of things for a message: "1 node", "2 nodes".
---@param n integer
---@param noun string
---@return string
function M.plural(n, noun)
  return ("%d %s%s"):format(n, noun, n == 1 and "" or "s")
end

--- Returns a share of one from "25%", nil if it is none between 0 and 100.
---@param v any
---@return number?
function M.share(v)
  local digits = type(v) == "string" and v:match("^(%d+%.?%d*)%s*%%$")
  local percent = tonumber(digits or "")
  return percent and percent <= 100 and percent / 100 or nil
end

--- Returns a share for people: "25 %".
---@param share number
---@return string
function M.percent(share)
  return ("%g %%"):format(math.floor(share * 1000 + 0.5) / 10)
end

local UNITS = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB" }

--- Returns a size for people: "1.5 GiB".
---@param bytes number
---@return string
function M.size(bytes)
  local unit = 1
  while math.abs(bytes) >= 1024 and unit < #UNITS do
    bytes, unit = bytes / 1024, unit + 1
  end
  return ("%g %s"):format(math.floor(bytes * 10 + 0.5) / 10, UNITS[unit])
end

return M
