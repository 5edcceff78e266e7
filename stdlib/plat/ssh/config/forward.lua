--- The forms of LocalForward, RemoteForward and DynamicForward. Platrun does not forward by
--- ssh_config; it reads them so that a wrong line is told as OpenSSH tells it.

local expand = require("plat.ssh.config.expand")
local words = require("plat.ssh.config.words")

local M = {}

local PORT_MAX = 65535
local PATH_MAX = 108 -- of a unix socket

--- Cuts one field off: "[...]" or up to a colon, where a backslash takes the next one literally.
local function field(text)
  if text:sub(1, 1) == "[" then
    local inner, rest = text:match("^%[([^%]]*)%](.*)$")
    if not inner or (rest ~= "" and rest:sub(1, 1) ~= ":") then
      return nil
    end
    return inner, rest:sub(2)
  end
  local parts, i = {}, 1
  while i <= #text do
    local c = text:sub(i, i)
    if c == ":" then
      return table.concat(parts), text:sub(i + 1)
    elseif c == "\\" then
      i = i + 1
      if i > #text then
        return nil
      end
    end
    parts[#parts + 1] = text:sub(i, i)
    i = i + 1
  end
  return table.concat(parts), ""
end

local function is_path(text)
  return text:find("/", 1, true) ~= nil
end

local function port(text, least)
  local n = words.integer(text, PORT_MAX)
  return n and n >= least and n or nil
end

--- One side of a forwarding from its fields: a path, a port, or a host and a port.
local function side(fields, least)
  if #fields == 1 and is_path(fields[1]) then
    return #fields[1] < PATH_MAX and fields[1] or nil
  elseif #fields == 1 then
    local n = port(fields[1], least)
    return n and tostring(n)
  end
  local n = port(fields[2], least)
  return n and ("[%s]:%d"):format(fields[1], n)
end

local function fields_of(text)
  local fields = {}
  while text ~= "" do
    if #fields == 4 then
      return nil
    end
    local one, rest = field(text)
    if not one then
      return nil
    end
    fields[#fields + 1], text = one, rest
  end
  return fields
end

--- Returns a forwarding as `ssh -G` prints it, "8080 [db]:5432"; nil if it has no such form.
---@param text string fields with colons between
---@param what { dynamic?: boolean, remote?: boolean }
---@param env function
---@return string?
function M.parse(text, what, env)
  text = expand.environment(text, env)
  local f = text and fields_of((text:gsub("^%s+", "")))
  if not f or #f == 0 then
    return nil
  end
  local least = what.remote and 0 or 1
  if what.dynamic then
    local listen = #f <= 2 and side(f, least)
    return listen and (what.remote and listen .. " [socks]:0" or listen) or nil
  end
  local split -- how many fields are of the listening side
  if #f == 2 then
    split = is_path(f[2]) and 1 or nil
  elseif #f == 3 then
    split = (not is_path(f[1]) and is_path(f[3])) and 2 or 1
  elseif #f == 4 then
    split = 2
  end
  if not split then
    return nil
  end
  local listen = side({ table.unpack(f, 1, split) }, least)
  local target = side({ table.unpack(f, split + 1) }, 1)
  return listen and target and listen .. " " .. target or nil
end

return M
