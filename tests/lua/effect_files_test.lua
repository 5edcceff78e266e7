--- Files as a plan would leave them, over what is there.
local files = require("plat.effect.files")
local fs = require("prim.fs")
local planner = require("plat.effect.plan")

local function new_plan()
  return planner.new(function() end, function() end)
end

--- A view over a place that has these paths.
local function view(...)
  local there = {}
  for _, path in ipairs({ ... }) do
    there[path] = true
  end
  return files.of(new_plan(), "host a", function(path)
    return there[path]
  end)
end

local function sorted(names)
  table.sort(names)
  return names
end

return {
  ["a plan has one view of each target"] = function(t)
    local plan = new_plan()
    local here = files.of(plan)
    here:put("/x", { type = "file", content = "" })
    t.equal(files.of(plan, "localhost"):look("/x"), { type = "file", content = "" })
    t.equal(files.of(plan, "host a"):look("/x"), nil)
    t.equal(files.of(new_plan()):look("/x"), nil)
    t.equal(here.exists, fs.stat)
  end,

  ["what is written is there, with a slash behind it or not"] = function(t)
    local v = view("/srv")
    v:put("/srv/app/", { type = "directory" })
    t.equal(v:look("/srv/app").type, "directory")
    t.equal(v:look("/srv/app//").type, "directory")
    t.equal(v:look("/"), nil)
    t.equal(v:look("/srv/app/x"), nil, "what is in it, nobody said")
  end,

  ["what is below a removed directory is gone too, also what was planned there"] = function(t)
    local v = view("/srv")
    v:put("/srv/app/a", { type = "file", content = "1" })
    v:put("/srv/apple", { type = "file", content = "2" })
    v:put("/srv/app", false)
    t.equal({ v:look("/srv/app"), v:look("/srv/app/a"), v:look("/srv/app/b/c") }, {
      false,
      false,
      false,
    })
    t.equal(v:look("/srv/apple").content, "2")
    t.equal(v:look("/srv"), nil)
    v:put("/srv/app/new", { type = "file", content = "3" })
    t.equal(v:look("/srv/app/new").content, "3")
  end,

  ["a directory brings those above it"] = function(t)
    local v = view("/srv")
    v:put("/srv/a/b/c", { type = "directory" })
    t.equal({ v:look("/srv/a").type, v:look("/srv/a/b").type }, { "directory", "directory" })
    t.equal(v:look("/srv"), nil, "it was there")
    v:put("/none/file", { type = "file", content = "" })
    t.equal(v:look("/none"), nil, "a file brings nothing")
  end,

  ["the names in a directory, with those that come and without those that go"] = function(t)
    local v = view("/srv")
    v:put("/srv/new", { type = "file", content = "" })
    v:put("/srv/old", false)
    v:put("/srv/sub/deeper", { type = "file", content = "" })
    v:put("/other/x", { type = "file", content = "" })
    t.equal(sorted(v:names("/srv/", { "kept", "old" })), { "kept", "new" })
    t.equal(v:names("/empty", {}), {})
  end,

  ["what only a run can know of a planned file ends the body"] = function(t)
    local v = view()
    local st = v:stat("/x", { type = "file", content = "four", mode = 384 })
    t.equal({ st.type, st.size, st.mode }, { "file", 4, 384 })
    local why = "what follows depends on %s of /x, which the plan writes"
    for _, field in ipairs({ "mtime", "uid", "gid", "ino", "dev", "nlink" }) do
      local err = t.fails("cancelled", function()
        return st[field]
      end)
      t.equal(err.msg, why:format(field))
    end
    local other = v:stat("/x", { type = "directory" })
    t.equal(other.size, nil)
    t.fails("cancelled", function()
      return other.mode
    end)
    t.equal(v:content("/x", { type = "file", content = "four" }), "four")
    local err = t.fails("cancelled", v.content, v, "/x", { type = "file" })
    t.equal(err.msg, "what follows depends on what is in /x")
  end,
}
