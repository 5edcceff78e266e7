--- A saved plan is read as it was written, or refused with what differs.
local fs = require("prim.fs")
local json = require("plat.json")
local proc = require("prim.proc")
local saved = require("plat.effect.saved")
local state = require("plat.state")

local function line(object)
  local key = "s|x.set|t|" .. object .. "|1"
  return {
    change = {
      key = key,
      step = "s",
      op = "x.set",
      target = "t",
      object = object,
      text = "set " .. object,
      args = { n = 1 },
      recovery = "repeatable",
    },
    class = "will",
    diff = { { path = "n", before = 0, after = 1 } },
  }
end

local function document(...)
  local lines = {}
  for i, object in ipairs({ ... }) do
    lines[i] = line(object)
  end
  local plan = {
    lines = lines,
    steps = { "s" },
    open = {},
    count = function()
      return { will = #lines }
    end,
  }
  return saved.document(plan, {
    playbook = { name = "p", path = "/p.lua", text = "return 1" },
    args = { n = 1 },
    options = { limit = "a", yes = true },
    kept = { number = { value = 3 } },
  })
end

--- Writes a document that somebody has edited, and reads it.
local function read(t, doc, edit)
  local path = t.tmp() .. "/plan.json"
  local copy = json.decode(json.encode(doc))
  if edit then
    edit(copy)
  end
  saved.write(path, copy)
  return saved.read(path), path
end

return {
  ["a plan comes back as it was"] = function(t)
    local doc = read(t, document("a", "b"))
    t.equal(#doc.lines, 2, "lines")
    t.equal(doc.lines[1].diff[1].after, 1, "diff")
    t.equal(doc.lines[2].class, "will", "class")
    t.equal(doc.kept[1].name, "number", "kept")
    t.equal(doc.options.limit, "a", "options")
    t.equal(doc.options.yes, nil, "what is not of the plan")
    t.equal(doc.playbook.path, "/p.lua", "playbook")
    t.equal(doc.sandbox, false, "sandbox")
  end,

  ["whatever was edited is named"] = function(t)
    local doc = document("a", "b")
    local function refused(said, edit)
      t.fails(said, read, t, doc, edit)
    end
    refused("line 2 %(set b%) differs", function(d)
      d.lines[2].args.n = 2
    end)
    refused("line 1 %(nothing%) differs", function(d)
      d.lines[1].text = "nothing"
    end)
    refused("the lines %(1, 2 were saved%)", function(d)
      table.remove(d.lines)
    end)
    refused("the lines %(3, 2 were saved%)", function(d)
      d.lines[3] = d.lines[1]
    end)
    refused("args differs", function(d)
      d.args.n = 7
    end)
    refused("made differs", function(d)
      d.made.user = "mallory"
    end)
    refused("extra differs", function(d)
      d.extra = true
    end)
    refused("options differs", function(d)
      d.options = nil
    end)
    refused("the seal differs", function(d)
      d.seal.all = "0"
    end)
    refused("the seal differs", function(d)
      d.seal = nil
    end)
    refused("the seal differs", function(d)
      d.seal.parts = 1
    end)
    refused("schema %d, this one reads %d", function(d)
      d.schema = d.schema + 1
    end)
    refused("this is no saved plan", function(d)
      d.kind = "Other"
    end)
    refused("this is no saved plan", function(d)
      d.schema = 1.5
    end)
  end,

  ["what others may write to is refused, and what is no file"] = function(t)
    local _, path = read(t, document("a"))
    t.equal(fs.stat(path).mode & 63, 0, "nobody else may read it")
    assert(proc.run({ "chmod", "622", path }))
    t.fails("others may write to it %(mode 0622%)", saved.read, path)
    t.fails("is a directory: the plan needs a file", saved.write, t.tmp(), document("a"))
    t.fails("no such file", saved.read, path .. ".none")
    state.write(path .. ".half", "{")
    t.fails("plan", saved.read, path .. ".half")
  end,
}
