--- Tells results as lines of JSON: an object a test, and one with the counts at the end.

local json = require("plat.json")
local out = require("plat.out")

local M = {}

local Lines = { __name = "plat.test.Lines" }
Lines.__index = Lines

--- Makes a teller.
function M.new()
  return setmetatable({}, Lines)
end

--- Tells what came of one test.
---@param item plat.test.Item
function Lines.item(_, item)
  out.line(json.encode({
    file = item.file,
    title = item.title,
    status = item.status,
    seconds = item.seconds,
    why = item.status ~= "passed" and item.why or nil,
    modes = item.modes,
    simulated = item.modes ~= nil or nil,
  }, { lossy = true }))
end

--- Tells the end.
---@param count { passed: integer, failed: integer, skipped: integer }
function Lines.done(_, count)
  out.line(json.encode(count))
end

return M
