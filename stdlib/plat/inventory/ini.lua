--- Inventories as INI text: `[group]`, `[group:children]`, `[group:vars]`, hosts with variables.
local fault = require("plat.fault")
local literal = require("plat.inventory.literal")
local names = require("plat.inventory.names")

local M = {}

local BOM = "\239\187\191"

--- Reads one file: tree, file, number of the line, group and kind of the section, and `pending`:
--- groups that are used before they are declared.
local Reader = {}
Reader.__index = Reader

function Reader:fail(msg, number)
  fault.raise("parse", nil, {
    msg = ("%s:%d: %s"):format(self.file.name, number or self.number, msg),
    hint = "inventory/production/hosts.ini shows the form",
    where = "",
  })
end

function Reader:set(entry, key, value)
  local origin = { name = self.file.name, line = self.number }
  local problem = self.tree:set(entry, key, literal.read(value), origin)
  if problem then
    self:fail(problem)
  end
end

--- Returns a text without the blanks at its ends, in two steps: one pattern for both ends would
--- take a square of time for many blanks.
local function trim(text)
  return text:match(".*%S", text:match("^%s*()")) or ""
end

--- Returns what stands in double quotes from `pos` on, and where they end.
local function double_quoted(line, pos)
  local parts, from = {}, pos + 1
  while true do
    local stop = line:find('[\\"]', from)
    if not stop then
      return nil
    end
    parts[#parts + 1] = line:sub(from, stop - 1)
    if line:sub(stop, stop) == '"' then
      return table.concat(parts), stop
    end
    local quoted = line:match('^[\\"]', stop + 1)
    parts[#parts + 1] = quoted or "\\"
    from = stop + (quoted and 2 or 1)
  end
end

--- Returns the piece of a word that begins at `pos` and where it ends; nil and what is wrong.
local function piece_at(line, pos)
  local c = line:sub(pos, pos)
  if c == "\\" then
    if pos == #line then
      return nil, "a backslash ends the line"
    end
    return line:sub(pos + 1, pos + 1), pos + 1
  elseif c == "'" then
    local stop = line:find("'", pos + 1, true)
    if stop then
      return line:sub(pos + 1, stop - 1), stop
    end
  elseif c == '"' then
    local inner, stop = double_quoted(line, pos)
    if inner then
      return inner, stop
    end
  else
    local plain = line:match("^[^%s#\\'\"]+", pos)
    return plain, pos + #plain - 1
  end
  return nil, "a quote is not closed"
end

--- Splits a line into words as a POSIX shell does; "#" outside of quotes ends the line.
---@param line string
---@return string[]? words
---@return string? problem
function M.words(line)
  local words, parts, pos = {}, {}, 1
  while pos <= #line do
    local c = line:sub(pos, pos)
    if c == "#" then
      break
    elseif c:find("%s") then
      words[#words + 1] = parts[1] and table.concat(parts)
      parts = {}
    else
      local piece, stop = piece_at(line, pos)
      if not piece then
        return nil, stop
      end
      parts[#parts + 1], pos = piece, stop
    end
    pos = pos + 1
  end
  words[#words + 1] = parts[1] and table.concat(parts)
  return words
end

local add_line = {}

function add_line.hosts(self, line)
  local words, problem = M.words(line)
  if not words then
    self:fail(problem)
  elseif words[1] == "---" then
    self:fail('"---" begins a YAML file: name it .yml')
  end
  local hosts, port = names.hosts(words[1])
  if not hosts then
    self:fail(port)
  elseif words[1]:sub(-1) == ":" and not port then
    self:fail(('"%s": a port is missing after the colon'):format(words[1]))
  end
  for i = 2, #words do
    if not words[i]:find("=", 1, true) then
      self:fail(('expected KEY=VALUE, got "%s"'):format(words[i]))
    end
  end
  local group = self.tree:group(self.group)
  for _, name in ipairs(hosts) do
    local is_new = not self.tree.hosts_by_name[name]
    local host = self.tree:host(name, group, self.file.name)
    if port and is_new then -- who comes first says the port
      host.vars.ansible_port = port
    end
    for i = 2, #words do
      self:set(host, words[i]:match("^([^=]*)=(.*)$"))
    end
  end
end

function add_line.vars(self, line)
  local key, value = line:match("^([^=]*)=(.*)$")
  if not key then
    self:fail(('expected KEY=VALUE, got "%s"'):format(line))
  end
  self:set(self.tree:group(self.group), trim(key), trim(value))
end

function Reader:adopt(parent, name, number)
  local ok, problem = self.tree:child(self.tree:group(parent), name)
  if not ok then
    self:fail(problem, number)
  end
end

--- A child may be declared further down; it is adopted then.
function add_line.children(self, line)
  local name = line:match("^([^:%]%s]+)%s*$") or line:match("^([^:%]%s]+)%s*#")
  if not name then
    self:fail(('expected the name of a group, got "%s"'):format(line))
  elseif self.tree.groups_by_name[name] then
    self:adopt(self.group, name)
  else
    local decl = self.pending[name] or { kind = "children", line = self.number, parents = {} }
    table.insert(decl.parents, self.group)
    self.pending[name] = decl
  end
end

--- Begins a section. One with variables alone does not declare its group.
function Reader:section(name, kind)
  kind = kind ~= "" and kind or "hosts"
  if not add_line[kind] then
    self:fail(('[%s:%s]: expected "children" or "vars" after the colon'):format(name, kind))
  end
  local is_new = not self.tree.groups_by_name[name]
  if is_new and kind == "vars" and not self.pending[name] then
    self.pending[name] = { kind = "vars", line = self.number }
  end
  self.tree:group(name)
  local decl = kind ~= "vars" and self.pending[name]
  if decl then
    self.pending[name] = nil
    for _, parent in ipairs(decl.parents or {}) do
      self:adopt(parent, name)
    end
  end
  self.group, self.kind = name, kind
end

function Reader:finish()
  for name, decl in pairs(self.pending) do
    self:fail(
      decl.kind == "vars" and ("[%s:vars]: there is no group [%s]"):format(name, name)
        or ("[%s:children]: there is no group [%s]"):format(decl.parents[1], name),
      decl.line
    )
  end
end

--- Reads an INI inventory into a tree.
---@param tree plat.inventory.Tree
---@param file { name: string, text: string }
function M.read(tree, file)
  local self = setmetatable({
    tree = tree,
    file = file,
    number = 0,
    group = "ungrouped",
    kind = "hosts",
    pending = {},
  }, Reader)
  for line in (file.text:gsub("^" .. BOM, "") .. "\n"):gmatch("(.-)\r?\n") do
    self.number = self.number + 1
    if not utf8.len(line) then
      self:fail("the line is not UTF-8")
    elseif line:find("\0", 1, true) then
      self:fail("the line contains a zero byte")
    end
    if line:find(BOM, 1, true) then
      self:fail("the line contains a byte order mark, which nobody can see")
    end
    line = trim(line)
    local section, rest = line:match("^%[([^%]%s]+)%]%s*(.*)$")
    local name, behind = (section or ""):match("^([^:]+)(.*)$") -- in two steps: in linear time
    local kind = behind and behind:match("^:?([%w_]*)$")
    if line ~= "" and not line:find("^[#;]") then
      if kind and (rest == "" or rest:sub(1, 1) == "#") then
        self:section(name, kind)
      elseif line:find("^%[.*%]$") or line:find("^%[[^%]]*$") then
        self:fail('a group stands in brackets, like "[web]"')
      else
        add_line[self.kind](self, line)
      end
    end
  end
  self:finish()
end

return M
