--- Credential plugins of a kubeconfig (`users[].user.exec`): programs that print a token or a
--- client certificate.
local effect = require("plat.effect")
local fault = require("plat.fault")
local json = require("plat.json")
local sys = require("prim.sys")
local time = require("plat.time")

local M = {}

local TIMEOUT = 60
local VERSIONS = {
  ["client.authentication.k8s.io/v1"] = true,
  ["client.authentication.k8s.io/v1beta1"] = true,
}

---@class plat.k8s.ExecSpec `users[].user.exec`
---@field apiVersion string
---@field command string
---@field args? string[]
---@field env? { name: string, value: string }[]
---@field installHint? string
---@field provideClusterInfo? boolean
---@field interactiveMode? "Never"|"IfAvailable"|"Always"

local function fail(about, spec, msg, fields)
  fields = fields or {}
  fields.msg = ("credential plugin %q: %s"):format(tostring(spec.command), msg)
  fields.hint = fields.hint or spec.installHint
  fault.raise("auth", about, fields)
end

--- Refuses what the plugin protocol does not allow here. Pure.
---@param spec plat.k8s.ExecSpec
---@param about table
function M.check(spec, about)
  if type(spec.command) ~= "string" or spec.command == "" then
    fail(about, spec, "`command` is missing")
  end
  if not VERSIONS[spec.apiVersion or ""] then
    fail(about, spec, ("apiVersion %q is not supported"):format(tostring(spec.apiVersion)), {
      hint = "use client.authentication.k8s.io/v1 (`aws eks update-kubeconfig` writes it)",
    })
  end
  if spec.interactiveMode == "Always" then
    fail(about, spec, "wants a terminal (interactiveMode: Always)", {
      hint = "log in with it once by hand, or use a plugin that works without a terminal",
    })
  end
end

--- Returns the input of the plugin: the value of KUBERNETES_EXEC_INFO. Pure.
---@param spec plat.k8s.ExecSpec
---@param cluster table `{ server, ca, insecure, server_name, proxy }`
---@return string
function M.exec_info(spec, cluster)
  local info = {
    apiVersion = spec.apiVersion,
    kind = "ExecCredential",
    spec = { interactive = false },
  }
  if spec.provideClusterInfo == true then
    info.spec.cluster = {
      server = cluster.server,
      ["tls-server-name"] = cluster.server_name,
      ["insecure-skip-tls-verify"] = cluster.insecure or nil,
      ["certificate-authority-data"] = cluster.ca_base64,
      ["proxy-url"] = cluster.proxy,
      config = cluster.exec_config,
    }
  end
  return json.encode(info)
end

--- Reads the plugin's answer. Pure.
---@param spec plat.k8s.ExecSpec
---@param stdout string
---@param about table
---@return { token: string?, cert: string?, key: string?, expires: number? }
function M.parse(spec, stdout, about)
  local answer, err = fault.try(json.decode, stdout)
  if type(answer) ~= "table" then
    fail(about, spec, "did not print an ExecCredential as JSON", { cause = err })
  end
  if answer.kind ~= "ExecCredential" or answer.apiVersion ~= spec.apiVersion then
    fail(
      about,
      spec,
      ("printed %s %s instead of %s ExecCredential"):format(
        tostring(answer.apiVersion),
        tostring(answer.kind),
        spec.apiVersion
      )
    )
  end
  local status = type(answer.status) == "table" and answer.status or {}
  local token, cert, key = status.token, status.clientCertificateData, status.clientKeyData
  if type(token) ~= "string" and type(cert) ~= "string" then
    fail(about, spec, "printed neither a token nor a client certificate")
  end
  if (type(cert) == "string") ~= (type(key) == "string") then
    fail(about, spec, "printed a client certificate without its key, or the reverse")
  end
  local expires
  if type(status.expirationTimestamp) == "string" then
    expires = time.parse_rfc3339(status.expirationTimestamp)
  end
  return { token = token, cert = cert, key = key, expires = expires }
end

local function environment(spec, cluster)
  local env = { KUBERNETES_EXEC_INFO = M.exec_info(spec, cluster) }
  for _, item in ipairs(type(spec.env) == "table" and spec.env or {}) do
    if type(item.name) == "string" then
      env[item.name] = tostring(item.value or "")
    end
  end
  return env
end

--- Runs the plugin and returns its credentials.
---@async
---@param spec plat.k8s.ExecSpec
---@param cluster table
---@param about { op: string, target: string, user: string }
---@return { token: string?, cert: string?, key: string?, expires: number? }
function M.run(spec, cluster, about)
  local shown = { op = about.op, target = about.target }
  M.check(spec, shown)
  local argv = { spec.command }
  for _, arg in ipairs(type(spec.args) == "table" and spec.args or {}) do
    argv[#argv + 1] = tostring(arg)
  end
  local env = environment(spec, cluster)
  local out, err = fault.try(effect.proc, {
    argv = argv,
    opts = { env = env, timeout = TIMEOUT, max_output = 1024 * 1024 },
    target = about.target,
    op = "k8s.credentials",
    read = "credential plugin of a kubeconfig: prints credentials",
    neutral = true,
  })
  if not out then
    local path = env.PATH or sys.getenv("PATH") or "(empty)"
    local plain = not spec.command:find("/", 1, true)
    fail(
      shown,
      spec,
      plain and ("could not be run; PATH searched: " .. path) or "could not be run",
      {
        cause = err,
        hint = spec.installHint
          or "cron and systemd give a short PATH: set PATH, or write the command's full path",
      }
    )
  end
  if out.code ~= 0 then
    local said = require("plat.out").redact(out.stderr or "") -- before it is cut
    local text = said:gsub("%s+$", ""):sub(-600)
    fail(
      shown,
      spec,
      ("ended with exit %s%s"):format(
        tostring(out.code or out.signal),
        text ~= "" and (": " .. text) or ""
      )
    )
  end
  return M.parse(spec, out.stdout or "", shown)
end

return M
