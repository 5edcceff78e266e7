-- The arithmetic of rollouts with literal tables: sizes, order, cuts, budgets, words.

local batches = require("plat.run.rollout.batches")
local budget = require("plat.run.rollout.budget")
local report = require("plat.run.rollout.report")

local function sizes(spec, all, left)
  return batches.sizes(batches.parse(spec), all, left or all)
end

local function names(n)
  local out = {}
  for i = 1, n do
    out[i] = "n" .. i
  end
  return out
end

return {
  ["sizes: shares of all, rounded up, the last one repeats, never more than are left"] = function(
    t
  )
    local table_of = {
      { { 1, "10%", "50%" }, 20, { 1, 2, 10, 7 } },
      { { 1, "10%", "50%" }, 5, { 1, 1, 3 } },
      { { 1, "10%", "50%" }, 1, { 1 } },
      { 1, 3, { 1, 1, 1 } },
      { "2", 5, { 2, 2, 1 } },
      { "25%", 8, { 2, 2, 2, 2 } },
      { "25%", 9, { 3, 3, 3 } },
      { "25%", 2, { 1, 1 } },
      { "10%", 30, { 3, 3, 3, 3, 3, 3, 3, 3, 3, 3 } },
      { "0.1%", 3, { 1, 1, 1 } },
      { "33.4%", 3, { 2, 1 } },
      { "100%", 7, { 7 } },
      { 50, 7, { 7 } },
      { "1, 10%,50%", 20, { 1, 2, 10, 7 } },
      { { 1, "100%" }, 4, { 1, 3 } },
      { 1, 0, {} },
    }
    for i, case in ipairs(table_of) do
      t.equal(sizes(case[1], case[2]), case[3], "case " .. i)
    end
    t.equal(sizes("50%", 5, 4), { 3, 1 }, "the share counts the last target too")
  end,
  ["sizes that are none"] = function(t)
    local table_of = {
      { 0, "batch 1 would be empty" },
      { { 1, "0%" }, "batch 2 would be empty" },
      { -1, "-1 is neither a number nor a share" },
      { 1.5, "1.5 is neither" },
      { "ten", '"ten" is neither a number nor a share such as 25%%' },
      { "101%", '"101%%" is neither' },
      { {}, "a list of sizes is expected" },
      { "", "a list of sizes is expected" },
      { { first = 1 }, "a list of sizes is expected" },
      { true, "true is neither" },
    }
    for _, case in ipairs(table_of) do
      local amounts, err = batches.parse(case[1])
      t.equal(amounts, nil)
      t.match(err, case[2])
    end
  end,
  ["order: as listed, reversed, compared, keyed; equals keep their order"] = function(t)
    local items = { { "a", 2 }, { "b", 1 }, { "c", 2 }, { "d", 1 } }
    local function ordered(how)
      local text = ""
      for _, item in ipairs(batches.order(items, how)) do
        text = text .. item[1]
      end
      return text
    end
    t.equal(ordered(nil), "abcd")
    t.equal(ordered("listed"), "abcd")
    t.equal(ordered("reverse"), "dcba")
    t.equal(
      ordered(function(a, b)
        return a[2] < b[2]
      end),
      "bdac"
    )
    t.equal(
      ordered(function(item)
        return item[2]
      end),
      "bdac"
    )
    t.equal(
      ordered(function(item)
        return item[1] == "c" and "1 first" or "2 others"
      end),
      "cabd"
    )
    t.equal(
      ordered(function()
        return true -- nonsense, and no reason to crash
      end):len(),
      4
    )
    t.equal(items[1][1], "a", "the list of the playbook stays as it is")
    t.equal(#batches.order(names(1000), function(a, b)
      return a < b
    end), 1000)
  end,
  ["orders that are none"] = function(t)
    local _, err = batches.order({ 1, 2 }, "random")
    t.match(err, '"listed", "reverse" or a function')
    _, err = batches.order({ 1, 2 }, function()
      return {}
    end)
    t.match(err, "returned a table")
    _, err = batches.order({ 1, "x" }, function(item)
      return item
    end)
    t.match(err, "different types: number and string")
  end,
  ["cut: the last one in a batch of its own"] = function(t)
    local one = batches.parse(1)
    t.equal(batches.cut({ "a", "b", "c" }, one), { { "a" }, { "b" }, { "c" } })
    t.equal(batches.cut({ "a", "b", "c" }, one, "a"), { { "b" }, { "c" }, { "a" } })
    t.equal(batches.cut({ "a" }, one, "a"), { { "a" } })
    t.equal(batches.cut({ "a", "b" }, one, "z"), { { "a" }, { "b" } })
    t.equal(batches.cut({}, one), {})
    t.equal(
      batches.cut(names(6), batches.parse("50%"), "n2"),
      { { "n1", "n3", "n4" }, { "n5", "n6" }, { "n2" } }
    )
  end,
  ["budgets: the edges"] = function(t)
    -- given, all, size of the batch, failed here, failed in all, words when exceeded
    local table_of = {
      { nil, 4, 2, 1, 1, "none allowed" },
      { {}, 4, 2, 1, 1, "none allowed" },
      { { batch = 0 }, 4, 2, 1, 1, "none allowed" },
      { { batch = 1 }, 4, 2, 1, 1, false },
      { { batch = 1 }, 4, 2, 2, 2, "1 allowed" },
      { { batch = 1 }, 40, 2, 1, 20, false }, -- no limit in all
      { { total = 0 }, 40, 10, 1, 1, "none allowed" },
      { { total = 2 }, 40, 10, 2, 2, false },
      { { total = 2 }, 40, 10, 1, 3, "3 in all, 2 allowed in all" },
      { { batch = 2, total = 1 }, 9, 3, 2, 2, "2 in all, 1 allowed in all" },
      { { batch = 1, total = 5 }, 9, 3, 2, 2, "1 allowed" },
      { { batch = "10%" }, 100, 9, 1, 1, "none allowed" }, -- rounded down
      { { batch = "10%" }, 100, 10, 1, 1, false },
      { { batch = "10%" }, 100, 10, 2, 2, "1 allowed" },
      { { total = "10%" }, 30, 9, 3, 3, false },
      { { total = "10%" }, 30, 9, 4, 4, "4 in all, 3 allowed in all" },
      { { batch = "100%" }, 3, 3, 3, 3, false },
    }
    for i, case in ipairs(table_of) do
      local over, words = budget.exceeded(budget.parse(case[1], case[2]), case[3], case[4], case[5])
      t.equal(over and words or false, case[6], "case " .. i)
    end
  end,
  ["budgets that are none"] = function(t)
    local _, err = budget.parse({ totl = 1 }, 3)
    t.match(err, 'unknown field "totl" %(did you mean "total"%?%)')
    _, err = budget.parse({ batch = -1 }, 3)
    t.match(err, "batch: %-1 is neither")
    _, err = budget.parse({ total = "many" }, 3)
    t.match(err, 'total: "many" is neither')
  end,
  ["the words of a report"] = function(t)
    t.equal(report.count(1, "host"), "1 host")
    t.equal(report.count(0, "host"), "0 hosts")
    t.equal(report.plan({ { "a" }, { "b", "c" } }, "host", nil), "3 hosts in 2 batches: 1, 2")
    t.equal(report.plan({ { "a" } }, "host", "a"), "1 host in 1 batch: 1; a goes last")
    t.match(report.names(names(20)), "n12 and 8 more$")
    t.equal(
      report.states({ "a", "b", "c", "d", "e" }, {
        a = "done",
        b = "failed",
        c = "running",
        d = "undone",
      }),
      { "done: a", "failed: b", "interrupted: c", "undone: d", "not begun: e" }
    )
  end,
  ["the hint: what the engine undoes cannot be resumed"] = function(t)
    t.match(report.hint({ undo = {}, changes = 0 }), "run the playbook again")
    t.match(report.hint({ id = "r1", undo = {}, changes = 1 }), "platrun resume r1")
    t.match(report.hint({ id = "r1", undo = { {} }, changes = 1 }), "run the playbook again")
    t.match(
      report.hint({ id = "r1", undo = { {} }, changes = 1, options = { no_undo = true } }),
      "platrun resume r1"
    )
  end,
}
