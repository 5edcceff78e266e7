--- Saved plans: their file.
---
--- A file is JSON: what the plan was made of (playbook, arguments, inventory, options), what was
--- read (kept values, the values before each change), every line in order, and a seal: digests that
--- tell which part was edited. A seal is no signature: it catches hands, not forgers.

local change_data = require("plat.effect.change").data
local chosen = require("plat.run.chosen")
local fault = require("plat.fault")
local fs = require("prim.fs")
local hash = require("plat.hash")
local json = require("plat.json")
local list = require("plat.list")
local state = require("plat.state")
local sys = require("prim.sys")
local time = require("plat.time")

local M = {}

M.SCHEMA = 1

local KIND = "platrun plan"
local MAX_FILE = 256 * 1024 * 1024
local OTHERS_WRITE = tonumber("022", 8)
local OPTIONS =
  { "inventory", "limit", "config", "sandbox", "forks", "override", "reason", "no_undo" }

---@class plat.SavedLine
---@field class "will"|"maybe"|"opaque"
---@field sure boolean whether its step surely comes to it
---@field beside? boolean its place among other such lines of the step means nothing
---@field key string
---@field step string
---@field op string
---@field target string
---@field object? string
---@field text string
---@field args table
---@field diff? table[]

local function refuse(path, msg, hint, detail)
  fault.raise("refused", { op = "apply", object = path }, {
    msg = msg,
    hint = hint or "make a new plan: platrun plan PLAYBOOK -o FILE",
    detail = detail,
    where = "",
  })
end

--- Returns a value as it is after it was written and read: references in the place of secrets.
---@param value any
---@return any
function M.plain(value)
  if value == nil then
    return json.null
  end
  return json.decode(json.encode(value, { secrets = "reference", lossy = true }))
end

-- ---- writing ----

local function options_of(opts)
  local kept = {}
  for _, name in ipairs(OPTIONS) do
    kept[name] = opts[name]
  end
  kept.config = chosen.absolute(kept.config)
  kept.inventory = kept.inventory and list.map(kept.inventory, chosen.absolute)
  return kept
end

local function lines_of(plan)
  return list.map(plan.lines, function(line)
    local data = change_data(line.change)
    data.class, data.sure, data.beside = line.class, line.sure, line.beside
    data.diff = line.diff and json.array(line.diff) or nil
    return data
  end)
end

local function kept_of(run)
  local kept = {}
  for name, record in pairs(run.kept) do
    kept[#kept + 1] = { name = name, value = record.value }
  end
  return kept
end

local function digest(value)
  return hash.digest("sha256", json.encode(value))
end

--- Returns the digests that tell which part of a document was edited.
local function seal_of(doc)
  local parts = {}
  for name, value in pairs(doc) do
    if name ~= "seal" then
      parts[name] = digest(value):sub(1, 16)
    end
  end
  local lines = list.map(doc.lines, function(line)
    return digest(line):sub(1, 16)
  end)
  return { parts = parts, lines = json.array(lines), all = digest({ parts, json.array(lines) }) }
end

--- Returns a plan as the document that is saved.
---@param plan plat.Plan
---@param run plat.Run
---@param inventory? plat.Inventory
---@return table
function M.document(plan, run, inventory)
  local playbook = run.playbook
  local doc = M.plain({
    schema = M.SCHEMA,
    kind = KIND,
    version = sys.version(),
    made = { user = sys.user(), host = sys.hostname(), time = time.rfc3339(time.now()) },
    playbook = {
      name = playbook.name,
      path = chosen.absolute(playbook.path),
      sha256 = hash.digest("sha256", playbook.text),
    },
    args = run.args,
    inventory = {
      path = inventory and chosen.absolute(inventory.path) or nil,
      files = json.array(inventory and inventory:digest() or {}),
    },
    sandbox = inventory ~= nil and inventory.is_sandbox or false,
    options = options_of(run.options),
    steps = json.array(list.copy(plan.steps)),
    lines = json.array(lines_of(plan)),
    open = json.array(list.copy(plan.open)),
    kept = json.array(kept_of(run)),
    count = plan:count(),
  })
  doc.seal = seal_of(doc)
  return doc
end

--- Writes a plan into a file that its owner alone can read.
---@async
---@param path string
---@param doc table
function M.write(path, doc)
  local st = fs.stat(path)
  if st and st.type ~= "file" then
    fault.raise("usage", nil, {
      msg = ("%s is a %s: the plan needs a file"):format(path, st.type),
      where = "",
    })
  end
  state.write(path, json.encode(doc, { indent = 1 }) .. "\n")
end

-- ---- reading ----

local function decode(path, text)
  local doc, err = fault.try(json.decode, text, { name = path })
  if err then
    err.hint = "a plan is written by: platrun plan PLAYBOOK -o FILE"
    error(err, 0)
  elseif type(doc) ~= "table" or doc.kind ~= KIND or math.type(doc.schema) ~= "integer" then
    fault.raise("parse", nil, {
      msg = path .. ": this is no saved plan",
      hint = "a plan is written by: platrun plan PLAYBOOK -o FILE",
      where = "",
    })
  elseif doc.schema ~= M.SCHEMA then
    local age = doc.schema > M.SCHEMA and "a newer" or "an older"
    refuse(
      path,
      ("it was made by %s platrun (%s): schema %d, this one reads %d"):format(
        age,
        tostring(doc.version),
        doc.schema,
        M.SCHEMA
      ),
      doc.schema > M.SCHEMA and "apply it with that version, or make a new plan" or nil
    )
  end
  return doc
end

--- Returns what does not fit the seal: "line 3 (k8s.scale ...)", "args"; nil if all does.
local function edited(doc)
  local seal = doc.seal
  local well_formed = type(seal) == "table"
    and type(seal.parts) == "table"
    and type(seal.lines) == "table"
    and type(doc.lines) == "table"
  if not well_formed then
    return "the seal"
  end
  local real = seal_of(doc)
  for i = 1, math.max(#real.lines, #seal.lines) do
    if real.lines[i] ~= seal.lines[i] and #real.lines ~= #seal.lines then
      return ("the lines (%d, %d were saved)"):format(#real.lines, #seal.lines)
    elseif real.lines[i] ~= seal.lines[i] then
      local text = type(doc.lines[i]) == "table" and doc.lines[i].text
      return ("line %d (%s)"):format(i, tostring(text))
    end
  end
  for _, name in ipairs(list.keys(list.merge(real.parts, seal.parts))) do
    if real.parts[name] ~= seal.parts[name] then
      return name
    end
  end
  return real.all ~= seal.all and "the seal" or nil
end

--- Reads a saved plan. Refuses one that others may write to, that was edited, or of another schema.
---@param path string
---@return table doc
function M.read(path)
  local text, err = fs.read(path, { max = MAX_FILE })
  if not text then
    fault.raise("usage", nil, { msg = ("%s: %s"):format(path, err.msg), where = "" })
  end
  local st = fs.stat(path)
  if st and st.mode & OTHERS_WRITE ~= 0 then
    refuse(
      path,
      ("others may write to it (mode %04o)"):format(st.mode & 0xfff),
      "chmod 600 " .. path
    )
  end
  local doc = decode(path, text)
  local part = edited(doc)
  if part then
    refuse(path, ("it was edited after it was made: %s differs"):format(part))
  end
  return doc
end

return M
