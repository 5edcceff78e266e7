--- host:reboot

local become = require("plat.host.become")
local check = require("plat.check")
local command = require("plat.host.command")
local effect = require("plat.effect")
local fault = require("plat.fault")
local ssh = require("plat.env").lazy("plat.ssh")
local task = require("plat.task")
local time = require("prim.time")

local BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
local COMMAND = "systemctl reboot || reboot || shutdown -r now"
local ASK = 10 -- seconds that one question may take
local PAUSE = { first = 1, factor = 1.5, max = 10 } -- seconds between two of them

local REBOOT = check.options("host:reboot", {
  timeout = { type = "duration", default = "10m", help = "until it answers, newly booted" },
  command = { type = "string", default = COMMAND, help = "what reboots it, a text for a shell" },
  text = { type = "string", help = "for plan and report; default: reboot it" },
  become = { type = "any", help = "as another user: true, a name, { user, method, password }" },
})

local function about(self)
  return { op = "host.reboot", target = "host " .. self.name }
end

local function call_of(self, verb, opts)
  local as = become.of(self, opts.become)
  return { verb = verb, become = as and { user = as.user, method = as.method } or nil }
end

--- Returns what tells one boot of a host from all others.
local function boot_id(self, opts)
  return effect.remote({
    target = "host " .. self.name,
    op = "host.boot_id",
    read = "it only looks",
    call = call_of(self, "boot_id", opts),
    here = self:is_local(),
    perform = function()
      local result = command.perform(self, BOOT_ID, { timeout = ASK, become = false })
      local id = result.stdout:match("^%x[%x-]+")
      if not id then
        fault.raise("refused", about(self), {
          msg = "it has no boot id, by which a new boot could be seen: "
            .. (result.stderr:match("([^\n]+)\n*$") or "no answer"),
        })
      end
      return id
    end,
  })
end

--- What a host on its way down or up may answer.
local PASSING = { connect = true, timeout = true, auth = true, refused = true }

--- Waits until it answers with another boot id than `before`, nil: with any; raises why not.
local function await_boot(self, opts, before)
  local until_then = time.mono() + opts.timeout
  local pause = PAUSE.first
  local last
  while true do
    local id, err = fault.try(boot_id, self, opts)
    if id and id ~= before then
      return id
    elseif err and not PASSING[err.kind] then
      error(err, 0)
    elseif err then
      ssh.forget(self) -- a connection to a boot that is gone
    end
    last = err
    if time.mono() + pause > until_then then
      break
    end
    task.sleep(pause)
    pause = math.min(pause * PAUSE.factor, PAUSE.max)
  end
  fault.raise("timeout", about(self), {
    msg = last and ("it does not answer %s after the reboot"):format(
      task.show_seconds(opts.timeout)
    ) or ("%s later it still runs the boot of before"):format(task.show_seconds(opts.timeout)),
    cause = last,
    hint = last and "look at its console" or "what holds it up: systemctl list-jobs, on the host",
  })
end

--- Sends the command. That the connection is lost on the way is what a reboot does.
local function send(self, opts)
  local how = { timeout = 60, become = opts.become }
  local result, err = fault.try(command.perform, self, opts.command, how)
  if err and not ((err.kind == "connect" or err.kind == "timeout") and err.sent) then
    error(err, 0)
  elseif result and result.code ~= 0 and result.code < 128 and not result.signal then
    fault.raise("exit", about(self), {
      code = result.code,
      msg = ("exit %d: %s"):format(
        result.code,
        result.stderr:match("([^\n]+)\n*$") or "it said nothing"
      ),
      detail = result,
      outcome = "failed",
    })
  end
end

--- Reboots a host and waits until it answers, newly booted: with another boot id. A change; after
--- an interruption the boot id of before tells whether it happened.
---@async
---@param self plat.Host
---@param opts? table timeout, command, text, become
return function(self, opts)
  opts = REBOOT(opts)
  if self:is_local() then
    fault.raise("usage", about(self), { msg = "platrun itself runs on it" })
  end
  local before = boot_id(self, opts)
  effect.remote({
    target = "host " .. self.name,
    op = "host.reboot",
    change = {
      text = opts.text or "reboot",
      args = { command = opts.command },
      recovery = "probed",
      facts = { boot_id = before },
      probe = function(facts)
        return boot_id(self, opts) ~= facts.boot_id
      end,
      planned = true,
    },
    call = call_of(self, "reboot", opts),
    perform = function()
      send(self, opts)
      return await_boot(self, opts, before)
    end,
  })
  if effect.sandbox() and not effect.planning() then -- it goes down at once, and may be down still
    await_boot(self, opts, nil)
  end
end
