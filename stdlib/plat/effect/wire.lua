--- How requests leave: over the wire, or into a simulated world. Behind the door (plat.effect).

local fault = require("plat.fault")
local list = require("plat.list")
local task = require("plat.task")

local M = {}

--- Returns what a fault says about a request.
---@param req table
---@return table
function M.about(req)
  return { op = req.op, target = req.target, object = req.object }
end

local function authority_of(url)
  local scheme, rest = url:match("^(%a+)://([^/?#]+)")
  if not rest then
    fault.raise("usage", { op = "http" }, { msg = ("%q is not a URL"):format(url) })
  end
  rest = rest:gsub("^.*@", "")
  if not rest:find(":%d+$") then
    rest = rest .. (scheme == "https" and ":443" or ":80")
  end
  return rest
end

local function escape(s)
  return (tostring(s):gsub("[^%w%-._~]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

--- Whether a value is a secret. Most runs have none, and do not load what is for them.
local function is_secret(v)
  return type(v) == "userdata" and require("plat.secret").is(v)
end

--- Returns names and values as a query or a form: the text to show, in which `***` stands for
--- secrets, and the real one as a secret, if there are any.
---@param fields table<string, any>
---@return string shown
---@return plat.Secret? real
function M.fields(fields)
  local shown, format, values = {}, {}, {}
  for name, value in pairs(fields) do
    local known = escape(name) .. "="
    if is_secret(value) then
      values[#values + 1] = value:url()
      shown[#shown + 1] = known .. "***"
      format[#format + 1] = known:gsub("%%", "%%%%") .. "%s"
    else
      shown[#shown + 1] = known .. escape(value)
      format[#format + 1] = shown[#shown]:gsub("%%", "%%%%")
    end
  end
  local real = #values > 0
    and require("plat.secret").format(table.concat(format, "&"), table.unpack(values))
  return table.concat(shown, "&"), real or nil
end

--- Returns the URL of a request with its query, as it may be shown. One with secrets in it goes to
--- `req.secret_url`.
---@param req table
---@return string
function M.full_url(req)
  if not req.query then
    return req.url
  end
  local shown, real = M.fields(req.query)
  local base = req.url .. (req.url:find("?", 1, true) and "&" or "?")
  req.secret_url = real and real:format(base:gsub("%%", "%%%%") .. "%s")
  return base .. shown
end

--- Returns the text of what may be a secret.
local function reveal(v)
  if is_secret(v) then
    local text = require("prim.secret").reveal(v)
    return text
  end
  return v
end

--- Returns a request as a simulated server gets it: nothing of it is a secret any more.
local function revealed(req)
  local copy = list.copy(req)
  copy.url, copy.body, copy.headers = reveal(req.secret_url or req.url), reveal(req.body), {}
  for name, value in pairs(req.headers or {}) do
    copy.headers[name] = type(value) == "table" and list.map(value, reveal) or reveal(value)
  end
  return copy
end

--- Sends a request into the simulated world.
local function ask_world(door, req)
  local authority = authority_of(req.url)
  local resp, err = door.world:request(authority, revealed(req), door.mode == "plan")
  if not resp then
    fault.raise("refused", M.about(req), {
      msg = ("%s is not part of the sandbox: %s"):format(authority, err),
      hint = "choose a real inventory with -i, or leave this out of the sandbox",
    })
  end
  local limit = req.timeout
  if resp.delay and limit and resp.delay > limit then
    task.sleep(limit)
    local msg = ("no answer in %g s"):format(limit)
    fault.raise("timeout", M.about(req), { msg = msg, phase = "http" })
  elseif resp.delay and resp.delay > 0 then
    task.sleep(resp.delay)
  end
  return resp
end

-- ---- hosts ----

local function foreign(req, why)
  local name = req.target:match("^host (.*)$") or req.target
  fault.raise("refused", M.about(req), {
    msg = ("%s is not part of the sandbox%s"):format(req.target, why and ": " .. why or ""),
    hint = ("add it to the test's world, hosts = { [%q] = {} }, or to the sandbox's "):format(name)
      .. "inventory; or choose a real one with -i",
  })
end

--- Whether a host is this machine and a test's world says that this machine is part of it.
local function is_here(world, req)
  return req.here and world.has_localhost
end

--- Refuses what is asked of a host that the simulated world says it does not have: plans too.
---@param door table the door's state: `{ mode, world }`
---@param req table
function M.refuse_foreign(door, req)
  local world = door.world
  if not world or is_here(world, req) then
    return
  elseif not world.remote then
    foreign(req)
  elseif world.owns and not world:owns(req.target) then
    foreign(req)
  end
end

--- Asks a host, or the simulated world in its place.
---@async
---@param door table the door's state: `{ mode, world }`
---@param req table of effect.remote
---@param change? plat.Change
---@return any
function M.ask_host(door, req, change)
  local world = door.world
  if not world then
    return req.perform(change)
  end
  local answer, why
  if world.remote then
    local call = list.copy(req.call)
    call.stdin, call.content = reveal(call.stdin), reveal(call.content)
    answer, why = world:remote(req.target, call, req.read ~= nil, M.about(req))
  end
  if answer == nil and is_here(world, req) then
    return req.perform(change)
  elseif answer == nil then
    foreign(req, why)
  end
  return answer
end

-- ---- the wire ----

local function header_list(headers)
  local lines = {}
  for name, value in pairs(headers or {}) do
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      lines[#lines + 1] = is_secret(one) and require("prim.secret").join({ name .. ": ", one })
        or name .. ": " .. tostring(one)
    end
  end
  return lines
end

--- Sends a request over the wire. Its faults carry the `phase` in which it ended.
local function ask_wire(req, declared)
  local endpoint = req.endpoint or {}
  if (tonumber(authority_of(req.url):match(":(%d+)$")) or 0) > 65535 then
    fault.raise("parse", M.about(req), { msg = authority_of(req.url) .. ": no such port" })
  end
  local resp, err = require("prim.http").request({
    method = req.method,
    url = req.secret_url or req.url,
    headers = header_list(req.headers),
    body = req.body,
    ca = endpoint.ca,
    cert = endpoint.cert,
    key = endpoint.key,
    insecure = endpoint.insecure,
    server_name = endpoint.server_name,
    unix_socket = endpoint.unix_socket,
    proxy = endpoint.proxy,
    connect_timeout = req.connect_timeout or 5,
    first_byte_timeout = req.first_byte_timeout,
    timeout = req.timeout,
    max_body = req.max_body,
    stream = req.stream,
    upgrade = req.upgrade,
    upload = req.upload,
    http1 = req.http1,
    follow = req.follow,
    declared_read = declared ~= nil,
  })
  if not resp then
    err.phase = err.op
    fault.raise_err(M.about(req), err)
  end
  return resp
end

--- Sends a request once and returns the answer, whatever its status.
---@async
---@param door table the door's state: `{ mode, world }`
---@param req table
---@param declared? table the declaration that makes it a read
---@return table resp
function M.ask(door, req, declared)
  if door.world then
    return ask_world(door, req)
  end
  return ask_wire(req, declared)
end

--- A read is repeated when that is safe and may help, and so is housekeeping that asks for
--- it; a change never here.
---@async
---@param door table
---@param req table
---@param declared? table the declaration that makes it a read
---@return table resp
function M.ask_patiently(door, req, declared)
  if req.retry == false then
    return M.ask(door, req, declared)
  end
  local retry = require("plat.retry")
  local policy = retry.policy(req)
  local method = declared and "GET" or req.method -- it changes nothing, whatever it is called
  while true do
    local resp, err = fault.try(M.ask, door, req, declared)
    local delay = retry.should(policy, resp or err, method)
    if not delay then
      if err then
        err.msg = policy.attempt > 1 and ("%s (asked %d times)"):format(err.msg, policy.attempt)
          or err.msg
        error(err, 0)
      end
      return resp
    end
    if resp and resp.stream then
      resp.stream:close()
    end
    task.sleep(delay)
  end
end

return M
