--- What values stand for: `~`, `%` tokens and `${VARIABLES}`.

local hash = require("plat.hash")

local M = {}

--- Replaces ${NAME}. Returns nil and what is wrong where one has no value.
---@param text string
---@param env fun(name: string): string?
---@return string?
---@return string? problem
function M.environment(text, env)
  return M.tokens(text, nil, env)
end

local function variable(text, at, env)
  local name, stop = text:match("^%${([^}]*)}()", at)
  if not name then
    return nil, "a ${ is not closed"
  elseif name == "" then
    return nil, "a ${} without a name"
  end
  local value = env(name)
  if not value then
    return nil, ("${%s} has no value"):format(name)
  end
  return value, stop
end

local function token(text, at, tokens)
  local letter = text:sub(at + 1, at + 1)
  if letter == "%" then
    return "%", at + 2
  elseif letter == "" then
    return nil, "a % at the end"
  elseif not tokens[letter] then
    return nil, ("unknown token %%%s"):format(letter)
  end
  return tokens[letter], at + 2
end

--- Replaces %x by `tokens.x` and, with `env`, ${NAME}. Returns nil and what is wrong.
---@param text string
---@param tokens? table<string, string>
---@param env? fun(name: string): string?
---@return string?
---@return string? problem
function M.tokens(text, tokens, env)
  local parts, at = {}, 1
  while at <= #text do
    local part, stop = text:match("^([^%%$]+)()", at)
    if not part and env and text:find("^%${", at) then
      part, stop = variable(text, at, env)
    elseif not part and tokens and text:find("^%%", at) then
      part, stop = token(text, at, tokens)
    elseif not part then
      part, stop = text:sub(at, at), at + 1
    end
    if not part then
      return nil, stop
    end
    parts[#parts + 1], at = part, stop
  end
  return table.concat(parts)
end

--- Replaces a leading ~ or ~USER of the local user by the home directory; nil for another user's.
---@param path string
---@param local_ { user: string, home: string }
---@return string?
---@return string? problem
function M.tilde(path, local_)
  local name, rest = path:match("^~([^/]*)/*(.*)$")
  if not name then
    return path
  elseif name ~= "" and name ~= local_.user then
    return nil, ("%s: only the home of %s is known"):format(path, local_.user)
  end
  local home = local_.home
  return (home:sub(-1) == "/" and home or home .. "/") .. rest
end

--- Returns the tokens of `Match exec` and of most values.
---@param c table local_, host, original, port, user, alias, jump
---@return table<string, string>
function M.connection(c)
  local here, port = c.local_, ("%d"):format(c.port)
  return {
    C = hash.digest("sha1", here.hostname .. c.host .. port .. c.user),
    L = here.hostname:match("^[^.]*"),
    d = here.home,
    h = c.host,
    i = ("%d"):format(here.uid),
    j = c.jump or "",
    k = c.alias,
    l = here.hostname,
    n = c.original,
    p = port,
    r = c.user,
    u = here.user,
  }
end

return M
