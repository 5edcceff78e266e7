--- Kubeconfig files: merging, contexts, paths, expiry, plugins, and what is said of bad ones.
local exec_plugin = require("plat.k8s.exec_plugin")
local fault = require("plat.fault")
local fs = require("prim.fs")
local hash = require("plat.hash")
local k8s = require("plat.k8s")
local kubeconfig = require("plat.k8s.kubeconfig")
local stub = load(assert(require("prim.fs").read("tests/lua/k8s_stub.lua")), "@k8s_stub.lua")()
local task = require("plat.task")

-- CN=jane, valid from 2024-01-01 to 2025-03-01.
local EXPIRED = [[
-----BEGIN CERTIFICATE-----
MIIBCzCBsaADAgECAgEBMAoGCCqGSM49BAMCMA8xDTALBgNVBAMMBGphbmUwHhcN
MjQwMTAxMDAwMDAwWhcNMjUwMzAxMDAwMDAwWjAPMQ0wCwYDVQQDDARqYW5lMFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEwIT0fPXe5T++iAWUqVZYgUj1tOBhDUbq
aqR9e3oShL+Cgf1aQvjsfw2q2Pult3OnGWplrpoMCfNKbYTVakFcKjAKBggqhkjO
PQQDAgNJADBGAiEA0ZA6v8GAeVOJOwEB7X5dCAN4Paor30ZRxgUc1kKbsEYCIQCa
BHBGIC2M5Pe7/X6TNlTP5ITbWtxqL/wqowV0tVXwQQ==
-----END CERTIFICATE-----
]]

local FIRST = [[
apiVersion: v1
kind: Config
current-context: blue
clusters:
- name: shared
  cluster: {server: "https://one:6443", certificate-authority: pki/ca.crt}
users:
- name: red
  user: {token: first}
contexts:
- name: blue
  context: {cluster: shared, user: red, namespace: data}
]]

local SECOND = [[
apiVersion: v1
kind: Config
current-context: green
clusters:
- name: shared
  cluster: {server: "https://two:6443", proxy-url: "http://proxy"}
- name: other
  cluster: {server: "https://three:6443"}
users:
- name: red
  user: {token: second, username: x}
- name: plug
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: bin/plugin}}
contexts:
- name: green
  context: {cluster: other, user: plug}
]]

local function env(map)
  return function(name)
    return map[name]
  end
end

local function write(t, name, text, mode)
  local path = t.tmp() .. "/" .. name
  assert(fs.write(path, text, { mode = mode or 384 }))
  return path
end

local function config_with_user(user)
  return ([[
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: jane, user: %s}]
contexts: [{name: c, context: {cluster: c, user: jane}}]
]]):format(user)
end

return {
  ["the first file wins, entries are taken whole"] = function(t)
    local one = kubeconfig.parse(FIRST, "/a/one")
    local two = kubeconfig.parse(SECOND, "/b/two")
    local merged = kubeconfig.merge({ one, two })
    t.equal(merged.current, "blue")
    t.equal(merged.clusters.shared.server, "https://one:6443")
    t.equal(merged.clusters.shared["proxy-url"], nil, "a later file adds nothing to an entry")
    t.equal(merged.users.red.username, nil)
    t.equal(merged.clusters.other.server, "https://three:6443")
    t.equal(merged.files, { "/a/one", "/b/two" })
  end,

  ["paths are relative to their file"] = function(t)
    local one = kubeconfig.parse(FIRST, "/a/one")
    local two = kubeconfig.parse(SECOND, "/b/two")
    t.equal(one.clusters.shared["certificate-authority"], "/a/pki/ca.crt")
    t.equal(two.users.plug.exec.command, "/b/bin/plugin")
  end,

  ["a context stands for cluster, user and namespace"] = function(t)
    local target = kubeconfig.resolve(kubeconfig.parse(FIRST, "one"))
    t.equal(target.namespace, "data")
    t.equal(target.cluster.server, "https://one:6443")
    t.equal(target.user.token, "first")
    t.equal(target.user_name, "red")
  end,

  ["which files count"] = function(t)
    local paths, required = kubeconfig.paths(nil, env({ KUBECONFIG = "/a::/b", HOME = "/h" }))
    t.equal(paths, { "/a", "/b" })
    t.equal(required, false)
    t.equal(kubeconfig.paths(nil, env({ KUBECONFIG = "", HOME = "/h" })), { "/h/.kube/config" })
    t.equal(kubeconfig.paths("~/x", env({ HOME = "/h%1" })), { "/h%1/x" })
    t.equal(kubeconfig.paths(nil, env({})), {})
  end,

  ["missing files of a list are skipped, a named one is not"] = function(t)
    local path = write(t, "one", FIRST)
    local config = kubeconfig.load(nil, env({ KUBECONFIG = "/nonexistent/x:" .. path }))
    t.equal(config.current, "blue")
    t.equal(kubeconfig.load(nil, env({ KUBECONFIG = "/nonexistent/x" })), nil)
    local err = t.fails("io", kubeconfig.load, "/nonexistent/x", env({}))
    t.match(fault.text(err), "/nonexistent/x")
  end,

  ["an unknown context suggests one"] = function(t)
    local err = t.fails("parse", kubeconfig.resolve, kubeconfig.parse(FIRST, "one"), "bleu")
    t.match(err.msg, 'no context "bleu" in one')
    t.equal(err.hint, 'did you mean "blue"?')
  end,

  ["a malformed file names file and line"] = function(t)
    local err = t.fails("parse", kubeconfig.parse, "kind: Config\nclusters: {a: 1\n", "/x/config")
    t.match(err.msg, "/x/config:%d+")
    err = t.fails("parse", kubeconfig.parse, "kind: Config\n\nclusters:\n- cluster: {}\n", "/x/c")
    t.match(err.msg, "^/x/c:3: an entry of `clusters` has no `name`")
    err = t.fails("parse", kubeconfig.parse, "apiVersion: v1\nkind: Pod\n", "/x/pod.yaml")
    t.match(err.msg, '^/x/pod.yaml:2: kind is "Pod"')
    t.ok(err.hint)
    err = t.fails("parse", kubeconfig.resolve, kubeconfig.parse("kind: Config\n", "/x/empty"))
    t.match(err.msg, "/x/empty names no current%-context")
  end,

  ["what a context or a cluster leaves out is named"] = function(t)
    local function resolve(text)
      return t.fails("parse", kubeconfig.resolve, kubeconfig.parse("kind: Config\n" .. text, "/c"))
    end
    local err = resolve("current-context: a\ncontexts: [{name: a, context: {user: u}}]")
    t.equal(err.msg, 'context "a" of /c names no cluster')
    t.match(err.hint, "^kubectl config set%-context")
    err = resolve(
      "current-context: a\ncontexts: [{name: a, context: {cluster: b}}]\n"
        .. "clusters: [{name: b, cluster: {}}]"
    )
    t.equal(err.msg, 'cluster "b" of /c has no server')
    t.match(resolve("contexts: [{name: a, context: {}}]").hint, "^name one: a$")
    t.equal(resolve("contexts: []").hint, "it has no contexts")
    err = resolve("current-context: a\ncontexts: [{name: a, context: {cluster: b}}]")
    t.match(err.msg, 'no cluster "b" in /c')
  end,

  ["a kubeconfig that anybody may write is refused"] = function(t)
    local path = write(t, "open", FIRST, 438)
    local err = t.fails("refused", kubeconfig.load, path, env({}))
    t.match(err.hint, "chmod o%-w")
  end,

  ["an expired client certificate is named before any request"] = function(t)
    local user = ("{client-certificate-data: %s, client-key-data: %s}"):format(
      hash.base64(EXPIRED),
      hash.base64("key")
    )
    local path = write(t, "config", config_with_user(user))
    local err = t.fails("auth", k8s.connect, { kubeconfig = path })
    t.equal(
      fault.text(err):match("^[^\n]*"),
      "cluster c: k8s.connect: client certificate of user jane in "
        .. path
        .. " expired on 2025-03-01"
    )
  end,

  ["a client certificate and its key of the inventory belong together"] = function(t)
    local conf = { server = "https://one:6443", cert = EXPIRED, key = "-----BEGIN x" }
    t.match(t.fails("auth", k8s.connect, conf).msg, "expired on 2025%-03%-01$")
    conf.key = nil
    t.match(t.fails("auth", k8s.connect, conf).msg, "certificate without a key, or the reverse$")
    conf.key, conf.cert = "-----BEGIN x", nil
    t.match(t.fails("auth", k8s.connect, conf).msg, "certificate without a key, or the reverse$")
  end,

  ["data that is not base64 names field and file"] = function(t)
    local path =
      write(t, "config", config_with_user("{client-certificate-data: '!!', client-key: k}"))
    local err = t.fails("auth", k8s.connect, { kubeconfig = path })
    t.match(err.msg, "client%-certificate%-data in " .. path:gsub("%p", "%%%0") .. " is not base64")
  end,

  ["a certificate without its key is refused"] = function(t)
    local dir = t.tmp()
    assert(fs.write(dir .. "/c.pem", EXPIRED))
    assert(
      fs.write(dir .. "/config", config_with_user("{client-certificate: c.pem}"), { mode = 384 })
    )
    local err = t.fails("auth", k8s.connect, { kubeconfig = dir .. "/config" })
    t.match(err.msg, "certificate without a key")
  end,

  ["auth-provider and unknown options are refused with a hint"] = function(t)
    local path = write(t, "config", config_with_user("{auth-provider: {name: gcp}}"))
    t.match(t.fails("auth", k8s.connect, { kubeconfig = path }).hint, "exec plugin")
    t.fails('unknown option "kubeconf"', k8s.connect, { kubeconf = path })
    t.match(
      t.fails("usage", k8s.connect, { kubeconfig = path, token = "x" }).msg,
      "goes with `server`"
    )
    t.match(t.fails("parse", k8s.connect, { server = "main:6443" }).msg, "not a URL")
  end,

  ["a plugin's input tells the protocol, not the terminal"] = function(t)
    local spec = {
      apiVersion = "client.authentication.k8s.io/v1",
      command = "x",
      provideClusterInfo = true,
    }
    local text = exec_plugin.exec_info(spec, { server = "https://one", ca_base64 = "Q0E=" })
    t.match(text, '"kind":"ExecCredential"')
    t.match(text, '"interactive":false')
    t.match(text, '"certificate%-authority%-data":"Q0E="')
    spec.provideClusterInfo = false
    t.ok(not exec_plugin.exec_info(spec, { server = "https://one" }):find("https://one", 1, true))
  end,

  ["a plugin's answer is checked"] = function(t)
    local spec = { apiVersion = "client.authentication.k8s.io/v1", command = "x" }
    local head = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":'
    local out = exec_plugin.parse(
      spec,
      head .. '{"token":"t","expirationTimestamp":"2026-01-01T00:00:00Z"}}',
      {}
    )
    t.equal(out.token, "t")
    t.equal(out.expires, 1767225600)
    local half = head .. '{"clientCertificateData":"c"}}'
    for bad, why in pairs({
      [""] = "did not print an ExecCredential as JSON",
      ["{}"] = "printed nil nil instead of client.authentication.k8s.io/v1 ExecCredential",
      [head .. "{}}"] = "printed neither a token nor a client certificate",
      [half] = "printed a client certificate without its key, or the reverse",
    }) do
      local err = t.fails("auth", exec_plugin.parse, spec, bad, {})
      t.equal(err.msg, 'credential plugin "x": ' .. why)
    end
    t.fails("auth", exec_plugin.parse, spec, "[]", {})
    spec.apiVersion = "client.authentication.k8s.io/v1beta1"
    t.match(
      t.fails("auth", exec_plugin.parse, spec, head .. '{"token":"t"}}', {}).msg,
      "instead of"
    )
  end,

  ["a plugin that needs a terminal or is too old is refused"] = function(t)
    local spec = { apiVersion = "client.authentication.k8s.io/v1", command = "x" }
    spec.interactiveMode = "Always"
    t.match(t.fails("auth", exec_plugin.check, spec, {}).msg, "terminal")
    local about = { op = "k8s.connect", target = "cluster c" }
    t.match(t.fails("auth", exec_plugin.run, spec, {}, about).msg, "terminal", "it is not run")
    t.fails("auth", exec_plugin.check, {
      apiVersion = "client.authentication.k8s.io/v1alpha1",
      command = "x",
    }, {})
  end,

  ["a missing plugin says which PATH was searched and how to install it"] = function(t)
    local spec = {
      apiVersion = "client.authentication.k8s.io/v1",
      command = "no-such-plugin-here",
      installHint = "install it from example.org",
    }
    local err = t.fails(
      "auth",
      exec_plugin.run,
      spec,
      {},
      { op = "k8s.connect", target = "cluster c" }
    )
    t.match(err.msg, "PATH searched: .*/bin")
    t.equal(err.hint, "install it from example.org")
  end,

  ["a failing plugin shows what it said"] = function(t)
    local spec = {
      apiVersion = "client.authentication.k8s.io/v1",
      command = "/bin/sh",
      args = { "-c", "echo login expired >&2; exit 3" },
    }
    local err = t.fails(
      "auth",
      exec_plugin.run,
      spec,
      {},
      { op = "k8s.connect", target = "cluster c" }
    )
    t.match(err.msg, "exit 3: login expired")
  end,

  ["a plugin runs once, until its token expires or is refused"] = function(t)
    local dir = t.tmp()
    local script = ([[
apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "https://stub:1"}}]
users:
- name: jane
  user:
    as: boss
    as-groups: [one, two]
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: sh
      env: [{name: GREETING, value: hello}]
      args:
      - -c
      - |
        echo x >> %s/runs; n=$(wc -l < %s/runs)
        case $KUBERNETES_EXEC_INFO in *'"interactive":false'*) ;; *) exit 9;; esac
        printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",'
        printf '"status":{"token":"%%s-%%s"}}' "$GREETING" "$n"
contexts: [{name: c, context: {cluster: c, user: jane}}]
]]):format(dir, dir)
    assert(fs.write(dir .. "/config", script, { mode = 384 }))
    local accepted = "Bearer hello-1"
    local requests = stub.open(t, {
      ["GET /version"] = function(req)
        if req.headers.Authorization == accepted then
          return { body = { gitVersion = "v1" } }
        end
        return { status = 401, body = stub.status(401, "Unauthorized", "Unauthorized") }
      end,
    })
    local client = k8s.connect({ kubeconfig = dir .. "/config" })
    task.all({
      function()
        client:version()
      end,
      function()
        client:version()
      end,
    })
    t.equal(#requests, 2)
    t.equal(assert(fs.read(dir .. "/runs")), "x\n", "two tasks, one run")
    t.equal(requests[1].headers["Impersonate-User"], "boss")
    t.equal(requests[1].headers["Impersonate-Group"], { "one", "two" })
    accepted = "Bearer hello-2"
    t.equal(client:version().gitVersion, "v1")
    t.equal(assert(fs.read(dir .. "/runs")), "x\nx\n", "refused: asked again")
    accepted = "Bearer nothing"
    local err = t.fails("http", client.version, client)
    t.match(err.hint, 'does not accept what credential plugin "sh" gives')
  end,
}
