--- A small HTTP server: for simulated systems, tests and web hooks.

local check = require("plat.check")
local fault = require("plat.fault")
local prim = require("prim.httpd")
local task = require("plat.task")
local time = require("prim.time")

local M = {}

local SERVE = check.options("httpd.serve", {
  host = { type = "string", default = "127.0.0.1", help = "address to listen on" },
  port = { type = "integer", default = 0, min = 0, max = 65535, help = "0: a free one" },
  unix_socket = { type = "string", help = "path to listen on, instead of host and port" },
  cert = { type = "string", help = "PEM text: serves https" },
  key = { type = "string", help = "PEM text" },
  max_body = { type = "bytes", default = "32MB", help = "larger requests are answered 413" },
  on_error = { type = "function", help = "called with the fault of a handler" },
})

---@class (exact) plat.httpd.Response
---@field status? integer default 200
---@field headers? table<string, string|string[]>
---@field body? string
---@field stream? { read: (fun(self): string?), close: fun(self) } sent in pieces as they come
---@field delay? number seconds before the answer

---@alias plat.httpd.Handler fun(req: prim.httpd.Request): plat.httpd.Response?

---@class plat.httpd.Server
local Server = { __name = "plat.httpd.Server" }
Server.__index = Server

--- Sends what a stream gives until it ends or the client is gone, whichever comes first.
local function pump(req, resp)
  local _ <close> = setmetatable({}, {
    __close = function()
      resp.stream:close()
    end,
  })
  fault.must({ op = "httpd.serve", object = req.path }, req:start(resp.status or 200, resp.headers))
  local _, first = task.race({
    function()
      repeat
        local chunk = resp.stream:read()
      until not chunk or not req:write(chunk)
    end,
    function()
      req:wait_gone()
    end,
  })
  if first == 1 then
    req:finish()
  end
end

local function send(req, resp)
  if resp.delay and resp.delay > 0 then
    task.sleep(resp.delay)
  end
  if resp.stream then
    pump(req, resp)
    return
  end
  local ok, err = req:respond(resp.status or 200, resp.headers, resp.body)
  if not ok and err.kind ~= "connect" then -- a client that left wants no answer
    fault.raise_err({ op = "httpd.serve", object = req.path }, err)
  end
end

--- Answers one request; a handler that fails costs its client a 500 and nobody else anything.
local function answer(server, req)
  local _ <close> = req
  local ok, err = xpcall(function()
    local resp = server._handler(req)
    if resp then
      send(req, resp)
    end
  end, fault.from_handler)
  if ok then
    return
  end
  if err.kind == "cancelled" then
    error(err, 0)
  end
  if server._on_error then
    server._on_error(err)
  end
  pcall(req.respond, req, 500, { ["content-type"] = "text/plain" }, tostring(err) .. "\n")
end

local function accept_all(server)
  task.group(function(group)
    while true do
      local req, err = server._raw:accept()
      if err then
        fault.raise_err({ op = "httpd.serve" }, err)
      elseif not req then
        return
      end
      group:spawn(answer, server, req)
    end
  end)
end

--- Serves until the server is closed. The handler runs in a task per request; it returns the
--- answer, or nil when it has answered itself (`req:respond`, `req:start`, `req:upgrade`).
---@param handler plat.httpd.Handler
---@param opts? table host, port, unix_socket, cert, key, max_body, on_error
---@return plat.httpd.Server
function M.serve(handler, opts)
  opts = SERVE(opts)
  local raw = fault.must(
    { op = "httpd.serve" },
    prim.listen({
      host = opts.host,
      port = opts.port,
      unix_socket = opts.unix_socket,
      cert = opts.cert,
      key = opts.key,
      max_body = opts.max_body,
    })
  )
  local server = setmetatable({
    _raw = raw,
    _handler = handler,
    _on_error = opts.on_error,
    _scheme = opts.cert and "https" or "http",
    _host = opts.host:find(":", 1, true) and "[" .. opts.host .. "]" or opts.host,
  }, Server)
  server._port = raw:port()
  server._task = task.spawn(accept_all, server)
  return server
end

--- Serves a model of a world: every request brings it to the present, then it answers.
---@param model table `model:advance(now)`, `model:handle(request)`
---@param clock? fun(): number unix seconds; default: the loop's, virtual in the sandbox
---@param opts? table as `serve`
---@return plat.httpd.Server
function M.serve_model(model, clock, opts)
  local parse = require("plat.sim.world").parse_request
  clock = clock or time.now
  return M.serve(function(req)
    local target = req.query == "" and req.path or req.path .. "?" .. req.query
    model:advance(clock())
    return model:handle(parse(req.method, target, req.headers, req.body))
  end, opts)
end

--- Returns the port, 0 for a unix socket.
---@return integer
function Server:port()
  return self._port
end

--- Returns the URL without a path: "http://127.0.0.1:8080".
---@return string
function Server:url()
  return ("%s://%s:%d"):format(self._scheme, self._host, self._port)
end

--- Stops serving: connections are cut, handlers are cancelled.
---@async
function Server:close()
  self._raw:close()
  self._task:cancel("the server was closed")
end

Server.__close = Server.close

return M
