--- The difference of two texts, as `diff -u` shows it.

local M = {}

local CONTEXT = 3
local MAX_EDITS = 400 -- more is not looked for: then it is one block

local function lines_of(text)
  local lines = {}
  for line, ending in text:gmatch("([^\n]*)(\n?)") do
    if line ~= "" or ending ~= "" then
      lines[#lines + 1] = ending == "" and line .. "\n\\ No newline at end of file" or line
    end
  end
  return lines
end

--- Follows equal lines from a point of an edit path.
local function slide(a, b, x, y)
  while x < #a and y < #b and a[x + 1] == b[y + 1] do
    x, y = x + 1, y + 1
  end
  return x
end

--- Returns the ends of the furthest paths after each number of edits (Myers 1986); nil: too many.
local function search(a, b)
  local v, trace = { [1] = 0 }, {}
  for d = 0, math.min(#a + #b, MAX_EDITS) do
    local before = {}
    for k = -d, d, 2 do
      before[k - 1], before[k + 1] = v[k - 1], v[k + 1]
      local down = k == -d or k ~= d and v[k - 1] < v[k + 1]
      local x = down and v[k + 1] or v[k - 1] + 1
      x = slide(a, b, x, x - k)
      v[k] = x
      if x >= #a and x - k >= #b then
        trace[d] = before
        return trace, d
      end
    end
    trace[d] = before
  end
end

--- Returns the edits, `{ sign, line, a index, b index }` in order.
local function script(a, b)
  local trace, edits = search(a, b)
  local out = {}
  if not trace then
    for i, line in ipairs(a) do
      out[#out + 1] = { "-", line, i, 0 }
    end
    for i, line in ipairs(b) do
      out[#out + 1] = { "+", line, #a, i }
    end
    return out
  end
  local x, y = #a, #b
  for d = edits, 0, -1 do
    local v, k = trace[d], x - y
    local down = d > 0 and (k == -d or k ~= d and v[k - 1] < v[k + 1])
    local from_k = down and k + 1 or k - 1
    local from_x = d > 0 and v[from_k] or 0
    local from_y = d > 0 and from_x - from_k or 0
    while x > from_x and y > from_y do
      out[#out + 1] = { " ", a[x], x, y }
      x, y = x - 1, y - 1
    end
    if d > 0 and down then
      out[#out + 1] = { "+", b[y], x, y }
    elseif d > 0 then
      out[#out + 1] = { "-", a[x], x, y }
    end
    x, y = from_x, from_y
  end
  for i = 1, #out // 2 do
    out[i], out[#out + 1 - i] = out[#out + 1 - i], out[i]
  end
  return out
end

local function range(first, count)
  if count == 1 then
    return tostring(first)
  end
  return ("%d,%d"):format(count == 0 and first - 1 or first, count)
end

--- Writes one hunk: the edits from `first` to `last`.
local function write_hunk(out, edits, first, last)
  local a_first, b_first, a_count, b_count = nil, nil, 0, 0
  local lines = {}
  for i = first, last do
    local sign, line, x, y = table.unpack(edits[i])
    a_first = a_first or (sign == "+" and x + 1 or x)
    b_first = b_first or (sign == "-" and y + 1 or y)
    a_count = a_count + (sign ~= "+" and 1 or 0)
    b_count = b_count + (sign ~= "-" and 1 or 0)
    lines[#lines + 1] = sign .. line
  end
  out[#out + 1] = ("@@ -%s +%s @@"):format(range(a_first, a_count), range(b_first, b_count))
  table.move(lines, 1, #lines, #out + 1, out)
end

--- Returns the difference of two texts, without the lines that name them; "" if there is none.
---@param before string
---@param after string
---@return string
function M.unified(before, after)
  local edits = script(lines_of(before), lines_of(after))
  local out, first, last = {}, nil, nil
  for i, edit in ipairs(edits) do
    if edit[1] ~= " " then
      if first and i - last > 2 * CONTEXT + 1 then
        write_hunk(out, edits, first, math.min(#edits, last + CONTEXT))
        first = nil
      end
      first = first or math.max(1, i - CONTEXT)
      last = i
    end
  end
  if first then
    write_hunk(out, edits, first, math.min(#edits, last + CONTEXT))
  end
  return #out > 0 and table.concat(out, "\n") .. "\n" or ""
end

return M
