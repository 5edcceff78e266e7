local fleet = require("plat.dremio.fleet")

local function look(replicas, opts)
  opts = opts or {}
  local out = { replicas = replicas, pods = {}, seen = {} }
  for i = 0, (opts.pods or replicas) - 1 do
    local name = "dremio-executor-" .. i
    out.pods[i + 1] = { name = name, ordinal = i, ready = i ~= opts.unready, state = "Pending" }
    if i ~= opts.unready and i ~= opts.unseen then
      out.seen[#out.seen + 1] = name
    end
  end
  out.seen[#out.seen + 1] = opts.stranger
  return out
end

return {
  ["both sides agree"] = function(t)
    t.equal({ fleet.agree(look(3), 5) }, { true })
  end,

  ["a pod that is not ready, one that is unknown, a stranger, too few"] = function(t)
    local cases = {
      [{ unready = 2 }] = "dremio-executor-2 is not ready (Pending)",
      [{ unseen = 1 }] = "dremio-executor-1 is ready, but the coordinator does not know it",
      [{ stranger = "bob" }] = "the coordinator knows bob, which is no pod of the set",
      [{ pods = 2 }] = "2 pods of 3 exist",
    }
    for opts, want in next, cases do
      t.equal({ fleet.agree(look(3, opts), 5) }, { false, want })
    end
  end,

  ["an executor that is to leave may be broken"] = function(t)
    t.equal({ fleet.agree(look(5, { unready = 4 }), 3) }, { true })
    t.equal({ fleet.agree(look(5, { unseen = 3 }), 3) }, { true })
    t.equal((fleet.agree(look(5, { unready = 2 }), 3)), false)
  end,

  ["a cluster without Dremio is a mistake in the inventory"] = function(t)
    local err = t.fails("usage", function()
      fleet.open({ name = "main", namespace = "x" })
    end)
    t.equal(err.msg, "cluster main has no Dremio in the inventory")
  end,
}
