--- Checks that addresses answer as they should: all at once, then until every one is well. Suits
--- cron: it is silent with -q and ends 2 with the reasons.
local fault = require("plat.fault")
local http = require("plat.http")
local list = require("plat.list")

---@type plat.Playbook
local M = {
  summary = "Check that HTTP addresses answer",
  risk = "safe",
  args = {
    urls = {
      type = "list",
      default = "http://dremio.sandbox:9047/apiv2/server_status",
      help = "comma-separated",
    },
    status = { type = "integer", default = 200, help = "the status that is well" },
    contains = { type = "string", help = "text that the answer must hold" },
    within = { type = "duration", default = "1m", help = "longest wait until all are well" },
  },
}

--- Returns what is wrong with an answer, or nil. Pure.
function M.judge(answer, args)
  if answer.status ~= args.status then
    return ("status %d instead of %d"):format(answer.status, args.status)
  elseif args.contains and not answer.body:find(args.contains, 1, true) then
    return ("no %q in the answer"):format(args.contains)
  end
  return nil
end

--- Looks at one address: nil when it is well, else what is wrong.
local function look(url, args)
  local answer, err = fault.try(http.get, url, { timeout = "10s", any_status = true })
  local problem = err and err.msg or M.judge(answer, args)
  return problem and ("%s: %s"):format(url, problem) or nil
end

function M.run(run, args)
  run:prove("every address answers", { within = args.within, readings = 2 }, function()
    local problems = run:gather(args.urls, function(url)
      return look(url, args) or false
    end)
    problems = list.where(problems, function(problem)
      return problem ~= false
    end)
    return #problems == 0, table.concat(problems, "; ")
  end)
end

return M
