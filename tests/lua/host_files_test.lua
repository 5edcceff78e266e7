--- host:put, get, stat, list, remove, rename and mkdir: by SFTP, by commands, and on this machine.
local fs = require("prim.fs")
local hash = require("prim.hash")
local list = require("plat.list")
local proc = require("prim.proc")
local rig = load(assert(fs.read("tests/lua/host_files_help.lua")), "@host_files_help.lua")()
local secret = require("plat.secret")

local sh, each, step, plan = rig.ssh.sh, rig.each, rig.step, rig.plan

local ODD = { "a b", "it's", '"$HOME`x`\\', "new\nline", "\xff\xfe", "-rf", "ü", ".", "*" }

--- Returns the names in a folder of this machine, without those of our own keys.
local function names(dir)
  return table.concat(fs.list(dir), "|")
end

return {
  ["a file is put, is the same, changes, and is fetched"] = function(t)
    each(t, function(host, kind)
      local dir = t.tmp()
      local path = dir .. "/conf"
      step(function()
        t.equal(host:put(path, "one\n"), true, kind)
        t.equal(host:put(path, "one\n"), false, kind .. ": nothing to do")
        t.equal(fs.read(path), "one\n")
        t.equal(fs.stat(path).mode, 420, kind .. ": 0644")
        t.equal(host:put(path, "one\n", { mode = "0600" }), true, kind .. ": only its mode")
        t.equal(host:put(path, "two\n"), true)
        t.equal(fs.stat(path).mode, 384, kind .. ": its mode stays")
        t.equal(host:put(path, "", { mode = "4755" }), true)
        t.equal({ fs.read(path), fs.stat(path).mode }, { "", 2541 }, kind)
        t.equal(host:put(path, ""), false)
      end)
      t.equal(host:get(path), "", kind)
      t.equal(names(dir), "conf", kind .. ": nothing is left beside it")
      assert(fs.write(path, "bytes \0 \xff\n"))
      t.equal(host:get(path), "bytes \0 \xff\n", kind)
      local err = t.fails("refused", function()
        host:get(path, { max = 3 })
      end)
      t.match(err.msg, "more than 3 bytes")
      t.equal(
        t.fails("[Nn]o such file", function()
          host:get(dir .. "/none")
        end).code,
        2,
        kind
      )
    end)
  end,

  ["names that shells and people trip over"] = function(t)
    each(t, function(host, kind)
      local dir = t.tmp()
      step(function()
        for i, name in ipairs(ODD) do
          local path = ("%s/%d%s"):format(dir, i, name)
          t.equal(host:put(path, name), true, kind)
          t.equal(host:put(path, name), false, kind)
          t.equal(fs.read(path), name, kind)
          t.equal(host:get(path), name, kind)
          t.equal(host:stat(path).size, #name, kind)
          t.equal(host:rename(path, path .. "2"), true, kind)
        end
        t.equal(host:list(dir), fs.list(dir), kind)
        t.equal(#host:list(dir), #ODD)
        for i, name in ipairs(ODD) do
          t.equal(host:remove(("%s/%d%s2"):format(dir, i, name)), true, kind)
        end
      end)
      t.equal(fs.list(dir), {}, kind)
    end)
  end,

  ["links lead to their file, and stay"] = function(t)
    each(t, function(host, kind)
      local dir = t.tmp()
      sh(("mkdir %s/real; echo old >%s/real/f; ln -s real/f %s/link"):format(dir, dir, dir))
      sh(("ln -s nowhere %s/dangling"):format(dir))
      step(function()
        t.equal(host:put(dir .. "/link", "new\n"), true, kind)
        t.equal(fs.read(dir .. "/real/f"), "new\n", kind)
        t.equal(fs.stat(dir .. "/link", { follow = false }).type, "link", kind)
        t.equal(host:stat(dir .. "/link").type, "file", kind)
        t.equal(host:stat(dir .. "/link", { follow = false }).type, "link", kind)
        t.equal(host:put(dir .. "/dangling", "x"), true, kind)
        t.equal(fs.read(dir .. "/nowhere"), "x", kind)
        t.equal(host:remove(dir .. "/link"), true)
        t.equal(fs.read(dir .. "/real/f"), "new\n", kind .. ": the link was removed")
      end)
      t.equal(names(dir .. "/real"), "f", kind)
    end)
  end,

  ["what is no file is not replaced"] = function(t)
    each(t, function(host, kind)
      local dir = t.tmp()
      sh(("mkdir %s/d; mkfifo %s/pipe"):format(dir, dir))
      step(function()
        for name, word in pairs({ d = "directory", pipe = "fifo" }) do
          local err = t.fails("refused", function()
            host:put(dir .. "/" .. name, "x")
          end)
          t.equal(err.msg, "there is a " .. word, kind)
        end
        local err = t.fails("io", function()
          host:put(dir .. "/none/f", "x")
        end)
        t.equal(err.code, 2, kind .. ": " .. err.msg)
        t.fails("absolute path", function()
          host:put("relative", "x")
        end)
        t.fails("either a content or", function()
          host:put(dir .. "/f", {})
        end)
      end)
    end)
  end,

  ["owner, group and mode are set before it is in its place; an owner stays"] = function(t)
    if rig.ssh.user ~= "root" then
      t.skip("it needs root")
    end
    each(t, function(host, kind)
      local path = t.tmp() .. "/f"
      local function owner()
        local st = fs.stat(path)
        return { st.uid, st.gid, st.mode }
      end
      step(function()
        host:put(path, "1", { owner = 12345, group = 23456, mode = "0640" })
        t.equal(owner(), { 12345, 23456, 416 }, kind)
        host:put(path, "2")
        t.equal(owner(), { 12345, 23456, 416 }, kind .. ": as it was")
        t.equal(host:put(path, "2", { owner = 12345, group = "23456" }), false, kind)
        t.equal(host:put(path, "2", { owner = "daemon", group = "daemon" }), true, kind)
        t.equal(owner(), { 1, 1, 416 }, kind .. ": by name")
        t.equal(host:put(path, "2", { owner = "daemon", group = "daemon" }), false, kind)
        t.equal(host:put(path, "3", { owner = "daemon" }), true, kind)
        local err = t.fails("io", function()
          host:put(path, "4", { owner = "nobodyofthatname" })
        end)
        t.match(err.msg, "cannot give it to nobodyofthatname", kind)
        t.equal(fs.read(path), "3", kind .. ": the old one stays")
      end)
    end)
  end,

  ["a check must accept it, and a copy of the old one is kept"] = function(t)
    each(t, function(host, kind)
      local dir = t.tmp()
      local path = dir .. "/a b"
      step(function()
        host:put(path, "good 1\n", { validate = "grep -q good %s" })
        local err = t.fails("exit", function()
          host:put(path, "bad\n", { validate = "grep good %s || { echo not good >&2; false; }" })
        end)
        t.equal(err.msg, "the check refuses it: not good", kind)
        t.equal(fs.read(path), "good 1\n", kind)
        t.equal(#fs.list(dir), 1, kind .. ": the refused one is gone")
        host:put(path, "good 2\n", { backup = true })
      end)
      local found = fs.list(dir)
      t.equal(#found, 2, kind)
      t.match(found[2], "^a b%.%d+T%d+Z~$")
      t.equal(fs.read(dir .. "/" .. found[2]), "good 1\n", kind)
      t.fails("needs a %%s", function()
        host:put(path, "x", { validate = "true" })
      end)
    end)
  end,

  ["local files, large ones too, both ways"] = function(t)
    each(t, function(host, kind)
      local dir = t.tmp()
      local from = dir .. "/from"
      assert(fs.write(from, hash.random(65536):rep(150) .. "the end"))
      local sum = hash.file(from)
      step(function()
        t.equal(host:put(dir .. "/to", { from = from }), true, kind)
        t.equal(hash.file(dir .. "/to"), sum, kind)
        t.equal(host:put(dir .. "/to", { from = from }), false, kind)
        t.equal(host:get(dir .. "/to", { to = dir .. "/back" }), true, kind)
        t.equal(hash.file(dir .. "/back"), sum, kind)
        t.equal(host:get(dir .. "/to", { to = dir .. "/back" }), false, kind)
        t.equal(fs.stat(dir .. "/back").mode, 384)
        t.fails("no such file", function()
          host:put(dir .. "/to", { from = dir .. "/none" })
        end)
        local err = t.fails("[Nn]o such file", function()
          host:get(dir .. "/to", { to = dir .. "/none/back" })
        end)
        t.equal(err.target, "host " .. host.name)
      end)
      t.equal(names(dir), "back|from|to", kind)
    end)
  end,

  ["directories are made, listed and removed"] = function(t)
    each(t, function(host, kind)
      local dir = t.tmp()
      step(function()
        t.equal(host:mkdir(dir .. "/a/b/c", { mode = "2770" }), true, kind)
        t.equal(fs.stat(dir .. "/a/b/c").mode, 1528, kind)
        t.equal(fs.stat(dir .. "/a/b").mode, 493, kind)
        t.equal(host:mkdir(dir .. "/a/b/c"), false, kind)
        sh(("touch %s/a/f; ln -s /etc %s/a/link"):format(dir, dir))
        t.fails("there is a file", function()
          host:mkdir(dir .. "/a/f")
        end)
        t.equal(host:list(dir .. "/a"), { "b", "f", "link" }, kind)
        t.fails("io", function()
          host:remove(dir .. "/a")
        end)
        t.equal(host:remove(dir .. "/a", { recursive = true }), true, kind)
        t.equal(host:remove(dir .. "/a"), false, kind)
        t.fails("never removed", function()
          host:remove("/", { recursive = true })
        end)
      end)
      t.ok(fs.stat("/etc/passwd"), "links are not followed")
      t.fails("[Nn]o such file", function()
        host:list(dir .. "/none")
      end)
    end)
  end,

  ["a secret is for its owner alone, from the first byte on"] = function(t)
    local value = secret.new("hunter2-and-more", "test:one")
    each(t, function(host, kind)
      local dir = t.tmp()
      step(function()
        t.equal(host:put(dir .. "/key", value), true, kind)
        t.equal(host:put(dir .. "/key", value), false, kind)
      end)
      t.equal(fs.stat(dir .. "/key").mode, 384, kind)
      t.equal(fs.read(dir .. "/key"), "hunter2-and-more", kind)
      local planned = plan(function()
        host:put(dir .. "/key", secret.new("hunter3-and-more", "test:two"))
      end)
      local line = planned.lines[1]
      t.equal(line.change.text, ("put a secret to %s/key"):format(dir), kind)
      t.equal(line.diff[1].unified, nil)
    end)
  end,

  ["a plan writes nothing and tells what would be"] = function(t)
    each(t, function(host, kind)
      local dir = t.tmp()
      local path = dir .. "/conf"
      assert(fs.write(path, "a\nb\nc\n", { mode = 420 }))
      assert(fs.write(dir .. "/same", "same", { mode = 420 }))
      local seen = {}
      local planned, err = plan(function()
        host:put(dir .. "/same", "same")
        host:put(path, "a\nB\nc\n")
        seen.text = host:get(path)
        seen.again = host:put(path, "a\nB\nc\n")
        host:put(dir .. "/new", "new\n", { mode = "0640" })
        host:mkdir(dir .. "/d/e")
        host:rename(path, dir .. "/moved")
        host:remove(dir .. "/same")
        seen.names = table.concat(host:list(dir), "|")
        seen.gone = host:stat(dir .. "/same")
        seen.moved = host:get(dir .. "/moved")
      end)
      t.equal(err, nil, kind)
      local texts = {}
      for i, line in ipairs(planned.lines) do
        texts[i] = line.class .. " " .. line.change.text:gsub(dir:gsub("%p", "%%%0"), "DIR")
      end
      t.equal(texts, {
        "will put 6 bytes to DIR/conf",
        "will put 4 bytes to DIR/new",
        "will make the directory DIR/d/e",
        "will rename DIR/conf to DIR/moved",
        "will remove DIR/same",
      }, kind)
      t.equal(planned.lines[1].diff[1], {
        path = path,
        before = "file, 6 bytes, mode 0644",
        after = "file, 6 bytes, mode 0644",
        unified = "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n",
      }, kind)
      t.equal(planned.lines[2].diff[1].unified, "@@ -0,0 +1 @@\n+new\n")
      t.equal(seen, {
        text = "a\nB\nc\n",
        again = false,
        names = "d|moved|new",
        moved = "a\nB\nc\n",
      }, kind)
      t.equal(names(dir), "conf|same", kind .. ": nothing was written")
      t.equal(fs.read(path), "a\nb\nc\n")
    end)
  end,

  ["what a command sees behind a planned change, no plan knows"] = function(t)
    each(t, function(host, kind)
      local path = t.tmp() .. "/conf"
      assert(fs.write(path, "old", { mode = 420 }))
      local before, behind
      local planned = plan(function()
        before = host:read({ "cat", path }).stdout
        host:put(path, "new")
        behind = host:read({ "cat", path })
      end)
      t.equal(before, "old", kind)
      t.equal(behind, nil, kind .. ": the body ends there")
      t.equal(#planned.lines, 1, kind)
      t.match(planned.open[1].why, "what follows depends on cat .* after: put 3 bytes", kind)
    end)
  end,

  ["what others may not read no plan shows"] = function(t)
    each(t, function(host, kind)
      local path = t.tmp() .. "/f"
      assert(fs.write(path, "password = old\n", { mode = 384 }))
      local planned = plan(function()
        host:put(path, "password = new\n")
      end)
      t.equal(planned.lines[1].diff[1].unified, nil, kind)
      local open = plan(function()
        host:put(path .. "2", "secret text\n", { private = true })
      end)
      t.equal(open.lines[1].diff[1].unified, nil, kind)
    end)
  end,

  ["as another user: the file is that user's, from the first byte on"] = function(t)
    if rig.ssh.user ~= "root" or proc.run({ "sudo", "-n", "-u", "daemon", "true" }).code ~= 0 then
      t.skip("it needs root and sudo: apt-get install sudo")
    end
    each(t, function(host, kind)
      local dir = t.tmp()
      sh(("chmod 711 %s; install -d -o daemon -g daemon -m 700 %s/own"):format(dir, dir))
      local path, as = dir .. "/own/f", { become = "daemon" }
      local function also(more)
        return list.merge(as, more or {})
      end
      step(function()
        t.equal(host:put(path, "one\n", as), true, kind)
        t.equal(host:put(path, "one\n", as), false, kind)
        local st = fs.stat(path)
        t.equal({ st.uid, st.gid, st.mode }, { 1, 1, 420 }, kind)
        t.equal(host:put(path, "two\n", also({ mode = "0600", backup = true })), true, kind)
        t.equal(host:put(path, secret.new("a secret word", "test:three"), as), true, kind)
        t.equal(host:get(path, as), "a secret word", kind)
        t.equal(#host:list(dir .. "/own", as), 2, kind)
        t.equal(host:mkdir(dir .. "/own/d", as), true, kind)
        t.equal(host:rename(path, dir .. "/own/d/f", as), true, kind)
        t.equal(host:stat(dir .. "/own/d/f", as).owner, "daemon", kind)
        t.equal(host:remove(dir .. "/own/d", also({ recursive = true })), true, kind)
        local err = t.fails("io", function()
          host:put(dir .. "/not", "x", as)
        end)
        t.equal({ err.code, err.outcome }, { 13, "failed" }, kind .. ": " .. err.msg)
      end)
      t.equal(fs.list(dir), { "own" }, kind)
    end)
  end,

  ["simulated hosts answer as real ones do"] = function(t)
    local fleet = require("plat.sim.host").new({ now = 1700000000, hosts = { db1 = {} } })
    local world = {
      remote = function(_, target, call)
        local name = target:match("^host (.*)$")
        return require("plat.sim.host").deliver(name, call, fleet:ask(name, call))
      end,
    }
    local host = require("plat.host").new({ name = "db1", address = "db1", vars = {} })
    step(function()
      t.equal(host:stat("/etc/app.conf"), nil)
      t.equal(host:put("/etc/app.conf", "one\n", { mode = "0640" }), true)
      t.equal(host:put("/etc/app.conf", "one\n", { mode = "0640" }), false)
      t.equal(host:get("/etc/app.conf"), "one\n")
      t.equal(host:stat("/etc/app.conf").mode, 416)
      t.equal(host:put("/etc/app.conf", "two\n"), true)
      t.equal(host:stat("/etc/app.conf").mode, 416)
      t.equal(host:mkdir("/srv/app"), true)
      t.equal(host:rename("/etc/app.conf", "/srv/app/conf"), true)
      t.equal(host:list("/srv/app"), { "conf" })
      t.equal(host:remove("/srv/app", { recursive = true }), true)
      t.equal(host:remove("/srv/app"), false)
      t.fails("[Nn]o such file", function()
        host:get("/srv/app/conf")
      end)
    end, { mode = "run", world = world })
  end,
}
