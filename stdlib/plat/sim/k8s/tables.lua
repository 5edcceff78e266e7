--- Tables: what kubectl prints.
local data = require("plat.sim.k8s.data")

local M = {}

function M.of(ctx, items, meta)
  local rows = {}
  for i, object in ipairs(items) do
    rows[i] = { cells = data.array({ object.metadata.name }), object = { kind = "PartialObjectMetadata", apiVersion = "meta.k8s.io/v1", metadata = object.metadata } }
  end
  return { kind = "Table", apiVersion = "meta.k8s.io/v1", metadata = meta, columnDefinitions = data.array({ { name = "Name", type = "string", format = "name", description = "", priority = 0 } }), rows = data.array(rows), }
end

return M
