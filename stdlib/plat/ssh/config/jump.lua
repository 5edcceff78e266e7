--- The hops of ProxyJump: `[user@]host[:port]` or `ssh://[user@]host[:port]`, with commas between.

local words = require("plat.ssh.config.words")

local M = {}

---@class plat.ssh.Hop
---@field host string
---@field user? string
---@field port? integer
---@field text string as it is written

local PORT_MAX = 65535

--- Cuts "host", "[host]", "host:port" or "[host]:port"; nil if it is none of them.
local function host_port(text)
  local host, port
  if text:sub(1, 1) == "[" then
    host, port = text:match("^%[([^%]]*)%](.*)$")
    if not host or (port ~= "" and port:sub(1, 1) ~= ":") then
      return nil
    end
    port = port:sub(2)
  else
    host, port = text:match("^([^:/]*):?(.*)$")
    if text:find("^[^:/]*/") then
      return nil
    end
  end
  local number = port ~= "" and words.integer(port, PORT_MAX) or nil
  if host == "" or (port ~= "" and (not number or number == 0)) then
    return nil
  end
  return host, number
end

--- Returns whether a host's name is one that no shell would take apart: it may end up in a command.
---@param host string
---@return boolean
function M.valid_host(host)
  return not host:find("^%-") and not host:find("['`\"$\\;&<>|(){}%s%c]")
end

--- Returns whether a remote user's name is one that no shell would take apart.
---@param user string
---@return boolean
function M.valid_user(user)
  local bad = user:find("^%-") or user:find("['`\";&<>|(){}%c]") or user:find("%s%-")
  return not bad and not user:find("\\$")
end

local function unescape(text)
  if text:find("%%%X") or text:find("%%.?$") and not text:find("%%%x%x$") then
    return nil
  end
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

local function is_domain(host)
  return host:find("^%w[%w._-]*$") and not host:find("..", 1, true)
end

local function uri(text)
  local rest = text:match("^ssh://(%S*)$")
  if not rest then
    return nil
  end
  local user, place = rest:match("^([^@]*)@(.*)$")
  if user then
    user = unescape(user:match("^[^;]*"))
    if not user or user == "" then
      return nil
    end
  end
  place = place or rest
  local host, port = host_port((place:gsub("^([^/]*)/$", "%1")))
  if not host or not is_domain(host) then
    return nil
  end
  return { host = host, user = user, port = port, text = text }
end

local function plain(text)
  local user, place = text:match("^(.*)@([^@]*)$")
  if user == "" then
    return nil
  end
  local host, port = host_port(place or text)
  return host and { host = host, user = user, port = port, text = text }
end

--- Returns one hop, nil if the text is none.
---@param text string
---@return plat.ssh.Hop?
function M.hop(text)
  local hop
  if text:find("^ssh://") then
    hop = uri(text)
  elseif not text:find("%s") then
    hop = plain(text)
  end
  local fine = hop and M.valid_host(hop.host) and (not hop.user or M.valid_user(hop.user))
  return fine and hop or nil
end

--- Returns the hops of a ProxyJump, the first that is connected to first; an empty list for "none";
--- nil and the hop that is none.
---@param text string
---@return plat.ssh.Hop[]?
---@return string? bad
function M.parse(text)
  text = text:match("^[^#]*"):match("^.*%S") or ""
  local hops = {}
  if text:lower() == "none" then
    return hops
  end
  for item in (text .. ","):gmatch("([^,]*),") do
    local hop = M.hop(item)
    if not hop then
      return nil, item
    end
    hops[#hops + 1] = hop
  end
  return hops
end

return M
