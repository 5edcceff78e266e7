--- A session with a Dremio coordinator: credentials, login, one authorised call.
local check = require("plat.check")
local effect = require("plat.effect")
local fault = require("plat.fault")
local fs = require("prim.fs")
local json = require("plat.json")
local sys = require("prim.sys")

local M = {}

local CONNECT_TIMEOUT = 5
local CALL_TIMEOUT = 30

local LOGIN = "opens a session; nothing is stored"

effect.declare_read({ method = "POST", path = "^/apiv2/login$", reason = LOGIN })

local CONF = check.options("dremio.connect", {
  name = { type = "string", default = "dremio", help = "name in messages" },
  url = { type = "string", required = true, help = "coordinator, like http://dremio:9047" },
  user = { type = "string" },
  password = { type = "string" },
  password_file = { type = "string", help = "first line; mode 0600 or stricter" },
  password_env = { type = "string", help = "name of an environment variable" },
  token_file = { type = "string", help = "personal access token instead of user and password" },
  ca_file = { type = "string", help = "PEM of the authority of the coordinator's certificate" },
  insecure = { type = "boolean", default = false },
  server_name = { type = "string" },
  proxy = { type = "string" },
})

local CONNECT_FIELDS = {
  "name",
  "url",
  "user",
  "password",
  "password_file",
  "password_env",
  "token_file",
  "ca_file",
  "insecure",
  "server_name",
  "proxy",
}

---@class plat.dremio.Session
---@field target string
local Session = { __name = "plat.dremio.Session" }
Session.__index = Session

--- Returns a session; it opens with the first call that needs one. Fields of an inventory
--- entry that do not concern the connection (`executors`, `min`, ...) are left alone.
---@param conf table see CONF
---@return plat.dremio.Session
function M.new(conf)
  local own = {}
  for _, field in ipairs(CONNECT_FIELDS) do
    own[field] = conf[field]
  end
  conf = CONF(own)
  return setmetatable({
    target = "dremio " .. conf.name,
    _conf = conf,
    _url = conf.url:gsub("/+$", ""),
  }, Session)
end

--- Reads a secret from a file that only its owner can read.
local function read_secret(about, path)
  local info = fault.must(about, fs.stat(path))
  if info.mode & 0x3f ~= 0 then -- any right of the group or of others
    fault.raise("refused", about, {
      msg = ("others can read the secret in %s (mode %04o)"):format(path, info.mode & 0xfff),
      hint = "chmod 600 " .. path,
    })
  end
  return (fault.must(about, fs.read(path, { max = 65536 })):match("^[^\r\n]*"))
end

local function password_of(self, about)
  local conf = self._conf
  if conf.password then
    return conf.password
  elseif conf.password_file then
    return read_secret(about, conf.password_file)
  elseif conf.password_env then
    local value = sys.getenv(conf.password_env)
    if not value or value == "" then
      fault.raise("auth", about, { msg = ("$%s is not set"):format(conf.password_env) })
    end
    return value
  end
  fault.raise("usage", about, {
    msg = "no password is given",
    hint = "set password_file, password_env or token_file in the inventory",
  })
end

local function endpoint(self)
  local conf = self._conf
  if not self._endpoint then
    self._endpoint = {
      ca = conf.ca_file and fault.must({ op = "dremio.connect" }, fs.read(conf.ca_file)) or nil,
      insecure = conf.insecure or nil,
      server_name = conf.server_name,
      proxy = conf.proxy,
    }
  end
  return self._endpoint
end

--- Sends one request and returns status, decoded body.
local function send(self, req)
  local resp = effect.http({
    method = req.method or "GET",
    url = self._url .. req.path,
    query = req.query,
    headers = {
      Accept = "application/json",
      Authorization = req.authorization,
      ["Content-Type"] = req.body and "application/json" or nil,
    },
    body = req.body and json.encode(req.body),
    endpoint = endpoint(self),
    target = self.target,
    op = req.op,
    object = req.object,
    read = req.read,
    change = req.change,
    retry = req.retry,
    connect_timeout = CONNECT_TIMEOUT,
    timeout = CALL_TIMEOUT,
  })
  local value
  if resp.body and resp.body:find('^%s*[%[{"]') then
    value = fault.try(json.decode, resp.body)
  end
  return resp.status, value
end

local function message_of(status, value)
  local text = type(value) == "table" and value.errorMessage or value
  return ("HTTP %d%s"):format(status, type(text) == "string" and text ~= "" and ": " .. text or "")
end

--- Opens a session.
---@async
function Session:login()
  local about = { op = "dremio.login", target = self.target }
  if self._conf.token_file then
    self._authorization = "Bearer " .. read_secret(about, self._conf.token_file)
    return
  end
  local user = self._conf.user
    or fault.raise("usage", about, { msg = "no user is given", hint = "set user in the inventory" })
  local status, value = send(self, {
    method = "POST",
    path = "/apiv2/login",
    body = { userName = user, password = password_of(self, about) },
    op = about.op,
    read = LOGIN,
  })
  if status == 401 or status == 403 then
    fault.raise("auth", about, { msg = ('user "%s" is refused'):format(user), code = status })
  elseif status ~= 200 or type(value) ~= "table" or type(value.token) ~= "string" then
    fault.raise("http", about, { msg = message_of(status, value), code = status })
  end
  self._authorization = "_dremio" .. value.token
end

--- Sends a request and returns the decoded answer; every status but 2xx raises. A session that has
--- expired is opened again, once.
---@async
---@param req table `{ method?, path, query?, body?, op, object?, read?, change? }`
---@return any
function Session:call(req)
  if not self._authorization then
    self:login()
  end
  req.authorization = self._authorization
  local status, value = send(self, req)
  if status == 401 then
    self:login()
    req.authorization = self._authorization
    status, value = send(self, req)
  end
  if status >= 200 and status < 300 then
    return value
  end
  fault.raise(
    (status == 401 or status == 403) and "auth" or "http",
    { op = req.op, target = self.target, object = req.object },
    { msg = message_of(status, value), code = status }
  )
end

--- Returns whether the coordinator is up, and its own word for its state ("OK", "MASTER_DOWN").
--- Needs no session.
---@async
---@return boolean up
---@return string text
function Session:status()
  local path = "/apiv2/server_status"
  local status, value = send(self, { path = path, op = "dremio.status", retry = false })
  return status == 200, type(value) == "string" and value or "HTTP " .. status
end

return M
