--- Plans over hosts: one host after the other, so that the same plan comes out each time, and equal
--- ones are told together.

local fault = require("plat.fault")
local json = require("plat.json")
local list = require("plat.list")
local task = require("plat.task")

local M = {}

--- A reporter that keeps what it is told.
local Kept = {}
Kept.__index = Kept

function Kept:emit(name, e)
  table.insert(self.events, { name = name, e = e })
end

function Kept:tick() end

function Kept:heartbeat() end

--- Reaches all hosts at once: one after the other the dead ones would cost a deadline each.
local function reach(self, drop)
  local remote = list.where(self.items, function(item)
    return item.read ~= nil
  end)
  local answers = task.each(remote, { limit = self.limit, collect = true }, function(host)
    return host:read({ "true" })
  end)
  for i, answer in ipairs(answers) do
    if fault.is(answer) and answer.kind ~= "refused" then
      local state = self.run.hosts_by_name[remote[i].name]
      local stop = not state.status and drop(self, state, answer)
      if stop then
        error(stop, 0)
      end
    end
  end
end

local function signature(name, events)
  local escaped = name:gsub("%p", "%%%0")
  local lines = {}
  for i, event in ipairs(events) do
    local e = event.e
    lines[i] = json.encode({
      event.name,
      e.title or "",
      e.text or "",
      e.class or "",
      e.op or "",
      e.ended_early or "",
      e.diff or {},
      e.depth or 0,
    }, { lossy = true, secrets = "reference" })
  end
  return (table.concat(lines, "\n"):gsub("%f[%w_.-]" .. escaped .. "%f[^%w_-]", "\0"))
end

local function tell(reporter, group)
  reporter:emit("plan_hosts", { hosts = group.names })
  for _, event in ipairs(group.events) do
    local e = list.copy(event.e)
    e.host, e.hosts = nil, group.names
    reporter:emit(event.name, e)
  end
end

--- Plans the work on each host.
---@async
---@param self plat.run.hosts.Work
---@param wave fun(self: table, items: table[])
---@param drop fun(self: table, state: table, err: plat.Fault): plat.Fault?
function M.perform(self, wave, drop)
  local run = self.run
  reach(self, drop)
  local reporter = run.reporter
  local groups, by_text = {}, {}
  for _, item in ipairs(self.items) do
    local kept = setmetatable({ events = {} }, Kept)
    run.reporter = kept
    local ok, err = xpcall(wave, fault.from_handler, self, { item })
    run.reporter = reporter
    if #kept.events > 0 then
      local text = signature(item.name, kept.events)
      if not by_text[text] then
        by_text[text] = { names = {}, events = kept.events }
        groups[#groups + 1] = by_text[text]
      end
      table.insert(by_text[text].names, item.name)
    end
    if not ok then
      for _, group in ipairs(groups) do
        tell(reporter, group)
      end
      error(err, 0)
    end
  end
  for _, group in ipairs(groups) do
    tell(reporter, group)
  end
end

return M
