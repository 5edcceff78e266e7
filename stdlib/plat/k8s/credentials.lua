--- What a cluster entry and a user entry need to talk to the server: TLS material and tokens.
local effect = require("plat.effect")
local exec_plugin = require("plat.k8s.exec_plugin")
local fault = require("plat.fault")
local fs = require("prim.fs")
local hash = require("plat.hash")
local once = require("plat.task.once")
local secret = require("plat.env").lazy("plat.secret")
local time = require("plat.time")

local M = {}

local TOKEN_AGE = 60 -- a token file is read again after this many seconds
local SKEW = 30 -- a plugin's credentials are renewed this many seconds before they expire
local SOON = 7 * 24 * 3600 -- a client certificate that ends within a week is mentioned

local function day(t)
  return (time.rfc3339(t):gsub("T.*$", ""))
end

local function read_file(path, about, what)
  local text, err = fs.read(path, { max = 1024 * 1024 })
  if not text then
    fault.raise("auth", about, {
      msg = ("%s: %s"):format(what, err.msg),
      hint = "check the path; a relative one starts at the folder of the file that names it",
    })
  end
  return text
end

-- Returns PEM text of a pair of kubeconfig fields: NAME-data (base64) wins over NAME (a path).
local function pem_of(entry, field, about)
  local data = entry[field .. "-data"]
  local file = entry["-file"] or "the configuration"
  if entry[field .. "-pem"] then
    return entry[field .. "-pem"], file
  end
  if type(data) == "string" and data ~= "" then
    local text, err = fault.try(hash.unbase64, (data:gsub("%s+", "")))
    if not text then
      fault.raise("auth", about, {
        msg = ("%s-data in %s is not base64"):format(field, file),
        cause = err,
        hint = "fetch the kubeconfig again, or name a file in " .. field,
      })
    end
    return text, file
  end
  local path = entry[field]
  if type(path) == "string" and path ~= "" then
    return read_file(path, about, field), path
  end
  return nil
end

--- Raises when a client certificate is outside its dates; warns in its last week.
---@param pem string
---@param who string "client certificate of user X in FILE"
---@param about table
function M.check_dates(pem, who, about)
  local cert, err = fault.try(hash.x509, pem)
  if not cert then
    fault.raise("auth", about, {
      msg = who .. " is not a PEM certificate",
      cause = err,
      hint = "it begins with -----BEGIN CERTIFICATE-----",
    })
  end
  local now = time.now()
  if cert.not_after and cert.not_after < now then
    fault.raise("auth", about, {
      msg = ("%s expired on %s"):format(who, day(cert.not_after)),
      hint = "renew it (kubeadm certs renew), or fetch the kubeconfig again",
    })
  end
  if cert.not_before and cert.not_before > now + 300 then
    fault.raise("auth", about, {
      msg = ("%s is not valid before %s"):format(who, time.rfc3339(cert.not_before)),
      hint = "check the clock of this machine",
    })
  end
  if cert.not_after and cert.not_after < now + SOON then
    effect.warn(("%s: %s expires on %s"):format(about.target, who, day(cert.not_after)))
  end
end

---@class plat.k8s.Credentials
---@field describe string names the credentials in messages
---@field origin string where the cluster's address comes from
local Credentials = { __name = "plat.k8s.Credentials" }
Credentials.__index = Credentials

-- Has a credential replaced in all output, and returns it. Those of the sandbox are nobody's.
local function keep_out(text)
  if type(text) == "string" and not effect.sandbox() then
    secret.register(text)
  end
  return text
end

local function load_tls(self, cluster, user, about)
  local ca_from
  self._ca, ca_from = pem_of(cluster, "certificate-authority", about)
  if self._ca and not self._ca:find("-----BEGIN", 1, true) then
    fault.raise("auth", about, {
      msg = ("certificate-authority in %s is not a PEM certificate"):format(ca_from),
      hint = "it begins with -----BEGIN CERTIFICATE-----",
    })
  end
  self._insecure = cluster["insecure-skip-tls-verify"] == true
  if self._insecure then
    effect.warn(
      ("%s: the server's certificate is NOT verified (insecure-skip-tls-verify in %s)"):format(
        about.target,
        cluster["-file"] or "the configuration"
      )
    )
    self._ca = nil
  end
  local cert, origin = pem_of(user, "client-certificate", about)
  local key = pem_of(user, "client-key", about)
  if (cert == nil) ~= (key == nil) then
    fault.raise("auth", about, {
      msg = ("%s a client certificate without a key, or the reverse"):format(
        self._name == "(none)" and "there is" or ("user %q has"):format(self._name)
      ),
      hint = "certificate and key go together, both as files or both as data",
    })
  end
  if cert then
    local whose = self._name == "(none)" and "" or (" of user " .. self._name)
    local who = ("client certificate%s in %s"):format(whose, origin)
    M.check_dates(cert, who, about)
    keep_out(key)
    self._cert, self._key, self.describe = cert, key, who
  end
end

local function load_tokens(self, user, about)
  local file = user["-file"] or "the configuration"
  local whose = self._name == "(none)" and file or ("user %s in %s"):format(self._name, file)
  if type(user["auth-provider"]) == "table" then
    fault.raise("auth", about, {
      msg = ("user %q uses auth-provider, which Kubernetes removed"):format(self._name),
      hint = "use an exec plugin: fetch the kubeconfig again with the cloud's own tool",
    })
  end
  if type(user.tokenFile) == "string" and user.tokenFile ~= "" then
    self._token_file = user.tokenFile
    self.describe = ("the token in %s"):format(user.tokenFile)
  elseif user.token ~= nil and user.token ~= "" then
    self._token = keep_out(user.token)
    self.describe = ("the token of %s"):format(whose)
  elseif type(user.username) == "string" and user.username ~= "" then
    keep_out(user.password)
    self._basic = "Basic " .. keep_out(hash.base64(user.username .. ":" .. (user.password or "")))
    self.describe = ("the password of %s"):format(whose)
  elseif type(user.exec) == "table" then
    self._exec = user.exec
    self.describe = ("what credential plugin %q gives"):format(tostring(user.exec.command))
  end
end

-- Impersonation headers of `as`, `as-uid`, `as-groups`.
local function impersonation(user)
  local headers = {}
  if type(user.as) == "string" and user.as ~= "" then
    headers["Impersonate-User"] = user.as
    if type(user["as-uid"]) == "string" then
      headers["Impersonate-Uid"] = user["as-uid"]
    end
    local groups = user["as-groups"]
    if type(groups) == "table" and #groups > 0 then
      headers["Impersonate-Group"] = groups
    end
  end
  return headers
end

--- Prepares the credentials of one cluster and user. Reads files; runs no plugin yet.
---@param cluster table a kubeconfig's cluster entry
---@param user table a kubeconfig's user entry
---@param user_name string
---@param about { op: string, target: string }
---@return plat.k8s.Credentials
function M.new(cluster, user, user_name, about)
  local self = setmetatable({
    _name = user_name ~= "" and user_name or "(none)",
    _about = about,
    origin = cluster["-file"] or "the service account of this pod",
    _cluster = cluster,
    _server_name = cluster["tls-server-name"],
    _proxy = cluster["proxy-url"],
    _headers = impersonation(user),
    _asking = once.new(),
  }, Credentials)
  load_tls(self, cluster, user, about)
  load_tokens(self, user, about)
  return self
end

local function plugin_cluster(self)
  local cluster = self._cluster
  local extension
  for _, item in ipairs(type(cluster.extensions) == "table" and cluster.extensions or {}) do
    if item.name == "client.authentication.k8s.io/exec" then
      extension = item.extension
    end
  end
  return {
    server = cluster.server,
    server_name = self._server_name,
    insecure = self._insecure,
    proxy = self._proxy,
    ca_base64 = self._ca and hash.base64(self._ca) or nil,
    exec_config = extension,
  }
end

-- Takes what the plugin printed; a certificate it printed is checked like any other.
local function run_plugin(self)
  local out = exec_plugin.run(self._exec, plugin_cluster(self), {
    op = self._about.op,
    target = self._about.target,
    user = self._name,
  })
  if out.cert then
    local who = ("client certificate that credential plugin %q printed"):format(self._exec.command)
    M.check_dates(out.cert, who, self._about)
    keep_out(out.key)
    self._cert, self._key = out.cert, out.key
  end
  self._token, self._expires = keep_out(out.token), out.expires
  self._loaded = true
end

-- A token file that cannot be read for a moment (it is being replaced) leaves the last token.
local function read_token(self)
  local text, err = fault.try(read_file, self._token_file, self._about, "token file")
  local token = text and text:gsub("%s+", "") or self._token
  if not token then
    error(err, 0)
  elseif token == "" then
    fault.raise("auth", self._about, {
      msg = "token file " .. self._token_file .. " is empty",
      hint = "it holds one line, the token",
    })
  end
  self._token, self._expires = keep_out(token), time.now() + TOKEN_AGE + SKEW
  self._loaded = true
end

local function fresh(self)
  return self._loaded and (not self._expires or time.now() < self._expires - SKEW)
end

--- Returns whether a 401 may be cured by asking for the credentials again.
---@return boolean
function Credentials:renewable()
  return self._exec ~= nil or self._token_file ~= nil
end

--- Forgets cached credentials: the next use asks again.
function Credentials:forget()
  if self:renewable() then
    self._loaded = false
  end
end

-- Asks for credentials once, however many tasks need them at the same time.
local function renew(self)
  self._asking:get(self._about, function()
    return fresh(self)
  end, function()
    local ask = self._exec and run_plugin or read_token
    ask(self)
  end)
end

--- Returns the endpoint (TLS material) and the headers of the next request.
---@async
---@return table endpoint
---@return table<string, string|string[]> headers
function Credentials:use()
  if self:renewable() and not fresh(self) then
    renew(self)
  end
  local headers = {}
  for name, value in pairs(self._headers) do
    headers[name] = value
  end
  if type(self._token) == "userdata" then
    headers.Authorization = self._token:format("Bearer %s")
  elseif self._token then
    headers.Authorization = "Bearer " .. self._token
  elseif self._basic then
    headers.Authorization = self._basic
  end
  return {
    ca = self._ca,
    cert = self._cert,
    key = self._key,
    insecure = self._insecure or nil,
    server_name = self._server_name,
    proxy = self._proxy,
  },
    headers
end

return M
