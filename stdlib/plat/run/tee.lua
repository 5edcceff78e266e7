--- A reporter that tells another one, and writes events into the run's directory.

local events = require("plat.run.events")
local json = require("plat.json")

local M = {}

local encode = json.encoder({ lossy = true, secrets = "reference", redact = true })

local Tee = { __name = "plat.run.Tee" }
Tee.__index = Tee

--- Returns a reporter.
---@param shown table the one that people or machines see
---@param journal plat.Journal
---@return table reporter
function M.new(shown, journal)
  return setmetatable({ shown = shown, journal = journal }, Tee)
end

--- Handles an event.
---@param name string
---@param e table
function Tee:emit(name, e)
  self.shown:emit(name, e)
  if name ~= "progress" then
    self.journal:event(encode(events.data(name, e)))
  end
end

--- Renews what is shown, and writes what waits.
function Tee:tick()
  self.shown:tick()
  self.journal:flush_events()
end

function Tee:heartbeat()
  self.shown:heartbeat()
end

return M
