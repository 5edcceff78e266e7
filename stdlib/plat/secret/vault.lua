--- A client of HashiCorp Vault (or OpenBao), as far as reading secrets needs one: where it is, how
--- to log in, one request. Configured by the variables of the program vault.

local common = require("plat.secret.common")
local effect = require("plat.effect")
local fault = require("plat.fault")
local fs = require("prim.fs")
local json = require("plat.json")
local once = require("plat.task.once")
local secret = require("plat.secret")
local sys = require("prim.sys")
local time = require("prim.time")

local M = {}

local TIMEOUT = 30
local SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/token"
local LOGIN = "logs in to Vault: makes a token that ends by itself, changes no secret"

effect.declare_read({ method = "POST", path = "^/v1/auth/[%w_./-]+/login$", reason = LOGIN })

local function env(name)
  local value = sys.getenv(name)
  return value ~= "" and value or nil
end

---@class plat.secret.Vault
---@field target string "vault https://HOST:8200"
local Vault = { __name = "plat.secret.Vault" }
Vault.__index = Vault

--- Returns the client that the environment describes. Reads the authority's certificate, sends
--- nothing yet.
---@param about table for faults
---@return plat.secret.Vault
function M.new(about)
  local url = (env("VAULT_ADDR") or ""):gsub("/+$", "")
  if url == "" then
    fault.raise("usage", about, {
      msg = "VAULT_ADDR is not set",
      hint = "export VAULT_ADDR=https://HOST:8200",
    })
  elseif not url:find("^https?://[^/]") then
    fault.raise("usage", about, {
      msg = ("VAULT_ADDR is %q, not a URL"):format(url),
      hint = "export VAULT_ADDR=https://HOST:8200",
    })
  end
  local ca_file = env("VAULT_CACERT")
  local ca = ca_file and common.read_file(about, ca_file, { hint = "check VAULT_CACERT" })
  if ca and not ca:find("-----BEGIN", 1, true) then
    fault.raise("auth", about, {
      msg = ("%s (VAULT_CACERT) is not a PEM certificate"):format(ca_file),
    })
  end
  local host = url:match("^http://%[?([^/%]:]*)")
  if host and not host:find("^127%.") and host ~= "localhost" and url:sub(8, 12) ~= "[::1]" then
    effect.warn(("vault: credentials and secrets go over %s in clear text (http)"):format(url))
  end
  return setmetatable({
    target = "vault " .. url,
    _url = url,
    _namespace = env("VAULT_NAMESPACE"),
    _endpoint = { ca = ca, server_name = env("VAULT_TLS_SERVER_NAME") },
    _login = once.new(),
  }, Vault)
end

local function headers_of(self, token)
  return {
    Accept = "application/json",
    ["X-Vault-Request"] = "true", -- agents may want it, against requests that somebody forged
    ["X-Vault-Token"] = token,
    ["X-Vault-Namespace"] = self._namespace,
  }
end

--- Sends one request and returns status, decoded body (or nil).
local function send(self, about, req)
  local headers = headers_of(self, req.token)
  headers["Content-Type"] = req.body and "application/json" or nil
  local resp = common.told_of(about, effect.http, {
    method = req.method or "GET",
    url = self._url .. req.path,
    base = self._url,
    headers = headers,
    body = req.body and json.encode(req.body),
    endpoint = self._endpoint,
    target = self.target,
    op = about.op,
    object = about.object,
    read = req.read,
    retry = { times = 3 },
    timeout = TIMEOUT,
  })
  local value = fault.try(json.decode, resp.body or "")
  return resp.status, type(value) == "table" and value or nil, resp
end

--- Returns what the server says is wrong, on one line. Vault's errors name paths, never values.
---@param value? table a decoded answer
---@return string
function M.errors_of(value)
  local texts = {}
  local errors = value and type(value.errors) == "table" and value.errors or {}
  for _, text in ipairs(errors) do
    text = tostring(text):gsub("%d+ errors? occurred:", ""):gsub("[%s*]+", " ")
    texts[#texts + 1] = text:match("^%s*(.-)%s*$")
  end
  return table.concat(texts, "; ")
end

--- Returns whether a 403 says that the token is none, or none any more.
---@param value? table a decoded answer
---@return boolean
function M.is_dead(value)
  local said = M.errors_of(value)
  return said:find("invalid token", 1, true) ~= nil or said:find("bad token", 1, true) ~= nil
end

--- Raises for answers that have one meaning whatever was asked.
local function refuse_common(self, about, status, value, resp)
  local said = M.errors_of(value)
  about = { op = about.op, object = about.object, target = self.target }
  if status == 503 and said:find("sealed", 1, true) then
    fault.raise("connect", about, {
      msg = "the server is sealed",
      code = status,
      hint = "somebody with its keys runs: vault operator unseal",
    })
  elseif status >= 300 and status < 400 then
    fault.raise("connect", about, {
      msg = ("HTTP %d: this server sends us to %s"):format(
        status,
        resp.headers.location or "another"
      ),
      code = status,
      hint = "set VAULT_ADDR to the active server",
    })
  elseif status == 429 or status >= 500 then
    fault.raise("http", about, {
      msg = ("HTTP %d%s"):format(status, said ~= "" and ": " .. said or ""),
      code = status,
      hint = "vault status says how the server is",
    })
  elseif not value then
    fault.raise("parse", about, {
      msg = ("HTTP %d: this is not Vault: the answer is not a JSON object"):format(status),
      code = status,
      hint = "check VAULT_ADDR: it is the server's address, without /v1 and without /ui",
    })
  end
end

local function token_file(about)
  local path = common.expand("~/.vault-token")
  if not fs.stat(path) then
    return nil
  end
  local text = common.read_file(about, path, { private = true })
  return text:match("%S+")
end

--- Returns how to log in: a path, a body, and what messages call it; nil without such variables.
local function login_request(about)
  local role_id = env("VAULT_ROLE_ID")
  local mount = env("VAULT_AUTH_MOUNT")
  if role_id then
    secret.register(env("VAULT_SECRET_ID") or "")
    return {
      path = ("/v1/auth/%s/login"):format(mount or "approle"),
      body = { role_id = role_id, secret_id = env("VAULT_SECRET_ID") },
      who = "the AppRole of VAULT_ROLE_ID",
      hint = env("VAULT_SECRET_ID") and "a secret id ends, or is used up: make another"
        or "set VAULT_SECRET_ID",
    }
  end
  local role = env("VAULT_K8S_ROLE")
  if role then
    local path = env("VAULT_K8S_TOKEN_FILE") or SERVICE_ACCOUNT
    local jwt = common.read_file(about, path, {
      hint = "VAULT_K8S_ROLE is for pods: elsewhere VAULT_K8S_TOKEN_FILE names a token",
    })
    jwt = jwt:match("%S+") or ""
    secret.register(jwt)
    return {
      path = ("/v1/auth/%s/login"):format(mount or "kubernetes"),
      body = { role = role, jwt = jwt },
      who = ("the role %q of Kubernetes"):format(role),
      hint = "the role says which service accounts and namespaces may use it: vault read "
        .. ("auth/%s/role/%s"):format(mount or "kubernetes", role),
    }
  end
end

local function login(self, about, how)
  local status, value, resp = send(self, about, {
    method = "POST",
    path = how.path,
    body = how.body,
    read = LOGIN,
  })
  local auth = status == 200 and value and value.auth
  if type(auth) == "table" and type(auth.client_token) == "string" then
    local lasts = tonumber(auth.lease_duration) or 0
    self._ends = lasts > 0 and time.mono() + lasts * 0.8 or nil
    return auth.client_token
  end
  refuse_common(self, about, status, value, resp)
  fault.raise("auth", { op = about.op, object = about.object, target = self.target }, {
    msg = ("%s is refused: HTTP %d: %s"):format(how.who, status, M.errors_of(value)),
    code = status,
    hint = status == 404 and "is the method enabled there? VAULT_AUTH_MOUNT names its place"
      or how.hint,
  })
end

local function fetch_token(self, about)
  local token = env("VAULT_TOKEN")
  if token then
    return token, "VAULT_TOKEN"
  end
  local how = login_request(about)
  if how then
    return login(self, about, how), how.who, true
  end
  token = token_file(about)
  if not token then
    fault.raise("auth", { op = about.op, object = about.object, target = self.target }, {
      msg = "no credentials: no VAULT_TOKEN, VAULT_ROLE_ID, VAULT_K8S_ROLE, no ~/.vault-token",
      hint = "set one of them, or run: vault login",
    })
  end
  return token, "~/.vault-token"
end

local function fresh(self)
  return self._token and (not self._ends or time.mono() < self._ends)
end

--- Logs in once, however many tasks need it at the same time: a secret id may be good for one use.
local function log_in(self, about)
  self._login:get(about, function()
    return fresh(self)
  end, function()
    self._token, self.who, self._renewable = fetch_token(self, about)
    secret.register(self._token)
  end)
end

--- Reads a path and returns status and decoded answer: statuses that mean the same everywhere are
--- raised. A token that we fetched and that is refused is fetched again, once.
---@async
---@param path string "/v1/secret/data/db"
---@param about table for faults
---@return integer status
---@return table value
function Vault:get(path, about)
  for attempt = 1, 2 do
    if not fresh(self) then
      log_in(self, about)
    end
    local token = self._token
    local status, value, resp = send(self, about, { path = path, token = token })
    local again = status == 403 and attempt == 1 and self._renewable and M.is_dead(value)
    if not again then
      refuse_common(self, about, status, value, resp)
      return status, value
    elseif self._token == token then
      self._token = nil
    end
  end
end

return M
