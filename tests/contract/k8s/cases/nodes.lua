--- The scheduler on nodes that only the API knows: taints, labels, room, zones, other pods.
local PODS = "/api/v1/namespaces/$NS/pods"
local QUIET = { quiet = true }

local function add_node(t, name, zone)
  local taint = { key = "contract", value = t.ns, effect = "NoSchedule" }
  t:call("POST", "/api/v1/nodes", {
    apiVersion = "v1",
    kind = "Node",
    metadata = { name = t.ns .. "-" .. name, labels = { contract = t.ns, zone = zone } },
    spec = { taints = { taint } },
    status = {
      capacity = { cpu = "2", memory = "4Gi", pods = "10" },
      allocatable = { cpu = "2", memory = "4Gi", pods = "10" },
      conditions = { { type = "Ready", status = "True", reason = "KubeletReady" } },
    },
  }, QUIET)
  -- A new node is not taken before its controller has seen that it is ready.
  t:eventually("GET", "/api/v1/nodes/" .. t.ns .. "-" .. name, function(node)
    return #node.spec.taints == 1
  end, { keep = { "kind" } })
end

local function remove_nodes(t)
  for _, name in ipairs({ "a", "b", "c" }) do
    t:call("DELETE", "/api/v1/nodes/" .. t.ns .. "-" .. name, nil, QUIET)
  end
end

local function add_pod(t, name, edit)
  local spec = {
    nodeSelector = { contract = t.ns },
    tolerations = { { key = "contract", operator = "Exists" } },
    terminationGracePeriodSeconds = 0,
    containers = { { name = "c", image = "local/x:1" } },
  }
  if edit then
    edit(spec)
  end
  t:call("POST", PODS, {
    apiVersion = "v1",
    kind = "Pod",
    metadata = { name = name, labels = { app = "x" } },
    spec = spec,
  }, QUIET)
end

--- Waits for the scheduler's verdict: the node without the case's own prefix, or what it says.
local function verdict(t, name)
  local found
  t:eventually("GET", PODS .. "/" .. name, function(pod)
    local condition = ((pod.status or {}).conditions or {})[1]
    found = pod.spec.nodeName or condition and condition.message
    return found ~= nil
  end, { keep = { "kind" }, seconds = 20 })
  return found:gsub("^" .. t.ns:gsub("%-", "%%-") .. "%-", "")
end

local function with_nodes(t, fn)
  local ok, err = pcall(fn)
  for _, pod in ipairs(t:call("GET", PODS, nil, QUIET).json.items) do
    t:call("DELETE", PODS .. "/" .. pod.metadata.name .. "?gracePeriodSeconds=0", nil, QUIET)
  end
  remove_nodes(t)
  if not ok then
    error(err, 0)
  end
end

local SKEW = {
  {
    maxSkew = 1,
    topologyKey = "zone",
    whenUnsatisfiable = "DoNotSchedule",
    labelSelector = { matchLabels = { app = "x" } },
  },
}

return {
  {
    title = "pods are spread over zones, and what would be too skewed waits",
    without_nodes = true,
    run = function(t)
      with_nodes(t, function()
        add_node(t, "a", "one")
        add_node(t, "b", "two")
        local nodes = {}
        for i = 1, 4 do
          add_pod(t, "p" .. i, function(spec)
            spec.topologySpreadConstraints = SKEW
          end)
          local node = verdict(t, "p" .. i)
          nodes[node] = (nodes[node] or 0) + 1
        end
        t:equal(nodes.a, 2, "pods in one zone")
        t:equal(nodes.b, 2, "pods in the other")
        t:call("DELETE", PODS .. "/p1?gracePeriodSeconds=0", nil, QUIET)
      end)
    end,
  },
  {
    title = "what no node can take says how many nodes refuse it, and why",
    without_nodes = true,
    run = function(t)
      with_nodes(t, function()
        add_node(t, "a", "one")
        add_node(t, "b", "two")
        add_pod(t, "first", function(spec)
          spec.nodeSelector.zone = "one"
        end)
        t:equal(verdict(t, "first"), "a", "by its selector")
        local function refused(name, words, edit)
          add_pod(t, name, edit)
          local said = verdict(t, name)
          t:equal(said, words, name)
        end
        local none = " no new claims to deallocate, preemption: 0/2 nodes are available: "
        refused(
          "big",
          "0/2 nodes are available: 2 Insufficient cpu."
            .. none
            .. "2 Preemption is not helpful for scheduling.",
          function(spec)
            spec.containers[1].resources = { requests = { cpu = "3" } }
          end
        )
        refused(
          "elsewhere",
          "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."
            .. none
            .. "2 Preemption is not helpful for scheduling.",
          function(spec)
            spec.nodeSelector.zone = "three"
          end
        )
        refused(
          "alone",
          "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, "
            .. "1 node(s) didn't match pod anti-affinity rules."
            .. none
            .. "1 No preemption victims found for incoming pod, "
            .. "1 Preemption is not helpful for scheduling.",
          function(spec)
            spec.nodeSelector.zone = "one"
            spec.affinity = {
              podAntiAffinity = {
                requiredDuringSchedulingIgnoredDuringExecution = {
                  {
                    topologyKey = "zone",
                    labelSelector = { matchLabels = { app = "x" } },
                  },
                },
              },
            }
          end
        )
        refused(
          "skewed",
          "0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, "
            .. "1 node(s) didn't satisfy plugin(s) [NodeAffinity]."
            .. none
            .. "1 No preemption victims found for incoming pod, "
            .. "1 Preemption is not helpful for scheduling.",
          function(spec)
            spec.affinity = {
              nodeAffinity = {
                requiredDuringSchedulingIgnoredDuringExecution = {
                  nodeSelectorTerms = {
                    {
                      matchFields = {
                        { key = "metadata.name", operator = "In", values = { t.ns .. "-a" } },
                      },
                    },
                  },
                },
              },
            }
            spec.topologySpreadConstraints = {
              {
                maxSkew = 1,
                topologyKey = "zone",
                whenUnsatisfiable = "DoNotSchedule",
                nodeAffinityPolicy = "Ignore",
                labelSelector = { matchLabels = { app = "x" } },
              },
            }
          end
        )
        add_pod(t, "half", function(spec)
          spec.nodeSelector.zone = "two"
          spec.containers[1].resources = { requests = { cpu = "1500m" } }
        end)
        t:equal(verdict(t, "half"), "b", "beside")
        refused(
          "more",
          "0/2 nodes are available: 1 Insufficient cpu, "
            .. "1 node(s) didn't match Pod's node affinity/selector."
            .. none
            .. "1 No preemption victims found for incoming pod, "
            .. "1 Preemption is not helpful for scheduling.",
          function(spec)
            spec.nodeSelector.zone = "two"
            spec.containers[1].resources = { requests = { cpu = "1500m" } }
          end
        )
      end)
    end,
  },
}
