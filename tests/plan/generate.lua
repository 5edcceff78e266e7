--- Makes playbooks by chance: a seed gives the text of one. They branch and loop on what they
--- read, read again what they changed, nest `each` and tasks, undo, post reads, and do what nobody
--- predicts.
local parts = ...

local M = {}

local Maker = {}
Maker.__index = Maker

local HEAD = [[
local dremio, http, k8s, task, DIR = ...
local fs = require("plat.fs")
local NS = "data-platform"
local api = k8s.connect({ server = "https://kubernetes.sandbox", name = "sandbox" })
local coordinator = dremio.connect({
  name = "main",
  url = "http://dremio.sandbox:9047",
  user = "platrun",
  password = "platrun-sandbox",
})
local function cm(name, n, tier)
  return {
    apiVersion = "v1",
    kind = "ConfigMap",
    metadata = { name = name, namespace = NS, labels = { tier = tier } },
    data = { n = tostring(n) },
  }
end
local function value(object)
  return object and tonumber(object.data and object.data.n) or 0
end
local function deployment(name, replicas)
  return {
    apiVersion = "apps/v1",
    kind = "Deployment",
    metadata = { name = name, namespace = NS, labels = { tier = "web" } },
    spec = {
      replicas = replicas,
      selector = { matchLabels = { app = name } },
      template = {
        metadata = { labels = { app = name } },
        spec = { containers = { { name = "c", image = "apache/superset:3.0.0" } } },
      },
    },
  }
end
local M = { undo = {} }
function M.undo.restore(_, args)
  if api:find("cm", NS, args.name) then
    api:patch("cm", NS, args.name, { data = { n = args.n } })
  end
end
function M.run(run)
]]

--- Returns a whole number from 1 to n.
function Maker:pick(n)
  self.state = (self.state * 6364136223846793005 + 1442695040888963407) & math.maxinteger
  return (self.state >> 24) % n + 1
end

function Maker:one(items)
  return items[self:pick(#items)]
end

function Maker:chance(percent)
  return self:pick(100) <= percent
end

--- Adds a line; `%s` is filled in by format.
function Maker:line(fmt, ...)
  self.lines[#self.lines + 1] = ("  "):rep(self.depth) .. fmt:format(...)
end

--- Adds lines inside a block.
function Maker:block(opening, fn, closing)
  self:line("%s", opening)
  self.depth = self.depth + 1
  local vars = self.vars
  self.vars = setmetatable({}, { __index = vars }) -- what is local in there stays there
  table.move(vars, 1, #vars, 1, self.vars)
  fn()
  self.vars = vars
  self.depth = self.depth - 1
  self:line("%s", closing or "end")
end

--- Returns the name of a new variable.
function Maker:fresh(prefix)
  self.count = self.count + 1
  return prefix .. self.count
end

--- Declares a local number.
function Maker:number(expression, ...)
  local name = self:fresh("v")
  self:line("local %s = " .. expression, name, ...)
  self.vars[#self.vars + 1] = name
  return name
end

--- Returns an expression of numbers: a value that was read, or a constant.
function Maker:value()
  local term = #self.vars > 0 and self:chance(80) and self:one(self.vars) or tostring(self:pick(9))
  return self:chance(40) and ("(%s + %d) %% 7"):format(term, self:pick(5)) or term
end

--- Returns a condition on what was read.
function Maker:condition()
  local value = self:value()
  return self:one({
    ("%s %% 2 == 0"):format(value),
    ("%s > %d"):format(value, self:pick(5)),
    ("%s == %d"):format(value, self:pick(5)),
  })
end

--- Returns an expression for the name of a config map that this place may touch.
function Maker:config_map()
  if self.item then
    return self:one({ self.item, self.item .. ' .. "-x"' })
  end
  local names = { "base-1", "base-2", "base-3", "base-4", "new-1", "new-2" }
  return ("%q"):format(self:one(names))
end

--- Adds some statements.
function Maker:statements(least, most)
  for _ = 1, least + self:pick(most - least + 1) - 1 do
    local choice = self:pick(parts.total)
    for _, part in ipairs(parts.list) do
      choice = choice - part.weight
      if choice <= 0 then
        local early = part.risky and not self.last and self:chance(94)
        if not (part.alone and self.item) and not early and self.depth < 9 then
          part.make(self)
        end
        break
      end
    end
  end
end

--- Adds a step with statements.
function Maker:step(title, opts, least, most)
  self:block(("run:step(%s, %sfunction(step)"):format(title, opts), function()
    self:line("local _ = step")
    self:statements(least, most)
  end, "end)")
end

--- Returns the text of a playbook.
---@param seed integer
---@return string
function M.text(seed)
  local self = setmetatable({
    state = seed * 2862933555777941757 + 3037000493 & math.maxinteger,
    lines = {},
    vars = {},
    depth = 1,
    count = 0,
  }, Maker)
  for _ = 1, 5 do
    self:pick(2)
  end
  local steps = 2 + self:pick(4)
  for i = 1, steps do
    self.last = i == steps
    if self:chance(40) then
      parts.look(self)
    end
    if self:chance(25) then
      parts.returning(self, i)
    else
      self:step(("%q"):format("step " .. i), "", 1, 5)
    end
  end
  if self:chance(4) then
    parts.guessing(self)
  end
  return HEAD .. table.concat(self.lines, "\n") .. "\nend\nreturn M\n"
end

return M
