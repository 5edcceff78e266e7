--- The face of plat.guard: options, names, what is read.
local fault = require("plat.fault")
local guard = require("plat.guard")

local NOW = 1790000000

return {
  ["wrong options are told with their name and the line"] = function(t)
    local function never() end
    for want, make in pairs({
      ['unknown option "member" %(did you mean "members"%?%)'] = function()
        guard.quorum({ member = {} })
      end,
      ['option "leaving": a number of voters'] = function()
        guard.quorum({ members = {}, leaving = "two" })
      end,
      ['option "leaving": a number'] = function()
        guard.quorum({ members = {}, leaving = { 1 } })
      end,
      ['option "leaving"'] = function()
        guard.quorum({ members = {}, leaving = -1 })
      end,
      ['option "max": "soon" is not a duration'] = function()
        guard.backup_age({ newest = NOW, max = "soon" })
      end,
      ['option "max" is required'] = function()
        guard.backup_age({ newest = NOW })
      end,
      ['option "free": a share such as 20%%'] = function()
        guard.disk({ read = never, free = "120%" })
      end,
      ['option "allowed": "10 to 11" is no rule'] = function()
        guard.version_pair({ from = "1", to = "2", allowed = { "10 to 11" } })
      end,
      ['option "hosts": unknown field "maxx"'] = function()
        guard.blast_radius({ hosts = { touched = 1, all = 2, maxx = 1 } })
      end,
      ['option "hosts": "max" is missing'] = function()
        guard.blast_radius({ hosts = { touched = 1, all = 2 } })
      end,
      ['option "deletions": max: a number is needed'] = function()
        guard.blast_radius({ deletions = { count = 1, max = "5%" } })
      end,
      ['option "client": either client'] = function()
        guard.capacity_after({ leaving = { "a" } })
      end,
      ['option "client": either client %(nodes of Kubernetes%) or members'] = function()
        guard.capacity_after({ client = {}, members = {}, leaving = { "a" } })
      end,
      ['option "leaving": a list of names'] = function()
        guard.capacity_after({ client = {}, leaving = { 1 } })
      end,
      ['option "leaving": leaving or count'] = function()
        guard.capacity_after({ client = {} })
      end,
      ['option "count": count and template go together'] = function()
        guard.capacity_after({ client = {}, count = 1 })
      end,
      ['option "count": count and template'] = function()
        guard.capacity_after({ client = {}, template = {}, leaving = { "a" } })
      end,
      ['option "template": it goes with client'] = function()
        guard.capacity_after({ members = {}, template = {}, count = 1 })
      end,
      ['option "max": a share such as 80%%'] = function()
        guard.capacity_after({ members = {}, leaving = { "a" }, max = "0.8" })
      end,
      ['option "hosts": hosts or deletions is needed'] = function()
        guard.blast_radius({})
      end,
      ['option "name": a guard needs a name'] = function()
        guard.no_running_work({ read = never, name = "" })
      end,
      ["a guard needs a function"] = function()
        guard.new("x")
      end,
    }) do
      local err = t.fails("usage", make)
      t.match(fault.text(err), want)
      t.match(fault.text(err), "tests/lua/guard_face_test.lua:%d+")
    end
  end,
  ["a guard has a short name, and may get another"] = function(t)
    local own = guard.quorum({ members = {}, name = "quorum of etcd", again = false })
    t.equal(
      { own.name, own.again, tostring(own) },
      { "quorum of etcd", false, "guard quorum of etcd" }
    )
    local made = guard.new("licence", function()
      return true
    end)
    t.equal({ made.name, made.again, guard.is(made) }, { "licence", true, true })
    t.equal({ guard.is({}), guard.is(nil), guard.is("x") }, { false, false, false })
  end,
  ["a reading that raises is passed on: the engine refuses"] = function(t)
    local g = guard.disk({
      read = function()
        fault.raise("connect", { op = "ssh" }, { msg = "no route to host" })
      end,
    })
    t.fails("connect", g.check)
  end,
  ["leaving members may be named"] = function(t)
    local function check(healthy)
      local members = { { name = "a", healthy = true }, { name = "b", healthy = true } }
      members[3] = { name = "c", healthy = healthy }
      return guard.quorum({ members = members, leaving = { "c" } }).check()
    end
    t.equal({ check(true), check(false) }, { true, true })
  end,
  ["capacity after: a cluster is read, its quotas count for new pods"] = function(t)
    local asked = {}
    local function container(memory)
      return { { resources = { requests = { cpu = "1", memory = memory } } } }
    end
    local objects = {
      nodes = {
        {
          metadata = { name = "n1" },
          spec = {},
          status = {
            allocatable = { cpu = "4", memory = "8Gi", pods = "110" },
            conditions = { { type = "Ready", status = "True" } },
          },
        },
      },
      pods = {},
      resourcequotas = {
        { metadata = { name = "small" }, spec = { hard = { pods = "1" } } },
      },
    }
    local client = {
      namespace = "default",
      list = function(_, kind, ns)
        asked[#asked + 1] = kind .. (ns and " " .. ns or "")
        return objects[kind]
      end,
    }
    local function check(count, ns)
      local template = { metadata = { labels = {} }, spec = { containers = container("1Gi") } }
      return guard
        .capacity_after({ client = client, count = count, template = template, namespace = ns })
        .check()
    end
    t.equal(check(1), true)
    t.equal(asked, { "nodes", "pods", "resourcequotas default" })
    local ok, reason = check(2, "web")
    t.equal(ok, false)
    t.match(reason, "^2 new pods would be over pods of quota small %(1, used 0%)")
    t.equal(asked[6], "resourcequotas web")
    ok, reason = check(5)
    t.equal(ok, false)
    t.match(reason, "1 of 5 new pods do not fit")
  end,
}
