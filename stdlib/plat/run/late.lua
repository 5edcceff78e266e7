--- A reporter for cron: it keeps what it is told, and tells another one all of it only if the run
--- does not end well. A mail from cron then means that something is to be done.

local list = require("plat.list")
local time = require("plat.time")

local M = {}

local Late = { __name = "plat.run.Late" }
Late.__index = Late

--- Returns a reporter.
---@param shown table the one that tells people; its field `now` is the time of what it tells
---@return table reporter
function M.new(shown)
  return setmetatable({ shown = shown, events = {} }, Late)
end

--- Handles an event.
---@param name string
---@param e table
function Late:emit(name, e)
  if name == "progress" then
    return
  end
  table.insert(self.events, { name = name, e = list.copy(e), at = time.now() })
  if name == "finish" and e.exit ~= 0 then
    for _, event in ipairs(self.events) do
      self.shown.now = event.at
      self.shown:emit(event.name, event.e)
    end
  end
end

function Late:tick() end

function Late:heartbeat() end

return M
