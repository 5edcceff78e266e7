--- Schedules of CronJobs, and their controller on the simulated cluster.
local cron = require("plat.sim.k8s.cron")
local fs = require("prim.fs")
local time = require("plat.time")
local help = load(assert(fs.read("tests/lua/sim_k8s_help.lua")), "@help")()

local sandbox, ask = help.sandbox, help.ask
local NOW = help.NOW
local CRON = "/apis/batch/v1/namespaces/data-platform/cronjobs"
local JOBS = "/apis/batch/v1/namespaces/data-platform/jobs"

local function following(schedule, at, zone)
  local fields = assert(cron.parse(schedule))
  local found = cron.next(fields, time.parse_rfc3339(at), zone or "UTC")
  return found and time.rfc3339(found)
end

local function create(model, edit)
  local spec = {
    schedule = "*/5 * * * *",
    jobTemplate = {
      spec = {
        template = {
          spec = {
            restartPolicy = "Never",
            containers = { { name = "c", image = "local/x:1" } },
          },
        },
      },
    },
  }
  if edit then
    edit(spec)
  end
  local object = {
    apiVersion = "batch/v1",
    kind = "CronJob",
    metadata = { name = "nightly" },
    spec = spec,
  }
  return ask(model, "POST", CRON, object, "application/json")
end

-- Says that the pod of a job has ended.
local function finish(model, job)
  local path = "/api/v1/namespaces/data-platform/pods"
  local pods = ask(model, "GET", path .. "?labelSelector=job-name=" .. job).items
  ask(model, "PATCH", path .. "/" .. pods[1].metadata.name .. "/status", {
    status = { phase = "Succeeded" },
  })
end

local function names(model)
  local out = {}
  for _, job in ipairs(ask(model, "GET", JOBS).items) do
    if job.metadata.name:find("^nightly") then
      out[#out + 1] = job.metadata.name
    end
  end
  return out
end

return {
  ["the next time of a schedule"] = function(t)
    for _, case in ipairs({
      { "*/15 3 * * *", "2026-01-01T00:00:00Z", "2026-01-01T03:00:00Z" },
      { "*/15 3 * * *", "2026-01-01T03:00:00Z", "2026-01-01T03:15:00Z" },
      { "59 23 31 12 *", "2026-01-01T00:00:00Z", "2026-12-31T23:59:00Z" },
      { "0 0 31 * *", "2026-02-01T00:00:00Z", "2026-03-31T00:00:00Z" },
      { "30 2 * * mon-fri", "2026-11-27T03:00:00Z", "2026-11-30T02:30:00Z" },
      { "0 0 1 * 5", "2026-11-28T03:00:00Z", "2026-12-01T00:00:00Z" }, -- the day or the weekday
      { "0 12 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T12:00:00Z" },
      { "0 0 30 2 *", "2026-03-01T00:00:00Z", nil },
      { "@hourly", "2026-03-01T10:00:30Z", "2026-03-01T11:00:00Z" },
    }) do
      t.equal(following(case[1], case[2]), case[3], case[1])
    end
    t.equal(
      following("@daily", "2026-03-28T23:30:00Z", "Europe/Berlin"),
      "2026-03-29T22:00:00Z",
      "over a change of clocks"
    )
    t.equal(
      following("0 6 * * *", "2026-10-24T12:00:00Z", "Europe/Berlin"),
      "2026-10-25T05:00:00Z",
      "in winter again"
    )
  end,

  ["what is no schedule"] = function(t)
    for text, said in pairs({
      ["* * * *"] = "expected exactly 5 fields, found 4",
      ["60 * * * *"] = "end of range %(60%) above maximum %(59%)",
      ["* * 0 * *"] = "beginning of range %(0%) below minimum %(1%)",
      ["5-3 * * * *"] = "beginning of range %(5%) beyond end of range %(3%)",
      ["x * * * *"] = "failed to parse int from x",
    }) do
      local fields, problem = cron.parse(text)
      t.equal(fields, nil, text)
      t.match(problem, said, text)
    end
  end,

  ["jobs start on time; those that ended are kept up to the limits"] = function(t)
    local model = sandbox()
    create(model)
    for i = 1, 6 do
      model:advance(NOW + i * 300 + 5)
      local all = names(model)
      finish(model, all[#all])
      model:advance(NOW + i * 300 + 30)
    end
    t.equal(#names(model), 3, "successful jobs that are kept")
    local status = ask(model, "GET", CRON .. "/nightly").status
    t.equal(status.active, nil, "active")
    t.ok(status.lastSuccessfulTime, "last success")
    t.ok(help.reasons(model, "nightly").SawCompletedJob, "event")
    t.ok(help.reasons(model, "nightly").SuccessfulDelete, "event")
  end,

  ["nothing starts while it is suspended, and the missed one after"] = function(t)
    local model = sandbox()
    create(model, function(spec)
      spec.suspend = true
    end)
    model:advance(NOW + 3600)
    t.equal(#names(model), 0, "suspended")
    ask(model, "PATCH", CRON .. "/nightly", { spec = { suspend = false } })
    model:advance(NOW + 3605)
    t.equal(#names(model), 1, "the latest that was missed")
  end,

  ["with a deadline for starting nothing old is started"] = function(t)
    local model = sandbox()
    create(model, function(spec)
      spec.suspend, spec.startingDeadlineSeconds = true, 10
    end)
    model:advance(NOW + 3600 + 120)
    ask(model, "PATCH", CRON .. "/nightly", { spec = { suspend = false } })
    model:advance(NOW + 3600 + 125)
    t.equal(#names(model), 0, "it is too late for the last one")
    model:advance(NOW + 3600 + 420)
    t.equal(#names(model), 1, "the next one")
  end,
}
