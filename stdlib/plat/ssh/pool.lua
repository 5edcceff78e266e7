--- One session a host and process.

local once = require("plat.task.once")

local M = {}

local entries = {} -- by name of the host: { once =, session = }

--- Returns the session of a host; the first that asks opens it, others wait for it. One that is
--- lost is opened anew.
---@async
---@param about table for faults
---@param name string
---@param open fun(): prim.ssh.Session
---@return prim.ssh.Session
function M.get(about, name, open)
  local entry = entries[name] or { once = once.new() }
  entries[name] = entry
  return entry.once:get(about, function()
    if entry.session and entry.session:lost() then
      entry.session = nil
    end
    return entry.session
  end, function()
    entry.session = open()
  end)
end

--- Forgets a session that is lost, so that the next who asks connects anew.
---@param name string
---@param session? prim.ssh.Session the lost one: another, that came meanwhile, is kept
function M.forget(name, session)
  local entry = entries[name]
  if entry and (not session or entry.session == session) then
    entry.session = nil
  end
end

return M
