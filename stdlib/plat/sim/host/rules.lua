--- What commands answer on simulated hosts. Rules of the world come first, in their order:
---
---   { { "pg_ctl", "promote", "..." }, "waiting\n" }      words; "*": any one, "...": any more
---   { "^psql .*select 1", { code = 2, stderr = "no" } }  a Lua pattern over the whole text
---   { { "uptime" }, function(host, match) ... end }      computed; it may change the host
---
--- An answer is a text (stdout), an exit code, or `{ code, stdout, stderr, takes = seconds }`. Then
--- come the built-in ones, by the name of the program: `plat.sim.host.rule.*`. There is no shell.

local Command = require("plat.sim.host.command")
local fault = require("plat.fault")
local list = require("plat.list")
local sys = require("prim.sys")
local words = require("plat.sim.host.words")

local M = {}

-- ---- rules of the world ----

local function match_words(pattern, argv)
  local match = {}
  for i, word in ipairs(pattern) do
    if word == "..." and i == #pattern then
      return match
    elseif argv[i] == nil or (word ~= "*" and word ~= argv[i]) then
      return nil
    elseif word == "*" then
      match[#match + 1] = argv[i]
    end
  end
  return #argv == #pattern and match or nil
end

local function match_text(pattern, text)
  local found = table.pack(text:find(pattern))
  return found[1] and { table.unpack(found, 3, found.n) } or nil
end

--- Returns what a rule's answer means.
local function read_answer(answer, about)
  local kind = math.type(answer) or type(answer)
  if kind == "string" then
    return { code = 0, stdout = answer, stderr = "" }
  elseif kind == "integer" then
    return { code = answer, stdout = "", stderr = "" }
  elseif kind == "table" then
    return {
      code = answer.code or 0,
      signal = answer.signal,
      stdout = answer.stdout or "",
      stderr = answer.stderr or "",
      delay = answer.takes,
    }
  end
  fault.raise("usage", nil, {
    msg = ("the rule for %s answers a %s"):format(about, type(answer)),
    hint = "an answer is a text, an exit code or { code =, stdout =, stderr =, takes = seconds }",
    where = "",
  })
end

local function try_rules(rules, host, call)
  for _, rule in ipairs(rules or {}) do
    local pattern, answer = rule[1], rule[2]
    local match
    if type(pattern) == "table" then
      match = call.argv and match_words(pattern, call.argv)
    else
      match = match_text(pattern, call.text)
    end
    if match then
      for _, key in ipairs({ "text", "argv", "stdin", "user" }) do
        match[key] = call[key]
      end
      if type(answer) == "function" then
        answer = answer(host, match)
      end
      return read_answer(answer, call.text)
    end
  end
end

-- ---- the built-in ones ----

local builtin

--- Returns the built-in rules by the names of programs.
---@return table<string, fun(cmd: plat.sim.Command)>
function M.builtin()
  if not builtin then
    builtin = {}
    for _, module in ipairs(sys.modules("plat.sim.host.rule.")) do
      for name, rule in pairs(require("plat.sim.host.rule." .. module)) do
        builtin[name] = rule
      end
    end
  end
  return builtin
end

local function unknown(host, call)
  fault.raise("refused", { target = "host " .. host.name, object = call.text }, {
    msg = call.argv and "no simulated host knows this command"
      or "a simulated host has no shell, and no rule is for this text",
    hint = call.argv and Command.rule_line(call.argv)
      or ('add a rule to the world: rules = { { %q, { code = 0, stdout = "" } } }'):format(
        "^" .. call.text:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0"):sub(1, 60)
      ),
    where = "",
  })
end

local function perform_builtin(host, call)
  local argv = call.argv
  local rule = argv and M.builtin()[argv[1]:match("([^/]+)$") or ""]
  if not rule then
    unknown(host, call)
  end
  local cmd = Command.new(host, argv, call)
  local instead = rule(cmd)
  if type(instead) == "table" then -- it runs another command: sudo, env, sh -c
    return M.answer(host, list.merge(call, instead))
  end
  return cmd:answer()
end

--- Answers a command. Raises kind "refused" for one that nothing knows.
---@param host plat.sim.Machine
---@param call { text: string, argv: string[]?, stdin: string?, user: string }
---@return table answer `{ code, signal, stdout, stderr, delay }`
function M.answer(host, call)
  call.argv = call.argv or words.split(call.text)
  local fleet = host.fleet
  return try_rules(fleet.rules_of[host.name], host, call)
    or try_rules(fleet.rules, host, call)
    or perform_builtin(host, call)
end

return M
