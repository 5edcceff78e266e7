--- A server that answers as Vault 1.21 was seen to answer, for as much of it as reading secrets
--- uses.

local httpd = require("plat.httpd")
local json = require("plat.json")

local M = {}

local MOUNTS = {
  ["secret"] = { type = "kv", version = "2" },
  ["team/kv"] = { type = "kv", version = "2" },
  ["one"] = { type = "kv" },
  ["cubbyhole"] = { type = "cubbyhole" },
}
local DENIED = { "1 error occurred:\n\t* permission denied\n\n" }
local NO_TOKEN = { "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n" }

local function answer(status, body)
  return {
    status = status,
    headers = { ["content-type"] = "application/json" },
    body = json.encode(body),
  }
end

local function refuse(status, errors)
  return answer(status, { errors = json.array(errors) })
end

local function unescape(path)
  return (
    path:gsub("%%(%x%x)", function(digits)
      return string.char(tonumber(digits, 16))
    end)
  )
end

local function mount_of(path)
  for mount, engine in pairs(MOUNTS) do
    if path:sub(1, #mount + 1) == mount .. "/" then
      return mount, engine, path:sub(#mount + 2)
    end
  end
end

local function login(self, path, body)
  local method = path:match("^auth/(%w+)/login$")
  local role
  if method == "approle" then
    role = self.secret_ids[body.secret_id]
    if not role or role.role_id ~= body.role_id then
      return refuse(400, { "invalid role or secret ID" })
    end
    role.uses = role.uses and role.uses - 1
    if role.uses == 0 then
      self.secret_ids[body.secret_id] = nil
    end
  elseif method == "kubernetes" then
    role = self.roles[body.role]
    if not role then
      return refuse(400, { ('invalid role name "%s"'):format(body.role) })
    elseif role.jwt ~= body.jwt then
      return refuse(403, DENIED)
    end
  else
    return refuse(403, DENIED)
  end
  self.login_count = self.login_count + 1
  local token = "hvs.session" .. self.login_count
  self.tokens[token] = { prefix = "secret/data/", uses = role.token_uses }
  return answer(200, { auth = { client_token = token, lease_duration = 3600, renewable = true } })
end

local function read_secret(self, token, path)
  if token.prefix and path:sub(1, #token.prefix) ~= token.prefix then
    return refuse(403, DENIED)
  end
  local mount, _, rest = mount_of(path)
  if not mount then
    return refuse(404, { ('no handler for route "%s". route entry not found.'):format(path) })
  end
  local version = self.store[mount .. "/" .. (rest:match("^data/(.*)$") or "")]
  if not version then
    return refuse(404, {})
  end
  return answer(version.data and 200 or 404, {
    data = {
      data = version.data or json.null,
      metadata = { version = version.n, destroyed = version.destroyed or false },
    },
  })
end

local function preflight(token, path)
  local mount, engine = mount_of(path)
  if not mount or token.prefix and token.prefix:sub(1, #mount + 1) ~= mount .. "/" then
    return refuse(403, { "preflight capability check returned 403, please ensure ..." })
  end
  local options = engine.version and { version = engine.version } or json.null
  return answer(200, { data = { path = mount .. "/", type = engine.type, options = options } })
end

local function handle(self, req)
  self.requests[#self.requests + 1] = req.method .. " " .. req.path
  self.headers = req.headers
  if self.intercept then
    return self.intercept
  elseif self.sealed then
    return refuse(503, { "Vault is sealed" })
  end
  local path = unescape(req.path:match("^/v1/(.*)$"))
  if req.method == "POST" then
    return login(self, path, json.decode(req.body))
  end
  local name = req.headers["x-vault-token"] or ""
  local token = self.tokens[name]
  if not token then
    return refuse(403, NO_TOKEN)
  end
  token.uses = token.uses and token.uses - 1
  if token.uses == 0 then
    self.tokens[name] = nil
  end
  local looked_up = path:match("^sys/internal/ui/mounts/(.*)$")
  if looked_up then
    return preflight(token, looked_up)
  end
  return read_secret(self, token, path)
end

--- Starts a server for one test; see vault_cases.lua for what it can do.
function M.open(t, opts)
  local self = {
    root = "hvs.root",
    tokens = { ["hvs.root"] = {} },
    secret_ids = {},
    roles = {},
    store = {},
    requests = {},
    login_count = 0,
  }
  local server = httpd.serve(function(req)
    return handle(self, req)
  end, opts)
  t.defer(function()
    server:close()
  end)
  self.url = server:url()
  function self.put(mount, path, data)
    local key = mount .. "/" .. path
    self.store[key] = { data = data, n = (self.store[key] or { n = 0 }).n + 1 }
  end
  function self.delete(mount, path)
    self.store[mount .. "/" .. path].data = nil
  end
  function self.destroy(mount, path)
    self.store[mount .. "/" .. path].destroyed = true
  end
  function self.reader()
    self.tokens["hvs.reader"] = { prefix = "secret/data/db/" }
    return "hvs.reader"
  end
  function self.approle(o)
    local id = ("%s-%d"):format(self.url, #self.requests)
    self.secret_ids["s-" .. id] = { role_id = "r-" .. id, uses = o.uses, token_uses = o.token_uses }
    return "r-" .. id, "s-" .. id
  end
  function self.kubernetes(role)
    self.roles[role] = { jwt = "head.body.tail" }
    local path = t.tmp() .. "/token"
    require("prim.fs").write(path, "head.body.tail\n")
    return path
  end
  function self.logins()
    return self.login_count
  end
  function self.versions()
    return json.encode(self.store)
  end
  function self.seal()
    self.sealed = true
  end
  return self
end

return M
