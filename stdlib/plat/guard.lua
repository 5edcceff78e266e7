--- Guards: what must hold before anything is changed, as professionals check it.
--
--     run:guard(guard.quorum({ members = read_members, leaving = 1 }))
--     run:guard("quorum of etcd", guard.quorum({ ... }))       under a name of its own
--
-- A guard fails closed: what is missing, not a number, from the future or too old refuses, and so
-- does a reading that raises. It is checked where it stands and again before a point of no return,
-- after an approval and on resume, unless it says `again = false`. `--override NAME --reason TEXT`
-- goes on all the same; the name is that in brackets below, or the option `name`.
--
-- Sizes are bytes ("50Gi"), times unix seconds, durations seconds ("26h"), shares text ("20%").
-- Wrong options raise kind "usage" where the guard is made. What is read is a value, or a function
-- that is called at each check; a function is better: the second check sees the second reading.

local M = {}

--- [quorum] A majority of all voters stays healthy when some leave.
--- `members` gives `{ name, healthy, voter? }` each, those that do not vote with `voter = false`;
--- `leaving` is a number (of healthy voters, the worst case; default 1) or the names; `fresh` is
--- how old a member's `at` may be. The rule of ZooKeeper, etcd, Elasticsearch masters and Swarm
--- managers: those up less those that leave are at least half of all, rounded down, and one.
---@param opts { members: any, leaving: any, fresh: any, name: string?, again: boolean? }
---@return plat.Guard
function M.quorum(opts)
  return require("plat.guard.quorum").new(opts)
end

--- [backup-age] The newest good backup is at most `max` old.
--- `newest` gives a unix time, `{ time, ok, kind }`, or a list of these; only `ok = true` counts,
--- and only backups of `kind` if it is named. A time in the future refuses: a clock is wrong, and
--- then no age can be told. The rule: the last good backup lies within the recovery point objective
--- before an upgrade, a failover, a restore or a rotation of keys.
---@param opts { newest: any, max: string|number, kind: string?, name: string?, again: boolean? }
---@return plat.Guard
function M.backup_age(opts)
  return require("plat.guard.backup").new(opts)
end

--- [capacity-after] Those that stay carry the load of those that leave, and of what comes.
--- Kubernetes: `client` of plat.k8s, `leaving` names of nodes, `template` and `count` of new pods
--- (and the quotas of `namespace`); by what pods request, placed one by one. Anything else:
--- `members` gives `{ name, used, size }` in one unit, `leaving` names, `max` the share that may be
--- used (default 80%, the usual rule for disks; 70% for processors).
---@param opts table
---@return plat.Guard
function M.capacity_after(opts)
  return require("plat.guard.capacity").new(opts)
end

--- [disk] Headroom is left after what the operation writes.
--- `read` gives `{ path, size, free, growth? }` each; `free` must be left, a share of the size or
--- bytes (default 20%); `growth` is what is written, on each that does not say its own. The usual
--- rule: 20 % stay free, and growth is twice what the step writes.
---@param opts { read: function, free: any, growth: any, fresh: any, name: string? }
---@return plat.Guard
function M.disk(opts)
  return require("plat.guard.disk").new(opts)
end

--- [running-work] Nothing runs that the operation would break; what does is named.
--- `read` gives `{ name, kind?, since? }` each. Here the empty list is the good answer; no list is
--- none. `what` is what they are called: queries, syncs, backups.
---@param opts { read: function, what: string?, name: string? }
---@return plat.Guard
function M.no_running_work(opts)
  return require("plat.guard.work").new(opts)
end

--- [clock-skew] The clocks of the members agree with each other, and with ours (not so if
--- `own = false`).
--- `read` gives `{ name, time, at? }` each; `at` is our time when it was read, without it the time
--- that the reading took counts as doubt. `max` is the largest difference (default 1s).
---@param opts { read: function, max: any, own: boolean?, name: string? }
---@return plat.Guard
function M.clock_skew(opts)
  return require("plat.guard.clock").new(opts)
end

--- [version-pair] The step from one version to another is supported.
--- `allowed` lists rules such as "10.x -> 11.x"; "x" is anything from there on, without it the
--- version is meant exactly. Nothing is skipped that no rule skips, a step within a series needs
--- its rule ("10.x -> 10.x"), a downgrade is always refused, the same version passes. What follows
--- a dash is a pre-release. The hint names the next step that is allowed. `allowed` may be a
--- function of both versions that returns true, or false, a reason and a hint.
---@param opts { from: any, to: any, allowed: any, what: string?, name: string? }
---@return plat.Guard
function M.version_pair(opts)
  return require("plat.guard.version").new(opts)
end

--- [change-window] Now changes are allowed, and `needs` of the window is left.
--- `windows` are `{ days = "mon-fri", from = "22:00", to = "04:00" }` each (plat.schedule: a window
--- belongs to the day it begins on); `freeze` are `{ from, to, reason }` each, dates such as
--- "2026-12-18" (both days included) or "2026-12-18 18:00"; `holidays` are dates on which no window
--- begins; all in `zone` (default UTC). Asked again, it needs less: by as much as the run took.
---@param opts table
---@return plat.Guard
function M.change_window(opts)
  return require("plat.guard.window").new(opts)
end

--- [protected] Nothing destructive where the environment is protected and declares no change window
--- (`window = true` says that it does); with `forbid` nothing at all there. `cluster` is what
--- run:cluster() returned. The engine checks this for every playbook; see `preflight`.
---@param opts { cluster: table, risk: string?, window: boolean?, forbid: boolean? }
---@return plat.Guard
function M.protected(opts)
  return require("plat.guard.protected").new(opts)
end

--- [blast-radius] What was selected is not more than may be touched or deleted.
--- `hosts` holds `touched` and `all` (lists of names, or numbers) and `max`, a number or a share of
--- all (rounded down, but at least one); `deletions` holds `count` and `max`.
---@param opts { hosts: table?, deletions: table?, name: string? }
---@return plat.Guard
function M.blast_radius(opts)
  return require("plat.guard.blast").new(opts)
end

--- [nodes-ready] At least `min` nodes of a Kubernetes cluster are ready and not cordoned; default:
--- all of them. `client` is that of plat.k8s.
---@param opts { client: table, min: integer?, name: string? }
---@return plat.Guard
function M.nodes_ready(opts)
  return require("plat.guard.cluster").nodes_ready(opts)
end

--- [disruption-budget] Every PodDisruptionBudget about the pods with these `labels` allows `count`
--- disruptions (default 1). Asked before a drain or a restart: an eviction that a budget forbids
--- would wait for ever.
---@param opts { client: table, namespace: string, labels: table, count: integer? }
---@return plat.Guard
function M.pdb_allows(opts)
  return require("plat.guard.cluster").pdb_allows(opts)
end

--- Returns a guard of your own that is checked again like those above.
---@param name string short and stable: people write it behind --override
---@param fn fun(): boolean, string?, string? true, or false, the reason and what to do
---@return plat.Guard
function M.new(name, fn)
  local base = require("plat.guard.base")
  if type(name) ~= "string" or name == "" then
    base.misuse("guard.new", "a guard needs a name")
  elseif type(fn) ~= "function" then
    base.misuse("guard.new", "a guard needs a function")
  end
  return base.new(name, {}, fn)
end

--- Returns whether a value is a guard.
---@param v any
---@return boolean
function M.is(v)
  return require("plat.guard.base").is(v)
end

-- ---- for the engine ----

--- Checks what the inventory demands of a run: change window and freeze, protection. Asks where a
--- protected environment is about to be changed, unless `ask = false` leaves that to `ask`. A plan
--- lists guards and question. The second call does nothing.
---@async
---@param run plat.Run
---@param playbook { risk: string, summary: string }
---@param opts? { ask: boolean? }
function M.preflight(run, playbook, opts)
  require("plat.guard.preflight").check(run, playbook, opts)
end

--- Asks what `preflight` left: whether a protected environment may be changed.
---@async
---@param run plat.Run
---@param playbook { risk: string, summary: string }
function M.ask(run, playbook)
  require("plat.guard.preflight").ask(run, playbook)
end

--- Returns a counter that holds a run to the `limits` of its playbook. `all` gives how many there
--- are, for shares: `{ hosts = n|fn, clusters = n|fn }`; `override` is the reason why a limit that
--- is passed does not stop the run, and `on_override(reason, why)` is told of it once a limit.
---@param limits { hosts: any, clusters: any, deletions: any }
---@param opts? { all: table?, override: string?, on_override: function? }
---@return plat.guard.Counter
function M.counter(limits, opts)
  return require("plat.guard.counter").new(limits, opts)
end

return M
