--- What became of one command on many hosts, for people and for programs.

local fault = require("plat.fault")
local json = require("plat.json")
local out = require("plat.out")

local M = {}

---@class plat.exec.Answer
---@field host string
---@field output? plat.proc.Output
---@field err? plat.Fault

local WORD = { [0] = "ok", [2] = "failed", [4] = "unreachable" }

--- Returns 0 (ok), 2 (failed) or 4 (unreachable).
---@param answer plat.exec.Answer
---@return integer
function M.status(answer)
  if answer.err then
    return require("plat.run.exit").is_unreachable(answer.err) and 4 or 2
  end
  return answer.output.code == 0 and 0 or 2
end

--- Returns the worst status: failed before unreachable before ok.
---@param answers plat.exec.Answer[]
---@return integer
function M.worst(answers)
  local seen = {}
  for _, answer in ipairs(answers) do
    seen[M.status(answer)] = true
  end
  return seen[2] and 2 or seen[4] and 4 or 0
end

local function text_of(answer)
  if answer.err then
    return fault.text(answer.err, out.verbosity())
  end
  local o = answer.output
  local text = (o.stdout .. o.stderr):gsub("\n+$", "")
  if o.signal or o.code ~= 0 then
    text = text .. (text ~= "" and "\n" or "") .. (o.signal or "exit " .. o.code)
  end
  return text
end

--- Prints an answer as a line of JSON.
---@param answer plat.exec.Answer
function M.tell_json(answer)
  local o = answer.output or {}
  out.line(json.encode({
    host = answer.host,
    status = WORD[M.status(answer)],
    code = o.code,
    signal = o.signal,
    stdout = o.stdout,
    stderr = o.stderr,
    error = answer.err and { kind = answer.err.kind, msg = answer.err.msg } or nil,
  }, { lossy = true }))
end

--- Tells one answer, of one host or of several that gave the same.
local function tell(names, answer)
  local status = M.status(answer)
  if status == 0 and out.verbosity() < 0 then
    return
  end
  local color = status == 0 and "ok" or "failed"
  local count = #names > 1 and (" (%d hosts)"):format(#names) or ""
  out.line(out.paint(color, WORD[status]) .. " " .. table.concat(names, ", ") .. count)
  local text = text_of(answer)
  for line in (text ~= "" and text .. "\n" or ""):gmatch("(.-)\n") do
    out.line("  " .. line)
  end
end

--- Errors name their host, and two hosts that fail alike belong together all the same.
local function group_key(answer)
  local text = text_of(answer):gsub("host " .. answer.host:gsub("%p", "%%%0"), "host")
  return M.status(answer) .. " " .. text
end

--- Prints answers for people, equal ones together.
---@param answers plat.exec.Answer[]
function M.tell_grouped(answers)
  local groups, by_key = {}, {}
  for _, answer in ipairs(answers) do
    local key = group_key(answer)
    if not by_key[key] then
      by_key[key] = { names = {}, answer = answer }
      groups[#groups + 1] = by_key[key]
    end
    table.insert(by_key[key].names, answer.host)
  end
  for _, group in ipairs(groups) do
    tell(group.names, group.answer)
  end
end

--- Prints how one host ended whose output was printed as it came: nothing, if that is ok.
---@param answer plat.exec.Answer
function M.tell_end(answer)
  if M.status(answer) ~= 0 then
    tell({ answer.host }, answer)
  end
end

--- Prints which hosts a cancel met.
---@param word string "cancelled" or "not begun"
---@param names string[]
function M.tell_names(word, names)
  if #names > 0 then
    local text = ("%s %s (%d hosts)"):format(word, table.concat(names, ", "), #names)
    out.err(out.paint("failed", (text:gsub("%(1 hosts%)", "(1 host)"))))
  end
end

return M
