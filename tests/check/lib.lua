--- Shared by the checks: the files of the tree and TAP output.
local M = {}

local count, bad = 0, 0

--- Returns the lines that a command prints; a command that fails ends the check.
function M.lines_of(cmd)
  local pipe = assert(io.popen(cmd))
  local out = {}
  for line in pipe:lines() do
    out[#out + 1] = line
  end
  if not pipe:close() then
    error("failed: " .. cmd)
  end
  return out
end

--- Returns the paths of the tree (tracked or new, not ignored) that match the git patterns.
function M.files(patterns)
  local out = {}
  local cmd = "git ls-files -co --exclude-standard -- " .. patterns .. " | sort -u"
  for _, path in ipairs(M.lines_of(cmd)) do
    local file = io.open(path)
    if file then -- a deleted file is listed until it is committed
      file:close()
      out[#out + 1] = path
    end
  end
  return out
end

function M.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

--- Iterates over number, line of a file.
function M.lines(path)
  local number = 0
  local next_line = io.lines(path)
  return function()
    number = number + 1
    local line = next_line()
    if line then
      return number, line
    end
  end
end

--- Returns C text with comments blanked, line numbers kept.
function M.without_c_comments(text)
  return (text:gsub("/%*.-%*/", function(comment)
    return (comment:gsub("[^\n]", " "))
  end))
end

--- Returns Lua text with comments blanked, line numbers kept.  A "--" inside a string is rare
--- enough to be cut, too.
function M.without_lua_comments(text)
  text = text:gsub("%-%-%[%[.-%]%]", function(comment)
    return (comment:gsub("[^\n]", " "))
  end)
  return (text:gsub("%-%-[^\n]*", ""))
end

--- Reads an allow-list: lines "KEY... reason", the first `keys` words are the key; # comments.
--- A line without a reason ends the check.
function M.allowed(path, keys)
  local out = {}
  for number, line in M.lines(path) do
    if not line:match("^%s*#") and line:match("%S") then
      local words, rest = {}, line
      for _ = 1, keys do
        local word, tail = rest:match("^%s*(%S+)(.*)$")
        words[#words + 1] = word
        rest = tail or ""
      end
      assert(rest:match("%S"), ("%s:%d: a reason is missing"):format(path, number))
      out[table.concat(words, " ")] = { used = false, line = number }
    end
  end
  return out
end

--- True when the allow-list has the key; notes that it was needed.
function M.is_allowed(list, key)
  if list[key] then
    list[key].used = true
    return true
  end
  return false
end

--- Reports one rule: passes when no problem was found.
function M.rule(title, problems)
  count = count + 1
  if #problems == 0 then
    print(("ok %d - %s"):format(count, title))
    return
  end
  bad = bad + 1
  print(("not ok %d - %s"):format(count, title))
  for _, problem in ipairs(problems) do
    print("# " .. problem)
  end
end

--- A rule about an allow-list itself: entries that nothing needs any more.
function M.no_leftovers(title, path, list)
  local problems = {}
  for key, entry in pairs(list) do
    if not entry.used then
      problems[#problems + 1] = ("%s:%d: not needed any more: %s"):format(path, entry.line, key)
    end
  end
  table.sort(problems)
  M.rule(title, problems)
end

--- Ends the check.
function M.done()
  print("1.." .. count)
  os.exit(bad == 0)
end

return M
