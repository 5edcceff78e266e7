--- Running work: nothing is in progress that the operation would break.

local base = require("plat.guard.base")
local time = require("plat.time")

local M = {}

local OPTIONS = base.options("guard.no_running_work", {
  read = { type = "function", required = true, help = "gives a list of { name, kind, since }" },
  what = { type = "string", default = "jobs", help = "what they are called: queries" },
})

local function describe(item, now)
  local words = { item.name }
  if type(item.kind) == "string" then
    words[#words + 1] = ("(%s)"):format(item.kind)
  end
  local since = base.number(item.since)
  if since and since <= now then
    words[#words + 1] = "for " .. time.human(now - since)
  end
  return table.concat(words, " ")
end

--- Decides: here an empty list is the good answer, and nothing at all is none. Pure.
---@param items any list of `{ name, kind?, since? }`; since in unix seconds
---@param what string
---@param now number unix seconds
---@return boolean ok
---@return string? reason
---@return string? hint
function M.decide(items, what, now)
  if items == nil then
    return false, ("nobody knows which %s run: the reading gave nothing"):format(what)
  elseif not base.is_list(items) then
    return false, ("nobody knows which %s run: the reading is no list"):format(what)
  elseif #items == 0 then
    return true
  end
  local names = {}
  for _, item in ipairs(items) do
    local named = type(item) == "table" and type(item.name) == "string"
    names[#names + 1] = named and describe(item, now)
      or type(item) == "string" and item
      or "one without a name"
  end
  return false,
    ("%s are running: %s"):format(what, base.some(names)),
    "wait until they end, or stop them; then run this again"
end

--- Makes the guard; see plat.guard.
---@param opts table
---@return plat.Guard
function M.new(opts)
  opts = OPTIONS(opts)
  return base.new("running-work", opts, function()
    return M.decide(opts.read(), opts.what, time.now())
  end)
end

return M
