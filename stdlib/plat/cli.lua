--- Command lines: declared flags, anywhere on the line, with "did you mean".

local check = require("plat.check")
local fault = require("plat.fault")
local sys = require("prim.sys")

local M = {}

---@class plat.cli.Flag
---@field [1] string long name with dashes: "--inventory"
---@field [2]? string short name: "-i"
---@field type? string of plat.check; absent: a switch
---@field many? boolean may be given more than once: the value is a list
---@field alias? string the flag that this one is another name of
---@field help string
---@field value? string what the help calls the value
---@field count? boolean a switch that counts: -vvv

local function usage(msg, hint)
  hint = hint or "--help lists the options and what they take"
  fault.raise("usage", nil, { msg = msg, hint = hint, where = "" })
end

local function index(flags)
  local by, names = {}, {}
  for _, flag in ipairs(flags) do
    by[flag[1]] = flag
    if flag[2] then
      by[flag[2]] = flag
    end
    names[#names + 1] = flag[1]
  end
  return by, names
end

local function field(flag)
  return (flag.alias or flag[1]):gsub("^%-+", ""):gsub("-", "_")
end

local function store(opts, flag, by, text, shown)
  local decl = flag.alias and by[flag.alias] or flag
  local name = field(flag)
  local value = true
  if decl.type then
    local err
    value, err = check.value(decl, text)
    if value == nil then
      usage(("%s: %s"):format(shown, err))
    end
  end
  if decl.count then
    opts[name] = (opts[name] or 0) + 1
  elseif decl.many then
    opts[name] = opts[name] or {}
    table.insert(opts[name], value)
  else
    opts[name] = value
  end
end

--- Splits one argument that starts with a dash into flags with their texts.
local function expand(word, by, names)
  if word:sub(1, 2) == "--" then
    local name, text = word:match("^(%-%-[^=]+)=(.*)$")
    name = name or word
    if not by[name] then
      usage(
        ('unknown option "%s"%s'):format(name, check.did_you_mean(name, names)),
        "--help lists the options"
      )
    end
    return { { flag = by[name], text = text, shown = name } }
  end
  local found, i = {}, 2
  while i <= #word do
    local name = "-" .. word:sub(i, i)
    local flag = by[name]
    if not flag then
      usage(('unknown option "%s"'):format(name), "--help lists the options")
    end
    local item = { flag = flag, shown = name }
    if flag.type and i < #word then
      item.text = word:sub(i + 1)
      i = #word
    end
    found[#found + 1] = item
    i = i + 1
  end
  return found
end

local function from_environment(opts, flags, by)
  for _, flag in ipairs(flags) do
    local name = "PLATRUN_" .. field(flag):upper()
    local text = sys.getenv(name)
    if text and text ~= "" and not flag.alias and opts[field(flag)] == nil then
      if flag.many then
        for part in text:gmatch("[^:]+") do
          store(opts, flag, by, part, name)
        end
      elseif flag.type then
        store(opts, flag, by, text, name)
      elseif not flag.count then
        local on, err = check.value({ type = "boolean" }, text)
        if on == nil then
          usage(("%s: %s"):format(name, err))
        end
        opts[field(flag)] = on or nil
      end
    end
  end
end

--- Parses the command line of a command that tells of a run: sets up the output and answers
--- `--help`.
---@param argv string[]
---@param flags plat.cli.Flag[]
---@param form string "platrun resume [RUN] [flags]"
---@param max? integer how many other arguments there may be
---@return table? opts nil when the help was what was asked for
---@return string[] words
function M.start(argv, flags, form, max)
  local opts, words = M.parse(argv, flags, max)
  local out = require("plat.out")
  out.setup({
    verbosity = opts.quiet and -1 or opts.verbose or 0,
    format = opts.output or "text",
  })
  if opts.help then
    out.line("usage: " .. form .. "\n\n" .. table.concat(M.help(flags), "\n"))
    return nil, words
  end
  return opts, words
end

--- Parses a command line. Flags may stand anywhere; `--` ends them. Flags that are not given come
--- from PLATRUN_<FLAG>.
---@param argv string[]
---@param flags plat.cli.Flag[]
---@param max? integer how many other arguments there may be
---@return table opts by long name, dashes as underscores
---@return string[] words the other arguments
function M.parse(argv, flags, max)
  local by, names = index(flags)
  local opts, words = {}, {}
  local i = 1
  while argv[i] do
    local word = argv[i]
    if word == "--" then
      table.move(argv, i + 1, #argv, #words + 1, words)
      break
    elseif word:sub(1, 1) == "-" and word ~= "-" then
      for _, item in ipairs(expand(word, by, names)) do
        local decl = item.flag.alias and by[item.flag.alias] or item.flag
        if decl.type and not item.text then
          i = i + 1
          item.text = argv[i]
          if not item.text then
            usage(("%s needs a value"):format(item.shown))
          end
        elseif not decl.type and item.text then
          usage(("%s takes no value"):format(item.shown))
        end
        store(opts, item.flag, by, item.text, item.shown)
      end
    else
      words[#words + 1] = word
    end
    i = i + 1
  end
  if max and #words > max then
    usage(('"%s" is one argument too many'):format(words[max + 1]), "--help lists the options")
  end
  from_environment(opts, flags, by)
  return opts, words
end

--- Returns the unix seconds that a flag's RFC 3339 text stands for.
---@param flag string for the message
---@param text string
---@return number
function M.time(flag, text)
  local t = fault.try(require("plat.time").parse_rfc3339, text)
  if not t then
    usage(("%s: %q is not a time such as 2026-03-29T01:30:00Z"):format(flag, text))
  end
  return t
end

--- Returns the help lines of flags.
---@param flags plat.cli.Flag[]
---@return string[]
function M.help(flags)
  local lines = {}
  for _, flag in ipairs(flags) do
    if not flag.alias then
      local name = (flag[2] and flag[2] .. ", " or "    ") .. flag[1]
      if flag.type then
        name = name .. " " .. (flag.value or flag.type:upper())
      end
      lines[#lines + 1] = ("  %-34s %s"):format(name, flag.help)
    end
  end
  return lines
end

return M
