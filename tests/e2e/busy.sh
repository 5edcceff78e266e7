#!/usr/bin/env bash
# Code that computes without waiting is named by its line: a task's own, and in a coroutine of it.
# shellcheck disable=SC2034,SC2154  # out, err and status belong to lib.sh
. "$(dirname "$0")/lib.sh"

cat >"$work/busy.lua" <<'LUA'
local function compute(n)
  local x = 0
  for i = 1, n do
    x = x + i % 7
  end
  return x
end

return {
  summary = "Compute",
  risk = "safe",
  args = {
    n = { type = "integer" },
    inner = { type = "boolean", default = false },
  },
  run = function(_, args)
    if args.inner then
      coroutine.wrap(function()
        compute(args.n)
      end)()
    else
      compute(args.n)
    end
  end,
}
LUA

named='/busy\.lua:[345] computed for [0-9.]* s without waiting'
run "$work/busy.lua" --sandbox n=1000
expect "who computes little is not named" 0
check "at all" test -z "$(grep computed <<<"$err")"
run "$work/busy.lua" --sandbox n=150000000
expect "who computes for long is, with the line" 0 '' "$named"
run "$work/busy.lua" --sandbox n=150000000 inner=true
expect "in a coroutine of its own, too" 0 '' "$named"

done_testing
