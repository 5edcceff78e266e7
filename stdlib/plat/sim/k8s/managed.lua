--- managedFields: stub.
local M = {}
function M.empty(_) return {} end
function M.update(_, _, _) end
function M.scale() end
return M
