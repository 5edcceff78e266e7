--- The one sink of everything that platrun prints: results on stdout, progress and logs on stderr.
--- Nothing else writes to the terminal, so that redaction has one place.

local sys = require("prim.sys")
local tty = require("prim.tty")

local M = {}

local state = {
  verbosity = 0, -- -1 quiet, 0, 1 results, 2 commands, 3 protocol
  format = "text", -- text, json (one document at the end) or jsonl (a line an event)
  color = nil, -- decided on first use
  terminal = nil, -- likewise: stderr is one
  live = nil, -- the text of the live line on the terminal
  held = false, -- somebody types on the terminal: no live line
  said = {}, -- warnings already given
  redactor = nil, -- once there is a secret
}

local COLORS = {
  ok = "\27[32m",
  changed = "\27[33m",
  skipping = "\27[36m",
  failed = "\27[31m",
  dim = "\27[2m",
  bold = "\27[1m",
  off = "\27[0m",
}

--- Sets what the flags of the command line ask for.
---@param opts { verbosity: integer?, format: string?, color: boolean? }
function M.setup(opts)
  for k, v in pairs(opts) do
    state[k] = v
  end
end

--- Returns the verbosity: -1 with -q, else the number of -v.
---@return integer
function M.verbosity()
  return state.verbosity
end

--- Returns the output format: "text", "json" or "jsonl".
---@return string
function M.format()
  return state.format
end

--- Sets what takes secrets out of a text: done by plat.secret when there is the first one.
---@param fn fun(text: string): string
function M.set_redactor(fn)
  state.redactor = fn
end

--- Returns a text with `***` in the place of every secret. For whatever leaves this process
--- without passing here: prompts, messages. Costs nothing while there is no secret.
---@param text string
---@return string
function M.redact(text)
  if state.redactor then
    return (state.redactor(text))
  end
  return text
end

--- Returns the beginning of a text, at most `n` bytes, without secrets: one that is cut in two
--- would not be found any more.
---@param text string
---@param n integer
---@return string
function M.excerpt(text, n)
  return M.redact(text):sub(1, n)
end

local function set(name)
  local v = sys.getenv(name)
  return v ~= nil and v ~= ""
end

local function decide_color()
  if set("NO_COLOR") or sys.getenv("TERM") == "dumb" then
    return false
  elseif set("CLICOLOR_FORCE") or set("FORCE_COLOR") then
    return true
  end
  return tty.is_tty(2)
end

--- Returns text in a colour, if colours are wanted.
---@param name string ok, changed, skipping, failed, dim or bold
---@param text string
---@return string
function M.paint(name, text)
  if state.color == nil then
    state.color = decide_color()
  end
  if not state.color or not COLORS[name] then
    return text
  end
  return COLORS[name] .. text .. COLORS.off
end

--- Returns whether stderr is a terminal on which a line can be rewritten.
---@return boolean
function M.is_live()
  if state.terminal == nil then
    state.terminal = tty.is_tty(2) and sys.getenv("TERM") ~= "dumb"
  end
  return state.terminal and not state.held and state.format == "text"
end

local function clear_live()
  if state.live then
    tty.write(2, "\r\27[K")
  end
end

local function write_out(text)
  clear_live()
  local ok, err = tty.write(1, text)
  if not ok then
    error({ kind = "io", op = "stdout", msg = err.msg, code = err.code }, 0)
  end
  if state.live then
    tty.write(2, state.live)
  end
end

--- Writes a line to stdout. Raises when stdout is closed or full: a lost result is a failure.
---@param text string
function M.line(text)
  write_out(M.redact(text .. "\n"))
end

--- Writes a line of JSON that was encoded with `redact = true`: later, a number or a bracket could
--- be taken for a piece of a secret.
---@param text string
function M.document(text)
  write_out(text .. "\n")
end

--- Writes a line to stderr; a stderr that is gone is nobody's failure.
---@param text string
function M.err(text)
  clear_live()
  tty.write(2, M.redact(text .. "\n"))
  if state.live then
    tty.write(2, state.live)
  end
end

--- Keeps the live line away while somebody types an answer.
---@param held boolean
function M.hold(held)
  M.live(nil)
  state.held = held
end

--- Replaces the live line at the bottom of the terminal; nil removes it.
---@param text string?
function M.live(text)
  if not M.is_live() then
    return
  end
  if text then
    local cols = tty.size(2) or 80
    local plain = M.redact(text):gsub("[\r\n].*", "")
    state.live = plain:sub(1, (utf8.offset(plain, cols) or #plain + 1) - 1)
    tty.write(2, "\r\27[K" .. state.live)
  else
    clear_live()
    state.live = nil
  end
end

--- Warns once about each text.
---@param text string
function M.warn(text)
  if not state.said[text] then
    state.said[text] = true
    M.err(M.paint("changed", "warning: ") .. text)
  end
end

--- Writes a line to stderr if the verbosity is at least `level`.
---@param level integer
---@param text string
function M.debug(level, text)
  if state.verbosity >= level then
    M.err(M.paint("dim", text))
  end
end

return M
