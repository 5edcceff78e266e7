--- Goes through the statements for one host: the first value of a keyword counts, some gather.

local match = require("plat.ssh.config.match")
local pattern = require("plat.ssh.pattern")
local values = require("plat.ssh.config.values")

local M = {}

---@class plat.ssh.Pass
---@field values table<string, any> by keyword; nothing expanded
---@field origin table<string, plat.ssh.Statement> where each comes from
---@field original string the host as it was asked for
---@field host string what Host lines are compared with
---@field final boolean the second pass
---@field want_final boolean a `Match final` was seen
---@field local_ table
---@field exec? fun(command: string): boolean
---@field ignored fun(st: plat.ssh.Statement)

local function set_first(pass, st)
  local name = st.keyword.name
  if pass.values[name] == nil and st.value ~= values.NONE then
    pass.values[name], pass.origin[name] = st.value, st
  end
end

local function gather(pass, st, item)
  local name = st.keyword.name
  local items = pass.values[name] or {}
  pass.values[name] = items
  for _, known in ipairs(items) do
    if known.text == item and known.user == st.user then
      return
    end
  end
  items[#items + 1] = { text = item, user = st.user, st = st }
end

local apply = {}

function apply.path(pass, st)
  gather(pass, st, st.value)
end

function apply.forward(pass, st)
  gather(pass, st, st.value)
end

local function sendenv(pass, st, name)
  local items = pass.values[name] or {}
  for _, word in ipairs(st.value) do
    if word:sub(1, 1) ~= "-" then
      items[#items + 1] = word
    else
      local kept = {}
      for _, item in ipairs(items) do
        if not pattern.matches(item, word:sub(2)) then
          kept[#kept + 1] = item
        end
      end
      items = kept
    end
  end
  pass.values[name] = items
end

--- What the user asks for is kept apart: Debian's own file sends the locale of whoever runs ssh.
function apply.sendenv(pass, st)
  sendenv(pass, st, "sendenv")
  if st.user then
    sendenv(pass, st, "sendenv_user")
  end
end

--- All of one line; of two for the same name the first.
function apply.setenv(pass, st)
  if pass.values.setenv then
    return
  end
  local items, names = {}, {}
  for _, word in ipairs(st.value) do
    local name = word:match("^[^=]*")
    if not names[name] then
      names[name], items[#items + 1] = true, word
    end
  end
  if #items > 0 then
    pass.values.setenv = items
  end
end

function apply.paths(pass, st)
  if #st.value > 0 then
    set_first(pass, st)
  end
end

apply.words = apply.paths

--- Of ProxyJump and ProxyCommand the first counts; after `ProxyJump none` a command still does.
function apply.jump(pass, st)
  if pass.values.proxycommand == nil then
    set_first(pass, st)
  end
end

function apply.command(pass, st)
  local hops = st.keyword.name == "proxycommand" and pass.values.proxyjump
  if not (hops and hops[1]) then
    set_first(pass, st)
  end
end

local function unknown(pass, st)
  local skip = pass.values.ignoreunknown
  if not (skip and pattern.list(st.word, skip, true) == 1) then
    st:fail_unknown()
  end
end

--- Applies statements; `never`: they are in a block that does not count, and only looked at.
---@param pass plat.ssh.Pass
---@param statements plat.ssh.Statement[]
---@param active boolean
---@param never? boolean
function M.run(pass, statements, active, never)
  for _, st in ipairs(statements) do
    local kind = st.keyword and st.keyword.kind
    if not kind then
      unknown(pass, st)
    elseif kind == "host" then
      active = not never and match.host(st.value, pass.host)
    elseif kind == "match" then
      local holds = match.match(pass, st)
      active = not never and holds
    elseif kind == "include" then
      for _, file in ipairs(st.includes) do
        M.run(pass, file, active, not active)
      end
    elseif active then
      (apply[kind] or set_first)(pass, st)
      if st.keyword.use ~= "used" then
        pass.ignored(st)
      end
    end
  end
end

return M
