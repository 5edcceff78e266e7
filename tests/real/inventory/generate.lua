--- Inventories that nobody picked: the same ones in every run.
local M = {}

local VALUES =
  { "1", "text", "'a b'", "True", "[1, 'x']", "1.5", "None", "yes", "0x1f", "{'k': 'v'}", "a,b" }

local function generator(seed)
  return function(n)
    seed = (seed * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
    return (seed >> 33) % n + 1
  end
end

local function host(random)
  local stem = ("%s%d"):format(("ab"):sub(random(2)):sub(1, 1), random(9))
  local kind = random(6)
  return kind == 1 and stem .. "-[1:3]"
    or kind == 2 and stem .. ".x.org"
    or kind == 3 and stem .. ":22"
    or stem
end

local function vars(random, most)
  local words = {}
  for _ = 1, random(most) - 1 do
    words[#words + 1] = ("v%d=%s"):format(random(6), ('"%s"'):format(VALUES[random(#VALUES)]))
  end
  return words
end

local function ini(random, groups)
  local lines = {}
  for _ = 1, random(3) do
    lines[#lines + 1] = host(random)
  end
  for i = 1, groups do
    lines[#lines + 1] = ("[g%d]"):format(i)
    for _ = 1, random(4) - 1 do
      lines[#lines + 1] = table.concat({ host(random), table.unpack(vars(random, 3)) }, " ")
    end
    if random(2) == 1 then
      lines[#lines + 1] = ("[g%d:vars]"):format(i)
      for _, var in ipairs(vars(random, 5)) do
        lines[#lines + 1] = (var:gsub('"', ""))
      end
      lines[#lines + 1] = random(3) == 1 and ("ansible_group_priority=%d"):format(random(9)) or nil
    end
  end
  for i = 1, groups - 1 do -- children have greater numbers: no loops
    if random(2) == 1 then
      lines[#lines + 1] = ("[g%d:children]"):format(i)
      lines[#lines + 1] = ("g%d"):format(i + random(groups - i))
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

local function yaml(random, groups)
  local lines = {}
  for i = 1, groups do
    lines[#lines + 1] = ("g%d:"):format(groups + 1 - i)
    if random(3) > 1 then
      lines[#lines + 1] = "  hosts:"
      for j = 1, random(3) do
        lines[#lines + 1] = ("    y%d-%d: {v%d: %d}"):format(random(4), j, random(6), random(99))
      end
    end
    if random(2) == 1 then
      lines[#lines + 1] = ("  vars: {v%d: yaml%d}"):format(random(6), i)
    end
    local low = i - 1 -- those were above
    if low > 0 and random(2) == 1 then
      lines[#lines + 1] = ("  children: {g%d: }"):format(groups + 1 - random(low))
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

--- Returns inventory number n.
---@param n integer
---@return table case
function M.case(n)
  local random = generator(n * 7919)
  local groups = 2 + random(5)
  local files = { ["one/hosts"] = ini(random, groups) }
  local inv = { "one/hosts" }
  if random(2) == 1 then
    files["two/hosts.yml"], inv[2] = yaml(random, groups), "two/hosts.yml"
  end
  for _, dir in ipairs({ "one", "two", "play" }) do
    for i = 1, random(3) - 1 do
      files[("%s/group_vars/g%d.yml"):format(dir, random(groups))] = ("v%d: %s-%d\n"):format(
        random(6),
        dir,
        i
      )
    end
    files[dir .. "/group_vars/all.yml"] = random(3) == 1
        and ("v%d: %s-all\n"):format(random(6), dir)
      or nil
    files[dir .. "/host_vars/a1.yml"] = random(3) == 1 and ("v%d: %s-a1\n"):format(random(6), dir)
      or nil
  end
  local patterns = { "all", "a*", "*:!g1", "all:&g2", "g1:g2", "~[ab][1-4]", "!g2", "ungrouped" }
  return { files = files, inv = inv, playbook_dir = "play", patterns = patterns, nested = true }
end

return M
