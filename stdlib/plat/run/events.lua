--- Tells machines what a run does: a JSON object a line (`-o jsonl`), or one document at the end
--- (`-o json`). The schema is versioned: fields are added, never changed.

local fault = require("plat.fault")
local json = require("plat.json")
local list = require("plat.list")
local out = require("plat.out")
local time = require("plat.time")

local M = {}

M.SCHEMA = 1

local Events = { __name = "plat.run.Events" }
Events.__index = Events

--- Returns a reporter.
---@param opts { format: "json"|"jsonl", planning: boolean? }
---@return table reporter
function M.new(opts)
  return setmetatable({ lines = opts.format == "jsonl", all = json.array({}) }, Events)
end

local function plain_fault(err)
  local data = { kind = err.kind, msg = err.msg, text = fault.text(err) }
  for _, field in ipairs({ "op", "target", "object", "code", "reason", "hint", "step", "where" }) do
    data[field] = err[field]
  end
  return data
end

--- Returns an event as machines read it.
---@param name string
---@param e table
---@return table
function M.data(name, e)
  local data = list.merge(e, { event = name, time = time.rfc3339(time.now()) })
  if data.fault then
    data.fault = plain_fault(data.fault)
  end
  data.note, data.at, data.declared = nil, nil, nil
  if name == "start" then
    data.schema = M.SCHEMA
  end
  return data
end

--- Handles an event.
---@param name string
---@param e table
function Events:emit(name, e)
  if name == "progress" and not self.lines then
    return
  end
  local data = M.data(name, e)
  if self.lines then
    out.document(json.encode(data, { secrets = "reference", redact = true }))
    return
  end
  table.insert(self.all, data)
  if name == "finish" then
    local doc = list.merge(self.all[1], data, { events = self.all, event = false })
    doc.event = nil
    out.document(json.encode(doc, { indent = 2, secrets = "reference", redact = true }))
  end
end

function Events:tick() end

function Events:heartbeat() end

return M
