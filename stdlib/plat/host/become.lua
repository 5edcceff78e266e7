--- Commands as another user: sudo, su and doas.
---
--- What is needed for it is found out once a host, method and user: first without a password
--- (`sudo -n`), then, if one is asked for, with it. A wrong one is not tried a second time, because
--- that may lock an account. The password goes by the input, before that of the command.

local explain = require("plat.host.become.explain")
local fault = require("plat.fault")
local flags = require("plat.ssh.given")
local hash = require("prim.hash")
local once = require("plat.task.once")
local secret = require("plat.env").lazy("plat.secret")

local M = {}

local PROBE = 30 -- seconds for one attempt

local METHODS = { sudo = true, su = true, doas = true }
local YES = { [true] = true, ["true"] = true, yes = true, on = true, ["1"] = true, [1] = true }

---@class plat.host.Become
---@field user string
---@field method "sudo"|"su"|"doas"
---@field exe string the program
---@field password? string|plat.Secret

local function about(host, become)
  return { op = "become", target = "host " .. host.name, object = become.method }
end

local function refuse(msg)
  fault.raise("usage", { op = "become" }, { msg = msg })
end

local function given_table(given)
  if type(given) == "string" then
    return { user = given }
  elseif type(given) ~= "table" then
    return {}
  end
  for name in pairs(given) do
    if name ~= "user" and name ~= "method" and name ~= "password" then
      refuse(("become: unknown option %q: user, method and password are known"):format(name))
    end
  end
  return given
end

local function is_wanted(vars, given)
  if given ~= nil then
    return given ~= false
  end
  local said = vars.ansible_become
  if said == nil then
    return flags.values().become or false
  end
  return YES[type(said) == "string" and said:lower() or said] or false
end

local function password_of(vars, method)
  for _, name in ipairs({ "ansible_become_password", "ansible_become_pass" }) do
    if vars[name] ~= nil then
      return vars[name]
    end
  end
  for _, ending in ipairs({ "_password", "_pass" }) do
    if vars["ansible_" .. method .. ending] ~= nil then
      return vars["ansible_" .. method .. ending]
    end
  end
  return flags.values().become_password
end

--- Returns as whom commands of a host are run; nil: as who logs in.
---@param host plat.Host
---@param given? boolean|string|table of the call: false, true, a user, `{ user, method, password }`
---@return plat.host.Become?
function M.of(host, given)
  local vars = host.vars
  if not is_wanted(vars, given) then
    return nil
  end
  local said = given_table(given)
  local method = said.method or vars.ansible_become_method or flags.values().become_method or "sudo"
  if not METHODS[method] then
    refuse(("become_method %q: sudo, su and doas are known"):format(tostring(method)))
  end
  local user = said.user or vars.ansible_become_user or flags.values().become_user or "root"
  if type(user) ~= "string" or not user:find("^[%w_][%w_.@+-]*$") then
    refuse(("become_user %q is no name of a user"):format(tostring(user)))
  end
  local exe = vars.ansible_become_exe or method
  if type(exe) ~= "string" or not exe:find("^[%w_./+-]+$") then
    refuse(("ansible_become_exe %q is no name of a program"):format(tostring(exe)))
  end
  local password = said.password or password_of(vars, method)
  if type(password) == "number" then
    password = tostring(math.tointeger(password) or password)
  end
  if type(password) == "string" then
    secret.register(password)
  end
  return { user = user, method = method, exe = exe, password = password }
end

-- ---- the words ----

--- Returns a command of the login shell that runs `sh -c SCRIPT sh WORD` as another user.
local function command_of(become, mode, script, word, prompt)
  if become.method == "su" then
    return ("%s -s /bin/sh -c %s %s sh %s"):format(become.exe, script, become.user, word)
  end
  if become.method == "sudo" then
    local how = mode == "password" and "-H -S -p " .. prompt or "-H -n"
    return ("%s %s -u %s -- sh -c %s sh %s"):format(become.exe, how, become.user, script, word)
  end
  local how = mode == "password" and "" or "-n "
  return ("%s %s-u %s sh -c %s sh %s"):format(become.exe, how, become.user, script, word)
end

local function token()
  return (hash.random(8):gsub(".", function(c)
    return ("%02x"):format(c:byte())
  end))
end

-- ---- finding out ----

---@class plat.host.Ticket what is known of one user on one host
---@field become plat.host.Become
---@field mode "free"|"password"
---@field tty boolean it insists on a terminal
local Ticket = { __name = "plat.host.Ticket" }
Ticket.__index = Ticket

---@class plat.host.Prompt a question on a terminal
---@field pattern string
---@field again boolean whether it is a second time: then the answer was wrong
---@field password string|plat.Secret
---@field wrong table fields of the fault

local function prompt_of(become, text)
  local is_sudo = become.method == "sudo"
  return {
    pattern = is_sudo and text:gsub("%p", "%%%0") or "[Pp]assword: ?$",
    again = is_sudo,
    password = become.password,
    wrong = explain.wrong(become),
  }
end

--- Returns the command that runs a marked script (plat.host.supervise).
---@param parts { script: string, word: string }
---@return string
---@return plat.host.Prompt? prompt that it will show on its terminal
function Ticket:command(parts)
  local text = self.mode == "password" and "platrun-" .. token() .. ":" or nil
  return "exec " .. command_of(self.become, self.mode, parts.script, parts.word, text),
    text and self.tty and prompt_of(self.become, text) or nil
end

--- Makes one attempt; returns whether it worked, and the output.
local function attempt(host, become, send, mode, tty)
  local mark = token()
  local prompt = "platrun-" .. mark .. ":"
  local words = command_of(become, mode, "'echo $1'", mark, prompt)
  local opts = { pty = tty, timeout = PROBE }
  if mode == "password" and become.method == "sudo" then
    words = words:gsub(" %-H", " -k -H", 1) -- a ticket of before would hide a wrong password
  end
  if mode == "password" and tty then
    opts.prompt = prompt_of(become, prompt)
  elseif mode == "password" then
    opts.stdin = require("prim.secret").join({ become.password, "\n" })
  end
  local out = send(host, "exec env LC_ALL=C " .. words, opts)
  local said = (out.stdout .. out.stderr):gsub("platrun%-%x+:", "")
  return out.stdout:find("%f[%x]" .. mark .. "\r?\n") ~= nil, said, out
end

--- Without a password; su has no way to be asked first.
local function find_free(host, become, send)
  local fits, said, out = attempt(host, become, send, "free", false)
  local tty = not fits and explain.wants_tty(said)
  if tty then
    fits, said, out = attempt(host, become, send, "free", true)
  end
  if fits then
    return { mode = "free", tty = tty }
  elseif not explain.wants_password(become.method, said) or not become.password then
    fault.raise_err(about(host, become), explain.fault(become, said, out, false))
  end
  return { mode = "password", tty = tty or become.method == "doas" }
end

local function find_out(host, become, send)
  local found = { mode = "password", tty = false }
  if become.method ~= "su" or not become.password then
    found = find_free(host, become, send)
  end
  if found.mode == "free" then
    return found
  elseif found.tty and host:is_local() then
    fault.raise("refused", about(host, become), {
      msg = become.method .. " takes the password from a terminal only",
      hint = "a rule without a password (nopass, NOPASSWD), or no requiretty",
    })
  end
  local fits, said, out = attempt(host, become, send, "password", found.tty)
  if not fits then
    fault.raise_err(about(host, become), explain.fault(become, said, out, true))
  end
  return found
end

local known = {} -- by host, method and user: { once =, found = }

--- Finds out how a host lets commands run as another user; raises why it does not.
---@async
---@param host plat.Host
---@param become plat.host.Become
---@param send fun(host: plat.Host, command: string, opts: table): table runs a command there
---@return plat.host.Ticket
function M.ticket(host, become, send)
  local key = table.concat({ host.name, become.method, become.user, become.exe }, "\0")
  local entry = known[key] or { once = once.new() }
  known[key] = entry
  local found = entry.once:get(about(host, become), function()
    if entry.failed then
      error(entry.failed, 0)
    end
    return entry.found
  end, function()
    local ok, result = xpcall(find_out, fault.from_handler, host, become, send)
    if ok then
      entry.found = result
      return
    end
    if result.kind == "auth" then -- the same wrong password is not tried twice in a run
      entry.failed = result
    end
    error(result, 0)
  end)
  return setmetatable({ become = become, mode = found.mode, tty = found.tty }, Ticket)
end

return M
