--- Values as text for people.

local M = {}

--- Returns seconds as text: "1h30m", "5m", "2.5s".
---@param seconds number
---@return string
function M.seconds(seconds)
  if seconds < 60 then
    return ("%gs"):format(
      seconds < 10 and math.floor(seconds * 10 + 0.5) / 10 or math.floor(seconds + 0.5)
    )
  end
  local s = math.floor(seconds + 0.5)
  local out = ""
  for _, unit in ipairs({ { "d", 86400 }, { "h", 3600 }, { "m", 60 }, { "s", 1 } }) do
    local n = s // unit[2]
    if n > 0 then
      out = out .. n .. unit[1]
      s = s - n * unit[2]
    end
  end
  return out
end

return M
