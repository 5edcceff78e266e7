local fs = require("prim.fs")
local frame = require("plat.websocket.frame")
local http = require("prim.http")
local task = require("plat.task")
local websocket = require("plat.websocket")

local fake = load(assert(fs.read("tests/fakes/http_fake.lua")), "@http_fake.lua")()

--- Opens a socket on the fake server, past its "welcome".
local function open(t, path, protocols)
  local base = fake.serve(t)
  local headers, key = websocket.handshake(protocols)
  local list = {}
  for name, value in pairs(headers) do
    list[#list + 1] = name .. ": " .. value
  end
  local resp = assert(http.request({ url = base .. path, headers = list, upgrade = true }))
  local protocol = websocket.check(resp, key, protocols)
  local ws = websocket.wrap(resp.stream, { protocol = protocol, max_message = 1 << 20 })
  t.equal({ ws:receive() }, { "welcome", "text" })
  return ws, base
end

return {
  ["the answer to the key of the RFC"] = function(t)
    t.equal(websocket.accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
  end,

  ["masking is its own inverse, at every length"] = function(t)
    t.equal(frame.mask("Hello", "\x37\xfa\x21\x3d"), "\x7f\x9f\x4d\x51\x58")
    for n = 0, 1100 do
      local data = ("abcdefg"):rep(n // 7 + 1):sub(1, n)
      local masked = frame.mask(data, "\1\2\3\255")
      t.ok(#masked == n and frame.mask(masked, "\1\2\3\255") == data, n)
    end
  end,

  ["messages of every size come back"] = function(t)
    local ws <close> = open(t, "/ws")
    for _, n in ipairs({ 0, 1, 125, 126, 65535, 65536, 300000 }) do
      local data = ("x"):rep(n)
      ws:send(data)
      local got, kind = ws:receive()
      t.ok(got == data and kind == "binary", n)
    end
    ws:send("text", { text = true })
    t.equal({ ws:receive() }, { "text", "text" })
  end,

  ["pings are answered, pieces are put together"] = function(t)
    local ws <close> = open(t, "/ws")
    ws:send("ping")
    t.equal(ws:receive(), "pong are you there")
    ws:send("pieces")
    t.equal(ws:receive(), "one two")
    t.equal(ws:receive(), "pong ")
    ws:ping("x")
    ws:send("after")
    t.equal(ws:receive(), "after", "a pong is not a message")
  end,

  ["many messages at once, both ways"] = function(t)
    local ws <close> = open(t, "/ws")
    local n = 0
    task.all({
      function()
        for i = 1, 2000 do
          ws:send("message " .. i)
        end
      end,
      function()
        for i = 1, 2000 do
          n = n + (ws:receive() == "message " .. i and 1 or 0)
        end
      end,
    })
    t.equal(n, 2000)
  end,

  ["the peer closes"] = function(t)
    local ws, base = open(t, "/ws")
    ws:send("bye")
    t.equal(ws:receive(), nil)
    t.equal({ ws.close_code, ws.close_reason }, { 1001, "going away" })
    t.fails("sent after close", function()
      ws:send("x")
    end)
    ws:close()
    task.sleep(0.05)
    t.equal({ fake.stats(base).gone, fake.stats(base).violations }, { 1, nil })
  end,

  ["we close: the peer hears it"] = function(t)
    local ws, base = open(t, "/ws")
    ws:close()
    ws:close()
    task.sleep(0.05)
    t.equal(fake.stats(base).gone, 1)
  end,

  ["a connection that just ends is told from a close"] = function(t)
    local ws <close> = open(t, "/ws")
    ws:send("drop")
    t.equal(ws:receive(), nil)
    t.equal(ws.close_code, 1006)
  end,

  ["what the protocol forbids ends the connection"] = function(t)
    local cases = {
      masked = "masks its frames",
      reserved = "reserved bits",
      lonely = "out of order",
      unknown = "unknown kind 3",
      huge = "a frame over 1048576 bytes",
      longping = "control frame",
    }
    for message, pattern in pairs(cases) do
      local ws = open(t, "/ws")
      ws:send(message)
      local err = t.fails(pattern, function()
        ws:receive()
      end)
      t.equal(err.kind, "http")
    end
  end,

  ["through the door: a change that is described, inside a step"] = function(t)
    local base = fake.serve(t)
    local function connect(path)
      return task.with_context({ key = "test", counts = {} }, function()
        return websocket.open({
          url = base .. path,
          target = "fake",
          op = "test.exec",
          change = { text = "open a socket", recovery = "unknowable" },
        }, { protocols = { "one" } })
      end)
    end
    local ws <close> = connect("/ws")
    t.equal({ ws:receive(), ws.protocol }, { "welcome", "one" })
    local none, resp = connect("/upgrade/refuse")
    t.equal({ none, resp.status, resp.body }, { nil, 403, "not you" })
    t.fails("a change outside a step", function()
      websocket.open({
        url = base .. "/ws",
        target = "fake",
        op = "test.exec",
        change = { text = "open a socket", recovery = "unknowable" },
      })
    end)
  end,

  ["a handshake is checked"] = function(t)
    local ws = open(t, "/ws", { "v5.channel.k8s.io", "v4.channel.k8s.io" })
    t.equal(ws.protocol, "v4.channel.k8s.io")
    ws:close()
    t.fails("wrong Sec%-WebSocket%-Accept", function()
      open(t, "/ws/badaccept")
    end)
    t.fails('"never.offered", which was not offered', function()
      open(t, "/ws/badprotocol", { "v4.channel.k8s.io" })
    end)
  end,
}
