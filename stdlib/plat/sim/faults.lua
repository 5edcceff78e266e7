--- What may go wrong in the sandbox, as given to --fault.

local check = require("plat.check")
local fault = require("plat.fault")
local list = require("plat.list")

local M = {}

--- The faults that a user can ask for: which model, and how the words after the colon are read.
local FAULTS = {
  ["pod-crash"] = { model = "kubernetes", usage = "pod-crash:POD", words = { "pod" } },
  ["image-pull"] = { model = "kubernetes", usage = "image-pull[:POD-PREFIX]", words = {} },
  ["no-capacity"] = { model = "kubernetes", usage = "no-capacity", words = {} },
  ["api-503"] = { model = "kubernetes", usage = "api-503:N", words = { "N" } },
  ["slow"] = { model = "kubernetes", usage = "slow:MS", words = { "MS" } },
  ["watch-410"] = { model = "kubernetes", usage = "watch-410", words = {} },
  ["query"] = { model = "dremio", usage = "query:MINUTES[:EXECUTOR]", words = { "MINUTES" } },
}

local function names_of_faults()
  local names = {}
  for name in pairs(FAULTS) do
    names[#names + 1] = name
  end
  return names
end

--- Reads `name[:arg[:arg]]` as given to --fault. Raises kind "usage".
---@param text string
---@return { name: string, model: string, args: string[] }
function M.parse(text)
  local words = {}
  for word in (text .. ":"):gmatch("([^:]*):") do
    words[#words + 1] = word
  end
  local name = table.remove(words, 1)
  local known = FAULTS[name]
  if not known then
    fault.raise("usage", nil, {
      msg = ('--fault: no fault "%s"%s'):format(name, check.did_you_mean(name, names_of_faults())),
      hint = "the faults are " .. table.concat(
        list.map(names_of_faults(), function(n)
          return FAULTS[n].usage
        end),
        ", "
      ),
      where = "",
    })
  elseif #words < #known.words then
    fault.raise("usage", nil, { msg = "--fault: write " .. known.usage, where = "" })
  end
  for i, word in ipairs(known.words) do
    if word:upper() == word and not tonumber(words[i]) then
      fault.raise("usage", nil, {
        msg = ("--fault %s: %q is not a number; write %s"):format(name, words[i], known.usage),
        where = "",
      })
    end
  end
  return { name = name, model = known.model, args = words }
end

return M
