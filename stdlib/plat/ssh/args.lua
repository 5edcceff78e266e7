--- Options of ssh's command line, as Ansible's variables carry them: what they say of the
--- connection, as lines of ssh_config.

local fault = require("plat.fault")

local M = {}

--- What an option with a value stands for.
local VALUES = {
  B = "BindInterface",
  J = "ProxyJump",
  S = "ControlPath",
  b = "BindAddress",
  c = "Ciphers",
  i = "IdentityFile",
  l = "User",
  m = "MACs",
  p = "Port",
}

--- Switches; false: nothing is missed without them.
local SWITCHES = {
  ["4"] = "AddressFamily=inet",
  ["6"] = "AddressFamily=inet6",
  A = "ForwardAgent=yes",
  C = false, -- compression: a saving for slow links, that Ansible asks for by default
  M = false,
  T = "RequestTTY=no",
  X = false,
  Y = false,
  a = false,
  k = false,
  q = false,
  t = "RequestTTY=yes",
  v = false,
  x = false,
}

--- Options with a value that platrun does not know: their value belongs to them all the same.
local REFUSED_VALUES = "[DELOQRWew]"

local function refuse(from, msg, hint)
  fault.raise("usage", nil, { msg = from .. ": " .. msg, hint = hint, where = "" })
end

--- Splits a text into words as a POSIX shell does, without expanding anything. Nil: a quote is not
--- closed.
---@param text string
---@return string[]?
function M.words(text)
  local words, word, at = {}, nil, 1
  while at <= #text do
    local c = text:sub(at, at)
    local stop
    if c:find("%s") then
      words[#words + 1], word = word, nil
    elseif c == "'" then
      stop = text:find("'", at + 1, true)
      word = stop and (word or "") .. text:sub(at + 1, stop - 1)
    elseif c == '"' then
      local part
      part, stop = M.quoted(text, at + 1)
      word = part and (word or "") .. part
    elseif c == "\\" then
      stop = at < #text and at + 1 or nil
      word = stop and (word or "") .. text:sub(stop, stop)
    else
      word = (word or "") .. c
    end
    if not stop and c:find("[\"'\\]") then
      return nil
    end
    at = (stop or at) + 1
  end
  words[#words + 1] = word
  return words
end

--- Returns what stands in double quotes up to their end, and where that is; nil without an end.
---@param text string
---@param at integer behind the first quote
---@return string? part
---@return integer? stop
function M.quoted(text, at)
  local parts = {}
  while at <= #text do
    local c, after = text:sub(at, at), text:sub(at + 1, at + 1)
    if c == '"' then
      return table.concat(parts), at
    elseif c == "\\" and after:find('["\\$`]') then
      parts[#parts + 1], at = after, at + 2
    else
      parts[#parts + 1], at = c, at + 1
    end
  end
end

local function take_value(out, letter, value, from)
  if letter == "o" then
    out.options[#out.options + 1] = { text = value, from = from }
  elseif letter == "F" then
    out.config = out.config or value
  elseif VALUES[letter] then
    local quoted = value:find("[%s\"']") and letter == "i" and ('"%s"'):format(value) or value
    out.options[#out.options + 1] = { text = ("%s=%s"):format(VALUES[letter], quoted), from = from }
  else
    refuse(
      from,
      ("platrun does not know ssh's option -%s"):format(letter),
      "known are -o KEY=VALUE, -F, -i, -J, -l, -p, -b, -c, -m, -4, -6, -A, -t, -T"
    )
  end
end

--- Takes the options of one word; returns whether it needs the next one as its value.
local function take_word(out, word, after, from)
  for i = 2, #word do
    local letter = word:sub(i, i)
    local line = SWITCHES[letter]
    if line then
      out.options[#out.options + 1] = { text = line, from = from }
    elseif line == nil then
      local takes = letter == "o" or letter == "F" or VALUES[letter]
      local value = i < #word and word:sub(i + 1) or after
      if takes and not value then
        refuse(from, ("-%s needs a value"):format(letter))
      end
      take_value(out, letter, value, from)
      return i == #word and (takes or letter:find(REFUSED_VALUES)) ~= nil
    end
  end
  return false
end

---@class plat.ssh.Args
---@field options { text: string, from: string }[] lines of ssh_config, the first counts
---@field config? string the file of -F

--- Reads options of ssh's command line. What says nothing of a connection, and what platrun does
--- not know, raises "usage" with its name.
---@param text string "-o ProxyJump=bastion -i ~/.ssh/prod"
---@param from string where they stand, for messages: "ansible_ssh_common_args"
---@param out? plat.ssh.Args to add to
---@return plat.ssh.Args
function M.read(text, from, out)
  out = out or { options = {} }
  local words = M.words(text)
  if not words then
    refuse(from, "a quote is not closed")
  end
  local i = 1
  while words[i] do
    local word = words[i]
    if word:sub(1, 1) ~= "-" or word == "-" or word:sub(1, 2) == "--" then
      refuse(
        from,
        ("%q is no option of ssh's command line"):format(word),
        "such as: -o ProxyJump=bastion -i FILE"
      )
    end
    i = i + (take_word(out, word, words[i + 1], from) and 2 or 1)
  end
  return out
end

return M
