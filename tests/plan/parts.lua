--- What generated playbooks are made of: each part adds statements to the one that is made.
local M = { list = {}, total = 0 }

--- Adds a part; one that is `alone` touches what several tasks would fight over.
local function part(weight, make, alone)
  M.list[#M.list + 1] = { weight = weight, make = make, alone = alone }
  M.total = M.total + weight
end

--- Adds a part after which often nobody can foresee what follows: rather in the last step.
local function risky(weight, make)
  part(weight, make, true)
  M.list[#M.list].risky = true
end

--- Shows in a change what was read.
local function tell(g, value)
  g:line('api:create(cm("told-%d", %s, "told"))', g:pick(1000000000), value)
end

--- A value that its author guessed wrongly: what rests on it was only *maybe*.
function M.guessing(g)
  local name = g:fresh("r")
  g:block(('local %s = run:step("guess", { returns = true }, function()'):format(name), function()
    g:line('local planned = { status = 200, body = "7" }')
    g:line('local answer = http.put("http://counter.sandbox/g", { body = "8", planned = planned })')
    g:line("return tonumber(answer.body)")
  end, "end)")
  g:block('run:step("guessed", function()', function()
    tell(g, name)
  end, "end)")
end

--- Reads between steps, as the looks of real playbooks.
function M.look(g)
  g:number('value(api:find("cm", NS, %s))', g:config_map())
  if g:chance(20) then
    g:number('run:keep(%q, function() return #api:list("cm", NS) end)', g:fresh("kept "))
  end
end

--- A step that gives a value to what follows.
function M.returning(g, i)
  local name = g:fresh("r")
  local opening = ("local %s = run:step(%q, { returns = true }, function(step)"):format(
    name,
    "step " .. i
  )
  g:block(opening, function()
    g:line("local _ = step")
    g:statements(1, 3)
    g:line("return %s", g:value())
  end, "end)")
  g.vars[#g.vars + 1] = name
end

-- ---- config maps ----

part(120, function(g)
  g:number('value(api:find("cm", NS, %s))', g:config_map())
end)

local PATCHES = {
  "{ data = { n = tostring(%s) } }",
  '{ data = { n = tostring(%s), more = "yes" }, metadata = { labels = { tier = "odd" } } }',
  "{ data = { n = tostring(%s), more = require_null } }",
  '{ data = { n = tostring(%s) } }, { type = "strategic" }',
  '{ { op = "add", path = "/data/n", value = tostring(%s) } }, { type = "json" }',
}

part(180, function(g)
  local name, patch =
    g:config_map(), g:one(PATCHES):gsub("require_null", 'require("plat.json").null')
  g:block(('if api:find("cm", NS, %s) then'):format(name), function()
    g:line('api:patch("cm", NS, %s, ' .. patch .. ")", name, g:value())
  end)
end)

part(140, function(g)
  local name, tier = g:config_map(), g:one({ "odd", "even" })
  g:block(('if not api:find("cm", NS, %s) then'):format(name), function()
    g:line("api:create(cm(%s, %s, %q))", name, g:value(), tier)
  end)
end)

part(40, function(g)
  local name = ("applied-%d"):format(g:pick(3))
  g:line("api:apply(cm(%q, %s, %q))", name, g:value(), g:one({ "odd", "even" }))
  g:number('value(api:find("cm", NS, %q))', name)
end, true)

risky(12, function(g) -- over what others own
  g:line('api:apply(cm(%s, %s, "even"), { force = true })', g:config_map(), g:value())
end)

part(90, function(g)
  g:line('api:delete("cm", NS, %s)', g:config_map())
end)

part(60, function(g) -- guarded by the version that was read
  local name, found = g:config_map(), g:fresh("o")
  g:line('local %s = api:find("cm", NS, %s)', found, name)
  g:block(("if %s and %s.data.guarded == nil then"):format(found, found), function()
    local version = g:chance(g.last and 25 or 3)
        and ("resourceVersion = %s.metadata.resourceVersion"):format(found)
      or 'labels = { guarded = "yes" }'
    g:line(
      'api:patch("cm", NS, %s, { metadata = { %s }, data = { guarded = "%d" } })',
      name,
      version,
      g:pick(3)
    )
  end)
end)

part(80, function(g) -- a loop over a list that a selector finds
  local list, tier = g:fresh("l"), g:one({ "odd", "even" })
  g:line('local %s = api:list("cm", NS, { labels = { tier = %q } })', list, tier)
  g.vars[#g.vars + 1] = "#" .. list
  if g:chance(60) then
    g:block(("for i, found in ipairs(%s) do"):format(list), function()
      g:line("local name = found.metadata.name")
      g:line('api:patch("cm", NS, name, { data = { n = tostring(i + %s) } })', g:value())
    end)
  end
end, true)

part(30, function(g) -- of all namespaces
  g:number('#api:list("cm", nil, { labels = "tier in (odd, even), made" })')
end, true)

risky(8, function(g) -- the server makes up the name
  local made = g:fresh("m")
  g:line("local %s = cm(nil, 1)", made)
  g:line('%s.metadata.generateName = "made-"', made)
  g:line("%s = api:create(%s)", made, made)
  if g:chance(30) then
    g:line('api:delete("cm", NS, %s.metadata.name)', made)
  end
end)

part(30, function(g)
  local name = ("secret-%d"):format(g:pick(2))
  g:line('local secret = { apiVersion = "v1", kind = "Secret", data = { k = "YQ==" } }')
  g:line("secret.metadata = { name = %q, namespace = NS }", name)
  g:block(('if not api:find("secret", NS, %q) then'):format(name), function()
    g:line("api:create(secret)")
  end)
end, true)

-- ---- workloads ----

part(100, function(g)
  local kind, name = "Deployment", g:one({ "superset-web", "web-1" })
  if g:chance(40) then
    kind, name = "StatefulSet", "store"
  end
  local found = g:fresh("w")
  g:line("local %s = api:find(%q, NS, %q)", found, kind, name)
  g:block(("if %s then"):format(found), function()
    local now = g:number("api:scale_of(%q, NS, %q).replicas", kind, name)
    g:line("api:scale(%q, NS, %q, (%s + %d) %% 5 + 1)", kind, name, now, g:pick(3))
    if g:chance(35) then
      g:line('api:wait_ready(%q, NS, %q, { within = "1h" })', kind, name)
      local handle = kind == "Deployment" and "deployment" or "stateful_set"
      local ready = g:number("api:%s(NS, %q):get().ready", handle, name)
      g:block(("if %s > 2 then"):format(ready), function()
        g:line('api:create(cm("ready-%d", %s, "odd"))', g:pick(1000000), ready)
      end)
    end
    if g:chance(40) then
      g:number("api:get(%q, NS, %q).spec.replicas", kind, name)
    end
  end)
end, true)

part(50, function(g)
  local name = "web-1"
  g:block(('if not api:find("deploy", NS, %q) then'):format(name), function()
    g:line("api:create(deployment(%q, %d))", name, g:pick(2))
  end)
  if g:chance(60) then
    g:line('api:patch("deploy", NS, %q, { spec = { replicas = %d } })', name, g:pick(3))
  end
  g:number('#api:list("deploy", NS, { labels = { tier = "web" } })')
end, true)

part(30, function(g)
  g:line('api:deployment(NS, "superset-web"):restart()')
end, true)

risky(10, function(g) -- what controllers make of a change
  local replicas = g:number('api:scale_of("StatefulSet", NS, "store").replicas')
  g:line('api:scale("StatefulSet", NS, "store", %s %% 3 + 1)', replicas)
  g:line('api:wait_ready("StatefulSet", NS, "store")')
  tell(g, g:number('#api:list("pods", NS, { labels = "app=store" })'))
end)

part(40, function(g)
  g:line(
    'api:set_hpa_bounds(NS, "airbyte-worker-hpa", { min = %d, max = %d })',
    1 + g:pick(2),
    6 + g:pick(4)
  )
  g:number("api:hpas(NS)[1].max")
end, true)

-- ---- reads that are posted, and what changes them ----

part(50, function(g)
  g:number("#coordinator:executors()")
end, true)

part(30, function(g)
  g:number("#coordinator:jobs()")
end, true)

risky(10, function(g)
  g:block("for _, job in ipairs(coordinator:jobs()) do", function()
    g:line("coordinator:cancel(job.id)")
  end)
  if g:chance(50) then
    tell(g, g:number("#coordinator:jobs()"))
  end
end)

-- ---- what nobody predicts ----

part(24, function(g) -- the answer is not looked at
  g:line('http.put("http://counter.sandbox/a", { body = "%d" })', g:pick(9))
end, true)

part(6, function(g) -- its author says what comes
  local answer = g:fresh("a")
  g:line('local planned = { status = 200, body = "7" }')
  g:line(
    'local %s = http.put("http://counter.sandbox/b", { body = "7", planned = planned })',
    answer
  )
  g:block(("if %s.body == %q then"):format(answer, "7"), function()
    g:line('api:create(cm("planned-%d", 1, "odd"))', g:pick(1000000))
  end)
end, true)

risky(8, function(g) -- the answer decides
  local answer = g:fresh("a")
  g:line('local %s = http.put("http://counter.sandbox/c", { body = "%d" })', answer, g:pick(9))
  g:block(("if tonumber(%s.body) > 4 then"):format(answer), function()
    g:line('api:create(cm("decided-%d", 1, "odd"))', g:pick(1000000))
  end)
end)

risky(8, function(g)
  g:line('http.put("http://counter.sandbox/a", { body = "%d" })', g:pick(9))
  tell(g, g:number('tonumber(http.get("http://counter.sandbox/a").body)'))
end)

part(10, function(g)
  g:line('require("plat.proc").run({ "true" })')
end, true)

risky(4, function(g)
  local code = g:fresh("c")
  g:line('local %s = require("plat.proc").run({ "true" })', code)
  g:number("%s.code", code)
end)

-- ---- files ----

part(50, function(g)
  local path = ('DIR .. "/%s"'):format(g:one({ "a", "b", "sub/c" }))
  local what = g:pick(5)
  if what == 1 then
    g:line('fs.mkdir(DIR .. "/sub")')
    g:line('fs.write(DIR .. "/sub/c", tostring(%s))', g:value())
  elseif what == 2 then
    g:block(("if fs.exists(%s) then"):format(path), function()
      g:line("fs.remove(%s)", path)
    end)
  elseif what == 3 then
    g:block('if fs.exists(DIR .. "/a") then', function()
      g:line('fs.append(DIR .. "/a", "1")')
      g:line('fs.rename(DIR .. "/a", DIR .. "/b")')
    end)
  else
    g:line('fs.write(DIR .. "/%s", tostring(%s))', g:one({ "a", "b" }), g:value())
  end
  g:number('tonumber(fs.exists(DIR .. "/b") and fs.read(DIR .. "/b") or 0) %% 100')
  if g:chance(30) then
    g:number("#fs.list(DIR)")
  end
end, true)

-- ---- control flow ----

part(140, function(g)
  g:block(("if %s then"):format(g:condition()), function()
    g:statements(1, 2)
    g.depth = g.depth - 1
    g:line("else")
    g.depth = g.depth + 1
    g:statements(1, 2)
  end)
end)

part(60, function(g)
  local name = g:config_map()
  g:block(("for i = 1, %s %% 3 + 1 do"):format(g:value()), function()
    g:block(('if api:find("cm", NS, %s) then'):format(name), function()
      g:line('api:patch("cm", NS, %s, { data = { ["k" .. i] = tostring(%s) } })', name, g:value())
    end)
  end)
end)

part(50, function(g)
  if not g.in_each then
    g:step(("%q"):format(g:fresh("inner ")), "", 1, 3)
  end
end)

part(40, function(g)
  local name = g:config_map()
  g:line('step:undo("restore", { name = %s, n = tostring(%s) })', name, g:value())
end)

--- Items that only one task touches, so that their order does not matter.
local function items(g, n)
  local names = {}
  for i = 1, n do
    local name = ("%s-%d"):format(g:fresh("item"), i)
    names[i] = g.item and ('%s .. "-%s"'):format(g.item, name) or ("%q"):format(name)
  end
  return "{ " .. table.concat(names, ", ") .. " }"
end

local function inside(g, item, fn)
  local before, in_each = g.item, g.in_each
  g.item, g.in_each = item, true
  fn()
  g.item, g.in_each = before, in_each
end

part(60, function(g)
  if g.nesting == 2 then
    return
  end
  g.nesting = (g.nesting or 0) + 1
  local item = g:fresh("item")
  local title = g:fresh("each ")
  local opening = ("run:each(%q, %s, { limit = %d }, function(%s, step)"):format(
    title,
    items(g, 1 + g:pick(3)),
    g:pick(3),
    item
  )
  g:block(opening, function()
    g:line("local _ = step")
    inside(g, item, function()
      g:line("api:create(cm(%s, %s, %q))", item, g:value(), "each")
      g:statements(1, 3)
    end)
  end, "end)")
  g.nesting = g.nesting - 1
end)

part(50, function(g)
  local item = g:fresh("name")
  local opening = ("task.each(%s, { limit = %d }, function(%s)"):format(
    items(g, 1 + g:pick(2)),
    g:pick(3),
    item
  )
  g:block(opening, function()
    inside(g, item, function()
      g:line("api:create(cm(%s, %s, %q))", item, g:value(), "task")
      g:statements(1, 2)
    end)
  end, "end)")
  if not g.item then -- elsewhere other tasks are at it
    g:number('#api:list("cm", NS, { labels = { tier = "task" } })')
  end
end)

part(10, function(g) -- it stops, and is undone
  g:block(("if %s then"):format(g:condition()), function()
    g:line('error("this playbook stops here")')
  end)
end, true)

return M
