--- Pods that controllers create: stored if the quotas of the namespace allow it.
local admit = require("plat.sim.k8s.admit")
local defaults = require("plat.sim.k8s.defaults")
local queue = require("plat.sim.k8s.queue")
local quota = require("plat.sim.k8s.quota")
local recorder = require("plat.sim.k8s.recorder")
local store = require("plat.sim.k8s.store")

local M = {}

local RETRY = 10 -- seconds

--- Stores a pod of a controller and tells about it. If a quota forbids it, tells that and has the
--- owner looked at again later.
---@param model plat.sim.K8s
---@param pod table
---@param owner table
---@param id string id of the owner's kind
---@param by string name of the controller
---@param words { done: string, failed: string } `%s` in `failed` is the reason
---@return boolean created
function M.create(model, pod, owner, id, by, words)
  defaults.fill(pod)
  admit.create(model, pod)
  local refusal = quota.refusal(model, pod)
  if refusal then
    local message = (words.failed:gsub("%%s", (refusal:gsub("%%", "%%%%"))))
    recorder.event(model, owner, "Warning", "FailedCreate", message, by)
    local meta = owner.metadata
    local args = { id = id, ns = meta.namespace, name = meta.name }
    queue.add(model, RETRY, "sync", id .. " " .. meta.namespace .. "/" .. meta.name, args)
    return false
  end
  store.create(model, pod)
  recorder.event(model, owner, "Normal", "SuccessfulCreate", words.done, by)
  return true
end

return M
