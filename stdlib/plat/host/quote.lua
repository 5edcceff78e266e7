--- Words for a POSIX shell.

--- Returns a word of a command line that means exactly this text.
---@param word string
---@return string
return function(word)
  if word:find("^[%w_./:=@,+-]+$") then
    return word
  end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end
