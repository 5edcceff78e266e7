--- One request to a Kubernetes API server: credentials, JSON, warnings, errors.
local effect = require("plat.effect")
local errors = require("plat.k8s.errors")
local fault = require("plat.fault")
local json = require("plat.json")
local kinds = require("plat.k8s.kinds")
local list = require("plat.list")
local time = require("plat.time")

local M = {}

M.MANAGER = "platrun"

local READ_TIMEOUT = 60
local CHANGE_TIMEOUT = 60
local CONNECT_TIMEOUT = 5
local MAX_BODY = 64 * 1024 * 1024
local BUSY_TRIES = 5 -- a server that sheds load (429 with Retry-After) is asked again so often

-- The predictor of a change asks the server to do it without storing anything.
effect.declare_read({
  method = "POST",
  path = "^/apis?/.*[?&]dryRun=All",
  reason = "server-side dry run: nothing is stored",
})
effect.declare_read({
  method = "PUT",
  path = "^/apis?/.*[?&]dryRun=All",
  reason = "server-side dry run: nothing is stored",
})
effect.declare_read({
  method = "PATCH",
  path = "^/apis?/.*[?&]dryRun=All",
  reason = "server-side dry run: nothing is stored",
})
effect.declare_read({
  method = "DELETE",
  path = "^/apis?/.*[?&]dryRun=All",
  reason = "server-side dry run: nothing is stored",
})

---@class plat.k8s.Request
---@field method? string default GET
---@field path string
---@field query? table<string, any>
---@field body? table|string a table is sent as JSON
---@field content_type? string
---@field accept? string
---@field op string "k8s.scale"
---@field object? string "statefulset ns/name"
---@field change? table handed to the door; with a `predict` of true its prediction is what
---  `compose(ask)` makes of server-side dry runs
---@field dry_run? boolean
---@field housekeeping? string see plat.effect
---@field stream? boolean
---@field retry? table see plat.effect
---@field timeout? number
---@field text? boolean the answer is text, not JSON
---@field any_json? boolean the answer is no API object: it has no kind
---@field patch? string the kind of patch, for messages

---@class plat.k8s.Transport
---@field target string "cluster prod"
local Transport = { __name = "plat.k8s.Transport" }
Transport.__index = Transport

--- Makes the transport of one server.
---@param server string base URL
---@param target string "cluster prod"
---@param credentials plat.k8s.Credentials
---@return plat.k8s.Transport
function M.new(server, target, credentials)
  return setmetatable({
    target = target,
    _server = (server:gsub("/+$", "")),
    _credentials = credentials,
    _warned = {},
  }, Transport)
end

--- Returns the query string of a table, sorted, "" when empty.
---@param query? table<string, any>
---@return string
function M.query(query)
  local parts = {}
  for name, value in pairs(query or {}) do
    parts[#parts + 1] = kinds.escape(name) .. "=" .. kinds.escape(value)
  end
  table.sort(parts)
  return #parts > 0 and ("?" .. table.concat(parts, "&")) or ""
end

--- Returns the texts of a Warning header (RFC 7234: code agent "text", several by commas).
---@param header? string
---@return string[]
function M.warnings(header)
  local texts = {}
  for quoted in (header or ""):gmatch('299%s+%S+%s+"(.-[^\\])"') do
    texts[#texts + 1] = (quoted:gsub("\\(.)", "%1"))
  end
  return texts
end

local function warn(self, resp)
  for _, text in ipairs(M.warnings(resp.headers.warning)) do
    if not self._warned[text] then
      self._warned[text] = true
      effect.warn(self.target .. ": " .. text)
    end
  end
end

local function about_of(self, req)
  return {
    op = req.op,
    target = self.target,
    object = req.object,
    credentials = self._credentials.describe,
    patch = req.patch,
  }
end

-- The same request as a dry run: nil when the server cannot tell yet (what it refers to is itself
-- only planned), a fault when the server says that the change will be refused.
local function dry_run(self, req, over)
  local copy = list.merge(req, over)
  copy.change = nil -- it is a read now, for whoever watches the door, too
  copy.query = list.merge(copy.query, { dryRun = "All" })
  copy.read, copy.dry_run = "server-side dry run", true
  local resp = self:raw(copy)
  if resp.status == 404 then
    return nil
  elseif resp.status >= 400 then
    error(errors.from_response(about_of(self, req), resp), 0)
  end
  return resp
end

-- The next thing to try when no answer came.
local function hint_of(self, err)
  local origin, msg = self._credentials.origin, err.msg
  local inline = origin == "the inventory"
  local address = ("the address %s comes from %s"):format(self._server, origin)
  if err.kind == "auth" and msg:find("cannot be used", 1, true) then
    err.phase = nil -- nothing was sent: the files here are to blame
    return "does the key belong to the certificate, and are both PEM? " .. address
  elseif err.kind == "auth" and msg:find("client certificate", 1, true) then
    return ("renew %s, and its key with it"):format(self._credentials.describe or "it")
  elseif err.kind == "auth" and msg:find("another name", 1, true) then
    return ("%s; is it the right one? if so say %s: NAME"):format(
      address,
      inline and "server_name" or "tls-server-name"
    )
  elseif err.kind == "auth" then
    return ("%s; the authority is `%s` there"):format(
      address,
      inline and "ca" or "certificate-authority"
    )
  elseif msg:find("^body over") then
    return "ask for less at once: labels, fields or a smaller page"
  elseif msg:find("^body ended") then
    return "something on the way (a proxy, a load balancer) cuts answers; try again"
  elseif err.phase or err.kind == "parse" then
    return address
  end
  return nil
end

local function send(self, req)
  local endpoint, headers = self._credentials:use()
  headers.Accept = req.accept or "application/json"
  headers["User-Agent"] = "platrun"
  local body = req.body
  if type(body) == "table" then
    body = json.encode(body)
  end
  if body then
    headers["Content-Type"] = req.content_type or "application/json"
  end
  local change = req.change
  if change and change.predict == true then
    local compose, on_predicted = change.compose, change.on_predicted
    local function ask(over)
      return dry_run(self, req, over)
    end
    change = list.copy(change)
    change.predict = function()
      local resp, bounded = compose(ask)
      if resp then
        on_predicted(resp)
      end
      return resp, bounded
    end
  end
  local method = req.method or "GET"
  local retry = req.retry -- nil: as the door does it
  if req.stream then -- who reads a stream knows better where to take it up
    retry = false
  end
  local resp, err = fault.try(effect.http, {
    method = method,
    url = self._server .. req.path .. M.query(req.query),
    base = self._server,
    headers = headers,
    body = body,
    endpoint = endpoint,
    target = self.target,
    op = req.op,
    object = req.object,
    timeout = req.timeout or (method == "GET" and READ_TIMEOUT or CHANGE_TIMEOUT),
    connect_timeout = CONNECT_TIMEOUT,
    first_byte_timeout = req.first_byte_timeout,
    max_body = MAX_BODY,
    stream = req.stream,
    retry = retry,
    read = req.read,
    housekeeping = req.housekeeping,
    change = change,
  })
  if err then
    err.hint = err.hint or hint_of(self, err)
    error(err, 0)
  end
  return resp
end

-- A 429 with Retry-After was shed before it was looked at; an eviction's 429 is an answer.
local function shed(resp)
  if resp.status ~= 429 or not tonumber(resp.headers["retry-after"]) then
    return nil
  end
  local cause = errors.causes(errors.status_of(resp.body))[1]
  if cause and cause.reason == "DisruptionBudget" then
    return nil
  end
  return math.min(tonumber(resp.headers["retry-after"]), 30)
end

local function read_stream(resp)
  local stream = resp.stream
  if not stream then
    return
  end
  local parts, size = {}, 0
  for chunk in
    function()
      return stream:read()
    end
  do
    parts[#parts + 1] = chunk
    size = size + #chunk
    if size > 1024 * 1024 then
      break
    end
  end
  stream:close()
  resp.body, resp.stream = table.concat(parts), nil
end

--- Sends a request and returns the answer whatever its status. Renews credentials once on 401 and
--- asks again when the server sheds load.
---@async
---@param req plat.k8s.Request
---@return table resp `{ status, headers, body, stream }`
function Transport:raw(req)
  local renewed, tries = false, 0
  while true do
    local resp = send(self, req)
    if resp.status >= 400 then
      read_stream(resp)
    end
    warn(self, resp)
    local wait = shed(resp)
    tries = tries + 1
    if resp.status == 401 and not renewed and self._credentials:renewable() then
      renewed = true
      self._credentials:forget()
    elseif wait and tries < BUSY_TRIES then
      time.sleep(wait)
    else
      return resp
    end
  end
end

-- Whether a decoded answer is an API object: it says what it is.
local function is_api(value)
  return type(value.kind) == "string"
    or type(value.metadata) == "table"
    or type(value.groupVersion) == "string"
end

--- Sends a request and returns the decoded answer. Raises a fault for every error answer.
---@async
---@param req plat.k8s.Request
---@return any value a table, or the text when `text` is set, or nil for a stream
---@return table resp
function Transport:request(req)
  local resp = self:raw(req)
  local about = about_of(self, req)
  if resp.status >= 400 then
    error(errors.from_response(about, resp), 0)
  end
  if req.stream and resp.stream then
    return nil, resp
  elseif req.text then
    return resp.body or "", resp
  end
  local value, problem = fault.try(json.decode, resp.body or "")
  if type(value) ~= "table" or not (req.any_json or is_api(value)) then
    local shown = { op = about.op, target = about.target, object = about.object }
    errors.raise_stranger(shown, resp, problem)
  end
  return value, resp
end

return M
