local conf = require("plat.conf")
local fs = require("prim.fs")

local function put(path, text, mode)
  assert(fs.mkdir(path:match("^(.*)/"), { parents = true }))
  assert(fs.write(path, text, { mode = mode or 420 }))
end

return {
  ["paths start at the file"] = function(t)
    local text = "inventory: [inventory/a, /etc/b, 'h1,h2,']\n"
    t.equal(
      conf.parse(text, "platrun.conf", "/r").inventory,
      { "/r/inventory/a", "/etc/b", "h1,h2," }
    )
    t.equal(conf.parse("inventory: x", "platrun.conf", ".").inventory, { "x" })
    t.equal(conf.parse("# nothing\n", "platrun.conf", "."), {})
    t.equal(conf.parse("notify: [bin/tell, a/b]", "c", "/r").notify, { "/r/bin/tell", "a/b" })
    t.equal(conf.parse("notify: [mail, a/b]", "c", "/r").notify, { "mail", "a/b" })
  end,

  ["mistakes carry file and line"] = function(t)
    local err = t.fails("parse", function()
      conf.parse("# a\ninvetory: x\n", "r/platrun.conf", "r")
    end)
    t.equal(err.msg, 'r/platrun.conf:2: unknown key "invetory" (did you mean "inventory"?)')
    t.fails("platrun.conf:1: notify: expected a text", function()
      conf.parse("notify: [3]\n", "platrun.conf", ".")
    end)
    t.fails("platrun.conf:1: inventory: expected a path", function()
      conf.parse("inventory: 3\n", "platrun.conf", ".")
    end)
    t.fails("expected lines of KEY: VALUE", function()
      conf.parse("- a\n", "platrun.conf", ".")
    end)
  end,

  ["the file is looked for upward from the playbook"] = function(t)
    local dir = fs.realpath(t.tmp())
    put(dir .. "/platrun.conf", "inventory: inv\n")
    put(dir .. "/a/b/play.lua", "return {}\n")
    local found = conf.load({ playbook = dir .. "/a/b/play.lua" })
    t.equal(found.path, dir .. "/platrun.conf")
    t.equal(found.inventory, { dir .. "/inv" })
    t.equal(found.from.inventory, dir .. "/platrun.conf")
  end,

  ["the search ends at the root of a repository"] = function(t)
    local dir = fs.realpath(t.tmp())
    put(dir .. "/platrun.conf", "inventory: inv\n")
    put(dir .. "/repo/.git/HEAD", "x")
    put(dir .. "/repo/sub/play.lua", "return {}\n")
    t.equal(conf.search(dir .. "/repo/sub"), nil)
    put(dir .. "/repo/platrun.conf", "inventory: other\n")
    t.equal(conf.search(dir .. "/repo/sub"), dir .. "/repo/platrun.conf")
  end,

  ["a file that everybody may write is refused"] = function(t)
    local dir = t.tmp()
    put(dir .. "/c/platrun.conf", "inventory: inv\n", 438) -- 0666
    local err = t.fails("refused", function()
      conf.load({ path = dir .. "/c/platrun.conf" })
    end)
    t.ok(err.hint:find("^chmod o%-w "), err.hint)
  end,

  ["a file that was named must be there"] = function(t)
    t.fails("usage", function()
      conf.load({ path = t.tmp() .. "/none.conf" })
    end)
  end,
}
