--- Patterns of hosts: proper faults, and what shell patterns select is what trying each name says.
local fuzz = ...
local fault = require("plat.fault")
local fs = require("prim.fs")
local groups = require("plat.inventory.groups")
local ini = require("plat.inventory.ini")
local list = require("plat.list")
local pattern = require("plat.inventory.pattern")
local ssh_pattern = require("plat.ssh.pattern")

local TREE = groups.new()
ini.read(TREE, {
  name = "hosts",
  text = "[web]\nweb[1:9]\n[db]\ndb[1:3].example.com\n[both]\nweb2\ndb1.example.com\n[none]\n"
    .. "[long]\n"
    .. ("a"):rep(60)
    .. "\n[six]\nfe80::1\n",
})
assert(not TREE:finish())

local CASES = assert(load(assert(fs.read("tests/real/inventory/cases_patterns.lua"))))()
local corpus = {}
for _, case in pairs(CASES) do
  for _, text in ipairs(case.patterns or {}) do
    corpus[#corpus + 1] = text
  end
end

local PIECES = { "a", "e", "b", "w", "1", ".", "*", "?", "-", "web", "db", "com" }

--- A shell pattern of `*` and `?` against the plain matcher of ssh_config.
local function compare(draw)
  local word = draw:one({ "w", "d", "a", "?", "*" })
  for _ = 1, draw:n(9) do
    word = word .. draw:one(PIECES)
  end
  word = word .. "*"
  local want = {}
  for _, host in ipairs(TREE.host_order) do
    want[host] = ssh_pattern.matches(host, word) or nil
  end
  for _, group in ipairs(TREE.group_order) do
    for _, host in ipairs(ssh_pattern.matches(group, word) and TREE:hosts_in(group) or {}) do
      want[host] = true
    end
  end
  local found, got = fuzz.try({ usage = true }, pattern.select, TREE, word), {}
  for _, host in ipairs(found or {}) do
    got[host] = true
  end
  fuzz.same(got, want, "the hosts of " .. word)
end

local REGEX =
  { "~", "(", ")", "|", "*", "+", "?", "{2,3}", "[a-z]", "[^", "]", "\\d", "\\b", ".", "^" }

return {
  name = "pattern",
  kinds = { usage = true },
  tokens = list.merge(
    REGEX,
    { [16] = "web", [17] = "[0:2]", [18] = "[-1]", [19] = ":&", [20] = ":!" }
  ),
  corpus = corpus,
  make = function(draw)
    local out = { draw:once_in(3) and "" or "~" }
    for i = 2, draw:n(14) do
      out[i] = draw:one(draw:once_in(2) and REGEX or PIECES)
    end
    return table.concat(out)
  end,
  check = function(text, draw)
    compare(draw)
    local _, err = fault.try(pattern.limit_words, text:gsub("@", ""))
    if not err then
      pattern.select(TREE, text)
    end
  end,
}
