--- Cases by hand with a few bytes changed: returns a function of a seed, a count and the cases.

local PIECES = {
  " ",
  "\t",
  '"',
  "'",
  "\\",
  "=",
  "#",
  "%",
  "!",
  "*",
  "?",
  ",",
  "\n",
  "",
  "0",
  "x",
  "no",
  "none",
  "Host ",
  "Match ",
  "~",
  "[",
  "]",
  ":",
  "@",
}

-- Runs nothing by chance; names of algorithms, and tokens where `ssh -G` does not look at them, are
-- among the differences that docs/SSH.md names.
local SKIPPED = {
  "exec",
  "Ciphers",
  "MACs",
  "Algorithms",
  "KeyTypes",
  "ProxyCommand",
  "LocalForward",
  "RemoteCommand",
  "Control",
}

local function skipped(text)
  for _, word in ipairs(SKIPPED) do
    if text:find(word, 1, true) then
      return true
    end
  end
  return text:find("^@") ~= nil
end

return function(seed, count, cases)
  local function draw(n)
    seed = (seed * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
    return (seed >> 33) % n + 1
  end
  local out = {}
  while #out < count do
    local case = cases[draw(#cases)]
    local text = case.text
    for _ = 1, draw(3) do
      local at, cut = draw(#text), draw(3) - 1
      text = text:sub(1, at) .. PIECES[draw(#PIECES)] .. text:sub(at + 1 + cut)
    end
    if not skipped(text) then
      out[#out + 1] = { text = text, host = case.host, args = case.args }
    end
  end
  return out
end
