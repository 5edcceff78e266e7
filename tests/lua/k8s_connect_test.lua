--- Who the client is and whom it talks to: passwords, tokens, impersonation, the pod it runs in.
local effect = require("plat.effect")
local fs = require("prim.fs")
local k8s = require("plat.k8s")
local stub = load(assert(require("prim.fs").read("tests/lua/k8s_stub.lua")), "@k8s_stub.lua")()
local sys = require("prim.sys")

local VERSION = { ["GET /version"] = { body = { gitVersion = "v1.34.4" } } }

--- Connects as a user of a kubeconfig and asks for the version; returns the request.
local function ask_as(t, user)
  local path = t.tmp() .. "/config"
  assert(fs.write(
    path,
    ([[
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "https://stub:1"}}]
users: [{name: jane, user: %s}]
contexts: [{name: c, context: {cluster: c, user: jane}}]
]]):format(user),
    { mode = 384 }
  ))
  local requests = stub.open(t, VERSION)
  local client = k8s.connect({ kubeconfig = path })
  client:version()
  return requests[1], client
end

--- Pretends to be a pod: its service account and its environment, for one test.
local function in_pod(t, host, port, files)
  local read, stat, getenv = fs.read, fs.stat, sys.getenv
  local dir = "/var/run/secrets/kubernetes.io/serviceaccount/"
  local variables = {
    KUBERNETES_SERVICE_HOST = host,
    KUBERNETES_SERVICE_PORT = port,
    KUBECONFIG = "",
    HOME = t.tmp(),
  }
  function sys.getenv(name)
    local value = variables[name]
    return value == nil and getenv(name) or value or nil
  end
  function fs.read(path, ...)
    local name = path:sub(1, #dir) == dir and path:sub(#dir + 1)
    if name then
      return files[name], not files[name] and { kind = "io", msg = "no such file" } or nil
    end
    return read(path, ...)
  end
  function fs.stat(path)
    if path:sub(1, #dir) == dir then
      return files[path:sub(#dir + 1)] and { type = "file" }
    end
    return stat(path)
  end
  t.defer(function()
    fs.read, fs.stat, sys.getenv = read, stat, getenv
  end)
end

local CA = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"

return {
  ["a user with a password logs in with it"] = function(t)
    local request = ask_as(t, "{username: jane, password: 's:cret'}")
    t.equal(request.headers.Authorization, "Basic amFuZTpzOmNyZXQ=")
    request = ask_as(t, "{username: jane}")
    t.equal(request.headers.Authorization, "Basic amFuZTo=")
    request = ask_as(t, "{username: jane, password: x, token: t0ken}")
    t.equal(request.headers.Authorization, "Bearer t0ken", "a token goes first")
  end,

  ["a refused password is named as such"] = function(t)
    local path = t.tmp() .. "/config"
    assert(fs.write(
      path,
      [[
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "https://stub:1"}}]
users: [{name: jane, user: {username: jane, password: x}}]
contexts: [{name: c, context: {cluster: c, user: jane}}]
]],
      { mode = 384 }
    ))
    stub.open(t, {
      ["GET /version"] = { status = 401, body = stub.status(401, "Unauthorized", "Unauthorized") },
    })
    local client = k8s.connect({ kubeconfig = path })
    local err = t.fails("http", client.version, client)
    t.match(err.hint, "does not accept the password of user jane in " .. path:gsub("%p", "%%%0"))
  end,

  ["impersonation: user, uid and groups; nothing without a user"] = function(t)
    local request = ask_as(t, "{token: x, as: boss, as-uid: '7', as-groups: [a, b]}")
    t.equal({
      request.headers["Impersonate-User"],
      request.headers["Impersonate-Uid"],
      request.headers["Impersonate-Group"],
    }, { "boss", "7", { "a", "b" } })
    request = ask_as(t, "{token: x, as: '', as-uid: '7', as-groups: [a]}")
    for name in pairs(request.headers) do
      t.ok(not name:find("^Impersonate"), name)
    end
    request = ask_as(t, "{token: x, as: boss, as-groups: []}")
    t.equal(request.headers["Impersonate-Group"], nil)
  end,

  ["in a pod its service account is used"] = function(t)
    in_pod(t, "10.0.0.1", "6443", { token = "sa-token\n", namespace = "lake\n", ["ca.crt"] = CA })
    local requests = stub.open(t, VERSION)
    local client = k8s.connect()
    client:version()
    t.equal(requests[1].authority, "10.0.0.1:6443")
    t.equal(requests[1].headers.Authorization, "Bearer sa-token")
    t.equal(requests[1].endpoint.ca, CA)
    t.equal({ client.namespace, client.target }, { "lake", "cluster in-cluster" })
  end,

  ["in a pod whose cluster speaks IPv6, without a port and a namespace"] = function(t)
    in_pod(t, "fd00::1", false, { token = "x", ["ca.crt"] = CA })
    local requests = stub.open(t, VERSION)
    local client = k8s.connect()
    client:version()
    t.equal({ requests[1].authority, client.namespace }, { "[fd00::1]:443", "default" })
  end,

  ["no kubeconfig and no pod: where was looked is told"] = function(t)
    in_pod(t, false, false, { token = "x" })
    t.match(t.fails("io", k8s.connect).msg, "^no kubeconfig: looked at .*/%.kube/config$")
    in_pod(t, "10.0.0.1", "443", {})
    t.fails("io", k8s.connect)
    local getenv = sys.getenv
    function sys.getenv(name)
      return name ~= "HOME" and getenv(name) or nil
    end
    t.defer(function()
      sys.getenv = getenv
    end)
    t.equal(t.fails("io", k8s.connect).msg, "no kubeconfig: looked at no place: HOME is not set")
    sys.getenv = getenv
    in_pod(t, "", "443", { token = "x" })
    t.fails("io", k8s.connect)
  end,

  ["credentials in clear text are warned of, except on this machine"] = function(t)
    local warned = {}
    local warn = effect.warn
    function effect.warn(text)
      warned[#warned + 1] = text
    end
    t.defer(function()
      effect.warn = warn
    end)
    for _, server in ipairs({
      "http://127.0.0.1:8001",
      "http://localhost:8001",
      "http://[::1]:8001",
      "https://far.example",
    }) do
      k8s.connect({ server = server, token = "x" })
    end
    t.equal(warned, {})
    k8s.connect({ server = "http://far.example:8080", name = "far", token = "x" })
    t.equal(warned, {
      "cluster far: credentials go to http://far.example:8080 in clear text (http)",
    })
    k8s.connect({ server = "https://far.example", name = "far", insecure = true, ca = CA })
    t.equal(#warned, 2)
    t.match(warned[2], "^cluster far: the server's certificate is NOT verified")
  end,

  ["a server of the inventory: its material as text or as files, its name, its proxy"] = function(
    t
  )
    local path = t.tmp() .. "/ca.pem"
    assert(fs.write(path, CA))
    local requests = stub.open(t, VERSION)
    local client = k8s.connect({
      server = "https://stub:1",
      ca = path,
      server_name = "kubernetes",
      proxy = "http://proxy:3128",
      namespace = "lake",
    })
    client:version()
    t.equal(requests[1].endpoint, {
      ca = CA,
      server_name = "kubernetes",
      proxy = "http://proxy:3128",
    })
    t.equal({ client.namespace, client.target }, { "lake", "cluster stub:1" })
    t.fails('k8s_connect_test.lua:%d+: k8s.connect: unknown option "sever"', function()
      k8s.connect({ sever = "https://stub:1" })
    end)
    local err = t.fails("auth", k8s.connect, { server = "https://stub:1", ca = path .. "x" })
    t.match(err.msg, "^certificate%-authority: .*ca%.pemx")
    assert(fs.write(path, "not PEM"))
    err = t.fails("auth", k8s.connect, { server = "https://stub:1", ca = path })
    t.match(err.msg, "ca%.pem is not a PEM certificate$")
  end,
}
