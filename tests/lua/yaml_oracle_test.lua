-- What platrun reads from YAML, against what PyYAML, ruamel.yaml and sigs.k8s.io/yaml read:
-- tests/oracle/yaml_cases.json, written by tests/oracle/yaml_cases.
local fault = require("plat.fault")
local fs = require("prim.fs")
local json = require("plat.json")
local list = require("plat.list")
local yaml = require("plat.yaml")

local DIALECTS = { "core", "ansible", "kubernetes" }

--- Reads one document; nil and the message if it is refused.
local function read(text, dialect)
  local value, err = fault.try(yaml.decode_one, text, { dialect = dialect })
  return value, err and err.msg
end

--- Returns the value as tests/oracle/yaml_cases.json writes it: JSON lacks some floats.
local function portable(value)
  if type(value) == "table" then
    local out = {}
    for k, item in pairs(value) do
      out[k] = portable(item)
    end
    return json.is_array(value) and json.array(out) or out
  elseif
    type(value) == "number" and (value ~= value or value == math.huge or value == -math.huge)
  then
    local text = value ~= value and "nan" or value > 0 and "inf" or "-inf"
    return { ["$float"] = text }
  end
  return value
end

-- Where we mean to differ: what the oracle does, and why we do not. A pattern of the text, and
-- what we answer instead: a value, or part of the message.
local UNLIKE = {
  core = {
    -- ruamel.yaml keeps some of YAML 1.1 that the core schema of YAML 1.2 does not have.
    { "^[-+]?[0-9.]*_[0-9._e]*$", text = true },
    { "^[-+]?0b[01_]+$", text = true },
    { "^[-+]0[ox]%x+$", text = true },
    { "^0x_1F$", text = true },
    { "^%.5e3$", value = 500.0 },
    { "^=$", text = true },
    { "^<<$", text = true },
    { "^!!bool yes$", err = "does not fit the tag" },
    { "^!!null x$", err = "does not fit the tag" },
    { "^a:\tb\n$", value = { a = "b" } },
    { "^%%YAML 1.1\n", value = { a = "yes" } }, -- the dialect is ours to choose, not the file's
    { "^%%FOO\n", err = "unknown directive" },
    { "^a: x\u{85}y\n$", err = "could not find expected ':'" }, -- libyaml breaks lines at U+0085
  },
  ansible = {
    { "^!!null x$", err = "does not fit the tag" },
    { "^a: &x 1\nb: &x 2", value = { a = 1, b = 2, c = 2 } }, -- YAML allows to reuse an anchor
    { "^a:\tb\n$", value = { a = "b" } },
    { "^%%FOO\n", err = "unknown directive" },
  },
  kubernetes = {
    { "^%[%]", err = "only a scalar can be a key" }, -- sigs.k8s.io/yaml forgets the mapping
    { "^{}", err = "only a scalar can be a key" },
    { "^!!str", err = "is not known here" },
    { "^!!binary", err = "is not known here" },
    { "^%%YAML 1.2", value = { a = 1 } }, -- go-yaml 2 knows 1.1 only
  },
}

--- Returns whether we differ from the oracle as UNLIKE says. The text of a case is a plain scalar
--- alone, in a list, or as a key.
local function unlike(dialect, text, got, msg)
  local plain = text:match("^%- (.*)$") or text:match("^(.*): key$") or text
  local wrap = text:match("^%- ") and function(value)
    return { value }
  end or text:match(": key$") and function(value)
    return { [json.encode(value):gsub('"', "")] = "key" }
  end or function(value)
    return value
  end
  for _, rule in ipairs(UNLIKE[dialect]) do
    if plain:find(rule[1]) then
      rule.used = true
      if rule.err then
        return msg ~= nil and msg:find(rule.err, 1, true) ~= nil
      end
      return list.deep_equal(got, wrap(rule.text and plain or rule.value))
    end
  end
  return false
end

--- Returns whether the oracle has a number that we refuse because Lua has no room for it, or a
--- float where it writes out all digits.
local function out_of_range(want, got, msg)
  local text = json.encode(want)
  if msg and msg:find("does not fit 64 bits", 1, true) then
    return text:find("%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d") ~= nil
  elseif msg and msg:find("out of range", 1, true) then
    return text:find("[iI]nf") ~= nil
  end
  local big = text:match('^%[?{"$big":"(%-?%d+)"}%]?$')
  got = type(got) == "table" and got[1] or got
  return big ~= nil and math.type(got) == "float" and got == tonumber(big .. ".0")
end

local function check_case(t, case, dialect)
  local want = case[dialect]
  local got, msg = read(case.yaml, dialect)
  local what = ("%s %q"):format(dialect, case.yaml)
  if want.error then
    t.ok(
      msg or unlike(dialect, case.yaml, got),
      ("%s: %s, want an error"):format(what, msg or json.encode(portable(got)))
    )
    return
  end
  local same = not msg and json.encode(portable(got)) == json.encode(want.ok)
  if not same and not out_of_range(want.ok, got, msg) then
    t.ok(
      unlike(dialect, case.yaml, got, msg),
      ("%s: %s, want %s"):format(what, msg or json.encode(portable(got)), json.encode(want.ok))
    )
  end
end

return {
  ["every dialect reads what its oracle read"] = function(t)
    local path = "tests/oracle/yaml_cases.json"
    local cases = json.decode(fault.must({ op = "read", object = path }, fs.read(path)))
    t.ok(#cases > 900, "the data is there")
    for _, case in ipairs(cases) do
      for _, dialect in ipairs(DIALECTS) do
        check_case(t, case, dialect)
      end
    end
    for dialect, rules in pairs(UNLIKE) do
      for _, rule in ipairs(rules) do
        t.ok(rule.used, ("%s: no case needs the exception %q"):format(dialect, rule[1]))
      end
    end
  end,
}
