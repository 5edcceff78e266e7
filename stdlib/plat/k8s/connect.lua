--- From a configuration (inventory, kubeconfig, the pod this runs in) to server and credentials.
local check = require("plat.check")
local credentials = require("plat.k8s.credentials")
local effect = require("plat.effect")
local fault = require("plat.fault")
local fs = require("prim.fs")
local kubeconfig = require("plat.k8s.kubeconfig")
local sys = require("prim.sys")

local M = {}

local SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/"

local OPTIONS = check.options("k8s.connect", {
  name = { type = "string", help = "what messages call the cluster" },
  namespace = { type = "string", help = "the default namespace" },
  kubeconfig = { type = "string", help = "a file; default: KUBECONFIG, then ~/.kube/config" },
  context = { type = "string", help = "default: the file's current context" },
  server = { type = "string", help = "base URL; instead of a kubeconfig" },
  ca = { type = "string", help = "PEM text or a file" },
  cert = { type = "string", help = "client certificate: PEM text or a file" },
  key = { type = "string", help = "its key: PEM text or a file" },
  token = { type = "any", help = "bearer token: text or a secret" },
  token_file = { type = "string", help = "a file with the token; read again when it expires" },
  insecure = { type = "boolean", default = false, help = "do not verify the server" },
  server_name = { type = "string", help = "the name that the server's certificate must have" },
  proxy = { type = "string", help = "http://, https:// or socks5:// proxy" },
})

local DIRECT = { "ca", "cert", "key", "token", "token_file", "server_name", "proxy" }

-- Puts PEM text or a path into the fields that a kubeconfig has for it.
local function put_pem(entry, field, value)
  if not value then
    return
  end
  if value:find("-----BEGIN", 1, true) then
    entry[field .. "-pem"] = value
  else
    entry[field] = value
  end
end

local function direct(conf)
  local host = conf.server:match("^https?://([^/]+)")
  if not host then
    fault.raise("parse", { op = "k8s.connect" }, {
      msg = ("server %q is not a URL such as https://HOST:6443"):format(conf.server),
      hint = "check `server` of the inventory",
    })
  end
  local cluster = {
    server = conf.server,
    ["insecure-skip-tls-verify"] = conf.insecure,
    ["tls-server-name"] = conf.server_name,
    ["proxy-url"] = conf.proxy,
    ["-file"] = "the inventory",
  }
  put_pem(cluster, "certificate-authority", conf.ca)
  local user = { token = conf.token, tokenFile = conf.token_file, ["-file"] = "the inventory" }
  put_pem(user, "client-certificate", conf.cert)
  put_pem(user, "client-key", conf.key)
  return { name = host, namespace = "default", cluster = cluster, user = user, user_name = "" }
end

-- The service account of the pod this runs in, or nil.
local function in_cluster()
  local host, port = sys.getenv("KUBERNETES_SERVICE_HOST"), sys.getenv("KUBERNETES_SERVICE_PORT")
  if not host or host == "" or not fs.stat(SERVICE_ACCOUNT .. "token") then
    return nil
  end
  if host:find(":", 1, true) then
    host = "[" .. host .. "]"
  end
  local namespace = fs.read(SERVICE_ACCOUNT .. "namespace", { max = 256 })
  return {
    name = "in-cluster",
    namespace = namespace and namespace:gsub("%s+", "") or "default",
    cluster = {
      server = ("https://%s:%s"):format(host, port or "443"),
      ["certificate-authority"] = SERVICE_ACCOUNT .. "ca.crt",
    },
    user = { tokenFile = SERVICE_ACCOUNT .. "token" },
    user_name = "service account",
  }
end

local function find_target(conf)
  if conf.server then
    return direct(conf)
  end
  for _, field in ipairs(DIRECT) do
    if conf[field] then
      fault.raise("usage", { op = "k8s.connect" }, {
        msg = ("%q goes with `server`, not with a kubeconfig"):format(field),
      })
    end
  end
  local config, tried = kubeconfig.load(conf.kubeconfig)
  if config then
    return kubeconfig.resolve(config, conf.context)
  end
  local target = in_cluster()
  if not target then
    local where = #tried > 0 and table.concat(tried, ", ") or "no place: HOME is not set"
    fault.raise("io", { op = "k8s.connect" }, {
      msg = "no kubeconfig: looked at " .. where,
      hint = "set KUBECONFIG, or name `kubeconfig` or `server` in the inventory",
    })
  end
  return target
end

--- Returns the server, name, namespace and credentials that a configuration stands for.
---@param conf? table
---@return { server: string, name: string, namespace: string, credentials: plat.k8s.Credentials }
function M.resolve(conf)
  conf = OPTIONS(conf, 3)
  local target = find_target(conf)
  local name = conf.name or target.name
  local server = target.cluster.server
  if not server:find("^%a+://") then
    server = "https://" .. server
  end
  local host = server:match("^http://%[?([^/%]]*)")
  if host and not host:find("^127%.") and not host:find("^localhost") and host ~= "::1" then
    effect.warn(("cluster %s: credentials go to %s in clear text (http)"):format(name, server))
  end
  if conf.insecure then
    target.cluster["insecure-skip-tls-verify"] = true
  end
  return {
    server = server,
    name = name,
    namespace = conf.namespace or target.namespace,
    credentials = credentials.new(target.cluster, target.user, target.user_name, {
      op = "k8s.connect",
      target = "cluster " .. name,
    }),
  }
end

return M
