local fs = require("prim.fs")
local http = require("prim.http")
local json = require("plat.json")
local task = require("plat.task")
local time = require("prim.time")

local fake = load(assert(fs.read("tests/fakes/http_fake.lua")), "@http_fake.lua")()

local function open(t, path, opts)
  local base = fake.serve(t)
  local req = { url = base .. path, stream = true }
  for k, v in pairs(opts or {}) do
    req[k] = v
  end
  return assert(http.request(req)), base
end

local function upgraded(t, path, opts)
  local req = { stream = false, upgrade = true, headers = fake.UPGRADE }
  for k, v in pairs(opts or {}) do
    req[k] = v
  end
  return open(t, "/upgrade" .. (path or ""), req)
end

return {
  ["a stream gives what is there, as it comes"] = function(t)
    local resp = open(t, "/trickle/5/0.05")
    t.equal({ resp.status, resp.body }, { 200, nil })
    local stream <close> = resp.stream
    local began, parts = time.mono(), fake.read_all(resp.stream, {})
    t.equal(table.concat(parts), ("tick\n"):rep(5))
    t.ok(#parts >= 4, "read one by one")
    t.ok(time.mono() - began > 0.15)
    t.equal(stream:read(), nil, "the end stays the end")
  end,

  ["an answer that is no success comes whole"] = function(t)
    local resp = open(t, "/status/410")
    t.equal({ resp.status, resp.body, resp.stream }, { 410, "status 410", nil })
  end,

  ["reading has a deadline of its own, and the stream survives it"] = function(t)
    local resp = open(t, "/trickle/3/0.2")
    local stream <close> = resp.stream
    stream:read()
    local chunk, err = stream:read(0.05)
    t.equal({ chunk, err.kind }, { nil, "timeout" })
    t.equal(stream:read(2), "tick\n")
  end,

  ["a slow reader holds the server up, not the memory"] = function(t)
    local resp, base = open(t, "/endless")
    local stream <close> = resp.stream
    stream:read()
    task.sleep(0.3)
    local before = fake.stats(base).endless or 0
    task.sleep(0.3)
    t.equal(fake.stats(base).endless or 0, before, "the server is stopped")
    local size = 0
    while size < 16 * 1024 * 1024 do
      size = size + #assert(stream:read(2))
    end
    stream:close()
    task.sleep(0.1)
    t.equal(fake.stats(base).gone, 1, "closing ends the connection")
    t.fails("closed stream", function()
      stream:read()
    end)
  end,

  ["a broken stream says so after what was good"] = function(t)
    local resp = open(t, "/half")
    local stream <close> = resp.stream
    t.equal(stream:read(), "0123456789")
    local chunk, err = stream:read()
    t.equal({ chunk, err.kind, err.msg }, { nil, "http", "body ended after 10 of 1000 bytes" })
  end,

  ["a stream for reading cannot be written to; two readers are too many"] = function(t)
    local resp = open(t, "/trickle/1/1")
    local stream <close> = resp.stream
    t.fails("for reading only", function()
      stream:write("x")
    end)
    stream:read()
    local other = task.spawn(function()
      stream:read()
    end)
    task.sleep(0.05)
    t.fails("another task is reading", function()
      stream:read()
    end)
    other:cancel()
  end,

  ["an upload in pieces"] = function(t)
    local base = fake.serve(t)
    local part = ("0123456789"):rep(10000)
    for _, size in ipairs({ -1, 300000 }) do
      local up = assert(http.request({
        url = base .. "/echo",
        method = "PUT",
        upload = "stream",
        upload_size = size,
      }))
      for _ = 1, 3 do
        assert(up.stream:write(part))
        task.sleep(0.02)
      end
      assert(up.stream:finish())
      local resp = assert(up.stream:response())
      local got = json.decode(resp.body)
      t.equal({ resp.status, got.method, got.body == part:rep(3) }, { 200, "PUT", true })
      local chunked = size < 0
      t.equal(got.headers["transfer-encoding"], chunked and "chunked" or nil)
      t.equal(got.headers["content-length"], not chunked and "300000" or nil)
    end
  end,

  ["an upload waits for a slow server"] = function(t)
    local base = fake.serve(t)
    local up = assert(http.request({ url = base .. "/deaf", method = "PUT", upload = "stream" }))
    local stream <close> = up.stream
    local block, sent = ("x"):rep(1 << 20), 0
    local done = task.spawn(function()
      for _ = 1, 64 do
        assert(stream:write(block))
        sent = sent + 1
      end
    end)
    task.sleep(0.5)
    t.ok(sent < 32, sent .. " MiB taken")
    done:cancel()
    t.fails("given up in its middle", function()
      stream:write("x")
    end)
  end,

  ["an upgrade: both ways, then half closed"] = function(t)
    local resp = upgraded(t)
    t.equal({ resp.status, resp.headers.upgrade }, { 101, "tcp" })
    local stream <close> = resp.stream
    assert(stream:write("hello"))
    t.equal(stream:read(2), "hello")
    local data, parts = ("0123456789abcdef"):rep(1 << 19), {}
    task.all({
      function()
        assert(stream:write(data))
        assert(stream:finish())
      end,
      function()
        fake.read_all(stream, parts)
      end,
    })
    t.ok(table.concat(parts) == data .. "[end of input]")
    t.fails("written after finish", function()
      stream:write("x")
    end)
  end,

  ["small writes with waits between them all arrive"] = function(t)
    local resp = upgraded(t)
    local stream <close> = resp.stream
    for i = 1, 200 do
      local line = ("%d:%s"):format(i, ("x"):rep(i * 37 % 5000))
      assert(stream:write(line))
      local got = ""
      while #got < #line do
        got = got .. assert(stream:read(2))
      end
      t.ok(got == line, "line " .. i)
    end
  end,

  ["the peer's end is seen although we could still write"] = function(t)
    local resp = upgraded(t, "/hello")
    local stream <close> = resp.stream
    t.equal({ stream:read(2), stream:read(2) }, { "early bytes", nil })
    local quiet = upgraded(t, "/silent")
    local chunk, err = quiet.stream:read(0.1)
    t.equal({ chunk, err.kind }, { nil, "timeout" })
    quiet.stream:close()
  end,

  ["an upgrade with a request body, as exec in a container wants it"] = function(t)
    local resp = upgraded(t, "", { method = "POST", body = '{"Detach":false}' })
    t.equal(resp.headers["x-body"], "16")
    local stream <close> = resp.stream
    assert(stream:write("input"))
    t.equal(stream:read(2), "input")
  end,

  ["an upgrade over a unix socket"] = function(t)
    local path = t.tmp() .. "/socket"
    fake.serve(t, "--unix", path)
    local resp = assert(http.request({
      url = "http://docker/upgrade",
      method = "POST",
      upgrade = true,
      unix_socket = path,
      headers = fake.UPGRADE,
    }))
    local stream <close> = resp.stream
    assert(stream:write("over"))
    assert(stream:finish())
    t.equal(table.concat(fake.read_all(stream, {})), "over[end of input]")
  end,

  ["an upgrade that is refused is an ordinary answer"] = function(t)
    local resp = upgraded(t, "/refuse", { timeout = 5 })
    t.equal({ resp.status, resp.body, resp.stream }, { 403, "not you", nil })
    resp = upgraded(t, "/ok", { timeout = 5, method = "POST", body = "{}" })
    t.equal({ resp.status, resp.body }, { 200, "an ordinary answer" })
  end,
}
