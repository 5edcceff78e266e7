--- WebSocket (RFC 6455) over an upgraded stream, the client's side. Frames that we send are masked
--- and never fragmented; messages that arrive in pieces are put together; pings are answered.
---
--- One task may send and another receive. Control frames slip in between the frames of the sender.

local effect = require("plat.effect")
local fault = require("plat.fault")
local frame = require("plat.websocket.frame")
local hash = require("plat.hash")
local task = require("plat.task")

local M = {}

local GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
local TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
local CONTINUATION = 0
local MAX_MESSAGE = 16 * 1024 * 1024
local GOODBYE = 2 -- seconds that the peer gets to answer our close
local NAMES = { [TEXT] = "text", [BINARY] = "binary" }

-- ---- handshake ----

--- Returns the headers of a handshake and the key that its answer must match.
---@param protocols? string[] subprotocols, the best first
---@return table<string, string> headers
---@return string key
function M.handshake(protocols)
  local key = hash.base64(hash.random(16))
  local headers = {
    Connection = "Upgrade",
    Upgrade = "websocket",
    ["Sec-WebSocket-Version"] = "13",
    ["Sec-WebSocket-Key"] = key,
  }
  if protocols and #protocols > 0 then
    headers["Sec-WebSocket-Protocol"] = table.concat(protocols, ", ")
  end
  return headers, key
end

local function raw(hex)
  return (hex:gsub("%x%x", function(byte)
    return string.char(tonumber(byte, 16))
  end))
end

--- Returns what Sec-WebSocket-Accept must be for a key.
---@param key string
---@return string
function M.accept(key)
  return hash.base64(raw(hash.digest("sha1", key .. GUID)))
end

local function offered(protocols, chosen)
  for _, name in ipairs(protocols or {}) do
    if name == chosen then
      return true
    end
  end
  return false
end

--- Checks the answer to a handshake. Raises when it is none.
---@param resp table an answer with status 101
---@param key string
---@param protocols? string[]
---@param about? table context of the fault
---@return string? protocol the one that the server chose
function M.check(resp, key, protocols, about)
  local headers = resp.headers
  local chosen = headers["sec-websocket-protocol"]
  local why
  if (headers.upgrade or ""):lower() ~= "websocket" then
    why = "the server switched to something else"
  elseif headers["sec-websocket-accept"] ~= M.accept(key) then
    why = "wrong Sec-WebSocket-Accept: something between answered for the server"
  elseif chosen and not offered(protocols, chosen) then
    why = ("the server chose the protocol %q, which was not offered"):format(chosen)
  elseif headers["sec-websocket-extensions"] then
    why = "the server uses an extension that was not offered"
  end
  if why then
    fault.raise("http", about, { msg = "websocket: " .. why, code = resp.status })
  end
  return chosen
end

-- ---- the connection ----

---@class plat.WebSocket
---@field protocol? string the subprotocol that was agreed on
---@field close_code? integer how the peer closed it; 1006: the connection just ended
---@field close_reason? string
local Socket = { __name = "plat.WebSocket" }
Socket.__index = Socket

--- Returns a socket over an upgraded stream.
---@param stream prim.http.Stream
---@param opts? { max_message?: integer, about?: table, protocol?: string }
---@return plat.WebSocket
function M.wrap(stream, opts)
  opts = opts or {}
  return setmetatable({
    protocol = opts.protocol,
    _stream = stream,
    _about = opts.about or {},
    _max = opts.max_message or MAX_MESSAGE,
    _bytes = "", -- what has arrived; from _at on it is unread
    _at = 1,
    _waiting = {}, -- control frames that wait for the sender's write to end
  }, Socket)
end

--- Opens a WebSocket. A server that refuses gives its ordinary answer instead.
---@async
---@param req plat.effect.HttpRequest its headers and `upgrade` are completed here
---@param opts? { protocols?: string[], max_message?: integer }
---@return plat.WebSocket? socket
---@return table? resp the answer, if its status was not 101
function M.open(req, opts)
  opts = opts or {}
  local about = { op = req.op, target = req.target, object = req.object }
  local headers, key = M.handshake(opts.protocols)
  for name, value in pairs(req.headers or {}) do
    headers[name] = value
  end
  req.headers, req.upgrade, req.method = headers, true, req.method or "GET"
  local resp = effect.http(req)
  if resp.status ~= 101 then
    return nil, resp
  end
  local protocol = M.check(resp, key, opts.protocols, about)
  return M.wrap(resp.stream, { about = about, protocol = protocol, max_message = opts.max_message })
end

local function mask_key()
  return hash.random(4)
end

function Socket:_write(bytes)
  fault.must(self._about, self._stream:write(bytes))
end

--- Sends a frame; while another write is under way a control frame waits for its end.
function Socket:_put(opcode, data)
  local bytes = frame.encode(opcode, data, mask_key())
  if self._writing then
    if opcode < CLOSE then
      error("websocket: another task is sending", 3)
    end
    self._waiting[#self._waiting + 1] = bytes
    return
  end
  self._writing = true
  local ok, err = xpcall(function()
    self:_write(bytes)
    while self._waiting[1] do
      self:_write(table.remove(self._waiting, 1))
    end
  end, fault.from_handler)
  self._writing = false
  if not ok then
    error(err, 0)
  end
end

--- Sends a message.
---@async
---@param data string
---@param opts? { text?: boolean } default: binary
function Socket:send(data, opts)
  if self._closing then
    fault.raise("io", self._about, { msg = "websocket: sent after close" })
  end
  self:_put(opts and opts.text and TEXT or BINARY, data)
end

--- Sends a ping; the peer's pong is taken silently by `receive`.
---@async
---@param data? string at most 125 bytes
function Socket:ping(data)
  assert(#(data or "") <= 125, "a ping carries at most 125 bytes")
  self:_put(PING, data or "")
end

function Socket:_broken(msg)
  self._ended, self._broke = true, true
  self._stream:close()
  fault.raise("http", self._about, { msg = "websocket: " .. msg })
end

--- Makes at least `n` bytes unread. Returns false when the stream has ended first.
function Socket:_fill(n)
  local size = #self._bytes - self._at + 1
  if size >= n then
    return true
  end
  local parts = { self._bytes:sub(self._at) }
  local chunk, err = self._stream:read()
  while chunk do
    parts[#parts + 1] = chunk
    size = size + #chunk
    if size >= n then
      self._bytes, self._at = table.concat(parts), 1
      return true
    end
    chunk, err = self._stream:read()
  end
  if err then
    fault.raise_err(self._about, err)
  end
  return false
end

--- Returns what is wrong with a frame's head.
function Socket:_wrong(first, second, n)
  if first & 0x70 ~= 0 then
    return "reserved bits are set"
  elseif second & 0x80 ~= 0 then
    return "the server masks its frames"
  elseif n < 0 or n > self._max then
    return ("a frame over %d bytes"):format(self._max)
  elseif first & 0x0f >= CLOSE and (n > 125 or first & 0x80 == 0) then
    return "a control frame that is long or in pieces"
  end
  return nil
end

--- Returns opcode, data and whether it is the last piece; nil when the stream has ended.
function Socket:_frame()
  local head, n = frame.measure(self._bytes, self._at)
  while not head do
    if not self:_fill(#self._bytes - self._at + 2) then
      return nil
    end
    head, n = frame.measure(self._bytes, self._at)
  end
  local first, second = self._bytes:byte(self._at, self._at + 1)
  local wrong = self:_wrong(first, second, n)
  if wrong then
    self:_broken(wrong)
  end
  if not self:_fill(head + n) then
    return nil
  end
  local begin = self._at + head
  self._at = begin + n
  return first & 0x0f, self._bytes:sub(begin, begin + n - 1), first & 0x80 ~= 0
end

function Socket:_on_close(data)
  self.close_code, self.close_reason = 1005, ""
  if #data >= 2 then
    self.close_code, self.close_reason = string.unpack(">I2", data), data:sub(3)
  end
  if not self._closing then
    self._closing = true
    fault.try(self._put, self, CLOSE, data:sub(1, 2)) -- the peer may be gone already
  end
  self._ended = true
end

--- Takes a control frame. Returns false for a frame of data.
function Socket:_control(opcode, data)
  if opcode == PING then
    if not self._closing then
      self:_put(PONG, data)
    end
  elseif opcode == CLOSE then
    self:_on_close(data)
  elseif opcode ~= PONG then
    return false
  end
  return true
end

--- Waits for a message. Returns nil after the peer closed: see `close_code` and `close_reason`.
---@async
---@return string? data
---@return "text"|"binary"|nil kind
function Socket:receive()
  local parts, kind, size = {}, nil, 0
  while not self._ended do
    local opcode, data, final = self:_frame()
    if not opcode then
      self._ended = true
      self.close_code, self.close_reason = 1006, "the connection ended"
    elseif not self:_control(opcode, data) then
      if opcode ~= CONTINUATION and not NAMES[opcode] then
        self:_broken(("a frame of unknown kind %d"):format(opcode))
      elseif (opcode == CONTINUATION) ~= (kind ~= nil) then
        self:_broken("pieces of messages out of order")
      end
      kind = kind or NAMES[opcode]
      size = size + #data
      if size > self._max then
        self:_broken(("a message over %d bytes"):format(self._max))
      end
      parts[#parts + 1] = data
      if final then
        return table.concat(parts), kind
      end
    end
  end
  return nil
end

--- Waits for the peer's close, then for the end of the connection, which is his to make: so what we
--- said last has left. Not longer than GOODBYE.
function Socket:_drain()
  fault.try(task.timeout, GOODBYE, function()
    local opcode
    while opcode ~= CLOSE and not self._ended do
      opcode = self:_frame()
      self._ended = opcode == nil
    end
    while self._stream:read() do
    end
  end)
end

--- Says goodbye, waits shortly for the answer and ends the connection. What still arrives is lost.
---@async
---@param code? integer default 1000
---@param reason? string
function Socket:close(code, reason)
  if self._closed then
    return
  end
  self._closed = true
  local peer_gone = self._broke or self.close_code == 1006
  if not peer_gone and not self._closing then
    self._closing = true
    local goodbye = string.pack(">I2", code or 1000) .. (reason or ""):sub(1, 123)
    local _, err = fault.try(self._put, self, CLOSE, goodbye)
    peer_gone = err ~= nil
  end
  if not peer_gone then
    self:_drain()
  end
  self._stream:close()
end

--- Ends the connection; with `local ws <close>`.
function Socket:__close()
  self:close()
end

return M
