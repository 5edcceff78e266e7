--- The real Vault of tests/real/vault/run, as tests/fakes/vault_cases.lua wants a server.

local hash = require("plat.hash")
local http = require("prim.http")
local httpd = require("plat.httpd")
local json = require("plat.json")
local sys = require("prim.sys")
local task = require("plat.task")

local M = {}

local URL, ROOT = sys.getenv("VAULT_TEST_URL"), sys.getenv("VAULT_TEST_ROOT")
local POLICIES = {
  reader = 'path "secret/data/db/*" { capabilities = ["read"] }',
  secrets = 'path "secret/data/*" { capabilities = ["read"] }',
}

--- Sends an administrator's request and returns status and decoded answer.
local function ask(method, path, body)
  local resp = assert(http.request({
    method = method,
    url = URL .. "/v1/" .. path,
    headers = { "X-Vault-Token: " .. ROOT, "Content-Type: application/json" },
    body = body and json.encode(body),
  }))
  return resp.status, resp.body ~= "" and json.decode(resp.body) or {}
end

local function must(method, path, body)
  local status, value = ask(method, path, body)
  assert(status < 300, ("%s %s: %d %s"):format(method, path, status, json.encode(value)))
  return value
end

--- Mounts something unless it is there.
local function mount(path, body)
  local status, value = ask("POST", path, body)
  local said = json.encode(value)
  assert(status < 300 or said:find("already in use", 1, true), path .. ": " .. said)
end

local function set_up()
  must("PUT", "sys/unseal", { key = sys.getenv("VAULT_TEST_KEY") })
  mount("sys/mounts/secret", { type = "kv", options = { version = "2" } })
  mount("sys/mounts/team/kv", { type = "kv", options = { version = "2" } })
  mount("sys/mounts/one", { type = "kv" })
  mount("sys/auth/approle", { type = "approle" })
  mount("sys/auth/kubernetes", { type = "kubernetes" })
  for name, policy in pairs(POLICIES) do
    must("PUT", "sys/policies/acl/" .. name, { policy = policy })
  end
  for _ = 1, 100 do -- a new or unsealed mount of version 2 first has to upgrade itself
    if ask("GET", "secret/config") < 300 and ask("GET", "team/kv/config") < 300 then
      return
    end
    task.sleep(0.1)
  end
  error("the mounts of version 2 do not come up")
end

local function escape(path)
  return (path:gsub("[^%w%-._~/]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

--- Serves what Vault asks a cluster: whose token this is.
local function serve_token_reviews(t, jwt)
  local server = httpd.serve(function(req)
    local review = json.decode(req.body)
    local good = review.spec.token == jwt
    local user = { username = "system:serviceaccount:ci:deployer", uid = "u-1" }
    return {
      status = 201,
      headers = { ["content-type"] = "application/json" },
      body = json.encode({
        apiVersion = "authentication.k8s.io/v1",
        kind = "TokenReview",
        status = { authenticated = good, user = good and user or nil },
      }),
    }
  end)
  t.defer(function()
    server:close()
  end)
  return server:url()
end

--- Returns what a service account's token looks like; Vault has the cluster look at it.
local function make_jwt()
  local claims = {
    iss = "kubernetes/serviceaccount",
    sub = "system:serviceaccount:ci:deployer",
    ["kubernetes.io/serviceaccount/namespace"] = "ci",
    ["kubernetes.io/serviceaccount/service-account.name"] = "deployer",
    ["kubernetes.io/serviceaccount/service-account.uid"] = "u-1",
  }
  local words = { json.encode({ alg = "RS256", typ = "JWT" }), json.encode(claims), "signature" }
  for i, word in ipairs(words) do
    words[i] = hash.base64url(word)
  end
  return table.concat(words, ".")
end

--- Opens the server for one test.
function M.open(t)
  set_up()
  local self = { url = URL, root = ROOT }
  local written = {}
  function self.put(where, path, data)
    written[where .. "/metadata/" .. escape(path)] = true
    must("POST", where .. "/data/" .. escape(path), { data = data })
  end
  function self.delete(where, path)
    must("DELETE", where .. "/data/" .. escape(path))
  end
  function self.destroy(where, path)
    local meta = must("GET", where .. "/metadata/" .. escape(path)).data
    must("PUT", where .. "/destroy/" .. escape(path), { versions = { meta.current_version } })
  end
  function self.reader()
    return must("POST", "auth/token/create", { policies = { "reader" } }).auth.client_token
  end
  function self.approle(opts)
    must("POST", "auth/approle/role/platrun", {
      token_policies = { "secrets" },
      secret_id_num_uses = opts.uses or 0,
      token_num_uses = opts.token_uses or 0,
    })
    local id = must("GET", "auth/approle/role/platrun/role-id").data.role_id
    return id, must("POST", "auth/approle/role/platrun/secret-id").data.secret_id
  end
  function self.kubernetes(role)
    local jwt = make_jwt()
    must("POST", "auth/kubernetes/config", {
      kubernetes_host = serve_token_reviews(t, jwt),
      token_reviewer_jwt = jwt,
      disable_local_ca_jwt = true,
    })
    must("POST", "auth/kubernetes/role/" .. role, {
      bound_service_account_names = { "deployer" },
      bound_service_account_namespaces = { "ci" },
      token_policies = { "secrets" },
    })
    local path = t.tmp() .. "/token"
    assert(require("prim.fs").write(path, jwt .. "\n"))
    return path
  end
  function self.logins()
    return #must("GET", "auth/token/accessors?list=true").data.keys
  end
  function self.versions()
    local texts = {}
    for path in pairs(written) do
      texts[#texts + 1] = json.encode(must("GET", path).data)
    end
    return table.concat(texts, "\n")
  end
  function self.seal()
    must("PUT", "sys/seal")
  end
  return self
end

return M
