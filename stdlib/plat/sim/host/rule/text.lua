--- Programs that print, read and count text.

local alter = require("plat.sim.host.alter")

local R = {}

R["true"] = function() end
R["false"] = function(cmd)
  cmd.code = 1
end

function R.echo(cmd)
  local from, newline = 2, true
  if cmd.argv[2] == "-n" then
    from, newline = 3, false
  elseif (cmd.argv[2] or ""):find("^%-[eEn]+$") then
    cmd:unmodelled("the option " .. cmd.argv[2])
  end
  cmd:say(table.concat(cmd.argv, " ", from))
  cmd:say(newline and "\n" or "")
end

local ESCAPES = { n = "\n", t = "\t", ["\\"] = "\\", r = "\r" }

function R.printf(cmd)
  local format = cmd.argv[2] or ""
  local values = table.move(cmd.argv, 3, #cmd.argv, 1, {})
  format = format:gsub("\\(.)", function(c)
    return ESCAPES[c] or cmd:unmodelled("\\" .. c)
  end)
  repeat
    local before = #values
    cmd:say((format:gsub("%%(.)", function(kind)
      if kind == "%" then
        return "%"
      elseif kind == "s" then
        return table.remove(values, 1) or ""
      elseif kind == "d" then
        return tostring(math.tointeger(tonumber(table.remove(values, 1) or "0")))
      end
      cmd:unmodelled("%" .. kind)
    end)))
  until #values == 0 or #values == before
end

function R.cat(cmd)
  local _, paths = cmd:options("u")
  for _, path in ipairs(paths[1] and paths or { "-" }) do
    cmd:say(cmd:input(path) or "")
  end
end

function R.tee(cmd)
  local opts, paths = cmd:options("a", { ["--append"] = "a" })
  cmd:say(cmd.stdin)
  for _, path in ipairs(paths) do
    local ok, err = alter.write(cmd.host, cmd.user, path, cmd.stdin, { append = opts.a })
    if not ok then
      cmd:failed(path, err)
    end
  end
end

local function lines_of(text)
  local lines = {}
  for line in text:gmatch("[^\n]*\n?") do
    lines[#lines + 1] = line ~= "" and line or nil
  end
  return lines
end

--- Says a part of each input, with a header where there are several.
local function part(cmd, cut)
  local opts, paths = cmd:options("n:c:q", { ["--lines"] = "n", ["--bytes"] = "c" })
  local count = opts.c or opts.n or "10"
  if not count:find("^%d+$") then
    cmd:unmodelled("the count " .. count)
  end
  count = math.tointeger(tonumber(count))
  local inputs = paths[1] and paths or { "-" }
  local told = 0
  for _, path in ipairs(inputs) do
    local text = cmd:input(path, ("cannot open '%s' for reading"):format(path))
    if text then
      if #inputs > 1 and not opts.q then
        cmd:say("%s==> %s <==\n", told > 0 and "\n" or "", path)
      end
      told = told + 1
      cmd:say(cut(text, count, opts.c ~= nil))
    end
  end
end

function R.head(cmd)
  part(cmd, function(text, count, in_bytes)
    return in_bytes and text:sub(1, count)
      or table.concat(lines_of(text), "", 1, math.min(count, #lines_of(text)))
  end)
end

function R.tail(cmd)
  part(cmd, function(text, count, in_bytes)
    if in_bytes then
      return count == 0 and "" or text:sub(-count)
    end
    local lines = lines_of(text)
    return table.concat(lines, "", math.max(1, #lines - count + 1), #lines)
  end)
end

function R.wc(cmd)
  local opts, paths = cmd:options("lc", { ["--lines"] = "l", ["--bytes"] = "c" })
  if (opts.l ~= nil) == (opts.c ~= nil) or #paths > 1 then
    cmd:unmodelled("more or less than one count of one file")
  end
  local text = cmd:input(paths[1] or "-")
  if text then
    local count = opts.c and #text or select(2, text:gsub("\n", ""))
    cmd:say("%d%s\n", count, paths[1] and " " .. paths[1] or "")
  end
end

local function matcher(cmd, opts, pattern)
  local start, stop = "", ""
  if not opts.F then
    start, pattern = pattern:match("^(%^?)(.-)$")
    pattern, stop = pattern:match("^(.-)(%$?)$")
    if pattern:find("[%[%]%*%.\\]") or opts.E and pattern:find("[%+%?|(){}]") then
      cmd:unmodelled("the pattern " .. pattern)
    end
  end
  if opts.x then
    start, stop = "^", "$"
  end
  if opts.i then
    pattern = pattern:lower()
  end
  return start .. pattern:gsub("%p", "%%%0") .. stop
end

function R.grep(cmd)
  local opts, words = cmd:options("qcvxiFEs", { ["--quiet"] = "q", ["--count"] = "c" })
  local pattern = matcher(cmd, opts, table.remove(words, 1) or "")
  local hits, failed = {}, false
  for _, path in ipairs(words[1] and words or { "-" }) do
    local text = cmd:input(path)
    failed = failed or not text
    local n = 0
    for _, line in ipairs(lines_of(text or "")) do
      local bare = line:gsub("\n$", "")
      local found = (opts.i and bare:lower() or bare):find(pattern) ~= nil
      if found ~= (opts.v or false) then
        n = n + 1
        hits[#hits + 1] = (words[2] and path .. ":" or "") .. bare .. "\n"
      end
    end
    if opts.c and text and not opts.q then
      cmd:say("%s%d\n", words[2] and path .. ":" or "", n)
    end
  end
  if not opts.q and not opts.c then
    cmd:say(table.concat(hits))
  end
  cmd.code = failed and not (opts.q and hits[1]) and 2 or hits[1] and 0 or 1
end

function R.seq(cmd)
  local from, to = cmd.argv[2], cmd.argv[3]
  if not to then
    from, to = "1", from
  end
  if not (from or ""):find("^%-?%d+$") or not to:find("^%-?%d+$") or cmd.argv[4] then
    cmd:unmodelled("these numbers")
  end
  for i = math.tointeger(tonumber(from)), math.tointeger(tonumber(to)) do
    cmd:say("%d\n", i)
  end
end

return R
