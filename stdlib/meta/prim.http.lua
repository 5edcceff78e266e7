---@meta prim.http

local M = {}

---@class (exact) prim.http.Request
---@field url string http or https, without user and password
---@field method? string default "GET"
---@field headers? string[] "name: value"
---@field body? string
---@field ca? string PEM, instead of the system's
---@field cert? string PEM of the client certificate
---@field key? string PEM of its key
---@field insecure? boolean do not verify TLS
---@field server_name? string name for SNI and verification; the Host header stays the URL's
---@field unix_socket? string path
---@field proxy? string URL (http, https, socks5h); "" for none; default: from the environment
---@field connect_timeout? number seconds for name, connection, proxy and TLS; default 5; 0: none
---@field first_byte_timeout? number seconds from the request to the answer; streams: 60, else none
---@field timeout? number seconds for all; default 60, streams none
---@field max_body? integer decoded bytes, default 64 MiB
---@field decompress? boolean default true, streams false
---@field follow? integer redirects of GET and HEAD, default 0
---@field http1? boolean no HTTP/2; streams never use it
---@field stream? boolean a 2xx answer is read by `stream:read()`; others come whole
---@field upload? "stream" the body is written by `stream:write()`; the answer: `stream:response()`
---@field upload_size? integer of an upload; without, it is sent in chunks
---@field upgrade? boolean a 101 gives a raw stream in both directions; other answers come whole
---@field declared_read? boolean allowed in plan mode although the method says otherwise

---@class (exact) prim.http.Response
---@field status integer
---@field headers table<string, string> lower-case names, repeated ones joined; set-cookie is a list
---@field body? string
---@field stream? prim.http.Stream instead of the body
---@field url string after redirects
---@field version string "1.0", "1.1" or "2"
---@field reused boolean the connection was a kept one

--- Sends a request and waits for its answer, for a stream that of its headers. With `upload` it
--- returns at once: `{ stream = stream }`. Errors have `sent`: whether the request may have left.
---@async
---@param opts prim.http.Request
---@return prim.http.Response? resp
---@return table? err
function M.request(opts) end

--- Refuses, from now on and for ever, whatever may change something.
function M.set_plan() end

---@class prim.http.Stream
local Stream = {} -- luacheck: ignore

--- Waits for bytes and returns what is there; nil at the end.
---@async
---@param seconds? number longest wait; 0: no limit
---@return string? bytes
---@return table? err
function Stream:read(seconds) end

--- Hands bytes over to be sent; waits while 256 KiB are queued. One task at a time.
---@async
---@param bytes string
---@return true? ok
---@return table? err
function Stream:write(bytes) end

--- Says that nothing more will be written: ends an upload, shuts our half of an upgrade.
---@return true? ok
---@return table? err
function Stream:finish() end

--- Waits for the answer to an upload.
---@async
---@return prim.http.Response? resp
---@return table? err
function Stream:response() end

--- Ends the transfer at once, and its connection if it was in the middle of something.
function Stream:close() end

return M
