--- Reads what a command prints while it runs, over SSH or on this machine; ends it when the caller
--- leaves, by a cancel or a deadline too.

local fault = require("plat.fault")
local task = require("plat.task")

local M = {}

---@class plat.host.Running a command that runs: prim.ssh.Command or prim.proc.Process
---@field read fun(self: table): string?, string|table|nil

--- Hands over a mark (plat.host.supervise) and what stands before it, which nobody sees; then all.
---@param unmark fun(text: string): string, string?, string
---@param which "stdout"|"stderr" where the mark comes
---@param take fun(which: string, chunk: string)
---@param begun fun(shell: string?, before: string)
---@return fun(which: string, chunk: string) take
---@return fun() finish what never had a mark is told after all
function M.behind_mark(unmark, which, take, begun)
  local held, seen = {}, false
  local function on_chunk(stream, chunk)
    if seen or stream ~= which then
      return take(stream, chunk)
    end
    held[#held + 1] = chunk
    local rest, shell, before = unmark(table.concat(held))
    if shell then
      seen = true
      begun(shell, before)
      if rest ~= "" then
        take(which, rest)
      end
    end
  end
  return on_chunk,
    function()
      if not seen then
        local text = table.concat(held)
        begun(nil, text)
        if text ~= "" then
          take(which, text)
        end
      end
    end
end

--- Reads all output of a command.
---@async
---@param about table for faults
---@param running plat.host.Running
---@param timeout number seconds
---@param take fun(which: "stdout"|"stderr", chunk: string)
function M.read(about, running, timeout, take)
  local function read_all()
    while true do
      local chunk, which = running:read()
      if chunk then
        take(which, chunk)
      elseif which then
        fault.raise_err(about, which)
      else
        return
      end
    end
  end
  local ok, err = xpcall(task.timeout, fault.from_handler, timeout, read_all)
  if not ok and err.deadline and err.cause then
    fault.raise("timeout", about, { msg = "no answer in " .. task.show_seconds(timeout) })
  elseif not ok then
    error(err, 0)
  end
end

--- Returns a function that answers a prompt on a terminal, once, and passes all output on.
---@param about table for faults
---@param running prim.ssh.Command
---@param prompt plat.host.Prompt
---@param take fun(which: string, chunk: string)
---@return fun(which: string, chunk: string)
function M.answering(about, running, prompt, take)
  local seen, answered = "", false
  return function(which, chunk)
    local _, last
    if not answered or prompt.again then
      seen = (seen .. chunk):sub(-4096)
      _, last = seen:find(prompt.pattern)
    end
    if last and answered then
      fault.raise_err(about, prompt.wrong)
    elseif last then
      answered, seen = true, seen:sub(last + 1)
      fault.must(about, running:write(require("prim.secret").join({ prompt.password, "\n" })))
    end
    take(which, chunk)
  end
end

--- Returns a function that keeps output, up to a ceiling of each stream, and what it has kept.
---@param about table for faults
---@param max integer bytes
---@return fun(which: string, chunk: string) take
---@return fun(): { stdout: string, stderr: string } kept
function M.keeper(about, max)
  local parts, sizes = { stdout = {}, stderr = {} }, { stdout = 0, stderr = 0 }
  local function take(which, chunk)
    sizes[which] = sizes[which] + #chunk
    if sizes[which] > max then
      fault.raise("refused", about, { msg = ("more than %d bytes on %s"):format(max, which) })
    end
    table.insert(parts[which], chunk)
  end
  return take,
    function()
      return { stdout = table.concat(parts.stdout), stderr = table.concat(parts.stderr) }
    end
end

return M
