-- platrun against the programs themselves, on inputs that nobody picked: see tests/real/yaml/run.
local fault = require("plat.fault")
local json = require("plat.json")
local proc = require("prim.proc")
local yaml = require("plat.yaml")

local DIALECTS = { "core", "ansible", "kubernetes" }

--- Returns what the dialect's oracle reads from each text: `{ ok = value }` or `{ error = msg }`.
local function ask(dialect, texts)
  local argv = { "tests/oracle/yaml_cases", "answer", dialect }
  local output =
    fault.must({ op = "oracle" }, proc.run(argv, { stdin = json.encode(texts), timeout = 60 }))
  if output.code ~= 0 then
    fault.raise("exit", { op = "oracle " .. dialect }, { msg = output.stderr, code = output.code })
  end
  return json.decode(output.stdout)
end

--- Returns a generator of pseudo-random integers below n: the same ones in every run.
local function seeded(seed)
  return function(n)
    seed = (seed * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
    return (seed >> 33) % n
  end
end

--- Returns a number that JSON could not carry, as tests/oracle/yaml_python.py writes it.
local function unpack_number(value)
  if type(value) ~= "table" then
    return value
  elseif value["$big"] then
    return tonumber(value["$big"] .. ".0")
  elseif value["$float"] then
    return value["$float"] == "nan" and 0 / 0
      or value["$float"] == "inf" and math.huge
      or -math.huge
  end
  return value
end

--- Equality by content; where one number is a float, as floats: Go's JSON writes 1e18 in full.
local function same(ours, theirs)
  theirs = unpack_number(theirs)
  if type(ours) == "number" and type(theirs) == "number" then
    local floats = math.type(ours) == "float" or math.type(theirs) == "float"
    local both_nan = ours ~= ours and theirs ~= theirs
    return both_nan or ours == theirs or floats and ours + 0.0 == theirs + 0.0
  elseif type(ours) ~= "table" or type(theirs) ~= "table" then
    return ours == theirs
  elseif json.is_array(ours) ~= json.is_array(theirs) then
    return false
  end
  for k, v in pairs(theirs) do
    if ours[k] == nil or not same(ours[k], v) then
      return false
    end
  end
  for k in pairs(ours) do
    if theirs[k] == nil then
      return false
    end
  end
  return true
end

--- Returns whether the difference is one that tests/lua/yaml_oracle_test.lua explains.
local function explained(dialect, scalar, msg, want)
  scalar = scalar:match("^%s*(.-)%s*$")
  if msg and (msg:find("out of range", 1, true) or msg:find("does not fit", 1, true)) then
    return want.ok ~= nil and json.encode(want.ok):find("%$") ~= nil
  end
  if dialect ~= "core" then
    return false
  elseif msg and msg:find("did not find expected key", 1, true) then
    return scalar:find("^:") ~= nil -- an empty key, which libyaml does not know
  end
  for _, pattern in ipairs({ "^=$", "_", "^[-+]?0b", "^[-+]0[ox]", "^%.%d" }) do
    if scalar:find(pattern) then
      return true
    end
  end
  return false
end

-- stylua: ignore
local ALPHABETS = {
  "0123456789", "01_.-+:e", "0123456789abcdefxoXOBE_.-+:", "yYnNeEsSoOfFtTrRuU",
  "0aAnN.iIfF~=<-+ ", "0:5_9.",
}

local function random_scalar(rnd)
  local alphabet = ALPHABETS[1 + rnd(#ALPHABETS)]
  local out = {}
  for i = 1, 1 + rnd(7) do
    local at = 1 + rnd(#alphabet)
    out[i] = alphabet:sub(at, at)
  end
  return table.concat(out)
end

-- stylua: ignore
local PIECES = {
  "a", "b c", " ", "\n", "\n\n", "\t", ":", ": ", "#", " #", "- ", "-", "?", "&", "*", "!", "|",
  ">", "'", '"', "%", "@", "`", "[", "]", "{", "}", ",", "~", "null", "yes", "on", "n", "true",
  "0644", "0o17", "0x1F", "0b1", "1_000", "22:22", "1e3", ".5", "1.30", ".inf", ".nan", "+",
  "2001-12-14", "T21:59:43Z", "=", "<<", "---", "...", "\\", "\0", "\x7f", "\r", "\u{85}",
  "\u{a0}", "\u{2028}", "\u{feff}", "\u{e9}", "\u{1F600}", "\u{fffe}",
}

local function random_text(rnd)
  local out = {}
  for i = 1, rnd(4) do
    out[i] = PIECES[1 + rnd(#PIECES)]
  end
  return table.concat(out):rep(rnd(40) == 0 and 60 or 1)
end

local function random_key(rnd)
  return (random_text(rnd):gsub("%z", "")) -- the oracles' answers are JSON
end

local function random_value(rnd, depth)
  local kind = rnd(depth > 3 and 7 or 10)
  if kind == 0 then
    return ({ json.null, true, false })[1 + rnd(3)]
  elseif kind == 1 then
    return (rnd(1 << 31) << 33 | rnd(1 << 31)) >> rnd(64)
  elseif kind == 2 then
    return (rnd(1 << 31) - (1 << 30)) / (1 + rnd(1000)) * 10.0 ^ (rnd(60) - 30)
  elseif kind < 7 then
    return random_text(rnd)
  end
  local out = {}
  for i = 1, rnd(4) do
    local item = random_value(rnd, depth + 1)
    out[kind == 7 and i or random_key(rnd)] = item
  end
  return kind == 7 and json.array(out) or out
end

local tests = {}

for _, dialect in ipairs(DIALECTS) do
  tests["random scalars mean the same, " .. dialect] = function(t)
    local rnd = seeded(4)
    local scalars, texts, agreed = {}, {}, 0
    for i = 1, 4000 do
      scalars[i] = random_scalar(rnd)
      texts[i] = "- " .. scalars[i]
    end
    for i, want in ipairs(ask(dialect, texts)) do
      local got, err = fault.try(yaml.decode_one, texts[i], { dialect = dialect })
      local agree = err and want.error or not err and want.ok and same(got, want.ok)
      if agree then
        agreed = agreed + 1
      elseif not explained(dialect, scalars[i], err and err.msg, want) then
        t.ok(
          false,
          ("%q: %s, want %s"):format(
            texts[i],
            err and err.msg or yaml.encode(got),
            json.encode(want)
          )
        )
      end
    end
    t.ok(agreed > 3000, ("%s of 4000 agree"):format(agreed))
  end

  tests["what we write is read back the same, " .. dialect] = function(t)
    local rnd = seeded(5)
    local values, texts = {}, {}
    for i = 1, 400 do
      values[i] = {}
      for _ = 1, 3 do
        values[i][random_key(rnd)] = random_value(rnd, 0)
      end
      texts[i] = yaml.encode(values[i])
    end
    for i, answer in ipairs(ask(dialect, texts)) do
      t.ok(not answer.error, ("%s\n%s"):format(answer.error, texts[i]))
      t.ok(same(values[i], answer.ok), ("%s\nread as %s"):format(texts[i], json.encode(answer.ok)))
    end
  end
end

return tests
