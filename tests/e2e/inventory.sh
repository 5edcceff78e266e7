#!/usr/bin/env bash
# run:hosts, --limit and programs as inventories, by the program itself.
. "$(dirname "$0")/lib.sh"

mkdir -p "$work/play/group_vars" "$work/inv"
cat >"$work/inv/hosts" <<'EOF'
[web]
web[1:3]
[db]
db1 ansible_host=10.0.0.1
EOF
echo 'color: "{{ tint }}"' >"$work/play/group_vars/web.yml"
echo 'tint: "{{ 1 + 1 }}"' >"$work/play/group_vars/db.yml"
cat >"$work/play/show.lua" <<'EOF'
local M = { summary = "Show hosts", risk = "safe" }

M.args = { of = { type = "string", default = "all" } }

function M.run(run, args)
  for _, host in ipairs(run:hosts(args.of)) do
    run:log("%s at %s", host.name, host.address)
  end
  if args.of == "web1" then
    run:log("color %s", run:hosts("web1")[1].vars.color)
  elseif args.of == "db" then
    run:log("tint %s", run:hosts("db")[1].vars.tint)
  end
end

return M
EOF
play=$work/play/show.lua
hosts=$work/inv/hosts

run "$play" -i "$hosts"
expect "all hosts" 0 'db1 at 10\.0\.0\.1'
run "$play" -i "$hosts" --limit 'web:!web1'
expect "a limit" 0 'web2 at web2'
check "a limit leaves hosts out" test -z "$(grep -E 'web1|db1' <<<"$out")"
run "$play" -i "$hosts" -l wbe
expect "a limit that matches nothing" 64 '' 'no host or group matches "wbe" \(did you mean "web"'
run "$play" -i "$hosts" of=db -l web
expect "a limit that leaves nothing" 64 '' 'no host of it is left by --limit web'
run "$play" -i "$hosts" of=bd
expect "a pattern that matches nothing" 64 '' 'no host or group matches "bd" \(did you mean "db"'
printf 'web3\n' >"$work/limit"
run "$play" -i "$hosts" -l "@$work/limit"
expect "a limit from a file" 0 'web3 at'

# ---- variables beside the playbook, and templates ----

run "$play" -i "$hosts" of=db
expect "a Jinja template, where it is read" 1 '' \
    'play/group_vars/db\.yml:1: tint: "\{\{ 1 \+ 1 \}\}" is a Jinja'
run "$play" -i "$hosts" of=web1
expect "a template of a variable that is not there" 1 '' \
    'web\.yml:1: color: there is no variable tint'
echo 'tint: blue' >"$work/play/group_vars/all.yml"
run "$play" -i "$hosts" of=web1
expect "a template of a variable" 0 'color blue'

# ---- programs ----

cat >"$work/dyn" <<'EOF'
#!/bin/sh
echo careful >&2
echo '{"dyn": ["d1"], "_meta": {"hostvars": {}}}'
EOF
chmod +x "$work/dyn"
run "$play" -i "$hosts" -i "$work/dyn" of='dyn,db1'
expect "a program" 0 'd1 at d1' 'dyn: careful'
run "$play" -i "$work/dyn" -i inventory/sandbox
expect "a program beside the sandbox" 6 '' 'the inventory is of the sandbox; .*/dyn would run'

# ---- a run that goes on, and a plan that is applied, somewhere else ----

cat >"$work/play/waits.lua" <<'EOF'
local fs = require("plat.fs")
local time = require("plat.time")

local M = { summary = "Waits for a file", risk = "safe", args = { file = { type = "string" } } }

function M.run(run, args)
  run:step("one of " .. #run:hosts("web"), function()
    while not fs.exists(args.file) do
      time.sleep(0.02)
    end
  end)
end

return M
EOF
pushd "$work" >/dev/null || exit 1
"$platrun" play/waits.lua -i inv/hosts file="$work/go" >/dev/null 2>&1 </dev/null &
until grep -qs '"type":"step"' state/platrun/runs/*-waits-*/journal.jsonl; do sleep 0.02; done
kill -9 $! && wait $! 2>/dev/null
touch go
mkdir inv/group_vars
echo 'color: red' >inv/group_vars/db.yml
popd >/dev/null || exit 1
run resume
expect "it does not go on with more of an inventory" 6 '' \
    'the inventory has .*/inv/group_vars/db.yml now, and had not when the run began'
rm -r "$work/inv/group_vars"
run resume
expect "it goes on in another folder" 0 'one of 3'
pushd "$work" >/dev/null || exit 1
run plan play/waits.lua -i inv/hosts -o plan.json file="$work/go"
expect "a plan with an inventory of this folder" 0 'no change'
popd >/dev/null || exit 1
run apply "$work/plan.json"
expect "it is applied in another folder" 0
sed -i 's/10.0.0.1/10.0.0.2/' "$hosts"
run apply "$work/plan.json"
expect "not with another inventory" 6 '' 'inv/hosts has changed since the plan was made'

run inventory -i "$hosts" --hosts 'web[0:1],db'
expect "what a pattern selects" 0 '^web2$'
run inventory -i "$hosts" --graph web
expect "a part of the graph" 0 '^@web:$'
run inventory -i "$hosts" --graph wbe
expect "a group that is not there" 64 '' 'no group "wbe" \(did you mean "web"'
run inventory -i "$hosts" --host 'web*'
expect "one host is one host" 64 '' 'stands for 3 hosts'
done_testing
