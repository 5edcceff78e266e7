--- Patterns that select hosts, as Ansible's: `web:&staging:!web1`, `db*`, `~web\d`, `web[0:2]`.
local check = require("plat.check")
local fault = require("plat.fault")
local fs = require("prim.fs")
local glob = require("plat.glob")
local list = require("plat.list")
local names = require("plat.inventory.names")

local M = {}

local LOCALHOST = { localhost = true, ["127.0.0.1"] = true, ["::1"] = true }
local MAX_FILE = 16 * 1024 * 1024
local MAX_INDEX = 1 << 31

local function refuse(msg, hint)
  fault.raise("usage", { op = "inventory" }, { msg = msg, hint = hint })
end

--- Splits at every colon that is not in brackets.
local function split_colons(pattern)
  local words, from, pos = {}, 1, 1
  local closing = 0 -- where the next "]" stands, nil without one
  while pos <= #pattern do
    local c = pattern:sub(pos, pos)
    if c == "[" and closing and closing < pos then
      closing = pattern:find("]", pos, true)
    end
    if c == "[" and closing then
      pos = closing
    elseif c:find("[%s:%[%]]") then
      words[#words + 1], from = pattern:sub(from, pos - 1), pos + 1
    end
    pos = pos + 1
  end
  words[#words + 1] = pattern:sub(from)
  return words
end

--- Returns the words of a pattern. Where it has commas they separate, and colons do not.
---@param pattern string
---@return string[]
function M.split(pattern)
  local words
  if pattern:find(",", 1, true) then
    words = {}
    for word in pattern:gmatch("[^,]+") do
      words[#words + 1] = word
    end
  else
    words = names.address(pattern) and { pattern } or split_colons(pattern)
  end
  local out = {}
  for _, word in ipairs(words) do
    out[#out + 1] = word:match("^%s*(.*%S)")
  end
  return out
end

--- Returns the function that tells whether a name matches a word.
local function matcher(word)
  if word:sub(1, 1) ~= "~" then
    return glob.matcher(word)
  end
  local function fail(problem)
    refuse(
      ('the regular expression "%s" is not understood: %s'):format(word:sub(2), problem),
      "docs/INVENTORY.md says which ones are"
    )
  end
  local match, problem = require("plat.inventory.regex").compile(word:sub(2))
  if not match then
    fail(problem)
  end
  return function(name)
    local found, why = match(name)
    if why then
      fail(why)
    end
    return found
  end
end

local function unmatched(tree, word)
  local known = list.keys(tree.groups_by_name)
  table.move(tree.host_order, 1, #tree.host_order, #known + 1, known)
  refuse(
    ('no host or group matches "%s"%s'):format(word, check.did_you_mean(word, known)),
    "platrun inventory --graph shows them"
  )
end

--- Returns the hosts that a word without sign and index stands for; some may be there twice.
local function enumerate(tree, word)
  local matches = matcher(word)
  local found, any = {}, false
  for _, group in ipairs(tree.group_order) do
    if matches(group) then
      any = true
      local hosts = tree:hosts_in(group)
      table.move(hosts, 1, #hosts, #found + 1, found)
    end
  end
  if not any or word:find("[~.?*%[]") then
    for _, host in ipairs(tree.host_order) do
      if matches(host) then
        found[#found + 1] = host
      end
    end
  end
  if #found == 0 and not any then
    found[1] = LOCALHOST[word] and word or unmatched(tree, word)
  end
  return found
end

--- Returns the number of an index; one that is out of every range stays so.
local function index_of(digits)
  local number = tonumber(digits)
  return math.tointeger(math.max(-MAX_INDEX, math.min(MAX_INDEX, number)))
end

--- Picks by the index of "web[0]", "web[-1]", "web[1:]" or "web[0:2]", both ends included.
local function pick(hosts, word, single, first, last)
  if #hosts == 0 then
    return hosts
  end
  local a = index_of(single or first)
  local b = not single and (last ~= "" and index_of(last) or #hosts - 1) or 0
  if not single and b ~= 0 then
    return table.move(hosts, a + 1, math.min(b + 1, #hosts), 1, {})
  end
  local host = hosts[a < 0 and #hosts + 1 + a or a + 1]
  return { host or refuse(('"%s": there are only %d hosts'):format(word, #hosts)) }
end

local function select_word(tree, word)
  local base, index = word:match("^(.+)%[([%d:-]+)%]$")
  if word:sub(1, 1) == "~" or not index then
    return enumerate(tree, word)
  end
  local single = index:match("^%-?%d+$")
  local first, last = index:match("^(%d+)[:-](%d*)$")
  if not single and not first then
    return enumerate(tree, word)
  end
  return pick(enumerate(tree, base), word, single, first, last)
end

local function to_set(hosts)
  local set = {}
  for _, name in ipairs(hosts) do
    set[name] = true
  end
  return set
end

local function evaluate(tree, words)
  local found, seen = {}, {}
  local function each(sign, fn)
    for _, word in ipairs(words) do
      if (word:match("^[&!]") or "") == sign then
        local is_host = tree.hosts_by_name[word] ~= nil
        fn(is_host and { word } or select_word(tree, sign == "" and word or word:sub(2)))
      end
    end
  end
  local function add(hosts)
    for _, name in ipairs(hosts) do
      if not seen[name] then
        seen[name] = true
        found[#found + 1] = name
      end
    end
  end
  each("", add)
  if not list.find(words, function(word)
    return not word:find("^[&!]")
  end) then
    add(tree:hosts_in("all"))
  end
  each("&", function(hosts)
    local set = to_set(hosts)
    found = list.where(found, function(name)
      return set[name]
    end)
  end)
  each("!", function(hosts)
    local set = to_set(hosts)
    found = list.where(found, function(name)
      return not set[name]
    end)
  end)
  return found
end

--- Returns the names of the hosts that a pattern selects, in the order in which its words find
--- them: first the words without a sign, then those with "&" (only hosts that are in it too), then
--- those with "!" (without). A word that matches nothing raises "usage", with a suggestion.
---@param tree plat.inventory.Tree
---@param pattern string
---@return string[]
function M.select(tree, pattern)
  local words = M.split(pattern)
  if #words == 0 then
    refuse("the pattern is empty", 'say "all" for every host')
  end
  return evaluate(tree, words)
end

local function read_limit(path)
  local text, err = fs.read(path, { max = MAX_FILE })
  if not text then
    refuse(("--limit @%s: %s"):format(path, err.msg), "it names a file with one pattern a line")
  end
  local words = {}
  for line in text:gmatch("[^\n]+") do
    words[#words + 1] = line:match("^%s*(.*%S)")
  end
  if #words == 0 then
    refuse(("--limit @%s: the file is empty"):format(path), "one host, group or pattern a line")
  end
  return words
end

--- Returns the words of `--limit`: of a pattern, with the lines of FILE in the place of "@FILE".
---@param limit string
---@return string[]
function M.limit_words(limit)
  local words = {}
  for _, word in
    ipairs(limit:sub(1, 1) == "@" and not limit:find(",") and { limit } or M.split(limit))
  do
    if word:sub(1, 1) == "@" then
      local lines = read_limit(word:sub(2))
      table.move(lines, 1, #lines, #words + 1, words)
    else
      words[#words + 1] = word
    end
  end
  return words
end

--- Returns the hosts of a limit's words as a set.
---@param tree plat.inventory.Tree
---@param words string[]
---@return table<string, boolean>
function M.limit_set(tree, words)
  return to_set(evaluate(tree, words))
end

return M
