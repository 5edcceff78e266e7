--- Logs of containers.
local effect = require("plat.effect")
local kinds = require("plat.k8s.kinds")
local watch = require("plat.k8s.watch")

local M = {}

local DAY = 24 * 3600

---@class plat.k8s.LogOptions
---@field container? string
---@field tail? integer
---@field previous? boolean
---@field since? number seconds
---@field timestamps? boolean
---@field limit? integer bytes
---@field follow? boolean
---@field timeout? number

--- Reads the log of a container, or follows it line by line.
---@async
---@param client plat.k8s.Client
---@param ns string
---@param pod string
---@param opts plat.k8s.LogOptions
---@param on_line? fun(line: string): boolean? with `follow`: true ends it
---@return string? text nil when following
function M.read(client, ns, pod, opts, on_line)
  local res = client:resource("pods")
  local follow = opts.follow and not effect.planning() or nil
  local text, resp = client.transport:request({
    path = kinds.path(res, ns, pod, "log"),
    query = {
      container = opts.container,
      tailLines = opts.tail,
      previous = opts.previous or nil,
      sinceSeconds = opts.since and math.ceil(opts.since) or nil,
      timestamps = opts.timestamps or nil,
      limitBytes = opts.limit,
      follow = follow,
    },
    accept = "text/plain, application/json, */*",
    op = "k8s.logs",
    object = kinds.label(res, ns, pod),
    text = true,
    stream = follow,
    timeout = opts.timeout or (follow and DAY or nil),
  })
  if not resp.stream then
    return text
  end
  local held <close> = setmetatable({ resp.stream }, {
    __close = function(held)
      held[1]:close()
    end,
  })
  for line in watch.lines(held[1]) do
    if on_line and on_line(line) then
      return nil
    end
  end
  return nil
end

return M
