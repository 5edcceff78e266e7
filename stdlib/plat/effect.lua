--- The one door: every effect on the world outside this process goes through here, as a read or as
--- a change described by data. Behind the door stands the wire, a planner, or a simulated world.

local env = require("plat.env")
local fault = require("plat.fault")
local list = require("plat.list")
local out = require("plat.out")
local task = require("plat.task")
local time = require("prim.time")
local wire = env.lazy("plat.effect.wire")

local M = {}

local SAFE = { GET = true, HEAD = true, OPTIONS = true }
local GRACE = 10 -- seconds that a change in flight gets when its task is cancelled

--- mode "run" or "plan"; plan: plat.effect.plan, in plan mode; world: a simulated one, then nothing
--- else can be reached; observer: told of every change, `{ intent = fn, outcome = fn, progress? }`
local state = { mode = "run" }
local reads = {} -- declared reads: { method, path pattern, reason, module }
local chores = {} -- declared housekeeping, likewise

--- Opens the door for a run. Called once, by the engine. grace: instead of GRACE.
---@param opts { mode: "run"|"plan", plan: table?, world: table?, observer: table?, grace: number? }
function M.open(opts)
  state = opts
  if opts.mode == "plan" and not state.world then
    require("prim.http").set_plan()
  end
end

--- Closes the door behind a run: for tests, which run several playbooks in one process.
function M.close()
  state = { mode = "run" }
end

--- Returns whether this is plan mode: nothing may change and no wait waits.
---@return boolean
function M.planning()
  return state.mode == "plan"
end

--- Returns whether the targets are simulated.
---@return boolean
function M.sandbox()
  return state.world ~= nil
end

--- Returns the present time in unix seconds, virtual in the sandbox.
---@return number
function M.now()
  return time.now()
end

--- Warns, once about each text.
---@param text string
function M.warn(text)
  out.warn(text)
end

--- Says, in plan mode, what a wait would wait for.
---@param text string present state and goal
function M.plan_wait(text)
  if state.plan then
    state.plan.on_wait(text)
  end
end

--- Calls a function that only looks at what is there now: in plan mode nothing that it reads ends
--- the step's body. For waits, which show the present state.
---@async
---@param fn function
---@return any ... what `fn` returns
function M.glance(fn, ...)
  if state.plan then
    return state.plan:glance(fn, ...)
  end
  return fn(...)
end

--- Returns the planner that stands behind the door in plan mode, nil in a run.
---@return plat.Plan?
function M.plan()
  return state.plan or nil
end

--- Says what a running wait sees, for the progress line.
---@param text string
function M.progress(text)
  if state.observer and state.observer.progress then
    state.observer.progress(text, task.context())
  end
end

-- ---- reads that do not look like reads ----

--- Lists a request that reads although its method does not say so. For modules of the standard
--- library, each with a contract case that shows that nothing changes; playbooks cannot.
---@param decl { method: string, path: string, reason: string } path: a pattern over path?query
function M.declare_read(decl)
  assert(decl.method and decl.path and decl.reason, "a declared read needs method, path and reason")
  if not env.is_stdlib(2) then
    error("only the standard library may declare a request to be a read", 2)
  end
  reads[#reads + 1] = decl
end

--- Returns the declared reads, for `platrun doc --reads`.
---@return table[]
function M.declared_reads()
  return reads
end

--- Lists a request that changes only what platrun itself keeps on a target, such as the lease of a
--- lock. It is no change of the playbook: it needs no step, and neither plan nor journal knows it.
--- For modules of the standard library.
---@param decl { method: string, path: string, reason: string } path: a pattern over path?query
function M.declare_housekeeping(decl)
  assert(decl.method and decl.path and decl.reason, "housekeeping needs method, path and reason")
  if not env.is_stdlib(2) then
    error("only the standard library may declare a request to be housekeeping", 2)
  end
  chores[#chores + 1] = decl
end

local function find_declared(decls, req)
  local path = req.url:match("^%a+://[^/?]*(.*)$") or req.url
  if req.base and req.url:sub(1, #req.base) == req.base then -- a server below a path, by a proxy
    path = req.url:sub(#req.base + 1)
  end
  for _, decl in ipairs(decls) do
    if decl.method == req.method and path:find(decl.path) then
      return decl
    end
  end
end

-- ---- changes ----

local function observe(what, ...)
  local fn = state.observer and state.observer[what]
  if fn then
    return fn(...)
  end
end

--- Whether a change that raised this fault surely did not happen.
local function surely_not(err)
  local kind = err.kind
  return err.unchanged or kind == "connect" and not err.sent or kind == "usage" or kind == "refused"
end

--- What an answer says: a 4xx was refused before anything happened; after a 5xx nobody knows.
local function judge(result)
  local status = type(result) == "table" and result.status
  if math.type(status) ~= "integer" or status < 400 then
    return "done"
  end
  return status < 500 and "failed" or "unknown"
end

--- Performs a change and finds out what became of it, even when the answer is lost.
local function settled(change, fn)
  local ok, result = xpcall(fn, fault.from_handler)
  local err = not ok and result or nil
  local word = ok and judge(result) or surely_not(result) and "failed" or "unknown"
  local how
  if word == "unknown" then
    local late, late_err
    word, late, late_err, how = require("plat.run.settle").at_once(change, fn, judge)
    if word == "done" or late ~= nil then
      result, err = late, nil
    else
      err = err or late_err
    end
  end
  return word, result, err, how
end

local function perform(change, fn)
  observe("intent", change)
  return task.finish(state.grace or GRACE, function()
    local word, result, err, how = settled(change, fn)
    task.shield(GRACE, observe, "outcome", change, word, err, result, how)
    if err then
      err.outcome = word
      error(err, 0)
    end
    return result
  end)
end

local function refuse_in_plan(req)
  if state.mode == "plan" then
    fault.raise("refused", wire.about(req), {
      msg = "a plan changes nothing, not even for itself: " .. req.housekeeping,
    })
  end
end

--- Performs what platrun does for itself; a plan does nothing of the kind.
local function keep_house(req)
  if not find_declared(chores, req) then
    fault.raise("bug", wire.about(req), {
      msg = ("%s %s is not declared as housekeeping"):format(req.method, req.url),
    })
  end
  refuse_in_plan(req)
  return task.finish(GRACE, function() -- its answer is waited for, as that of any change
    return (req.retry and wire.ask_patiently or wire.ask)(state, req)
  end)
end

--- Answers for a change that an earlier process of this run performed.
local function replay(change, known)
  if known.error then
    error(fault.new(known.error.kind, known.error), 0)
  elseif known.answer ~= nil then
    return known.answer
  elseif change.reread then
    return change.reread()
  end
  return { status = 200, headers = {}, body = "", code = 0, stdout = "", stderr = "" }
end

--- Performs or plans a change. `fn` is what performs it.
local function pass_change(req, fn)
  local step = task.context()
  if not step or step.host == step then -- inside run:on, and not in a step
    fault.raise("refused", wire.about(req), {
      msg = "a change outside a step",
      hint = "put it into run:step(title, function() ... end): so it can be planned and recorded",
    })
  end
  local change = require("plat.effect.change").new(step, req)
  if state.mode == "plan" then
    return state.plan:change(change)
  end
  local known = observe("recall", change)
  if known then
    return replay(change, known)
  end
  return perform(change, function()
    return fn(change)
  end)
end

--- Performs a read; in plan mode its answer is how the world would look. A dry run asks what the
--- world is now.
local function read(req, ask, ...)
  if not state.plan or req.dry_run then
    return ask(...)
  end
  state.plan:before_read(req)
  return state.plan:read(req, ask(...))
end

-- ---- the door's faces ----

---@class plat.effect.HttpRequest
---@field method string
---@field url string
---@field base? string what `url` begins with: the address of the server, perhaps with a path
---@field headers? table<string, string|string[]>
---@field query? table<string, any>
---@field body? string
---@field endpoint? table `{ ca, cert, key, insecure, server_name, unix_socket, proxy }`
---@field target string "cluster main"
---@field op string "k8s.get"
---@field object? string
---@field timeout? number seconds for all
---@field connect_timeout? number
---@field first_byte_timeout? number
---@field max_body? integer
---@field stream? boolean
---@field upgrade? boolean
---@field retry? boolean false: never ask again
---@field read? string the reason why this is a read; it must be declared
---@field dry_run? boolean a read that asks what a change would do
---@field housekeeping? string why platrun does this for itself; it must be declared
---@field change? table see plat.effect.change

--- Sends an HTTP request. Transport failures raise; every status is an answer.
---@async
---@param req plat.effect.HttpRequest
---@return table resp `{ status, headers, body, stream }`
function M.http(req)
  req = list.copy(req)
  req.method = req.method or "GET"
  req.url = wire.full_url(req)
  out.debug(3, ("%s %s %s"):format(req.target or "-", req.method, req.url))
  if SAFE[req.method] and not req.upgrade and not req.change and not req.housekeeping then
    return read(req, wire.ask_patiently, state, req)
  end
  if req.read then
    local declared = find_declared(reads, req)
    if not declared then
      fault.raise("bug", wire.about(req), {
        msg = ("%s %s is not declared as a read"):format(req.method, req.url),
      })
    end
    return read(req, wire.ask_patiently, state, req, declared)
  end
  if req.housekeeping then
    return keep_house(req)
  end
  if not req.change then
    fault.raise("bug", wire.about(req), { msg = req.method .. ": a change without a description" })
  end
  return pass_change(req, function()
    return wire.ask(state, req)
  end)
end

--- In the sandbox this machine is not part of the world; a test's world may say that it is.
local function refuse_real(req)
  if state.world and not state.world.has_localhost then
    fault.raise("refused", wire.about(req), {
      msg = "this machine is not part of the sandbox",
      hint = "choose a real inventory with -i, or leave this out of the sandbox",
    })
  end
end

--- Runs a local program.
---@async
---@param req { argv: string[], opts: table?, op: string?, read: string?, housekeeping: string?,
---  change: table?, neutral: boolean? } neutral: what a plan changes does not matter to this read
---@return table output `{ code, signal, stdout, stderr }`
function M.proc(req)
  req.target = req.target or "localhost"
  req.op = req.op or "proc.run"
  refuse_real(req)
  local function run(change)
    local opts = list.copy(req.opts or {})
    if change then -- so that a later process can see whether it still runs
      opts.env = list.merge(opts.env or {}, { PLATRUN_EFFECT = change.key })
    end
    return fault.must(wire.about(req), require("prim.proc").run(req.argv, opts))
  end
  if req.read then
    return read(req, run)
  elseif req.housekeeping then
    if not env.is_stdlib(2) then
      error("only the standard library may call a program housekeeping", 2)
    end
    refuse_in_plan(req)
    return task.finish(GRACE, function()
      return run()
    end)
  end
  return pass_change(req, run)
end

--- Asks or changes something of a host: `perform` does it, over a connection of the caller. `call`
--- is plain data that says what is asked: a simulated world answers it, and nothing is performed.
---
--- `{ verb = "command", text = the text asked for, argv = words or nil, stdin =, become = }`,
--- `{ verb = "put"|"get"|"stat"|"list"|"remove"|"rename"|"mkdir"|"tail", path =, ... }`,
--- `{ verb = "reboot" | "boot_id" }`.
---@async
---@param req { target: string, op: string, object: string?, read: string?, change: table?,
---  housekeeping: string?, call: table, here: boolean?, sees_all: boolean?,
---  perform: fun(change: plat.Change?): any } here: the host is this machine; sees_all: a read that
---  may look at anything of its target
---@return any
function M.remote(req)
  local function ask(change)
    return wire.ask_host(state, req, change)
  end
  wire.refuse_foreign(state, req)
  if req.read then
    if req.sees_all then
      return read(req, ask)
    end
    return ask()
  elseif req.housekeeping then
    if not env.is_stdlib(2) then
      error("only the standard library may call a command housekeeping", 2)
    end
    refuse_in_plan(req)
    return task.finish(GRACE, ask)
  end
  return pass_change(req, ask)
end

--- Writes local files: `perform` does it with the primitives it is given.
---@async
---@param req { op: string, path: string, change: table, perform: fun(fs: table): any }
---@return any
function M.file(req)
  req.target = req.target or "localhost"
  req.object = req.object or req.path
  refuse_real(req)
  return pass_change(req, function()
    return req.perform(require("prim.fs"))
  end)
end

return M
