--- What reading from Vault must be like: one suite for the fake (tests/lua/secret_vault_test.lua)
--- and for a real server (tests/real/vault). `open(t)` returns a server:
---
---   url, root (a token), put(mount, path, data), delete(mount, path), destroy(mount, path)
---   reader() -> a token that may read secret/db only; approle(opts) -> role id, secret id;
---   kubernetes(role) -> a file with a token; logins() -> how often somebody logged in;
---   versions() -> what is stored, as text; seal()
---
--- Its mounts: secret and team/kv (version 2), one (version 1), approle, kubernetes.

local fault = require("plat.fault")
local fs = require("prim.fs")
local redact = require("prim.secret").redact
local source = require("plat.secret.source.vault")
local sys = require("prim.sys")
local task = require("plat.task")

local VARIABLES = {
  "VAULT_ADDR",
  "VAULT_AUTH_MOUNT",
  "VAULT_CACERT",
  "VAULT_K8S_ROLE",
  "VAULT_K8S_TOKEN_FILE",
  "VAULT_NAMESPACE",
  "VAULT_ROLE_ID",
  "VAULT_SECRET_ID",
  "VAULT_TLS_SERVER_NAME",
  "VAULT_TOKEN",
}

local M = {}

--- Replaces Vault's variables and the home directory for one test.
function M.with_env(t, vars)
  local getenv, home = sys.getenv, sys.home
  t.defer(function()
    sys.getenv, sys.home = getenv, home
  end)
  local ours = {}
  for _, name in ipairs(VARIABLES) do
    ours[name] = true
  end
  function sys.getenv(name) -- luacheck: ignore
    if ours[name] then
      return vars[name]
    end
    return getenv(name)
  end
  vars.home = vars.home or t.tmp()
  function sys.home() -- luacheck: ignore
    return vars.home
  end
  return vars
end

--- Reads something that must fail; returns the error's text, in which nothing secret may stand.
function M.refusal(t, kind, rest)
  local err = t.fails(kind, source.read, rest)
  local text = fault.text(err)
  t.equal(err.object, "vault:" .. rest)
  t.ok(not fault.text(err, 3):find("s3cr3t", 1, true), text)
  return text
end

function M.cases(open)
  local cases = {}

  local function case(name, fn)
    cases[name] = function(t)
      local server = open(t)
      local vars = M.with_env(t, { VAULT_ADDR = server.url, VAULT_TOKEN = server.root })
      fn(t, server, vars)
    end
  end

  case("fields of secrets, in mounts of one word and of two", function(t, server)
    server.put("secret", "db/prod", { password = "s3cr3t-1", port = 5432 })
    server.put("team/kv", "app", { key = "s3cr3t-2" })
    server.put("secret", "odd/a b%ü", { ["dotted.key"] = "s3cr3t-3\n" })
    t.equal(source.read("secret/db/prod#password"), "s3cr3t-1")
    t.equal(source.read("/secret/db/prod/#password"), "s3cr3t-1")
    t.equal(redact("token=" .. server.root), "token=***")
    t.equal(source.read("secret/db/prod#port"), "5432")
    t.equal(source.read("team/kv/app#key"), "s3cr3t-2")
    t.equal(source.read("secret/odd/a b%ü#dotted.key"), "s3cr3t-3\n")
    server.put("secret", "db/prod", { password = "s3cr3t-4" })
    t.equal(source.read("secret/db/prod#password"), "s3cr3t-4", "the newest version")
  end)

  case("what is not there is explained", function(t, server)
    server.put("secret", "db/prod", { password = "s3cr3t", user = "ada", tags = { "s3cr3t" } })
    local text = M.refusal(t, "http", "secret/db/prod#pass")
    t.match(text, 'has no field "pass"\nhint: its fields are: password, tags, user$')
    t.match(M.refusal(t, "parse", "secret/db/prod#tags"), "the value is a table, not text")
    text = M.refusal(t, "http", "secret/db/none#x")
    t.match(
      text,
      "^vault http.*: secret vault:secret/db/none#x: there is no secret db/none in secret\n"
    )
    t.match(text, "hint: vault kv list %-mount=secret")
    text = M.refusal(t, "http", "secret/data/db/prod#password")
    t.match(text, "hint: leave out data/: vault:secret/db/prod#FIELD")
    text = M.refusal(t, "http", "nowhere/db#x")
    t.match(text, "nothing is mounted at nowhere\nhint: vault secrets list")
  end)

  case("versions that were deleted and destroyed", function(t, server)
    server.put("secret", "db/old", { password = "s3cr3t" })
    server.delete("secret", "db/old")
    local text = M.refusal(t, "http", "secret/db/old#password")
    t.match(text, "the newest version of db/old in secret is deleted\n")
    t.match(text, "hint: vault kv undelete %-mount=secret db/old$")
    server.destroy("secret", "db/old")
    text = M.refusal(t, "http", "secret/db/old#password")
    t.match(text, "the newest version of db/old in secret is destroyed\n")
  end)

  case("other engines are told apart", function(t)
    local text = M.refusal(t, "usage", "one/db#x")
    t.match(text, "one is a key%-value store of version 1; version 2 is read")
    t.match(text, "hint: vault kv enable%-versioning one")
    text = M.refusal(t, "usage", "cubbyhole/x#y")
    t.match(text, 'cubbyhole is an engine of type "cubbyhole", not a key%-value store')
  end)

  case("a token that may not, and one that is none", function(t, server, vars)
    server.put("secret", "db/prod", { password = "s3cr3t-1" })
    server.put("secret", "web/prod", { password = "s3cr3t-2" })
    vars.VAULT_TOKEN = server.reader()
    t.equal(source.read("secret/db/prod#password"), "s3cr3t-1")
    local text = M.refusal(t, "auth", "secret/web/prod#password")
    t.match(text, "VAULT_TOKEN may not read it: permission denied\n")
    t.match(text, 'a policy needs: path "secret/data/web/prod" { capabilities = %["read"%] }')
    t.match(M.refusal(t, "auth", "team/kv/app#key"), "permission denied.*is the mount right")
    vars.VAULT_TOKEN = "hvs.s3cr3t-nonsense"
    text = M.refusal(t, "auth", "secret/db/prod#password")
    t.match(text, "VAULT_TOKEN is no valid token, or has ended: permission denied")
    t.match(text, "hint: vault token lookup")
  end)

  case("the token of vault login, in a private file", function(t, server, vars)
    server.put("secret", "db/prod", { password = "s3cr3t" })
    vars.VAULT_TOKEN = nil
    t.match(M.refusal(t, "auth", "secret/db/prod#password"), "no credentials: .*hint: set one")
    local path = vars.home .. "/.vault-token"
    fault.must({}, fs.write(path, server.root .. "\n", { mode = 384 }))
    t.equal(source.read("secret/db/prod#password"), "s3cr3t")
    fault.must({}, fs.write(path, server.root, { mode = 420 }))
    vars.VAULT_AUTH_MOUNT = "new" -- another client: the old one has its token
    t.match(M.refusal(t, "refused", "secret/db/prod#password"), "others can use the file")
  end)

  case(
    "an AppRole logs in once, however many ask at once, and changes no secret",
    function(t, server, vars)
      server.put("secret", "db/prod", { a = "s3cr3t-a", b = "s3cr3t-b" })
      vars.VAULT_TOKEN = nil
      vars.VAULT_ROLE_ID, vars.VAULT_SECRET_ID = server.approle({ uses = 1 })
      local stored, logins = server.versions(), server.logins()
      local values = task.all({
        function()
          return source.read("secret/db/prod#a")
        end,
        function()
          return source.read("secret/db/prod#b")
        end,
      })
      t.equal(values, { "s3cr3t-a", "s3cr3t-b" })
      t.equal(server.logins() - logins, 1)
      t.equal(redact("id=" .. vars.VAULT_SECRET_ID), "id=***")
      t.equal(server.versions(), stored, "a login is a read")
      vars.VAULT_SECRET_ID = "s3cr3t-wrong"
      local text = M.refusal(t, "auth", "secret/db/prod#a")
      t.match(
        text,
        "the AppRole of VAULT_ROLE_ID is refused: HTTP 400: invalid role or secret ID\n"
      )
      t.match(text, "hint: a secret id ends, or is used up")
      vars.VAULT_AUTH_MOUNT = "nowhere"
      text = M.refusal(t, "auth", "secret/db/prod#a")
      t.match(text, "is refused: HTTP 40[34].*")
    end
  )

  case("a token that ends in the middle is fetched again", function(t, server, vars)
    server.put("secret", "db/prod", { a = "s3cr3t-a" })
    vars.VAULT_TOKEN = nil
    vars.VAULT_ROLE_ID, vars.VAULT_SECRET_ID = server.approle({ token_uses = 2 })
    for _ = 1, 3 do
      t.equal(source.read("secret/db/prod#a"), "s3cr3t-a")
    end
  end)

  case("a pod logs in with its service account", function(t, server, vars)
    server.put("secret", "db/prod", { a = "s3cr3t-a" })
    vars.VAULT_TOKEN, vars.VAULT_K8S_ROLE = nil, "deploy"
    vars.VAULT_K8S_TOKEN_FILE = "/nonexistent/token"
    t.match(M.refusal(t, "io", "secret/db/prod#a"), "hint: VAULT_K8S_ROLE is for pods")
    vars.VAULT_K8S_TOKEN_FILE = server.kubernetes("deploy")
    local stored = server.versions()
    t.equal(source.read("secret/db/prod#a"), "s3cr3t-a")
    t.equal(server.versions(), stored, "a login is a read")
    vars.VAULT_K8S_ROLE = "other"
    local text = M.refusal(t, "auth", "secret/db/prod#a")
    t.match(text, 'the role "other" of Kubernetes is refused: HTTP 4%d%d: .*other')
    t.match(text, "vault read auth/kubernetes/role/other")
  end)

  case("a sealed server", function(t, server)
    server.put("secret", "db/prod", { password = "s3cr3t" })
    server.seal()
    local text = M.refusal(t, "connect", "secret/db/prod#password")
    t.match(text, "the server is sealed\nhint: .*vault operator unseal")
  end)

  return cases
end

return M
