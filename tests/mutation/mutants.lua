--- Tries mutants of the playbooks and of what is under them, and says which survive.
---
---   lua5.4 tests/mutation/mutants.lua generic|named|list [--count N] [--seed N] [--part K/N]
---     [--only TEXT] [--fast]
local root = os.getenv("MUTATION_ROOT") or "."
package.path = root .. "/tests/mutation/?.lua;" .. package.path
local bench = require("bench")
local plan = require("plan")
local sites = require("sites")

local opts = { mode = arg[1], count = 340, seed = 1, part = 0, parts = 1 }
opts.fast = arg[#arg] == "--fast" -- without the tests of an area that come last
for i = 2, opts.fast and #arg - 1 or #arg, 2 do
  local name, value = arg[i], arg[i + 1]
  if name == "--part" then
    opts.part, opts.parts = value:match("^(%d+)/(%d+)$")
    opts.part, opts.parts = tonumber(opts.part), tonumber(opts.parts)
  elseif name == "--only" then
    opts.only = value
  else
    opts[name:sub(3)] = assert(math.tointeger(tonumber(value)), name .. " wants a number")
  end
end

local function files_of(area)
  local out = {}
  local pipe = assert(io.popen(("cd '%s' && ls -d %s"):format(root, area.files)))
  for line in pipe:lines() do
    out[#out + 1] = line
  end
  pipe:close()
  return out
end

local function area_of(file)
  for _, area in ipairs(plan) do
    for _, one in ipairs(files_of(area)) do
      if one == file then
        return area
      end
    end
  end
  error("no tests are planned for " .. file)
end

-- ---- choosing ----

local state = opts.seed * 48271 % 2147483647
local function random(n)
  state = state * 48271 % 2147483647
  return state % n + 1
end

--- Chooses mutants: the operators by turns, each from all places of all files.
local function choose()
  local pool, texts = {}, {}
  for _, op in ipairs(sites.OPERATORS) do
    pool[op] = {}
  end
  for _, area in ipairs(plan) do
    for _, file in ipairs(files_of(area)) do
      local src = bench.read(root .. "/" .. file)
      texts[file] = src
      for op, list in pairs(sites.of(src)) do
        for _, site in ipairs(list) do
          site.file = file
          table.insert(pool[op], site)
        end
      end
    end
  end
  local chosen, turn = {}, 0
  while #chosen < opts.count do
    local op = sites.OPERATORS[turn % #sites.OPERATORS + 1]
    turn = turn + 1
    local from = pool[op]
    local site = #from > 0 and table.remove(from, random(#from))
    if site and sites.compiles(texts[site.file], site) then
      chosen[#chosen + 1] = site
    elseif turn > opts.count * 50 then
      break
    end
  end
  return chosen, texts
end

local function short(text)
  text = text:gsub("%s+", " ")
  return #text > 90 and text:sub(1, 87) .. "..." or text
end

local function describe(src, site)
  local from = src:sub(site.from, site.to)
  if site.op == "negate" then
    return ("negate: %s"):format(short(from))
  elseif site.op == "drop" then
    return ("drop: %s"):format(short(from))
  elseif site.op == "swap" then
    return ("swap: %s"):format(short(from))
  end
  local line = src:sub(1, site.from - 1):match("[^\n]*$") .. "<<" .. from .. ">>"
  line = line .. src:sub(site.to + 1):match("^[^\n]*")
  return ("%s: %s -> %q"):format(site.op, short(line:gsub("^%s+", "")), site.text)
end

-- ---- judging ----

local DEADLINE = 300 -- seconds a test may take; the slowest takes ten on an idle machine

--- The tests of an area, those of a mutant before them.
local function tests_of(area, more)
  local out = {}
  for _, list in ipairs({ more or {}, area.tests, not opts.fast and area.last or {} }) do
    for _, test in ipairs(list) do
      out[#out + 1] = test
    end
  end
  return out
end

local trusted, broken = {}, {}

--- Judges a mutant. A test that notices is tried without the mutation too, when it notices for the
--- first times: one that fails anyway says nothing and is left out.
local function judge(on, file, text, tests)
  local left = {}
  for _, test in ipairs(tests) do
    left[#left + 1] = not broken[test] and test or nil
  end
  local by, how = on:judge(file, text, left, DEADLINE)
  if by and (trusted[by] or 0) < 2 then
    if on:try(by, DEADLINE) ~= "passed" and on:try(by, DEADLINE) ~= "passed" then
      broken[by] = true
      io.stderr:write(("%s fails without a mutation: left out\n"):format(by))
      return judge(on, file, text, tests)
    end
    trusted[by] = (trusted[by] or 0) + 1
  end
  return by, how
end

--- Mutants that mean the same: `FILE: DESCRIPTION  # REASON`, one a line.
local function equivalents()
  local known = {}
  for line in bench.read(root .. "/tests/mutation/equivalent.txt"):gmatch("[^\n]+") do
    local what, why = line:match("^([^#].-)%s+## (.+)$")
    if what then
      known[what] = why
    end
  end
  return known
end

local function run_generic(on)
  local chosen, texts = choose()
  local known = equivalents()
  for i, site in ipairs(chosen) do
    if i % opts.parts == opts.part and (not opts.only or site.file:find(opts.only, 1, true)) then
      local src = texts[site.file]
      local text = describe(src, site)
      local same = known[site.file .. ": " .. text]
      local by, how
      if not same then
        by, how = judge(on, site.file, sites.apply(src, site), tests_of(area_of(site.file)))
      end
      local word = same and "same" or by and "caught" or "SURVIVED"
      print(
        ("%s %s:%d: %s%s"):format(
          word,
          site.file,
          site.line,
          text,
          by and (" [%s: %s]"):format(how, by) or same and (" [%s]"):format(same) or ""
        )
      )
      io.flush()
    end
  end
end

local function run_named(on)
  for i, named in ipairs(require("named")) do
    if i % opts.parts == opts.part and (not opts.only or named.name:find(opts.only, 1, true)) then
      local src = bench.read(root .. "/" .. named.file)
      local from, to = src:find(named.find, 1, true)
      assert(from, ("named mutant %q: %s has no such text"):format(named.name, named.file))
      assert(not src:find(named.find, to + 1, true), named.name .. ": the text is there twice")
      local mutant = src:sub(1, from - 1) .. named.replace .. src:sub(to + 1)
      assert(load(mutant, "=mutant", "t"), named.name .. ": does not compile")
      local by, how = judge(on, named.file, mutant, tests_of(area_of(named.file), named.tests))
      print(
        ("%s %s: %s%s"):format(
          by and "caught" or "SURVIVED",
          named.file,
          named.name,
          by and (" [%s: %s]"):format(how, by) or named.why and (" [%s]"):format(named.why) or ""
        )
      )
      io.flush()
    end
  end
end

local on = bench.new(root, ("%s/build/mutation/bench-%s-%d"):format(root, opts.mode, opts.part))
if opts.mode == "generic" then
  run_generic(on)
elseif opts.mode == "named" then
  run_named(on)
elseif opts.mode == "list" then
  local chosen, texts = choose()
  for _, site in ipairs(chosen) do
    print(("%s:%d: %s"):format(site.file, site.line, describe(texts[site.file], site)))
  end
else
  error("say generic, named or list")
end
