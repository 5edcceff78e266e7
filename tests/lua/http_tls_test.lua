local fs = require("prim.fs")
local http = require("prim.http")
local task = require("plat.task")

local fake = load(assert(fs.read("tests/fakes/http_fake.lua")), "@http_fake.lua")()

local function secure(base)
  return (base:gsub("^http:", "https:"))
end

--- Starts a TLS server with one of the certificates; returns its URL.
local function serve(t, path, name, ...)
  return secure(fake.serve(t, "--tls", path(name .. ".pem"), path(name .. ".key"), ...))
end

local function auth_fault(t, pattern, opts)
  local resp, err = http.request(opts)
  t.equal(resp, nil, pattern)
  t.equal(err.kind, "auth", err.msg)
  t.ok(err.msg:find(pattern), err.msg)
end

return {
  ["TLS is verified, and the fault says what is wrong"] = function(t)
    local path, pem = fake.certificates(t)
    local base, ca = serve(t, path, "server"), pem("ca.pem")
    local resp = assert(http.request({ url = base .. "/ok", ca = ca }))
    t.equal(resp.body, "ok")
    resp = assert(http.request({ url = base .. "/ok", ca = ca }))
    t.equal(resp.reused, true)
    auth_fault(t, "CA that is not known here", { url = base .. "/ok" })
    auth_fault(t, "CA that is not known here", { url = base .. "/ok", ca = pem("other.pem") })
    auth_fault(t, "not for localhost", {
      url = base:gsub("127.0.0.1", "localhost") .. "/ok",
      ca = ca,
    })
    auth_fault(t, "not for 127.0.0.1", { url = serve(t, path, "named") .. "/ok", ca = ca })
    auth_fault(t, "has expired", { url = serve(t, path, "old") .. "/ok", ca = ca })
    auth_fault(t, "self%-signed", { url = serve(t, path, "alone") .. "/ok", ca = ca })
    auth_fault(t, "CA certificate cannot be used", { url = base .. "/ok", ca = "nonsense" })
  end,

  ["insecure is for one request only"] = function(t)
    local path = fake.certificates(t)
    local base = serve(t, path, "alone")
    t.equal(assert(http.request({ url = base .. "/ok", insecure = true })).body, "ok")
    auth_fault(t, "self%-signed", { url = base .. "/ok" })
  end,

  ["connections are not shared between trusts or identities"] = function(t)
    local path, pem = fake.certificates(t)
    local base = serve(t, path, "server")
    assert(http.request({ url = base .. "/ok", ca = pem("ca.pem") }))
    local resp = assert(http.request({ url = base .. "/ok", insecure = true }))
    t.equal(resp.reused, false)
    resp = assert(http.request({
      url = base .. "/ok",
      ca = pem("ca.pem"),
      cert = pem("client.pem"),
      key = pem("client.key"),
    }))
    t.equal(resp.reused, false)
    resp = assert(http.request({ url = base .. "/ok", ca = pem("ca.pem") }))
    t.equal(resp.reused, true)
  end,

  ["server_name is what TLS verifies; address and Host stay the URL's"] = function(t)
    local path, pem = fake.certificates(t)
    local base = serve(t, path, "named")
    local opts = { url = base .. "/echo", ca = pem("ca.pem"), server_name = "wrong.test" }
    local resp = assert(http.request(opts))
    t.equal(resp.status, 200)
    t.ok(resp.body:find('"host": "' .. base:match("//(.*)") .. '"', 1, true), resp.body)
    t.equal(resp.url, base .. "/echo")
    opts.server_name = "good.test"
    auth_fault(t, "not for good.test", opts)
    local named = base:gsub("127.0.0.1", "localhost")
    opts = { url = named .. "/ok", ca = pem("ca.pem"), server_name = "wrong.test" }
    t.equal(assert(http.request(opts)).body, "ok")
  end,

  ["client certificates from memory"] = function(t)
    local path, pem = fake.certificates(t)
    local base = serve(t, path, "server", "--client-ca", path("ca.pem"))
    local opts = { url = base .. "/ok", ca = pem("ca.pem") }
    auth_fault(t, "refused our client certificate: certificate required", opts)
    opts.cert, opts.key = pem("client.pem"), pem("client.key")
    t.equal(assert(http.request(opts)).body, "ok")
    opts.cert, opts.key = pem("other.pem"), pem("other.key")
    auth_fault(t, "refused our client certificate: unknown ca", opts)
    opts.key = pem("client.key")
    auth_fault(t, "certificate or its key cannot be used", opts)
    opts.cert, opts.key = "nonsense", "nonsense"
    auth_fault(t, "certificate or its key cannot be used", opts)
  end,

  ["a server that does not speak TLS is said to be one"] = function(t)
    local base = fake.serve(t)
    local _, err = http.request({ url = secure(base) .. "/ok", timeout = 5 })
    t.equal(err.kind, "connect")
    t.ok(err.msg:find("does not speak TLS"), err.msg)
    t.equal(err.sent, false)
  end,

  ["a proxy's tunnel: TLS with the server, whose name only the proxy resolves"] = function(t)
    local path, pem = fake.certificates(t)
    local proxy = fake.serve(t)
    local base = serve(t, path, "server"):gsub("127.0.0.1", "good.test")
    local resp = assert(http.request({ url = base .. "/ok", ca = pem("ca.pem"), proxy = proxy }))
    t.equal({ resp.status, resp.body, resp.headers["x-proxy"] }, { 200, "ok", nil })
  end,

  ["an upgraded stream inside TLS: both ways, half closed, with a client certificate"] = function(
    t
  )
    local path, pem = fake.certificates(t)
    local base = serve(t, path, "server", "--client-ca", path("ca.pem"))
    local resp = assert(http.request({
      url = base .. "/upgrade",
      headers = fake.UPGRADE,
      upgrade = true,
      ca = pem("ca.pem"),
      cert = pem("client.pem"),
      key = pem("client.key"),
    }))
    t.equal(resp.status, 101)
    local stream <close> = resp.stream
    local data, parts = ("0123456789abcdef"):rep(1 << 18), {}
    task.all({
      function()
        assert(stream:write(data))
        assert(stream:finish())
      end,
      function()
        fake.read_all(stream, parts)
      end,
    })
    local got = table.concat(parts)
    t.equal(#got - #data, #"[end of input]")
    t.ok(got == data .. "[end of input]")
  end,
}
