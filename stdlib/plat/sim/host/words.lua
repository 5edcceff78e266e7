--- Texts for a shell that are nothing but words: those, and no others, are read here. There is no
--- shell in the model; what uses more of one is answered by a rule over its whole text.

local M = {}

local PLAIN = "^[%w_./:=@,+%%-]+"

--- Reads one word, of plain characters and single quotes as plat.host writes them.
local function read_word(text, at)
  local parts = {}
  while at <= #text and not text:find("^%s", at) do
    local plain = text:match(PLAIN, at)
    local quoted = not plain and text:match("^'([^']*)'", at)
    if plain then
      parts[#parts + 1], at = plain, at + #plain
    elseif quoted then
      parts[#parts + 1], at = quoted, at + #quoted + 2
    elseif text:find("^\\'", at) then
      parts[#parts + 1], at = "'", at + 2
    else
      return nil
    end
  end
  return table.concat(parts), at
end

--- Returns the words of a text, nil if a shell would do more with it than split it. Pure.
---@param text string
---@return string[]?
function M.split(text)
  local words, at = {}, text:match("^%s*()")
  if text:find("\n", 1, true) then
    return nil
  end
  while at <= #text do
    local word, after = read_word(text, at)
    if not word then
      return nil
    end
    words[#words + 1] = word
    at = text:match("^%s*()", after)
  end
  if not words[1] or words[1]:find("=", 1, true) then
    return nil
  end
  return words
end

return M
