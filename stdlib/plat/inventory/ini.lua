--- Inventories as INI text: `[group]`, `[group:children]`, `[group:vars]`, hosts with variables.
local fault = require("plat.fault")
local literal = require("plat.inventory.literal")
local names = require("plat.inventory.names")

local M = {}

local function fail(file, number, msg)
  fault.raise("parse", nil, {
    msg = ("%s:%d: %s"):format(file.name, number, msg),
    hint = "inventory/production/hosts.ini shows the form",
    where = "",
  })
end

--- Splits a line into words; quotes keep blanks together, "#" after a blank ends the line.
local function words_of(line)
  local words, pos = {}, 1
  while true do
    pos = line:match("^%s*()", pos)
    if pos > #line or line:sub(pos, pos) == "#" then
      return words
    end
    local word = ""
    while pos <= #line and not line:find("^%s", pos) do
      local quote = line:match("^[\"']", pos)
      local stop = quote and line:find(quote, pos + 1, true)
      if quote and not stop then
        return nil
      end
      local part = quote and line:sub(pos + 1, stop - 1) or line:match("^[^%s\"']+", pos)
      word = word .. part
      pos = quote and stop + 1 or pos + #part
    end
    words[#words + 1] = word
  end
end

local function add_hosts(tree, group, file, number, line)
  local words = words_of(line)
  if not words then
    fail(file, number, "a quote is not closed")
  end
  local text = words[1]
  local bare, port = text:match("^([^:%[%]]*%[?[^%]]*%]?[^:]*):(%d+)$")
  local hosts, problem = names.expand(bare or text)
  if not hosts then
    fail(file, number, problem)
  end
  for _, name in ipairs(hosts) do
    local host = tree:host(name, group)
    if port then
      host.vars.ansible_port = math.tointeger(port)
    end
    for i = 2, #words do
      local key, value = words[i]:match("^([^=]+)=(.*)$")
      if not key then
        fail(file, number, ('expected KEY=VALUE, got "%s"'):format(words[i]))
      end
      host.vars[key] = literal.read(value)
    end
  end
end

local function add_var(_, group, file, number, line)
  local key, value = line:match("^([^=]-)%s*=%s*(.-)%s*$")
  if not key or key == "" then
    fail(file, number, ('expected KEY=VALUE, got "%s"'):format(line))
  end
  group.vars[key] = literal.read(value)
end

local function add_child(tree, group, file, number, line)
  local ok, problem = tree:child(group, line:match("^%S+"))
  if not ok then
    fail(file, number, problem)
  end
end

local add_line = { hosts = add_hosts, vars = add_var, children = add_child }

--- Reads an INI inventory into a tree.
---@param tree plat.inventory.Tree
---@param file { name: string, text: string }
function M.read(tree, file)
  local group, kind = tree:group("ungrouped"), "hosts"
  local number = 0
  for line in (file.text .. "\n"):gmatch("(.-)\r?\n") do
    number = number + 1
    line = line:match("^%s*(.-)%s*$")
    local section = line:match("^%[([^%]]+)%]%s*#?.*$")
    if line:find("^%[") and not section then
      fail(file, number, 'a group stands in brackets, like "[web]"')
    end
    local skip = line == "" or line:find("^[#;]")
    if section and not skip then
      local name, what = section:match("^([^:]+):?(.*)$")
      if what ~= "" and what ~= "children" and what ~= "vars" then
        fail(file, number, ('[%s]: expected "children" or "vars" after the colon'):format(section))
      end
      group, kind = tree:group(name), what == "" and "hosts" or what
    elseif not skip then
      add_line[kind](tree, group, file, number, line)
    end
  end
end

return M
