--- One command on a simulated host, as a built-in rule sees it: its words, who runs it, its answer.

local fault = require("plat.fault")
local files = require("plat.sim.host.files")

local M = {}

---@class plat.sim.Command
---@field host plat.sim.Machine
---@field name string the program, without its folder
---@field argv string[]
---@field user string who runs it
---@field stdin string
---@field code integer
---@field delay number? seconds that it takes
local Command = { __name = "plat.sim.Command" }
Command.__index = Command

--- Makes a command.
---@param host plat.sim.Machine
---@param argv string[]
---@param how { user: string, stdin: string? }
---@return plat.sim.Command
function M.new(host, argv, how)
  return setmetatable({
    host = host,
    argv = argv,
    name = argv[1]:match("([^/]+)$") or argv[1],
    user = how.user,
    stdin = how.stdin or "",
    code = 0,
    said = {},
    complained = {},
  }, Command)
end

--- Returns what it answers.
---@return table `{ code, stdout, stderr, delay }`
function Command:answer()
  return {
    code = self.code,
    stdout = table.concat(self.said),
    stderr = table.concat(self.complained),
    delay = self.delay,
  }
end

--- Says something on stdout, formatted if there are values.
---@param text string
function Command:say(text, ...)
  self.said[#self.said + 1] = select("#", ...) > 0 and text:format(...) or text
end

--- Complains on stderr, with its name in front, and will end with a failure.
---@param text string
function Command:complain(text, ...)
  self.code = self.code == 0 and 1 or self.code
  text = select("#", ...) > 0 and text:format(...) or text
  self.complained[#self.complained + 1] = self.name .. ": " .. text .. "\n"
end

--- Complains in whole lines, without its name in front, and will end with a status.
---@param code integer
---@param text string
function Command:tell(code, text, ...)
  self.code = code
  text = select("#", ...) > 0 and text:format(...) or text
  self.complained[#self.complained + 1] = text .. "\n"
end

--- Complains with the kernel's word for an error.
---@param about string "cannot remove '/x'"
---@param err string "ENOENT"
function Command:failed(about, err)
  self:complain("%s: %s", about, files.TEXT[err])
end

--- Raises: the model of this program does not know an option, and does not guess.
---@param what string
function Command:unmodelled(what)
  fault.raise("refused", { target = "host " .. self.host.name }, {
    msg = ("the simulated %s does not know %s"):format(self.name, what),
    hint = M.rule_line(self.argv),
    where = "",
  })
end

--- Returns the line that makes a command known.
---@param argv string[]
---@return string
function M.rule_line(argv)
  local words = {}
  for i, word in ipairs(argv) do
    words[i] = ("%q"):format(word):gsub("\\\n", "\\n")
  end
  return ('add a rule to the world: rules = { { { %s }, { code = 0, stdout = "" } } }'):format(
    table.concat(words, ", ")
  )
end

local function read_spec(spec)
  local known = {}
  for letter, colon in spec:gmatch("(%w)(:?)") do
    known[letter] = colon == ":" and "value" or "flag"
  end
  return known
end

local function set(opts, letter, value)
  opts[letter] = value
  table.insert(opts.order, { letter, value })
end

local function read_long(self, known, long, word, rest, opts)
  local name, value = word:match("^(%-%-[^=]+)=?(.*)$")
  local letter = long[name]
  if not letter then
    self:unmodelled("the option " .. name)
  end
  if known[letter] ~= "value" then
    set(opts, letter, true)
  elseif word:find("=", 1, true) then
    set(opts, letter, value)
  else
    set(opts, letter, table.remove(rest, 1))
  end
end

local function read_short(self, known, word, rest, opts)
  local at = 2
  while at <= #word do
    local letter = word:sub(at, at)
    if not known[letter] then
      self:unmodelled("the option -" .. letter)
    elseif known[letter] == "value" then
      local value = word:sub(at + 1)
      set(opts, letter, value ~= "" and value or table.remove(rest, 1))
      return
    end
    set(opts, letter, true)
    at = at + 1
  end
end

--- Reads options as getopt does, anywhere among the operands; others than these are not modelled.
---@param spec string "rfm:": letters, with a colon those that take a value
---@param long? table<string, string> letters by their long names, "--recursive" = "r"
---@param stop? boolean the first operand ends the options
---@return table opts by letter, and `order`: all of them as they came
---@return string[] operands
function Command:options(spec, long, stop)
  local known = read_spec(spec)
  local opts, operands, rest = { order = {} }, {}, table.move(self.argv, 2, #self.argv, 1, {})
  while rest[1] do
    local word = table.remove(rest, 1)
    if word == "--" then
      table.move(rest, 1, #rest, #operands + 1, operands)
      break
    elseif word:sub(1, 2) == "--" then
      read_long(self, known, long or {}, word, rest, opts)
    elseif word:sub(1, 1) == "-" and #word > 1 then
      read_short(self, known, word, rest, opts)
    else
      operands[#operands + 1] = word
      if stop then
        table.move(rest, 1, #rest, #operands + 1, operands)
        break
      end
    end
  end
  return opts, operands
end

--- Reads an input: a file, or stdin for "-". nil after it has complained.
---@param path string
---@param about? string what it complains about; default: the path
---@return string?
function Command:input(path, about)
  if path == "-" then
    return self.stdin
  end
  local content, err = files.read(self.host, self.user, path)
  if not content then
    self:failed(about or path, err)
  end
  return content
end

return M
