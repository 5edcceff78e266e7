local fault = require("plat.fault")
local fs = require("prim.fs")
local http = require("prim.http")
local json = require("plat.json")
local task = require("plat.task")
local time = require("prim.time")

local fake = load(assert(fs.read("tests/fakes/http_fake.lua")), "@http_fake.lua")()

--- Sends a request that must fail; returns the error.
local function failing(t, opts)
  local resp, err = http.request(opts)
  t.equal(resp, nil, opts.url)
  return err
end

local function echo(opts)
  return json.decode(assert(http.request(opts)).body)
end

return {
  ["an answer has status, headers, body, and says whether its connection was kept"] = function(t)
    local base = fake.serve(t)
    local resp = assert(http.request({ url = base .. "/ok" }))
    t.equal({ resp.status, resp.body, resp.version, resp.reused, resp.url }, {
      200,
      "ok",
      "1.1",
      false,
      base .. "/ok",
    })
    resp = assert(http.request({ url = base .. "/bytes/300000" }))
    t.equal({ #resp.body, resp.reused }, { 300000, true })
    resp = assert(http.request({ url = base .. "/chunked/50" }))
    t.equal(#resp.body, 50000)
    resp = assert(http.request({ url = base .. "/cookies" }))
    t.equal(resp.headers["set-cookie"], { "a=1", "b=2" })
    t.equal({ resp.headers["x-two"], resp.headers["x-empty"] }, { "1, 2", "" })
    t.equal(fake.stats(base).connections, 1)
  end,

  ["method, headers and body arrive as given"] = function(t)
    local base = fake.serve(t)
    local body = "a\0b\r\nc"
    for _, method in ipairs({ "POST", "PUT", "PATCH", "DELETE", "GET", "PROPFIND" }) do
      local got = echo({
        url = base .. "/echo?q=%20%2F..&r",
        method = method,
        body = body,
        headers = { "X-One: 1", "X-Empty:", "content-type: text/x" },
      })
      t.equal({ got.method, got.body, got.target }, { method, body, "/echo?q=%20%2F..&r" })
      t.equal(got.headers["x-one"] .. got.headers["x-empty"], "1")
      t.equal({ got.headers["content-type"], got.headers["content-length"] }, { "text/x", "6" })
      t.equal(got.headers.expect, nil)
    end
    local got = echo({ url = base .. "/echo", method = "POST" })
    t.equal({ got.headers["content-length"], got.headers["content-type"] }, { "0", nil })
    got = echo({ url = base .. "/echo/../x/./echo" .. "/%2e%2e", method = "GET", follow = 0 })
    t.equal(got.target, "/echo/../x/./echo/%2e%2e", "paths are sent as they are")
    local head = assert(http.request({ url = base .. "/ok", method = "HEAD", timeout = 5 }))
    t.equal({ head.status, head.body }, { 200, "" })
  end,

  ["callers' mistakes are raised"] = function(t)
    local function refused(pattern, opts)
      opts.url = opts.url or "http://127.0.0.1:1/"
      t.fails(pattern, function()
        http.request(opts)
      end)
    end
    refused("line end", { headers = { "X-A: 1\r\nX-B: 2" } })
    refused("line end", { headers = { "X-A: 1\n" } })
    refused("NUL", { headers = { "X-A: 1\0" } })
    refused("malformed header", { headers = { "X A: 1" } })
    refused("malformed header", { headers = { "no colon" } })
    refused("malformed header", { headers = { ": empty" } })
    refused("set by the client", { headers = { "Content-Length: 3" } })
    refused("set by the client", { headers = { "transfer-encoding: chunked" } })
    refused("malformed method", { method = "GET /x HTTP/1.1\r\nX: y" })
    refused("malformed URL", { url = "http://127.0.0.1/a\r\nX-B: 2" })
    refused("malformed URL", { url = "http://127.0.0.1/a b" })
    refused("malformed URL", { url = "http://" })
    refused("NUL", { url = "http://127.0.0.1/\0" })
    refused("http or https", { url = "file:///etc/passwd" })
    refused("password", { url = "http://me:secret@127.0.0.1/" })
    refused("'cert' and 'key'", { cert = "x" })
    refused("seconds expected", { timeout = -1 })
    refused("seconds expected", { timeout = 0 / 0 })
    refused("kind of proxy", { proxy = "socks4://127.0.0.1:1" })
    refused("number expected", { timeout = {} })
    t.fails("'url'", function()
      http.request({})
    end)
  end,

  ["a broken answer is an http fault that says what is broken"] = function(t)
    local base = fake.serve(t)
    local cases = {
      half = "body ended after 10 of 1000 bytes",
      halfchunk = "body ended after 5 bytes, before its last chunk",
      halfhead = "ended inside its headers",
      garbage = "not HTTP",
      badlength = "Content%-Length",
      badgzip = "unencoding",
      bighead = "headers over 262144 bytes",
      switch = "switched protocols unasked",
    }
    for path, pattern in pairs(cases) do
      local err = failing(t, { url = base .. "/" .. path, timeout = 5 })
      t.equal(err.kind, "http", path .. ": " .. err.msg)
      t.ok(err.msg:find(pattern), path .. ": " .. err.msg)
      t.equal(err.sent, true)
    end
    t.equal(assert(http.request({ url = base .. "/interim" })).body, "ok")
    local early = assert(http.request({ url = base .. "/early", method = "PUT", body = "x" }))
    t.equal({ early.status, early.body }, { 413, "too large" })
  end,

  ["no connection is a connect fault that says why and whether the request left"] = function(t)
    local base, port = fake.serve(t)
    local err = failing(t, { url = "http://127.0.0.1:1/" })
    t.equal({ err.kind, err.sent, err.code }, { "connect", false, 111 })
    t.ok(err.msg:find("127.0.0.1:1: connection refused", 1, true), err.msg)
    err = failing(t, { url = "http://no.such.name.invalid:" .. port })
    t.equal({ err.kind, err.sent }, { "connect", false })
    t.ok(err.msg:find('"no.such.name.invalid": ', 1, true), err.msg)
    err = failing(t, { url = base .. "/close" })
    t.equal({ err.kind, err.sent }, { "connect", true })
    t.ok(err.msg:find("without an answer"), err.msg)
    err = failing(t, { url = base .. "/reset" })
    t.equal({ err.kind, err.sent }, { "connect", true })
    t.ok(err.msg:find("reset by peer"), err.msg)
    err = failing(t, { url = "http://x/", unix_socket = "/nonexistent/socket" })
    t.equal({ err.kind, err.sent, err.code }, { "connect", false, 2 })
    err = failing(t, { url = ("http://%s.test/"):format(("x"):rep(300)) })
    t.equal(err.kind, "connect")
  end,

  ["each deadline is told from the others"] = function(t)
    local base = fake.serve(t)
    local function ends(pattern, opts)
      local began = time.mono()
      local err = failing(t, opts)
      local took = time.mono() - began
      t.equal(err.kind, "timeout")
      t.ok(err.msg:find(pattern), err.msg)
      t.ok(took >= 0.19 and took < 2, ("took %g s"):format(took))
    end
    ends("no complete answer in 0.2 s$", { url = base .. "/slow/3", timeout = 0.2 })
    ends("no first byte of an answer in 0.2 s", {
      url = base .. "/slow/3",
      first_byte_timeout = 0.2,
    })
    ends("no complete answer in 0.2 s", {
      url = base .. "/trickle/100/0.05",
      timeout = 0.2,
      first_byte_timeout = 0.1,
    })
    local deaf = fake.serve(t, "--deaf")
    ends("no connection to 127.0.0.1:%d+ in 0.2 s", { url = deaf, connect_timeout = 0.2 })
    ends("in 0.2 s %(still connecting%)", { url = deaf, timeout = 0.2 })
  end,

  ["the enclosing deadline and a cancel end the connection at once"] = function(t)
    local base = fake.serve(t)
    t.fails("timeout", function()
      task.timeout(0.1, function()
        fault.must({}, http.request({ url = base .. "/hang" }))
      end)
    end)
    local handle = task.spawn(function()
      http.request({ url = base .. "/hang" })
    end)
    task.sleep(0.1)
    handle:cancel()
    task.sleep(0.1)
    t.equal(fake.stats(base).gone, 2)
  end,

  ["decoded bodies are bounded"] = function(t)
    local base = fake.serve(t)
    local resp = assert(http.request({ url = base .. "/gzip/100000" }))
    t.equal({ resp.body == ("z"):rep(100000), resp.headers["content-encoding"] }, { true, "gzip" })
    resp = assert(http.request({ url = base .. "/gzip/100000", decompress = false }))
    t.ok(#resp.body < 1000)
    resp = assert(http.request({ url = base .. "/bytes/1000", max_body = 1000 }))
    t.equal(#resp.body, 1000)
    local err = failing(t, { url = base .. "/bytes/1001", max_body = 1000 })
    t.equal({ err.kind, err.msg, err.code }, { "http", "body over 1000 bytes", 200 })
    err = failing(t, { url = base .. "/gzip/50000000", max_body = 1000000 })
    t.equal(err.msg, "body over 1000000 bytes")
    err = failing(t, { url = base .. "/endless", max_body = 1000000 })
    t.equal(err.msg, "body over 1000000 bytes")
  end,

  ["redirects are followed only on request, by reads only"] = function(t)
    local base, port = fake.serve(t)
    local _, other = fake.serve(t)
    local url = base .. "/redirect/302/|echo"
    local resp = assert(http.request({ url = url }))
    t.equal({ resp.status, resp.headers.location }, { 302, "/echo" })
    resp = assert(http.request({ url = url, follow = 3, headers = { "Authorization: x" } }))
    t.equal({ resp.status, resp.url }, { 200, base .. "/echo" })
    t.equal(json.decode(resp.body).headers.authorization, "x")
    resp = assert(http.request({ url = url, follow = 3, method = "POST", body = "x" }))
    t.equal(resp.status, 302)
    local far = ("%s/redirect/307/http:||127.0.0.1:%d|echo"):format(base, other)
    resp = assert(http.request({
      url = far,
      follow = 1,
      headers = { "Authorization: x", "Cookie: y", "X-Keep: z" },
    }))
    local got = json.decode(resp.body).headers
    t.equal({ got.authorization, got.cookie, got["x-keep"] }, { nil, nil, "z" })
    t.equal(got.host, "127.0.0.1:" .. other)
    resp = assert(http.request({ url = base .. "/redirect/302/", follow = 5 }))
    t.equal(resp.status, 302, "no Location")
    local loop = ("%s/redirect/302/|redirect|302|http:||127.0.0.1:%d|ok"):format(base, port)
    resp = assert(http.request({ url = loop, follow = 1 }))
    t.equal(resp.status, 302, "not more than asked for")
  end,

  ["a request that may have taken effect is not sent again by itself"] = function(t)
    local base = fake.serve(t)
    assert(http.request({ url = base .. "/once" }))
    t.equal(assert(http.request({ url = base .. "/once" })).body, "once", "a GET is")
    local before = fake.stats(base).requests
    assert(http.request({ url = base .. "/once" })) -- the connection that drops its second request
    local err = failing(t, { url = base .. "/ok", method = "POST", body = "x" })
    t.equal({ err.kind, err.sent }, { "connect", true })
    t.ok(err.msg:find("not sent again"), err.msg)
    t.equal(fake.stats(base).requests - before, 3)
    assert(http.request({ url = base .. "/once" }))
    err = failing(t, { url = base .. "/ok", method = "DELETE" })
    t.equal({ err.kind, err.sent }, { "connect", true })
  end,

  ["a kept connection that the server has closed is noticed"] = function(t)
    local base = fake.serve(t)
    assert(http.request({ url = base .. "/idle/0" }))
    task.sleep(0.1)
    local resp = assert(http.request({ url = base .. "/echo", method = "POST", body = "x" }))
    t.equal({ resp.status, resp.reused }, { 200, false })
  end,

  ["unix sockets"] = function(t)
    local path = t.tmp() .. "/socket"
    fake.serve(t, "--unix", path)
    local got = echo({ url = "http://docker/echo", unix_socket = path })
    t.equal({ got.target, got.headers.host }, { "/echo", "docker" })
    t.equal(fake.stats("http://docker", { unix_socket = path }).connections, 1)
  end,

  ["proxies: plain requests are sent to them, and they resolve the name"] = function(t)
    local base = fake.serve(t)
    local got = echo({ url = "http://name.only.the.proxy.knows.test/x", proxy = base })
    t.equal(got.target, "http://name.only.the.proxy.knows.test/x")
    local err = failing(t, { url = "http://x.test/", proxy = "http://127.0.0.1:1" })
    t.ok(err.msg:find("cannot connect to the proxy 127.0.0.1:1: ", 1, true), err.msg)
    local resp = assert(http.request({
      url = ("http://far.test:%d/upgrade/refuse"):format(base:match("%d+$")),
      proxy = base,
      upgrade = true,
    }))
    t.equal({ resp.status, resp.body }, { 403, "not you" }, "through a tunnel")
  end,

  ["a hundred requests at once"] = function(t)
    local base = fake.serve(t)
    local list = {}
    for i = 1, 100 do
      list[i] = i
    end
    local got = task.each(list, { limit = 100 }, function(i)
      return #assert(http.request({ url = base .. "/bytes/" .. i })).body
    end)
    t.equal(got, list)
  end,
}
