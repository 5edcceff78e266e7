local fs = require("prim.fs")
local http = require("prim.http")
local httpd = require("plat.httpd")
local prim = require("prim.httpd")
local proc = require("prim.proc")
local task = require("plat.task")
local time = require("prim.time")

--- Sends a request and returns the answer; the options are those of prim.http.
local function ask(url, opts)
  local req = { method = "GET", url = url, timeout = 20 }
  for k, v in pairs(opts or {}) do
    req[k] = v
  end
  return http.request(req)
end

--- The same, and raises what goes wrong.
local function get(url, opts)
  local resp, err = ask(url, opts)
  return resp or error(err, 0)
end

local function read_all(stream)
  local parts = {}
  while true do
    local chunk, err = stream:read()
    if err then
      error(err, 0)
    elseif not chunk then
      return table.concat(parts)
    end
    parts[#parts + 1] = chunk
  end
end

--- Waits until `fn()` holds.
local function soon(t, fn, what)
  for _ = 1, 200 do
    if fn() then
      return
    end
    task.sleep(0.02)
  end
  t.ok(false, what)
end

--- A certificate for 127.0.0.1, made once.
local function certificate(t)
  local dir = t.tmp()
  local made = proc.run({
    "sh",
    "-c",
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -out cert "
      .. "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1",
  }, { cwd = dir })
  t.equal(made.code, 0, made.stderr)
  return fs.read(dir .. "/cert"), fs.read(dir .. "/key")
end

--- Takes an upgraded connection and sends back what comes, until the client ends its side.
local function echo(req)
  local pipe <close> = req:upgrade({ Upgrade = "echo" })
  for bytes in pipe.read, pipe do
    pipe:write(bytes)
  end
  pipe:write("end")
  pipe:finish()
  pipe:read()
end

--- Sends `size` bytes through an upgraded connection while they come back.
local function check_echo(url, size, opts)
  opts = opts or {}
  opts.upgrade = true
  opts.headers = { "Connection: Upgrade", "Upgrade: echo" }
  local resp = get(url, opts)
  local want = size
  task.all({
    function()
      for at = 1, size, 1 << 18 do
        resp.stream:write(("z"):rep(math.min(1 << 18, size - at + 1)))
      end
      if not opts.ca then -- inside TLS there is no half-close
        resp.stream:finish()
        want = want + #"end"
      end
    end,
    function()
      local got = 0
      while got < size or got < want do
        got = got + #(resp.stream:read() or error("ended after " .. got))
      end
    end,
  })
  resp.stream:close()
  return resp.status
end

return {
  ["a request arrives as it was sent"] = function(t)
    local seen
    local server <close> = httpd.serve(function(req)
      seen = req
      return {
        headers = { ["X-One"] = "1", ["set-cookie"] = { "a=1", "b=2" } },
        body = "hello",
      }
    end)
    local resp = ask(server:url() .. "/a%20b?x=1&y=%2F", {
      method = "POST",
      headers = { "A: 1", "a: 2" },
      body = "\0binary",
    })
    t.equal(resp.status, 200)
    t.equal(resp.body, "hello")
    t.equal(resp.headers["x-one"], "1")
    t.equal(seen.method, "POST")
    t.equal(seen.path, "/a%20b")
    t.equal(seen.query, "x=1&y=%2F")
    t.equal(seen.headers.a, "1, 2")
    t.equal(seen.body, "\0binary")
    t.ok(seen.peer:find("^127%.0%.0%.1:%d+$"), seen.peer)
  end,

  ["bodies are bounded"] = function(t)
    local server <close> = httpd.serve(function(req)
      return { body = tostring(#req.body) }
    end, { max_body = 1000000 })
    local fits = ask(server:url(), { method = "PUT", body = ("x"):rep(1000000) })
    t.equal(fits.body, "1000000")
    local above = get(server:url(), { method = "PUT", body = ("x"):rep(1000001) })
    t.equal(above.status, 413)
  end,

  ["many requests wait at once"] = function(t)
    local server <close> = httpd.serve(function(req)
      task.sleep(0.1)
      return { body = req.path }
    end)
    local items, began = {}, time.mono()
    for i = 1, 200 do
      items[i] = "/" .. i
    end
    local got = task.each(items, {}, function(path)
      return ask(server:url() .. path).body
    end)
    t.equal(got, items)
    t.ok(time.mono() - began < 10, "one after the other")
  end,

  ["a stream arrives in pieces"] = function(t)
    local gate = require("prim.task").gate()
    local server <close> = httpd.serve(function()
      local n = 0
      return {
        stream = {
          read = function()
            n = n + 1
            if n == 2 then
              gate:wait() -- the client must see the first piece before there is a second
            end
            return n <= 3 and "line " .. n .. "\n" or nil
          end,
          close = function() end,
        },
      }
    end)
    local resp = ask(server:url(), { stream = true })
    t.equal(resp.stream:read(), "line 1\n")
    gate:open()
    t.equal(read_all(resp.stream), "line 2\nline 3\n")
  end,

  ["a slow client slows the writer"] = function(t)
    local sent = 0
    local server <close> = httpd.serve(function(req)
      req:start(200)
      for _ = 1, 200 do
        req:write(("x"):rep(100000))
        sent = sent + 100000
      end
      req:finish()
    end)
    local resp = ask(server:url(), { stream = true })
    task.sleep(0.3)
    t.ok(sent < 20000000, "all was taken although nobody reads")
    t.equal(#read_all(resp.stream), 20000000)
  end,

  ["a client that leaves ends the stream, also a silent one"] = function(t)
    local closed, cancelled
    local server <close> = httpd.serve(function()
      local first = true
      return {
        stream = {
          read = function()
            if first then
              first = false
              return "one"
            end
            local ok, err = xpcall(task.sleep, require("plat.fault").from_handler, 25)
            cancelled = not ok and err.kind
            error(err, 0)
          end,
          close = function()
            closed = true
          end,
        },
      }
    end)
    local resp = ask(server:url(), { stream = true })
    t.equal(resp.stream:read(), "one")
    resp.stream:close()
    soon(t, function()
      return closed
    end, "the stream was not closed")
    t.equal(cancelled, "cancelled")
  end,

  ["a broken stream does not look complete"] = function(t)
    local server <close> = httpd.serve(function(req)
      req:start(200)
      req:write("half")
      req:close()
    end)
    local resp, err = ask(server:url(), { stream = true })
    local text
    while resp and not err do
      text, err = resp.stream:read()
      if not text then
        break
      end
    end
    t.ok(err, "the client saw a regular end")
  end,

  ["a failing handler costs 500 and nobody else anything"] = function(t)
    local told
    local server <close> = httpd.serve(function(req)
      if req.path == "/fine" then
        return { body = "fine" }
      elseif req.path == "/none" then
        return nil
      end
      error("it broke")
    end, {
      on_error = function(err)
        told = err
      end,
    })
    local resp = ask(server:url() .. "/bad")
    t.equal(resp.status, 500)
    t.ok(resp.body:find("it broke", 1, true))
    t.equal(told.kind, "bug")
    t.equal(ask(server:url() .. "/none").status, 500)
    t.equal(ask(server:url() .. "/fine").body, "fine")
  end,

  ["closing cuts connections and cancels handlers"] = function(t)
    local cancelled
    local server = httpd.serve(function()
      local _, err = xpcall(task.sleep, require("plat.fault").from_handler, 25)
      cancelled = err.kind
      error(err, 0)
    end)
    local client = task.spawn(function()
      return { ask(server:url()) }
    end)
    task.sleep(0.2)
    server:close()
    t.equal(cancelled, "cancelled")
    t.equal(client:join()[1], nil)
    local _, err = ask(server:url())
    t.equal(err.kind, "connect")
  end,

  ["unix sockets: mode 0600, one server, removed at the end, stale ones replaced"] = function(t)
    local path = t.tmp() .. "/socket"
    local server = httpd.serve(function(req)
      return { body = req.peer }
    end, { unix_socket = path })
    t.equal(ask("http://socket/", { unix_socket = path }).body, "unix")
    t.equal(fs.stat(path).mode, tonumber("600", 8))
    local err = t.fails("io", function()
      httpd.serve(print, { unix_socket = path })
    end)
    t.equal(err.code, 98)
    server:close()
    t.equal(fs.stat(path), nil)
  end,

  ["a port in use and a host that is no address"] = function(t)
    local server <close> = httpd.serve(print)
    local err = t.fails("io", function()
      httpd.serve(print, { port = server:port() })
    end)
    t.equal(err.code, 98)
    t.fails("is not an address", function()
      httpd.serve(print, { host = "no-such-host.invalid" })
    end)
  end,

  ["an upgrade gives the connection"] = function(t)
    local server <close> = httpd.serve(echo)
    t.equal(check_echo(server:url() .. "/echo", 4 << 20), 101)
  end,

  ["https serves answers, streams and upgrades"] = function(t)
    local cert, key = certificate(t)
    local server <close> = httpd.serve(function(req)
      if req.path == "/echo" then
        return echo(req)
      end
      req:start(200)
      for i = 1, 3 do
        req:write(tostring(i))
      end
      req:finish()
    end, { cert = cert, key = key })
    t.equal(get(server:url() .. "/", { ca = cert }).body, "123")
    -- little: libmicrohttpd 0.9.75 forwards what is inside TLS four bytes at a time
    t.equal(check_echo(server:url() .. "/echo", 32 << 10, { ca = cert }), 101)
    t.fails("cannot start the server", function()
      httpd.serve(print, { cert = "nonsense", key = "nonsense" })
    end)
  end,

  ["a model is brought to the present and sees decoded requests"] = function(t)
    local advanced, seen
    local model = {
      advance = function(_, now)
        advanced = now
      end,
      handle = function(_, request)
        seen = request
        return { status = 201, headers = {}, body = "made" }
      end,
    }
    local server <close> = httpd.serve_model(model, function()
      return 1234
    end)
    local resp =
      ask(server:url() .. "/a%20b?labelSelector=app%3Dx&watch=1", { headers = { "X-Y: z" } })
    t.equal(resp.status, 201)
    t.equal(advanced, 1234)
    t.equal(seen.path, "/a b")
    t.equal(seen.query, { labelSelector = "app=x", watch = "1" })
    t.equal(seen.headers["x-y"], "z")
  end,

  ["mistakes raise, and the request is still to be answered"] = function(t)
    local raised = {}
    local server <close> = httpd.serve(function(req)
      local function try_bad(...)
        raised[#raised + 1] = select(2, pcall(...))
      end
      try_bad(req.respond, req, 200, { a = 1 })
      try_bad(req.respond, req, 200, { ["a b"] = "x\ny" })
      try_bad(req.respond, req, 7)
      try_bad(req.write, req, "x")
      req:respond(204)
      try_bad(req.respond, req, 200)
    end)
    t.equal(ask(server:url()).status, 204)
    t.ok(raised[1]:find("string expected, got number", 1, true), raised[1])
    t.ok(raised[2]:find("bad header", 1, true), raised[2])
    t.ok(raised[3]:find("status out of range", 1, true), raised[3])
    t.ok(raised[4]:find("no answer was started", 1, true), raised[4])
    t.ok(raised[5]:find("it was answered already", 1, true), raised[5])
  end,

  ["accept has a deadline and one waiter"] = function(t)
    local server <close> = prim.listen()
    local waiting = task.spawn(server.accept, server)
    task.sleep(0.02)
    t.fails("another task waits", function()
      server:accept()
    end)
    waiting:cancel()
    local err = t.fails("timeout", function()
      task.timeout(0.05, function()
        local _, why = server:accept()
        error(why, 0)
      end)
    end)
    t.ok(err)
  end,
}
