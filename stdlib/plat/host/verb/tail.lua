--- host:tail

local become = require("plat.host.become")
local check = require("plat.check")
local command = require("plat.host.command")
local effect = require("plat.effect")
local fault = require("plat.fault")
local files = require("plat.host.files")
local lines = require("plat.host.lines")
local list = require("plat.list")
local quote = require("plat.host.quote")

local MAX = 16 * 1024 * 1024

local TAIL = check.options("host:tail", {
  lines = { type = "integer", min = 0, default = 10, help = "the last ones, to begin with" },
  follow = { type = "boolean", default = false, help = "wait for more, also in a new file" },
  on_line = { type = "function", help = "fn(line): called for each; false ends it" },
  timeout = { type = "duration", default = "60s", help = "of follow: then it ends" },
  become = { type = "any", help = "as another user: true, a name, { user, method, password }" },
})

local function about(self, path)
  return { op = "host.tail", target = "host " .. self.name, object = files.shown(path) }
end

--- Runs tail; what `take` raises with `stop` ends it. Returns whether that was so.
local function perform(self, path, opts, follows, take, stop)
  local words = { "tail", "-n", tostring(opts.lines), follows and "-F" or nil }
  words[#words + 1] = "--"
  words[#words + 1] = path
  local said = ""
  local split, finish = lines.splitter(function(line)
    if take(line) == false then
      error(stop, 0)
    end
  end)
  local function on_chunk(which, chunk)
    if which == "stdout" then
      split(which, chunk)
    else
      said = (said .. chunk):sub(-4096)
    end
  end
  local result, err = fault.try(command.perform, self, table.concat(list.map(words, quote), " "), {
    argv = words,
    timeout = opts.timeout,
    max_output = MAX,
    become = opts.become,
    on_chunk = on_chunk,
  })
  if err == stop then
    return true
  elseif err and follows and err.kind == "timeout" and err.op == "host.run" then
    return false
  elseif err then
    error(err, 0)
  elseif result.code ~= 0 then
    fault.raise("io", about(self, path), {
      msg = said:match("([^\n]+)\n*$") or ("tail ended with " .. (result.signal or result.code)),
      code = result.code,
    })
  end
  finish()
  return false
end

--- Returns the last lines of a file. With `on_line` they go there, one by one; `follow` adds those
--- that come later, until it returns false or the time is over. A plan does not follow.
---@async
---@param self plat.Host
---@param path string
---@param opts? table lines, follow, on_line, timeout, become
---@return string[]|boolean lines with `on_line`: whether it returned false
return function(self, path, opts)
  opts = TAIL(opts)
  files.check_path("host:tail", path, 3)
  if opts.follow and not opts.on_line then
    error("host:tail: follow needs on_line, which takes the lines", 2)
  end
  local stop = fault.new("failed", about(self, path), { msg = "on_line has seen enough" })
  local kept = {}
  local take = opts.on_line or function(line)
    kept[#kept + 1] = line
  end
  local as = become.of(self, opts.become)
  local stopped
  local answer = effect.remote({
    target = "host " .. self.name,
    op = "host.tail",
    object = files.shown(path),
    read = "it only looks at a file",
    call = {
      verb = "tail",
      path = path,
      lines = opts.lines,
      become = as and { user = as.user, method = as.method } or nil,
    },
    here = self:is_local(),
    perform = function()
      stopped = perform(self, path, opts, opts.follow and not effect.planning(), take, stop)
    end,
  })
  for _, line in ipairs(answer or {}) do -- of a simulated world, where nothing is followed
    if take(line) == false then
      stopped = true
      break
    end
  end
  if opts.on_line then
    return stopped == true
  end
  return kept
end
