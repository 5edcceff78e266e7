--- Output that comes in pieces, line by line.

local M = {}

local LONG = 64 * 1024 -- bytes: a longer line is handed over in pieces

--- Returns a function that takes pieces, and one that hands over what has no newline at its end.
---@param on_line fun(line: string, which: "stdout"|"stderr")
---@return fun(which: "stdout"|"stderr", chunk: string) take
---@return fun() finish
function M.splitter(on_line)
  local rest = { stdout = "", stderr = "" }
  local function take(which, chunk)
    local text = rest[which] .. chunk
    local at = 1
    while true do
      local stop = text:find("\n", at, true)
      if not stop then
        break
      end
      on_line(text:sub(at, stop - 1), which)
      at = stop + 1
    end
    rest[which] = text:sub(at)
    if #rest[which] > LONG then
      on_line(rest[which], which)
      rest[which] = ""
    end
  end
  local function finish()
    for _, which in ipairs({ "stdout", "stderr" }) do
      if rest[which] ~= "" then
        on_line(rest[which], which)
        rest[which] = ""
      end
    end
  end
  return take, finish
end

return M
