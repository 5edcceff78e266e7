--- CronJobs, and namespaces that are on their way out.
local CRON = "/apis/batch/v1/namespaces/$NS/cronjobs"
local JOBS = "/apis/batch/v1/namespaces/$NS/jobs"
local MERGE = "application/merge-patch+json"
local QUIET = { quiet = true }

local function cronjob(name, edit)
  local object = {
    apiVersion = "batch/v1",
    kind = "CronJob",
    metadata = { name = name },
    spec = {
      schedule = "* * * * *",
      jobTemplate = {
        spec = {
          template = {
            spec = {
              restartPolicy = "Never",
              schedulerName = "nobody",
              containers = { { name = "c", image = "local/x:1" } },
            },
          },
        },
      },
    },
  }
  if edit then
    edit(object.spec)
  end
  return object
end

local function jobs_of(t, test, seconds)
  return t:eventually("GET", JOBS, function(list)
    return test(list.items)
  end, { keep = { "kind" }, seconds = seconds or 75 }).json.items
end

local function patch(t, name, spec)
  t:call("PATCH", CRON .. "/" .. name, { spec = spec }, { type = MERGE, keep = { "spec.suspend" } })
end

return {
  {
    title = "a cron job has its defaults and says what is wrong",
    run = function(t)
      local object = cronjob("c", function(spec)
        spec.suspend = true
      end)
      t:call("POST", CRON, object)
      t:call("GET", CRON .. "/c/status", nil, { keep = { "status", "metadata.generation" } })
      t:call("GET", CRON, nil, {
        headers = { accept = "application/json;as=Table;v=v1;g=meta.k8s.io" },
        keep = {
          "rows.1.cells.1",
          "rows.1.cells.2",
          "rows.1.cells.3",
          "rows.1.cells.4",
          "rows.1.cells.5",
        },
      })
      for _, schedule in ipairs({ "", "every day", "61 * * * *" }) do
        t:call(
          "POST",
          CRON,
          cronjob("bad", function(spec)
            spec.schedule = schedule
          end),
          { keep = { "code", "reason", "message" } }
        )
      end
      t:call(
        "POST",
        CRON,
        cronjob("bad", function(spec)
          spec.concurrencyPolicy = "Sometimes"
        end),
        { keep = { "code", "reason", "message" } }
      )
    end,
  },
  {
    title = "a cron job starts a job each minute, and none while one runs, if it says so",
    run = function(t)
      t:call(
        "POST",
        CRON,
        cronjob("c", function(spec)
          spec.concurrencyPolicy = "Forbid"
        end),
        QUIET
      )
      local job = jobs_of(t, function(items)
        return #items == 1
      end)[1]
      t:equal(job.metadata.ownerReferences[1].kind, "CronJob", "owner")
      t:equal(job.metadata.ownerReferences[1].controller, true, "controller")
      local at = job.metadata.annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"]
      t:ok(at:find(":00Z$"), "scheduled at a whole minute: " .. at)
      t:ok(job.metadata.name:find("^c%-%d+$"), "name: " .. job.metadata.name)
      t:eventually("GET", CRON .. "/c", function(c)
        return c.status.lastScheduleTime ~= nil and c.status.active ~= nil
      end, { keep = { "status.active.1.kind", "status.active.1.apiVersion" } })
      local query = "?fieldSelector=involvedObject.name%3Dc,reason%3DJobAlreadyActive"
      local event = t:eventually("GET", "/api/v1/namespaces/$NS/events" .. query, function(list)
        return #list.items > 0
      end, { keep = { "items.1.message", "items.1.type" }, seconds = 75 })
      t:ok(event, "the second is not started")
      patch(t, "c", { suspend = true })
      t:equal(#t:call("GET", JOBS, nil, QUIET).json.items, 1, "jobs")
      t:call("DELETE", CRON .. "/c", nil, { keep = { "status", "kind" } })
      jobs_of(t, function(items)
        return #items == 0
      end)
    end,
  },
  {
    title = "a cron job that replaces ends the job before",
    run = function(t)
      t:call(
        "POST",
        CRON,
        cronjob("c", function(spec)
          spec.concurrencyPolicy = "Replace"
        end),
        QUIET
      )
      local first = jobs_of(t, function(items)
        return #items == 1
      end)[1].metadata.name
      jobs_of(t, function(items)
        return #items == 1 and items[1].metadata.name ~= first
      end)
      t:call("DELETE", CRON .. "/c", nil, QUIET)
    end,
  },
  {
    title = "a namespace with a stuck finalizer says what is left",
    bare = true,
    run = function(t)
      local ns = t.ns .. "-gone"
      local function path(rest)
        return "/api/v1/namespaces/" .. ns .. (rest or "")
      end
      t:call("POST", "/api/v1/namespaces", {
        apiVersion = "v1",
        kind = "Namespace",
        metadata = { name = ns },
      }, QUIET)
      t:call("POST", path("/configmaps"), {
        apiVersion = "v1",
        kind = "ConfigMap",
        metadata = { name = "held", finalizers = { "example.com/hold" } },
      }, QUIET)
      t:call("DELETE", path(), nil, { keep = { "status.phase", "spec" } })
      t:eventually("GET", path(), function(n)
        for _, condition in ipairs(n.status.conditions or {}) do
          if condition.type == "NamespaceFinalizersRemaining" and condition.status == "True" then
            return true
          end
        end
        return false
      end, { keep = { "status", "spec" }, seconds = 30 })
      t:call("POST", path("/configmaps"), {
        apiVersion = "v1",
        kind = "ConfigMap",
        metadata = { name = "new" },
      })
      t:call("PATCH", path("/configmaps/held"), { metadata = { finalizers = t.json.null } }, {
        type = MERGE,
        keep = { "kind" },
      })
      t:eventually("GET", path(), function(n)
        return n.code == 404
      end, { keep = { "code" }, seconds = 60 })
    end,
  },
}
