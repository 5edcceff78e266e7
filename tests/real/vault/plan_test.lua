local effect = require("plat.effect")
local fs = require("prim.fs")
local http = require("prim.http")
local plan = require("plat.effect.plan")
local source = require("plat.secret.source.vault")

local function load_file(path)
  return load(assert(fs.read(path)), "@" .. path)()
end

local suite = load_file("tests/fakes/vault_cases.lua")
local real = load_file("tests/real/vault/server.lua")

return {
  ["plan mode logs in and reads, and can do nothing else"] = function(t)
    local server = real.open(t)
    server.put("secret", "db/prod", { password = "s3cr3t-1" })
    local role_id, secret_id = server.approle({})
    suite.with_env(t, {
      VAULT_ADDR = server.url,
      VAULT_ROLE_ID = role_id,
      VAULT_SECRET_ID = secret_id,
    })
    local lines = {}
    t.defer(effect.close)
    effect.open({
      mode = "plan",
      plan = plan.new(function(line)
        lines[#lines + 1] = line
      end, function() end),
    })
    t.equal(source.read("secret/db/prod#password"), "s3cr3t-1")
    t.equal(lines, {}, "no change is planned")
    local resp, err = http.request({ -- the wire itself refuses: the login passed as a declared read
      method = "POST",
      url = server.url .. "/v1/secret/data/db/prod",
      body = "{}",
    })
    t.equal({ resp, err.kind }, { nil, "refused" })
  end,
}
