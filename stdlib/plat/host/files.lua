--- Files of hosts: what the verbs put, get, stat, list, remove, rename and mkdir share. By SFTP, or
--- by commands where the server has none, as another user, and on this machine.

local become = require("plat.host.become")
local effect = require("plat.effect")
local fault = require("plat.fault")
local prim_fs = require("prim.fs")
local secret = require("plat.env").lazy("plat.secret")
local task = require("plat.task")
local views = require("plat.effect.files")

local M = {}

--- Options that all of the verbs have.
M.COMMON = {
  become = { type = "any", help = "as another user: true, a name, { user, method, password }" },
  timeout = { type = "duration", default = "10m", help = "then it is given up" },
}

--- Returns a path as text for people and journals: what is no plain text is escaped.
---@param path string
---@return string
function M.shown(path)
  if utf8.len(path) and not path:find("[%c\127]") then
    return path
  end
  return (path:gsub("[%c\127-\255\\]", function(c)
    return ("\\x%02x"):format(c:byte())
  end))
end

--- Refuses what is no absolute path.
---@param op string
---@param path any
---@param level? integer whose mistake it is; default: the caller's caller's caller
function M.check_path(op, path, level)
  level = level or 4
  if type(path) ~= "string" or path:sub(1, 1) ~= "/" then
    error(("%s: an absolute path is expected, not %q"):format(op, tostring(path)), level)
  elseif path:find("\0", 1, true) then
    error(op .. ": the path contains a zero byte", level)
  end
end

--- Returns a mode of octal digits as a number.
---@param op string
---@param text? string
---@return integer?
function M.mode_of(op, text)
  if not text then
    return nil
  end
  local mode = text:match("^[0-7]+$") and tonumber(text, 8)
  if not mode or mode > 4095 then
    error(('%s: option "mode": %q is not an octal mode such as "0644"'):format(op, text), 4)
  end
  return mode
end

--- Returns what does it: plat.host.files.sftp or plat.host.files.shell.
---@async
---@param host plat.Host
---@param about table for faults
---@param opts table become
---@return table transport
function M.transport(host, about, opts)
  if not host:is_local() and not become.of(host, opts.become) then
    local found = require("plat.host.files.sftp").of(host, about)
    if found then
      return found
    end
  end
  return require("plat.host.files.shell").of(host, about, opts)
end

---@class plat.host.files.Request
---@field op string
---@field path string
---@field call table what is asked, as data
---@field opts table become, timeout
---@field change? table of a change; without it is a read
---@field perform fun(transport: table, change: plat.Change?): any

--- Passes the door with a read or a change.
---@async
---@param host plat.Host
---@param req plat.host.files.Request
---@return any
function M.ask(host, req)
  local about = { op = req.op, target = "host " .. host.name, object = M.shown(req.path) }
  local other = become.of(host, req.opts.become)
  req.call.become = other and { user = other.user, method = other.method }
  return effect.remote({
    target = about.target,
    op = req.op,
    object = about.object,
    read = not req.change and "it only looks" or nil,
    change = req.change,
    call = req.call,
    here = host:is_local(),
    perform = function(change)
      return task.timeout(req.opts.timeout or 600, function()
        return req.perform(M.transport(host, about, req.opts), change)
      end, "file transfer")
    end,
  })
end

-- ---- plans ----

--- Returns what a plan makes of a path of a host: an entry, false where it removes it, nil where it
--- leaves it; and the files as they look then. Ends the body where nobody knows.
---@param host plat.Host
---@param path string
---@return plat.PlannedFile|false|nil entry
---@return table? view nil: nothing is planned
function M.planned(host, path)
  local plan = effect.plan()
  if not plan then
    return nil, nil
  end
  local target = "host " .. host.name
  plan:before_read({ target = target, object = M.shown(path) })
  local view = host:is_local() and views.of(plan) or views.of(plan, target, M.present)
  return view:look(path), view
end

--- Whether there is something above a planned directory: nobody asks the host for it.
function M.present()
  return true
end

--- Nobody but the view of the plan answers for files that it changes.
---@return any
function M.same(_, resp)
  return resp
end

--- Predicts that a change works.
---@return boolean
function M.always()
  return true
end

--- Raises that there is nothing at a path.
---@param host plat.Host
---@param op string
---@param path string
---@param why? string
function M.absent(host, op, path, why)
  fault.raise("io", { op = op, target = "host " .. host.name, object = M.shown(path) }, {
    code = 2,
    msg = "no such file or directory" .. (why or ""),
  })
end

-- ---- looking ----

--- Returns what is at a path, as a plan would leave it; nil: nothing.
---@async
---@param host plat.Host
---@param op string
---@param path string
---@param opts table become, timeout, follow
---@return table?
function M.stat(host, op, path, opts)
  local entry, view = M.planned(host, path)
  if entry == false then
    return nil
  elseif entry then
    return view:stat(path, entry)
  end
  local follow = opts.follow ~= false
  local found = M.ask(host, {
    op = op,
    path = path,
    opts = opts,
    call = { verb = "stat", path = path, follow = follow },
    perform = function(transport)
      return transport:stat(path, follow) or { exists = false }
    end,
  })
  return found.exists ~= false and found or nil
end

--- Returns the content of a file, as a plan would leave it.
---@async
---@param host plat.Host
---@param op string
---@param path string
---@param opts table become, timeout, max, expect
---@return string
function M.read(host, op, path, opts)
  local entry, view = M.planned(host, path)
  if entry == false then
    M.absent(host, op, path, " (the plan removes it)")
  elseif entry and entry.type == "file" then
    return view:content(path, entry)
  end
  return M.ask(host, {
    op = op,
    path = path,
    opts = opts,
    call = { verb = "get", path = path, max = opts.max },
    perform = function(transport)
      return transport:read(path, opts.max, opts.expect or 0)
    end,
  })
end

--- Prints the digest of the standard input; nothing where the host has no program for it.
M.SUM = "{ sha256sum || shasum -a 256 || openssl dgst -sha256 -r || busybox sha256sum; }"

--- Returns the SHA-256 of a file of the host; nil where it has no program for it.
---@async
---@param host plat.Host
---@param op string
---@param path string
---@param opts table become, timeout
---@return string?
function M.sum(host, op, path, opts)
  local text = M.SUM .. " 2>/dev/null <" .. require("plat.host.quote")(path)
  local out = M.ask(host, {
    op = op,
    path = path,
    opts = opts,
    call = { verb = "command", text = "sha256sum " .. path, argv = { "sha256sum", path } },
    perform = function(transport)
      return transport:run(text) or { stdout = "" }
    end,
  })
  local sum = out.stdout:match("^(%x+)%f[%X]")
  return sum and #sum == 64 and sum or nil
end

--- Describes a file for a plan's difference, without its content.
---@param st? table
---@return string
function M.outline(st)
  local mode = st and rawget(st, "mode") -- a plan may not know it
  local size = st and rawget(st, "size")
  return st
      and ("%s%s%s"):format(
        st.type,
        size and st.type == "file" and (", %d bytes"):format(size) or "",
        mode and (", mode %04o"):format(mode) or ""
      )
    or "absent"
end

--- Returns the bytes of a text or a secret: for digests, never for people.
---@param content string|plat.Secret
---@return string
function M.bytes(content)
  return secret.is(content) and require("prim.secret").reveal(content) or content
end

--- Returns the size and the SHA-256 of a local file.
---@async
---@param op string
---@param path string
---@return integer size
---@return string sha256
function M.local_sum(op, path)
  local about = { op = op, object = path }
  local st = fault.must(about, prim_fs.stat(path))
  if st.type ~= "file" then
    fault.raise("refused", about, { msg = "no regular file" })
  end
  return st.size, fault.must(about, require("prim.hash").file(path))
end

return M
