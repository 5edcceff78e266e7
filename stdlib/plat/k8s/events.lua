--- Events of a namespace, as evidence. Pure.
local list = require("plat.list")
local time = require("plat.time")

local M = {}

--- Returns the time of an event's last occurrence, or nil.
---@param event table
---@return number?
function M.time(event)
  local text = list.get(event, "series.lastObservedTime") or event.lastTimestamp or event.eventTime
  if type(text) ~= "string" then
    text = list.get(event, "metadata.creationTimestamp")
  end
  return type(text) == "string" and time.parse_rfc3339(text) or nil
end

--- Returns an event as one line of evidence.
---@param event table
---@return string
function M.line(event)
  local about = event.involvedObject or {}
  local count = list.get(event, "series.count") or event.count
  return ("event %s %s/%s: %s%s"):format(
    event.reason or "?",
    (about.kind or "?"):lower(),
    about.name or "?",
    (event.message or ""):gsub("%s+", " "),
    (type(count) == "number" and count > 1) and (" (x%d)"):format(count) or ""
  )
end

--- Returns the newest event of a pod with this reason.
---@param snap plat.k8s.Snapshot
---@param pod table
---@param reason string
---@param prefix? string what the message begins with
---@param container? string
---@return table?
function M.of(snap, pod, reason, prefix, container)
  local found, at
  for _, event in ipairs(snap.events) do
    local about = event.involvedObject or {}
    local path = about.fieldPath or ""
    local fits = about.uid == pod.metadata.uid
      and event.reason == reason
      and (not prefix or (event.message or ""):sub(1, #prefix) == prefix)
      and (not container or path == "" or path:find("{" .. container .. "}", 1, true))
    local when = fits and (M.time(event) or 0)
    if fits and (not at or when >= at) then
      found, at = event, when
    end
  end
  return found
end

--- Returns a text on one line, cut to a length.
---@param text string
---@param max integer
---@return string
function M.short(text, max)
  text = text:gsub("%s+", " "):gsub("^%s", ""):gsub("%s$", "")
  return #text > max and (text:sub(1, max - 3) .. "...") or text
end

return M
