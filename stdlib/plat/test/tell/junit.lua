--- Tells results as one JUnit document, for CI servers.

local out = require("plat.out")

local M = {}

local Junit = { __name = "plat.test.Junit" }
Junit.__index = Junit

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local function escape(text)
  return (text:gsub("[%z\1-\8\11\12\14-\31]", "?"):gsub('[&<>"]', ENTITIES))
end

--- Makes a teller.
function M.new()
  return setmetatable({ items = {} }, Junit)
end

--- Remembers what came of one test.
---@param item plat.test.Item
function Junit:item(item)
  table.insert(self.items, item)
end

local function case_lines(item)
  local lines = {
    ('  <testcase classname="%s" name="%s" time="%.3f">'):format(
      escape(item.file),
      escape(item.title),
      item.seconds or 0
    ),
  }
  if item.status == "failed" then
    lines[2] = ('    <failure message="%s">%s</failure>'):format(
      escape(item.why[1] or "failed"),
      escape(table.concat(item.why, "\n"))
    )
  elseif item.status == "skipped" then
    lines[2] = ('    <skipped message="%s"/>'):format(escape(item.why[1]))
  end
  if item.notes and #item.notes > 0 then
    lines[#lines + 1] = ("    <system-out>%s</system-out>"):format(
      escape(table.concat(item.notes, "\n"))
    )
  end
  lines[#lines + 1] = "  </testcase>"
  return lines
end

--- Tells all of them.
---@param count { passed: integer, failed: integer, skipped: integer }
function Junit:done(count)
  out.line('<?xml version="1.0" encoding="UTF-8"?>')
  out.line(
    ('<testsuite name="platrun test" tests="%d" failures="%d" skipped="%d">'):format(
      #self.items,
      count.failed,
      count.skipped
    )
  )
  for _, item in ipairs(self.items) do
    for _, line in ipairs(case_lines(item)) do
      out.line(line)
    end
  end
  out.line("</testsuite>")
end

return M
