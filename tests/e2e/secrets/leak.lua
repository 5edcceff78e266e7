--- Does everything that could show a secret; `how` says how it ends.

local fault = require("plat.fault")
local fs = require("plat.fs")
local http = require("plat.http")
local json = require("plat.json")
local proc = require("plat.proc")
local secret = require("plat.secret")

local M = {
  summary = "Shows secrets in every way that there is",
  risk = "safe",
  args = {
    base = { type = "string", required = true, help = "a server that echoes" },
    dir = { type = "string", required = true },
    how = { type = "string", default = "well", help = "how it ends" },
  },
}

-- Prints the variable in all forms, in pieces, on both streams.
local SHOW = [[
printf '%s\n' "$TOKEN" "$KEY"
printf '%s' "$TOKEN" | base64
printf 'x%s' "$KEY" | base64 -w 0
printf '\nxx%s' "$TOKEN" | base64 -w 0 >&2
printf '%.9s' "$TOKEN" >&2; sleep 0.05; printf '%s\n' "${TOKEN#?????????}" >&2
python3 -c '
import json, os, urllib.parse
for name in "TOKEN", "KEY":
    v = os.environ[name]
    print(json.dumps([v]), json.dumps(json.dumps(v)), urllib.parse.quote(v, safe=""))
    print(urllib.parse.quote_plus(v), repr(v.encode()))
'
]]

local END = {}

function END.exit(env)
  proc.run({ "sh", "-c", SHOW .. 'echo "it was $TOKEN" >&2; exit 3' }, { env = env })
end

function END.exit_out(env)
  proc.run({ "sh", "-c", SHOW .. "exit 3" }, { env = env })
end

function END.http(_, args, token, key)
  http.post(args.base .. "/refuse/500", {
    token = token,
    headers = { ["X-Api-Key"] = token:base64(), ["X-Line"] = token:url() },
    query = { key = token },
    json = { token = token, key = key, both = { token:format("%s,%s", token) } },
    retry = false,
  })
end

function END.text(_, args, token)
  error("text: " .. http.get(args.base .. "/echo", { token = token }).body)
end

function END.fault(_, args, token)
  local body = http.get(args.base .. "/echo", { token = token, query = { a = token } }).body
  fault.raise("failed", { op = body, target = body, object = body }, {
    msg = body,
    detail = { body, body },
    hint = body,
    cause = fault.new("io", nil, { msg = body, detail = body }),
  })
end

function END.argv(_, _, token)
  proc.run({ "echo", token })
end

function END.concat(_, _, token)
  return "Bearer " .. token
end

function END.returns(_, args, token)
  return http.get(args.base .. "/echo", { token = token }).body
end

function END.well() end

function M.run(run, args)
  local token, key = run:secret("token"), run:secret("key")
  local password = run:secret("document"):field("db", "password")
  local env = { TOKEN = token, KEY = key, PASSWORD = password }
  local echo =
    http.get(args.base .. "/echo", { token = token, headers = { A = password:base64() } })
  print(token, key, tostring(password), { token })
  print(echo.body, json.encode(echo:json()))
  run:log("%s", echo.body)
  run:guard("it may", function()
    return true, echo.body
  end)
  run:keep("the token", function()
    return { token, token:base64(), echo.body }
  end)
  run:step("show " .. args.how, function(step)
    step:log("%s", echo.body)
    fs.write(args.dir .. "/delivered", secret.format("%s\n%s\n", token, key))
    local out = proc.run(
      { "sh", "-c", SHOW },
      { env = env, text = "show it", recovery = "repeatable" }
    )
    print(out.stdout, out.stderr)
    run:log("%s", out.stdout)
    run:step("inner", { returns = true }, function()
      return { out.stdout, token }
    end)
    END[args.how](env, args, token, key)
  end)
  run:step("the last word", { returns = true }, function()
    return args.how == "returns" and END.returns(env, args, token) or nil
  end)
end

return M
