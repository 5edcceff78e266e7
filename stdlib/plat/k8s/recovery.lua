--- How it is found out whether a change of an object happened, when its answer was lost: fields of
--- the description of a change (plat.effect.change).
local fault = require("plat.fault")
local list = require("plat.list")

local M = {}

--- A delete: the object that was meant, by its uid, is gone or on its way out.
---@param find fun(): table?
---@param uid? string
---@return table fields of the change
function M.delete(find, uid)
  return {
    recovery = "probed",
    facts = { uid = uid },
    probe = function(facts)
      local object = find()
      return not object
        or list.get(object, "metadata.uid") ~= facts.uid
        or list.get(object, "metadata.deletionTimestamp") ~= nil
    end,
  }
end

--- A patch that puts a mark of its own into the object: it happened if the mark is there. Nobody
--- else writes this one, so a second one would do a second time what the mark sets off.
---@param find fun(): table?
---@param path string[] keys to the mark
---@param mark string
---@return table fields of the change
function M.mark(find, path, mark)
  return {
    recovery = "probed",
    facts = { mark = mark },
    probe = function(facts)
      local value = find() or fault.raise("failed", { op = "k8s.probe" }, { msg = "it is gone" })
      for _, key in ipairs(path) do
        value = type(value) == "table" and value[key] or nil
      end
      return value == facts.mark
    end,
  }
end

return M
