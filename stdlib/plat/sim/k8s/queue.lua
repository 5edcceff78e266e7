--- What is going to happen in the simulated cluster: a heap of plain entries ordered by time.
local M = {}

---@class plat.sim.k8s.Entry
---@field at number unix seconds
---@field seq integer order of entries of the same time
---@field what string which handler
---@field key string? equal pending entries (`what` and `key`) are merged to the earlier one

local function before(a, b)
  if a.at ~= b.at then
    return a.at < b.at
  end
  return a.seq < b.seq
end

local function up(heap, i)
  while i > 1 do
    local parent = i // 2
    if not before(heap[i], heap[parent]) then
      return
    end
    heap[i], heap[parent] = heap[parent], heap[i]
    i = parent
  end
end

local function down(heap, i)
  while true do
    local least, left = i, 2 * i
    if heap[left] and before(heap[left], heap[least]) then
      least = left
    end
    if heap[left + 1] and before(heap[left + 1], heap[least]) then
      least = left + 1
    end
    if least == i then
      return
    end
    heap[i], heap[least] = heap[least], heap[i]
    i = least
  end
end

--- Adds an entry `delay` seconds from now. With a key, an equal one pending earlier wins.
---@param model plat.sim.K8s
---@param delay number
---@param what string
---@param key? string
---@param args? table plain data
function M.add(model, delay, what, key, args)
  local state = model.state
  local at = state.now + delay
  if key then
    local pending = state.pending[what .. " " .. key]
    if pending and pending <= at then
      return
    end
    state.pending[what .. " " .. key] = at
  end
  state.seq = state.seq + 1
  local heap = state.queue
  heap[#heap + 1] = { at = at, seq = state.seq, what = what, key = key, args = args }
  up(heap, #heap)
end

--- Returns the time of the next entry.
---@param model plat.sim.K8s
---@return number?
function M.next_time(model)
  local first = model.state.queue[1]
  return first and first.at
end

--- Takes the next entry due at a time; nil if there is none.
---@param model plat.sim.K8s
---@param now number
---@return plat.sim.k8s.Entry?
function M.take(model, now)
  local state = model.state
  local heap = state.queue
  while heap[1] and heap[1].at <= now do
    local entry = heap[1]
    heap[1] = heap[#heap]
    heap[#heap] = nil
    down(heap, 1)
    local pending = entry.key and entry.what .. " " .. entry.key
    if not pending then
      return entry
    end
    if state.pending[pending] == entry.at then
      state.pending[pending] = nil
      return entry
    end -- otherwise an earlier entry of the same key has taken its place
  end
  return nil
end

return M
