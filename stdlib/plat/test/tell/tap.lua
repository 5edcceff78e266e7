--- Tells results as TAP, and the closing line "N passed, N failed".

local out = require("plat.out")

local M = {}

local Tap = { __name = "plat.test.Tap" }
Tap.__index = Tap

--- Makes a teller.
function M.new()
  return setmetatable({ n = 0 }, Tap)
end

--- Tells what came of one test.
---@param item plat.test.Item
function Tap:item(item)
  self.n = self.n + 1
  local skip = item.status == "skipped" and " # SKIP " .. item.why[1] or ""
  local word = item.status == "failed" and "not ok" or "ok"
  out.line(("%s %d - %s%s"):format(word, self.n, item.name, skip))
  for _, lines in ipairs({ item.status == "failed" and item.why or {}, item.notes or {} }) do
    for _, line in ipairs(lines) do
      out.line("# " .. line)
    end
  end
end

--- Tells the end.
---@param count { passed: integer, failed: integer, skipped: integer }
---@param total? string
function Tap:done(count, total)
  out.line("1.." .. self.n)
  if total then
    out.line("# " .. total)
  end
  local text = ("%d passed, %d failed"):format(count.passed, count.failed)
  if count.skipped > 0 then
    text = text .. (", %d skipped"):format(count.skipped)
  end
  out.line(text)
end

return M
