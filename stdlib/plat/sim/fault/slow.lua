--- Latency: the answer comes later, perhaps after the client's deadline.

return {
  usage = "slow:MS[:TIMES]",
  help = "the answer takes so many milliseconds more; default: every answer",
  args = { { "ms", "number" }, { "times", "integer", default = math.maxinteger } },
  hosts = true,
  after = function(_, args, resp)
    resp.delay = (resp.delay or 0) + args.ms / 1000
    return resp
  end,
}
