#!/usr/bin/env bash
# Every playbook and example loads, shows its help and passes its own syntax check; the demo of
# `make demo` does what the README says.
. "$(dirname "$0")/lib.sh"

for file in playbooks/*.lua examples/*.lua; do
    run "$file" --help
    expect "$file: help" 0 '^usage: platrun '
    run "$file" --syntax-check
    if [ "$status" -ne 64 ] || ! grep -q 'is required' <<<"$err"; then
        expect "$file: syntax check" 0
    fi
done

out=$(tests/demo "$(dirname "$platrun")" 2>"$work/err")
status=$? err=$(cat "$work/err")
expect "the demo" 0 '^\$ platrun playbooks/scale-dremio.lua executors=5$'
check "its two runs are recapped" test "$(grep -c 'failed=0' <<<"$out")" -eq 2
check "the second finds nothing to do" grep -q 'nothing to do' <<<"$out"
check "the plan changes nothing" grep -q '2 will, 0 maybe, 0 opaque.*nothing changed' <<<"$out"

# A playbook cannot go past the door, nor pass for the standard library, which sees secrets.
mkdir "$work/plat"
cat >"$work/plat/sly.lua" <<'EOT'
local M = { summary = "Try the windows", risk = "safe" }
function M.run()
  for _, text in ipairs({
    'package.loaded["prim.secret"]',
    "_G.package",
    "getmetatable(_G) or nil",
    [[load("return require('prim.fs')", "@plat/x")()]],
    "io",
    "debug.getinfo",
    "os.execute",
    [[require("plat.effect").declare_read({ method = "PUT", path = "/", reason = "none" })]],
  }) do
    print(text, (try(function()
      return load("return " .. text)()
    end)))
  end
end
return M
EOT
cd "$work" || exit 1
run plat/sly.lua -i localhost,
expect "a playbook looks for ways around the door" 0
check "and finds none" test "$(grep -c "$(printf '\tnil')" <<<"$out")" -eq 8
cd "$root" || exit 1

done_testing
