--- Performs commands where a host is: over SSH, or on this machine. Whoever calls it has passed the
--- door (plat.effect). How they end with whoever asked for them: plat.host.supervise.

local become = require("plat.host.become")
local effect = require("plat.effect")
local env = require("plat.env")
local fault = require("plat.fault")
local out = require("plat.out")
local follow = env.lazy("plat.host.follow")
local here = env.lazy("plat.host.here")
local ssh = env.lazy("plat.ssh")
local supervise = require("plat.host.supervise")

local M = {}

local MAX_OUTPUT = 16 * 1024 * 1024
local MARK = 256 -- bytes that the mark and a shell's own words may need beside the output

local shells = {} -- names of login shells by host; false: it does not run what we send

--- What a session allows a command that is not supervised, and what becomes of it.
local UNSUPERVISED = "%s: the server runs something else than what it is sent (a forced command?): "
  .. "commands there are not supervised, and live on when platrun ends"

local function about(host)
  return { op = "host.run", target = "host " .. host.name }
end

--- Sends a command and reads its output as it comes.
local function send_followed(host, command, opts)
  local take, kept = opts.on_chunk, nil
  if not take then
    take, kept = follow.keeper(about(host), opts.max_output or MAX_OUTPUT)
  end
  local how = { stdin = opts.stdin, leash = opts.leash, pty = opts.pty, input = opts.prompt ~= nil }
  local result = ssh.follow(host, command, how, function(running)
    local reader = take
    if opts.prompt then
      reader = follow.answering(about(host), running, opts.prompt, take)
    end
    follow.read(about(host), running, opts.timeout or 60, reader)
  end)
  if kept then
    local output = kept()
    result.stdout, result.stderr = output.stdout, output.stderr
  end
  return result
end

--- Sends a command as it is.
local function send(host, command, opts)
  if host:is_local() then
    return here.run(host, command, opts)
  elseif opts.on_chunk or opts.prompt then
    return send_followed(host, command, opts)
  end
  return ssh.exec(host, command, opts)
end

-- ---- commands that say when they begin ----

local function size_of(stdin)
  if not stdin then
    return nil
  elseif type(stdin) == "string" then
    return #stdin
  end
  local text = require("prim.secret").reveal(stdin)
  return #text
end

local function with_password(ticket, token, stdin)
  if not ticket or ticket.mode ~= "password" or ticket.tty then
    return stdin
  end
  local parts = { ticket.become.password, "\n" .. token .. "\n", stdin }
  return require("prim.secret").join(parts)
end

--- A command that never began: says why.
local function never_began(host, said, status)
  local line = "([^\r\n]+)[\r\n]*$"
  local last = said:match(line) or (status.stdout or ""):match(line)
  fault.raise("refused", about(host), {
    msg = ("the login shell did not run it: %s"):format(last or ("exit " .. status.code)),
    hint = "`platrun_supervise: false` for this host sends commands as they are",
    stdout = status.stdout,
    stderr = status.stderr,
  })
end

--- What an output says of a command that had to say first that it begins.
local function learn(host, ticket, result, shell, before)
  if shell then
    if not ticket then
      shells[host.name] = shell
    end
    return
  elseif ticket or result.code ~= 0 or host:is_local() then
    never_began(host, before, result)
  end
  shells[host.name] = false
  out.warn(UNSUPERVISED:format("host " .. host.name))
end

--- Sends it, and hands the output over from where the command began.
local function send_marked(host, command, opts, token, which)
  local shell, before
  local function unmark(text)
    return supervise.unmark(text, token)
  end
  if opts.on_chunk then
    local take, finish = follow.behind_mark(unmark, which, opts.on_chunk, function(...)
      shell, before = ...
    end)
    opts.on_chunk = take
    local result = send(host, command, opts)
    finish()
    return result, shell, before
  end
  local ok, result = xpcall(send, fault.from_handler, host, command, opts)
  if result[which] then
    result[which], shell, before = unmark(result[which])
  end
  if not ok then
    error(result, 0)
  end
  return result, shell, before or ""
end

local function marked(host, text, opts, as)
  local ticket = as and become.ticket(host, as, send)
  local parts = supervise.marked(text, {
    size = size_of(opts.stdin),
    skip = ticket ~= nil and ticket.mode == "password" and not ticket.tty,
    tty = ticket ~= nil and ticket.tty,
    login = not as,
  })
  local command, prompt = ("exec sh -c %s sh %s"):format(parts.script, parts.word), nil
  if ticket then
    command, prompt = ticket:command(parts)
  end
  if ticket and ticket.tty and opts.stdin then
    fault.raise("refused", about(host), {
      msg = ("%s insists on a terminal there, which takes no input for a command"):format(
        as.method
      ),
      hint = "put the input into a file first, or allow commands without a terminal",
    })
  end
  local which = ticket and ticket.tty and "stdout" or "stderr"
  local result, shell, before = send_marked(host, command, {
    stdin = with_password(ticket, parts.token, opts.stdin),
    leash = true,
    pty = ticket and ticket.tty,
    prompt = prompt,
    timeout = opts.timeout,
    max_output = opts.max_output and opts.max_output + MARK,
    on_chunk = opts.on_chunk,
  }, parts.token, which)
  learn(host, ticket, result, shell, before)
  return result
end

-- ---- the ways to run one ----

local function check_env(variables)
  for name, value in pairs(variables or {}) do
    if type(value) == "userdata" then
      fault.raise("usage", { op = "host.run" }, {
        msg = ("env %s: a secret in the text of a command can be read by everybody there"):format(
          name
        ),
        hint = "give it by stdin or a file",
      })
    end
  end
end

---@class plat.host.CommandOptions
---@field stdin? string|plat.Secret
---@field timeout? number seconds, 60
---@field max_output? integer bytes of each stream
---@field cwd? string
---@field env? table<string, string|false>
---@field become? boolean|string|table
---@field argv? string[] the words that the text is made of, if it is a program's call
---@field effect? string the key of the change that it is
---@field on_chunk? fun(which: "stdout"|"stderr", chunk: string) as it comes; none is returned

--- Runs a text on a host: by its login shell, or by sh where that is no POSIX shell, here, and as
--- another user.
---@async
---@param host plat.Host
---@param text string
---@param opts? plat.host.CommandOptions
---@return plat.proc.Output
function M.perform(host, text, opts)
  opts = opts or {}
  local as = become.of(host, opts.become)
  check_env(opts.env)
  local shell = host:is_local() and "sh" or shells[host.name]
  local bare = not as and (shell == false or tostring(host.vars.platrun_supervise) == "false")
  local given = { cwd = opts.cwd, env = opts.env, effect = opts.effect }
  given.argv = not bare and opts.argv or nil -- a restricted shell lets nobody take its place
  text = supervise.compose(text, given)
  local stdin = opts.stdin ~= "" and opts.stdin or nil
  local sent = {
    stdin = stdin,
    timeout = opts.timeout,
    max_output = opts.max_output,
    on_chunk = opts.on_chunk,
  }
  if bare then
    return send(host, text, sent)
  elseif as or stdin or not supervise.is_posix(shell) then
    return marked(host, text, sent, as)
  end
  sent.leash = true
  return send(host, supervise.direct(text), sent)
end

--- Prints the processes whose environment has this variable. grep finds few first, because it knows
--- lines only, and the variables end with a zero.
local LOOK = "[ -d /proc/self ] || exit 3; "
  .. "for f in $(grep -lsaF -e %s /proc/[0-9]*/environ); do "
  .. "tr '\\0' '\\n' 2>/dev/null <$f | grep -qxF -e %s && echo ${f#/proc/}; done; exit 0"

--- Returns who still performs a change on a host: "process 12 there", nil if nobody does.
---@async
---@param host plat.Host
---@param key string of the change
---@param opts { become: boolean|string|table|nil } how it was run
---@return string?
function M.running(host, key, opts)
  if effect.sandbox() then
    return nil -- nothing runs there while platrun does not
  end
  local word = supervise.quote("PLATRUN_EFFECT=" .. key)
  local result = M.perform(host, LOOK:format(word, word), { become = opts.become, timeout = 20 })
  if result.code ~= 0 then
    fault.raise("io", about(host), {
      msg = "cannot see whether a command of before still runs: there is no /proc",
    })
  end
  local pid = result.stdout:match("^(%d+)")
  return pid and ("process %s there"):format(pid)
end

return M
