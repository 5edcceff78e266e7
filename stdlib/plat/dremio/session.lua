--- A session with a Dremio coordinator: credentials, login, one authorised call.
local check = require("plat.check")
local effect = require("plat.effect")
local fault = require("plat.fault")
local fs = require("prim.fs")
local json = require("plat.json")
local out = require("plat.out")
local secrets = require("plat.env").lazy("plat.secret")
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

--- Has a credential replaced in all output. Those of the sandbox are nobody's, and its log, which
--- is replayed, needs them.
local function keep_out(text)
  if not effect.sandbox() then
    secrets.register(text)
  end
end

--- Raises about a file or a variable that the inventory names.
local function misconfigured(about, field, msg)
  fault.raise("auth", about, {
    msg = ("%s: %s"):format(field, msg),
    hint = ("check %s of %s in the inventory"):format(field, about.target),
  })
end

--- Reads a secret from a file that only its owner can read.
local function read_secret(about, field, path)
  local info, err = fs.stat(path)
  if not info then
    misconfigured(about, field, err.msg)
  end
  if info.mode & 0x3f ~= 0 then -- any right of the group or of others
    fault.raise("refused", about, {
      msg = ("others can read the secret in %s (mode %04o)"):format(path, info.mode & 0xfff),
      hint = "chmod 600 " .. path,
    })
  end
  local text
  text, err = fs.read(path, { max = 65536 })
  local secret = text and text:match("^[^\r\n]*")
  if not secret or secret == "" then
    misconfigured(about, field, err and err.msg or path .. " is empty")
  end
  keep_out(secret)
  return secret
end

local function password_of(self, about)
  local conf = self._conf
  if conf.password then
    keep_out(conf.password)
    return conf.password
  elseif conf.password_file then
    return read_secret(about, "password_file", conf.password_file)
  elseif conf.password_env then
    local value = sys.getenv(conf.password_env)
    if not value or value == "" then
      misconfigured(about, "password_env", ("$%s is not set"):format(conf.password_env))
    end
    keep_out(value)
    return value
  end
  fault.raise("auth", about, {
    msg = "no password is given",
    hint = "set password_file, password_env or token_file in the inventory",
  })
end

local function endpoint(self)
  local conf = self._conf
  if not self._endpoint then
    local ca, err
    if conf.ca_file then
      ca, err = fs.read(conf.ca_file, { max = 1024 * 1024 })
      if not ca or not ca:find("-----BEGIN", 1, true) then
        local about = { op = "dremio.connect", target = self.target }
        local msg = conf.ca_file .. " is not a PEM certificate"
        misconfigured(about, "ca_file", err and err.msg or msg)
      end
    end
    self._endpoint = {
      ca = ca,
      insecure = conf.insecure or nil,
      server_name = conf.server_name,
      proxy = conf.proxy,
    }
  end
  return self._endpoint
end

--- What a server that is no coordinator answered with.
local function stranger(resp)
  local body = out.redact(resp.body or "") -- before it is cut
  local title = body:match("<[tT][iI][tT][lL][eE][^>]*>%s*(.-)%s*</")
  if title then
    return ('a web page ("%s")'):format(title:gsub("%s+", " "):sub(1, 80))
  elseif body:find("^%s*<") then
    return "a web page"
  end
  local line = body:match("^%s*([^\r\n]*)"):sub(1, 120):gsub("[^ -~]", "?")
  return line == "" and "an empty body" or line
end

--- Raises about an answer that no coordinator gives.
local function raise_stranger(self, op, resp)
  fault.raise("parse", { op = op, target = self.target }, {
    msg = ("%d: this is not a Dremio coordinator: it answered with %s"):format(
      resp.status,
      stranger(resp)
    ),
    code = resp.status,
    hint = ("check url of %s in the inventory, and what answers at %s"):format(
      self.target,
      self._url
    ),
  })
end

--- Sends one request and returns status, decoded body, answer.
local function send(self, req)
  local resp, err = fault.try(effect.http, {
    method = req.method or "GET",
    url = self._url .. req.path,
    base = self._url,
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
  if err then
    err.hint = err.hint
      or err.phase and ("the address %s is url of %s in the inventory"):format(
        self._url,
        self.target
      )
      or nil
    error(err, 0)
  end
  local value
  if resp.body and resp.body:find('^%s*[%[{"]') then
    value = fault.try(json.decode, resp.body)
  end
  return resp.status, value, resp
end

local function message_of(status, value, resp)
  local text = type(value) == "table" and value.errorMessage or value
  if value == nil and resp then
    text = "it answered with " .. stranger(resp)
  end
  return ("HTTP %d%s"):format(status, type(text) == "string" and text ~= "" and ": " .. text or "")
end

--- Raises about an answer that says no.
local function refuse(about, status, value, resp)
  local hint = status >= 500 and "the coordinator is starting, or in trouble: look at its pod's log"
    or status == 404 and value == nil and "is it the coordinator? check url in the inventory"
    or nil
  fault.raise((status == 401 or status == 403) and "auth" or "http", about, {
    msg = message_of(status, value, resp),
    code = status,
    hint = hint,
  })
end

--- Opens a session.
---@async
function Session:login()
  local about = { op = "dremio.login", target = self.target }
  if self._conf.token_file then
    self._authorization = "Bearer " .. read_secret(about, "token_file", self._conf.token_file)
    return
  end
  local user = self._conf.user
    or fault.raise("auth", about, { msg = "no user is given", hint = "set user in the inventory" })
  local status, value, resp = send(self, {
    method = "POST",
    path = "/apiv2/login",
    body = { userName = user, password = password_of(self, about) },
    op = about.op,
    read = LOGIN,
  })
  if status == 401 or status == 403 then
    fault.raise("auth", about, {
      msg = ('user "%s" is refused: %s'):format(user, message_of(status, value)),
      code = status,
      hint = ("check user and password of %s in the inventory"):format(self.target),
    })
  elseif status < 400 and (type(value) ~= "table" or type(value.token) ~= "string") then
    raise_stranger(self, about.op, resp)
  elseif status ~= 200 then
    refuse(about, status, value, resp)
  end
  keep_out(value.token)
  self._authorization = "_dremio" .. value.token
end

--- Sends a request and returns the decoded answer; every status but 2xx raises. A session that has
--- expired is opened again, once.
---@async
---@param req table `{ method?, path, query?, body?, op, object?, read?, change?, needs? }`; `needs`
---  names the fields without which an answer is not Dremio's
---@return any
function Session:call(req)
  if not self._authorization then
    self:login()
  end
  req.authorization = self._authorization
  local status, value, resp = send(self, req)
  if status == 401 then
    self:login()
    req.authorization = self._authorization
    status, value, resp = send(self, req)
  end
  if status >= 200 and status < 300 then
    for _, field in ipairs(req.needs or {}) do
      if type(value) ~= "table" or value[field] == nil then
        raise_stranger(self, req.op, resp)
      end
    end
    return value
  end
  refuse({ op = req.op, target = self.target, object = req.object }, status, value, resp)
end

--- Returns whether the coordinator is up, and its own word for its state ("OK", "MASTER_DOWN").
--- Needs no session.
---@async
---@return boolean up
---@return string text
function Session:status()
  local path = "/apiv2/server_status"
  local op = "dremio.status"
  local status, value, resp = send(self, { path = path, op = op, retry = false })
  if type(value) == "string" then
    return status == 200, value
  elseif status == 200 or status == 404 then
    raise_stranger(self, op, resp)
  end
  return false, message_of(status, value, resp)
end

return M
