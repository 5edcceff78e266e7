---@meta prim.httpd

local M = {}

---@class prim.httpd.Options
---@field host? string address or "localhost"; default 127.0.0.1
---@field port? integer default 0: a free one
---@field unix_socket? string path, instead; mode 0600
---@field cert? string PEM: serves https
---@field key? string PEM
---@field max_body? integer bytes, 32 MiB; larger requests are answered 413

---@class prim.httpd.Server closed by `<close>`
local Server = {}

---@class prim.httpd.Request answered once; let go of unanswered: 500
---@field method string
---@field path string as it was sent, without the query
---@field query string as it was sent, "" for none
---@field headers table<string, string> names in lower case, repeated ones joined
---@field body string
---@field peer string "127.0.0.1:4711" or "unix"
local Request = {}

---@class prim.httpd.Pipe a connection that has switched protocols; closed by `<close>`
local Pipe = {}

--- Listens. A host that is no address raises.
---@param opts? prim.httpd.Options
---@return prim.httpd.Server? server
---@return table? err
function M.listen(opts) end

--- Returns the port, 0 for a unix socket.
---@return integer
function Server:port() end

--- Waits for a request whose body is complete; nil when the server was closed.
---@async
---@return prim.httpd.Request? request
---@return table? err
function Server:accept() end

--- Cuts all connections. Twice is fine.
function Server:close() end

--- Answers. Content-Length is set here. Kind `connect`: the client has gone.
---@param status integer
---@param headers? table<string, string|string[]>
---@param body? string
---@return true? ok
---@return table? err
function Request:respond(status, headers, body) end

--- Starts an answer in pieces (chunked).
---@param status integer
---@param headers? table<string, string|string[]>
---@return true? ok
---@return table? err
function Request:start(status, headers) end

--- Sends a piece; waits while the client is slow. Kind `connect`: it has gone.
---@async
---@param chunk string
---@return true? ok
---@return table? err
function Request:write(chunk) end

--- Ends an answer in pieces. Closing the request instead breaks the connection off.
function Request:finish() end

--- Returns whether the client has closed its side.
---@return boolean
function Request:gone() end

--- Waits until the client is gone (true) or has the whole answer (false).
---@async
---@return boolean? gone
---@return table? err
function Request:wait_gone() end

--- Answers 101 and gives the connection. `headers` names the new protocol in Upgrade.
---@async
---@param headers table<string, string>
---@return prim.httpd.Pipe? pipe
---@return table? err
function Request:upgrade(headers) end

--- Lets go of the request.
function Request:close() end

--- Waits for bytes; nil when the client has ended its side.
---@async
---@return string? bytes
---@return table? err
function Pipe:read() end

--- Sends bytes; waits while the client is slow.
---@async
---@param bytes string
---@return true? ok
---@return table? err
function Pipe:write(bytes) end

--- Ends our side, after what is still queued.
function Pipe:finish() end

--- Closes the connection. Twice is fine.
function Pipe:close() end

return M
