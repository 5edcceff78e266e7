--- Server-side apply: stub.
local M = {}
return M
