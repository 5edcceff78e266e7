--- `Host` and `Match`: whether the lines that follow count for a host.

local expand = require("plat.ssh.config.expand")
local fault = require("plat.fault")
local pattern = require("plat.ssh.pattern")
local words = require("plat.ssh.config.words")

local M = {}

local BARE = { canonical = true, final = true }
local WITH_VALUE = { host = true, originalhost = true, user = true, localuser = true, exec = true }

local function needed(list)
  if #list == 0 then
    return nil, "Match expects at least one criterion"
  end
  return list
end

--- Reads the criteria of a Match line. Returns nil and what is wrong.
---@param rest string
---@return { name: string, negated: boolean, value: string? }[]?
---@return string? problem
function M.criteria(rest)
  local list = {}
  while rest do
    local word, value
    word, rest = words.cut(rest)
    if not word or word == "" then
      break
    elseif word:sub(1, 1) == "#" then
      return needed(list)
    end
    local negated = word:sub(1, 1) == "!"
    local name = (negated and word:sub(2) or word):lower()
    if name == "all" then
      value = words.cut(rest or "")
      if #list > 1 or (value and value ~= "" and value:sub(1, 1) ~= "#") then
        return nil, '"all" stands alone'
      end
      list[#list + 1] = { name = name, negated = negated }
      return list
    elseif WITH_VALUE[name] then
      value, rest = words.cut(rest or "")
      if not value or value == "" or value:sub(1, 1) == "#" then
        return nil, ("Match %s: the value is missing"):format(name)
      end
    elseif not BARE[name] then
      return nil, ("Match knows no %q"):format(name)
    end
    list[#list + 1] = { name = name, negated = negated, value = value }
  end
  if rest and rest ~= "" then
    return nil, "too many arguments"
  end
  return needed(list)
end

--- Returns whether a Host line counts for a name.
---@param args string[]
---@param host string
---@return boolean
function M.host(args, host)
  local found = false
  for _, arg in ipairs(args) do
    local negated = arg:sub(1, 1) == "!"
    if pattern.matches(host, negated and arg:sub(2) or arg) then
      if negated then
        return false
      end
      found = true
    end
  end
  return found
end

--- Returns the host's name as far as the lines above say it.
local function known_host(pass, st)
  local name = pass.values.hostname
  if pass.final or not name then
    return pass.final and name or pass.original
  end
  local host, problem = expand.tokens(name, { h = pass.original })
  if not host then
    st:fail("HostName " .. name .. ": " .. problem)
  end
  return host
end

--- Runs a command, if the criteria before it hold; its tokens are checked in any case.
local function run(pass, st, criterion, holds)
  local host = known_host(pass, st)
  local values, here = pass.values, pass.local_
  local tokens = expand.connection({
    local_ = here,
    host = host,
    original = pass.original,
    port = values.port or 22,
    user = values.user or here.user,
    alias = values.hostkeyalias or host,
  })
  local command, problem = expand.tokens(criterion.value, tokens)
  if not command then
    st:fail("Match exec: " .. problem)
  end
  if not holds then
    return false
  elseif not pass.exec then
    fault.raise("refused", nil, {
      msg = ("%s: Match exec is not run here"):format(st:place()),
      hint = "a file without Match exec, as by ssh -F",
      file = st.file,
      line = st.line,
      where = "",
    })
  end
  return pass.exec(command) == true
end

local test = {}

function test.host(pass, st, criterion)
  return pattern.host(known_host(pass, st), criterion.value) == 1
end

function test.originalhost(pass, _, criterion)
  return pattern.host(pass.original, criterion.value) == 1
end

function test.user(pass, _, criterion)
  return pattern.list(pass.values.user or pass.local_.user, criterion.value) == 1
end

function test.localuser(pass, _, criterion)
  return pattern.list(pass.local_.user, criterion.value) == 1
end

function test.canonical(pass)
  return pass.final
end

function test.final(pass)
  pass.want_final = true
  return pass.final
end

--- Returns whether a Match line counts. `exec` runs only where all criteria before it hold.
---@param pass table
---@param st table
---@return boolean
function M.match(pass, st)
  local holds = true
  for _, criterion in ipairs(st.value) do
    local answer
    if criterion.name == "all" then
      answer = true
    elseif criterion.name == "exec" then
      answer = run(pass, st, criterion, holds)
    else
      answer = test[criterion.name](pass, st, criterion)
    end
    if answer == criterion.negated then
      holds = false
    end
  end
  return holds
end

return M
