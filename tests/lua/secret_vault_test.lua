local fault = require("plat.fault")
local fs = require("prim.fs")
local list = require("plat.list")
local source = require("plat.secret.source.vault")

local function load_file(path)
  return load(assert(fs.read(path)), "@" .. path)()
end

local certificates = load_file("tests/fakes/http_fake.lua").certificates
local fake = load_file("tests/fakes/vault_fake.lua")
local suite = load_file("tests/fakes/vault_cases.lua")

local function start(t, opts)
  local server = fake.open(t, opts)
  server.put("secret", "db/prod", { password = "s3cr3t" })
  local vars = suite.with_env(t, { VAULT_ADDR = server.url, VAULT_TOKEN = server.root })
  return server, vars
end

return list.merge(suite.cases(fake.open), {
  ["a reference names a mount, a path and a field"] = function(t)
    local about = { op = "secret", object = "vault:x" }
    t.equal({ source.parse("secret/db/prod#password", about) }, { "secret/db/prod", "password" })
    t.equal({ source.parse("/kv/a#b.c", about) }, { "kv/a", "b.c" })
    for _, rest in ipairs({
      "",
      "secret",
      "secret#x",
      "secret/#x",
      "a/b",
      "a/b#",
      "a//b#x",
      "a/b#c#d",
    }) do
      local err = t.fails("usage", source.parse, rest, about)
      t.match(err.hint, "^write vault:MOUNT/PATH#FIELD")
    end
  end,

  ["TLS is verified with VAULT_CACERT, and the namespace is sent"] = function(t)
    local path, pem = certificates(t)
    local server, vars = start(t, { cert = pem("server.pem"), key = pem("server.key") })
    t.match(server.url, "^https:")
    suite.refusal(t, "auth", "secret/db/prod#password")
    vars.VAULT_CACERT, vars.VAULT_NAMESPACE = path("ca.pem"), "team-a"
    t.equal(source.read("secret/db/prod#password"), "s3cr3t")
    t.equal(server.headers["x-vault-namespace"], "team-a")
    t.equal(server.headers["x-vault-request"], "true")
    vars.VAULT_CACERT = path("no.pem")
    t.match(suite.refusal(t, "io", "secret/db/prod#password"), "hint: check VAULT_CACERT")
    vars.VAULT_CACERT = path("server.key")
    fault.must({}, fs.write(path("text.pem"), "no certificate"))
    vars.VAULT_CACERT = path("text.pem")
    t.match(suite.refusal(t, "auth", "secret/db/prod#password"), "is not a PEM certificate")
  end,

  ["an address that is missing, is none, or is that of something else"] = function(t)
    local server, vars = start(t)
    vars.VAULT_ADDR = nil
    t.match(suite.refusal(t, "usage", "secret/a#b"), "VAULT_ADDR is not set\nhint: export")
    vars.VAULT_ADDR = "vault.example:8200"
    t.match(
      suite.refusal(t, "usage", "secret/a#b"),
      'VAULT_ADDR is "vault.example:8200", not a URL'
    )
    vars.VAULT_ADDR = "http://127.0.0.1:9"
    t.match(suite.refusal(t, "connect", "secret/a#b"), "refused")
    vars.VAULT_ADDR = server.url
    server.intercept = { status = 200, body = "<html>s3cr3t</html>" }
    t.match(suite.refusal(t, "parse", "secret/a#b"), "this is not Vault")
    server.intercept = { status = 200, body = '{"data": "s3cr3t", "x": ' }
    t.match(suite.refusal(t, "parse", "secret/a#b"), "this is not Vault")
    server.intercept = { status = 200, body = '{"data": {"password": "s3cr3t"}}' }
    t.match(suite.refusal(t, "parse", "secret/a#b"), "does not answer as a key%-value store")
    server.intercept = { status = 200, body = '{"data": {"data": ["s3cr3t"], "metadata": 1}}' }
    t.match(suite.refusal(t, "parse", "secret/a#b"), "does not answer as a key%-value store")
  end,

  ["a standby that redirects, and a server in trouble"] = function(t)
    local server = start(t)
    server.intercept = { status = 307, headers = { location = "https://other:8200/v1" }, body = "" }
    t.match(suite.refusal(t, "connect", "secret/a#b"), "sends us to https://other:8200/v1")
    server.intercept = { status = 500, body = '{"errors":["1 error occurred:\\n\\t* boom\\n\\n"]}' }
    t.match(suite.refusal(t, "http", "secret/a#b"), "HTTP 500: boom\nhint: vault status")
    server.intercept = { status = 418, body = '{"errors":["teapot"]}' }
    t.match(suite.refusal(t, "http", "secret/a#b"), "HTTP 418: teapot")
  end,

  ["a login whose answer holds no token is refused"] = function(t)
    local server, vars = start(t)
    vars.VAULT_TOKEN, vars.VAULT_ROLE_ID = nil, "role"
    server.intercept = { status = 200, body = '{"auth": {"client_token": 1}}' }
    t.match(
      suite.refusal(t, "auth", "secret/a#b"),
      "is refused: HTTP 200.*hint: set VAULT_SECRET_ID"
    )
  end,
})
