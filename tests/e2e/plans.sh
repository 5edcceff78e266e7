#!/usr/bin/env bash
# Saved plans: made, performed, refused when anything differs.
. "$(dirname "$0")/lib.sh"
cp -r playbooks inventory platrun.conf "$work"
cd "$work" || exit 1
plan=$work/plan.json

cat >web.lua <<'LUA'
local k8s = require("plat.k8s")
local M = {
  summary = "Scale a Deployment",
  risk = "safe",
  args = {
    replicas = { type = "integer", default = 4 },
    command = { type = "boolean", default = false },
    guess = { type = "boolean", default = false },
  },
}
function M.run(run, args)
  local cluster = run:cluster()
  local web = k8s.connect(cluster.kubernetes):deployment(cluster.namespace, "superset-web")
  local api = k8s.connect(cluster.kubernetes)
  local before = run:keep("before", function()
    return web:get().replicas
  end)
  if before ~= args.replicas then
    run:step("scale", function()
      web:scale(args.replicas)
      if args.guess then
        api:create({ apiVersion = "v1", kind = "ConfigMap", metadata = { generateName = "x-",
          namespace = cluster.namespace } }).metadata.name:upper()
        web:scale(1)
      end
    end)
  end
end
return M
LUA

run plan web.lua -o "$plan"
expect "a plan is saved" 0 'plan: 1 to change'
check "nobody else can read it" test "$(stat -c %a "$plan")" = 600
run plan web.lua -o "$plan" --detailed-exitcode
expect "--detailed-exitcode: 2 with changes" 2
run plan web.lua replicas=2 --detailed-exitcode
expect "--detailed-exitcode: 0 without" 0
run plan web.lua replicas=x --detailed-exitcode
expect "a usage error stays one" 64
run plan web.lua -o json
expect "-o json is a format" 0 '"coverage": 1'
run web.lua --out "$plan"
expect "--out goes with a plan" 64 '' '--out goes with a plan'
run plan web.lua -o "$work"
expect "a folder is no file" 64 '' 'is a directory'

run apply
expect "apply wants a plan" 64 '' 'which plan'
run apply nothing.json
expect "a plan that is not there" 64 '' 'nothing.json'
run apply --override x "$plan"
expect "no guard can be overridden on the way" 64 '' 'unknown option "--override"'
echo '{"a": 1}' >other.json
run apply other.json
expect "another file" 1 '' 'no saved plan'
chmod 622 "$plan"
run apply "$plan"
expect "a plan that others may write to" 6 '' 'others may write'
chmod 600 "$plan"

edit() { # EXPRESSION: an edited copy
    sed "$1" "$plan" >edited.json
    chmod 600 edited.json
}
edit 's/"replicas": 4$/"replicas": 9/; s/"replicas": 4,/"replicas": 9,/'
run apply edited.json
expect "an edited line is named" 6 '' 'edited after it was made: line 1 \(scale deployment'
edit 's/"class": "will"/"class": "maybe"/'
run apply edited.json
expect "an edited class too" 6 '' 'edited after it was made: line 1'
edit 's/"path": "web.lua"/"path": "x"/; s/"sandbox": true/"sandbox": false/'
run apply edited.json
expect "any other part is named" 6 '' 'edited after it was made: (sandbox|playbook|options)'
edit 's/"schema": 1/"schema": 2/'
run apply edited.json
expect "a newer schema" 6 '' 'a newer platrun .*schema 2, this one reads 1'
edit 's/"schema": 1/"schema": 0/'
run apply edited.json
expect "an older schema" 6 '' 'an older platrun'

PLATRUN_VAR_replicas=7 PLATRUN_OVERRIDE=x PLATRUN_REASON=y run apply "$plan"
expect "it is performed, whatever the environment says" 0 'nothing differs since'
run plan web.lua --detailed-exitcode
expect "as planned" 0 'nothing to do'
run apply "$plan"
expect "a second time it does not hold" 6 '' '"before": 2 when the plan was made, 4 now'

run plan web.lua replicas=3 -o "$plan"
expect "another plan" 0
run web.lua replicas=5
expect "somebody else scales" 0
run apply "$plan"
expect "a stale plan names what differs" 6 '' '"before": 4 when the plan was made, 5 now'
run plan web.lua replicas=5 --detailed-exitcode
expect "nothing was changed by it" 0

run plan web.lua replicas=3 -o "$plan"
echo '-- a comment' >>web.lua
run apply "$plan"
expect "an edited playbook" 6 '' 'web.lua has changed since the plan was made'
sed -i '$d' web.lua

run plan web.lua replicas=3 -i inventory/sandbox -o "$plan"
mv inventory elsewhere
run apply "$plan"
expect "an inventory that this host does not have" 6 '' 'inventory/sandbox.* is not here'
mv elsewhere inventory
file=$(find inventory/sandbox -type f | head -n 1)
[ -n "$file" ] || file=inventory/sandbox
echo '# another' >>"$file"
run apply "$plan"
expect "another inventory of that name" 6 '' 'the inventory .*sandbox.* has changed'
sed -i '$d' "$file"

run plan web.lua replicas=3 guess=true -o "$plan"
expect "a plan that ends early" 0 'maybe .*metadata.name'
run apply "$plan"
expect "what it does not have is refused" 2 '' 'not as planned: scale .*it ends early there'
run runs list
expect "the run is in the journal" 0 'web'

done_testing
