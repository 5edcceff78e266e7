local fault = require("plat.fault")
local files = require("plat.journal.files")
local fs = require("prim.fs")
local journal = require("plat.journal")
local json = require("plat.json")
local task = require("plat.task")

local function lines_of(text)
  local lines = {}
  for line in text:gmatch("[^\n]+") do
    lines[#lines + 1] = line
  end
  return lines
end

--- Calls a function with a journal in a folder of its own.
local function with_journal(t, fn, opts)
  local dir = t.tmp()
  local old = files.dir
  files.dir = function()
    return dir .. "/runs"
  end
  t.defer(function()
    files.dir = old
  end)
  opts = opts or { name = "play", sync = true }
  local j = journal.new(function()
    return { playbook = { name = "play" }, user = "me" }
  end, opts)
  fn(j)
end

return {
  ["nothing is made before the first record"] = function(t)
    with_journal(t, function(j)
      t.equal(fs.stat(j.dir), nil)
      j:close()
      t.equal(fs.stat(j.dir), nil)
    end)
  end,
  ["records are chained, and complete with an end"] = function(t)
    with_journal(t, function(j)
      j:append({ type = "keep", name = "a", value = { 1, 2 } })
      j:commit()
      t.equal(files.verify(j.id).state, "unfinished")
      j:append({ type = "end", status = "ok", exit = 0 })
      j:close()
      t.equal(files.verify(j.id), { state = "complete", msg = "3 records", records = 3 })
      local content = files.parse(files.text(j.id))
      t.equal(content.records[2].value, json.array({ 1, 2 }))
      t.equal(content.records[1].schema, journal.SCHEMA)
      t.equal(fs.stat(j.dir).mode, tonumber("700", 8))
    end)
  end,
  ["every flipped byte is found"] = function(t)
    with_journal(t, function(j)
      j:append({ type = "keep", name = "a", value = 1 })
      j:append({ type = "end", status = "ok", exit = 0 })
      j:close()
      local text = files.text(j.id)
      for at = 1, #text - 1 do
        local byte = string.char(text:byte(at) ~ 1)
        local content = files.parse(text:sub(1, at - 1) .. byte .. text:sub(at + 1))
        t.ok(content.problem or content.torn > 0, "byte " .. at)
      end
    end)
  end,
  ["every cut tail is an unfinished run"] = function(t)
    with_journal(t, function(j)
      j:append({ type = "keep", name = "a", value = 1 })
      j:append({ type = "end", status = "ok", exit = 0 })
      j:close()
      local text = files.text(j.id)
      for size = 1, #text - 1 do
        local content = files.parse(text:sub(1, size))
        t.equal(content.problem, nil)
        t.ok(content.size + content.torn == size, "at " .. size)
      end
    end)
  end,
  ["zeros after a power failure are a torn tail"] = function(t)
    with_journal(t, function(j)
      j:append({ type = "keep", name = "a", value = 1 })
      j:close()
      local content = files.parse(files.text(j.id) .. ("\0"):rep(10) .. "\n")
      t.equal(#content.records, 2)
      t.equal(content.torn, 11)
    end)
  end,
  ["an unfinished run is opened again, its torn line removed"] = function(t)
    with_journal(t, function(j)
      j:append({ type = "keep", name = "a", value = 1 })
      j:append({ type = "keep", name = "b", value = 2 })
      j:close()
      local path = j.dir .. "/journal.jsonl"
      local text = fs.read(path)
      fs.write(path, text:sub(1, -10))
      local again = journal.open(j.id)
      t.equal(#again.records, 2)
      again:append({ type = "keep", name = "b", value = 3 })
      again:append({ type = "end", status = "ok", exit = 0 })
      again:close()
      t.equal(files.verify(j.id).state, "complete")
    end)
  end,
  ["a damaged one, one of a newer schema and an empty one are refused"] = function(t)
    with_journal(t, function(j)
      j:append({ type = "keep", name = "a", value = 1 })
      j:close()
      local path = j.dir .. "/journal.jsonl"
      local text = fs.read(path)
      fs.write(path, (text:gsub('"value":1', '"value":2')))
      t.match(t.fails("parse", journal.open, j.id).msg, "line 2: its chain does not fit")
      fs.write(path, "")
      t.match(t.fails("usage", journal.open, j.id).msg, "before its first record")
      local head = json.encode({ type = "run", schema = 99, version = "9.0" })
      local link = files.link(files.START, head)
      fs.write(path, ('%s,"chain":"%s"}\n'):format(head:sub(1, -2), link))
      local err = t.fails("parse", journal.open, j.id)
      t.match(fault.text(err), "written by platrun 9.0, in schema 99")
      t.equal(files.verify(j.id).state, "newer")
      fs.remove(path)
      t.match(fault.text(t.fails("parse", journal.open, j.id)), "half deleted")
      t.equal(files.verify(j.id).state, "damaged")
    end)
  end,
  ["one process executes a run"] = function(t)
    with_journal(t, function(j)
      j:append({ type = "keep", name = "a", value = 1 })
      t.equal({ files.running(j.id) }, { true, "pid " .. require("prim.sys").pid() })
      local err = t.fails("refused", journal.open, j.id)
      t.equal(err.exit, 75)
      j:close()
      t.equal(files.running(j.id), false)
    end)
  end,
  ["what becomes ready at once shares a sync"] = function(t)
    with_journal(t, function(j)
      j:append({ type = "keep", name = "a", value = 0 })
      j:commit()
      local before = j.syncs
      task.each({ 1, 2, 3, 4, 5, 6, 7, 8 }, {}, function(i)
        j:append({ type = "intent", key = "k" .. i })
        j:commit()
      end)
      t.equal(j.syncs - before, 1)
      j:close()
    end)
  end,
  ["many begin a run at once: one header"] = function(t)
    with_journal(t, function(j)
      task.each({ 1, 2, 3, 4 }, {}, function(i)
        j:append({ type = "step", key = "s" .. i })
      end)
      j:close()
      t.equal(files.verify(j.id), { state = "unfinished", msg = "5 records", records = 5 })
    end)
  end,
  ["a sandbox's journal is written and not synced"] = function(t)
    with_journal(t, function(j)
      j:append({ type = "keep", name = "a", value = 0 })
      j:commit()
      t.equal(j.syncs, 0)
      t.match(j.id, "^%d%d%d%d%d%d%d%d%-%d%d%d%d%d%d%d%d%d%-play%-%x%x%x%x$")
      j:close()
    end, { name = "play", sync = false })
  end,
  ["a directory that cannot be written stops before anything"] = function(t)
    with_journal(t, function(j)
      fs.write(files.dir(), "a file in the way")
      local err = t.fails("io", j.append, j, { type = "keep", name = "a", value = 0 })
      t.match(err.msg, "cannot be recorded, so it does not begin")
      t.fails("io", j.append, j, { type = "keep", name = "a", value = 0 })
    end)
  end,
  ["a run is found by its id, its beginning or its age"] = function(t)
    with_journal(t, function(j)
      t.match(t.fails("usage", files.find).msg, "there are no runs")
      j:append({ type = "end", status = "ok", exit = 0 })
      j:close()
      t.equal(files.find(), j.id)
      t.equal(files.find("last"), j.id)
      t.equal(files.find(j.id:sub(1, 12)), j.id)
      t.match(t.fails("usage", files.find, "x").msg, 'no run "x"')
      local summary = files.summary(j.id)
      t.equal({ summary.status, summary.playbook, summary.exit }, { "ok", "play", 0 })
    end)
  end,
}
