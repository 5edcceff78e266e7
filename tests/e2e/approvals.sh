#!/usr/bin/env bash
# run:confirm and run:approve as people meet them: terminals, flags, second persons, expiry.
. "$(dirname "$0")/lib.sh"
export PLATRUN_RUNS_DIR=$work/runs
unset SUDO_USER

# shellcheck disable=SC2317 # called through check
jq_true() { # jq arguments...: about the last output
    jq -e "$@" "$work/out" >/dev/null
}

newest() { # the id of the newest run
    "$platrun" runs -n 1 -o json | jq -r '.runs[0].id'
}

as() { # USER ARGUMENTS...: as somebody who became this account by sudo
    local user=$1
    shift
    SUDO_USER=$user run "$@"
}

type_into() { # TEXT ARGUMENTS...: platrun on a terminal, with this typed after the question
    local text=$1
    shift
    : >"$work/seen"
    {
        wait_until 10 grep -qE '\[y/N\]|to go on:' "$work/seen" && printf '%s\n' "$text"
        sleep 0.3
    } | script -qefc "$(printf '%q ' "$platrun" "$@")" "$work/seen" >/dev/null 2>&1
    status=${PIPESTATUS[1]}
    out=$(cat "$work/seen")
}

mkdir "$work/inventory" "$work/strict"
printf 'platrun:\n  environment: development\n' >"$work/inventory/platform.yaml"
cat >"$work/strict/platform.yaml" <<'YAML'
platrun:
  environment: production
  approvals:
    four_eyes: true
YAML
cat >"$work/two.lua" <<LUA
local fs = require("plat.fs")
local M = {
  summary = "Write two files",
  risk = "disruptive",
  args = { expires = { type = "duration", default = "1h" } },
  undo = {},
}
function M.undo.remove(_, args) fs.remove(args.path) end
function M.run(run, args)
  run:guard({ name = "not frozen", again = true, check = function()
    return not fs.exists("$work/frozen"), "it is frozen"
  end })
  run:step("write one", function(step)
    step:undo("remove", { path = "$work/one" })
    fs.write("$work/one", "1")
  end)
  run:approve("second", { text = "write the second file", expires = args.expires })
  run:step("write two", function() fs.write("$work/two", "2") end)
end
return M
LUA
cat >"$work/ask.lua" <<LUA
local fs = require("plat.fs")
return { summary = "Ask", risk = "destructive", args = { risk = { type = "string" } },
  run = function(run, args)
    run:confirm("drop it?", { risk = args.risk, name = "main" })
    run:step("drop", function() fs.write("$work/dropped", run.id) end)
  end }
LUA
real=(-i "$work/inventory")

# ---- approve ----
run plan "$work/two.lua" "${real[@]}"
expect "a plan says what would be asked" 0 'would wait for an approval: write the second file'
run approve
expect "nothing to approve" 64 '' 'no run waits'
run "$work/two.lua" "${real[@]}"
expect "a run stops and waits" 3 'waits for an approval' 'platrun approve '
one=$(newest)
check "what is before is done" test -e "$work/one"
run runs
expect "it is listed with what to do" 0 "^$one .* suspended" "platrun approve $one"
run resume "$one"
expect "it waits on, when it is resumed" 3
as alice approve "$one" --as carol --reason "looked at it"
expect "approve shows what is asked" 0 '^write the second file$'
check "and what was done" grep -q 'done  *localhost: write 1 bytes' <<<"$out"
check "and what comes next" grep -q "platrun resume $one" <<<"$out"
run approve "$one"
expect "once is enough" 6 '' 'it has been approved by alice'
run reject "$one" --reason no
expect "it cannot be taken back" 6 '' 'it has been approved'
: >"$work/frozen"
run resume "$one"
check "a guard that no longer holds stops it" test "$status" -ne 0 -a "$status" -ne 3
check "and the second file is not written" test ! -e "$work/two"
rm -f "$work/frozen" "$work/one"

run "$work/two.lua" "${real[@]}"
one=$(newest)
run approve --resume
expect "approve --resume of the only one that waits" 0 'ok=.*failed=0'
check "the second file is written" test -e "$work/two"
run runs show "$one"
expect "the story names who approved" 0 "granted  *write the second file by $(id -un)"
run approve "$one"
expect "a run that has ended waits for nothing" 6 '' 'it waits for no approval: it is changed'
rm "$work/one" "$work/two"

run "$work/two.lua" "${real[@]}"
one=$(newest)
run "$work/two.lua" "${real[@]}"
two=$(newest)
run approve
expect "which of two" 64 '' "$one|$two"
run reject "$one"
expect "a rejection needs a reason" 64 '' '--reason'
run reject "$one" --reason "not on friday" --resume
expect "a rejected run is undone" 8 '' 'rejected by .*: not on friday'
check "really" test ! -e "$work/one"
"$platrun" approve "$two" -o json >"$work/a" 2>&1 &
first=$!
"$platrun" approve "$two" -o json >"$work/b" 2>&1 &
second=$!
wait "$first"
a=$?
wait "$second"
b=$?
status="$a and $b"
check "of two who approve at once one is told" \
    grep -qE '^(0 (6|75)|(6|75) 0)$' <<<"$a $b"
status=0
run resume "$two"
expect "and the run goes on" 0
decisions=$(grep -c '"type":"approval"' "$PLATRUN_RUNS_DIR/$two/journal.jsonl")
check "with one decision, and its use" test "$decisions" = 2
rm -f "$work/one" "$work/two"

run "$work/two.lua" "${real[@]}" expires=1s
one=$(newest)
sleep 1.2
run approve "$one"
expect "a request expires" 6 '' 'the request expired'
run resume "$one"
expect "resume asks anew" 3 'asked for anew'
run approve "$one" --resume
expect "which can be approved" 0
rm -f "$work/one" "$work/two"

# ---- four eyes ----
as alice "$work/two.lua" -i "$work/strict"
one=$(newest)
as alice approve "$one"
expect "whoever started it may not approve it" 6 'not whoever started it' 'started the run may not'
as alice approve "$one" --as bob
expect "nor under another name" 6 '' 'the real user counts'
run approve "$one"
expect "nor an account without a name behind it" 6 '' 'started the run may not'
as bob approve "$one" --resume
if grep -qx 4294967295 /proc/self/loginuid 2>/dev/null || [ ! -e /proc/self/loginuid ]; then
    expect "somebody else may, and may resume it" 0
else
    expect "a forged SUDO_USER is seen through: it is one login" 6 '' 'started the run may not'
fi
rm -f "$work/one" "$work/two"

# ---- confirm ----
run "$work/ask.lua" "${real[@]}" risk=routine
expect "nobody to ask" 6 'drop it' 'hint: -y answers yes'
run "$work/ask.lua" "${real[@]}" risk=routine -y
expect "-y answers a routine question" 0
run "$work/ask.lua" "${real[@]}" -y
expect "but not a destructive one" 6 '' '--yes-destructive'
rm "$work/dropped"
run "$work/ask.lua" "${real[@]}" --yes-destructive -o json
expect "--yes-destructive does" 0
check "it is in the JSON" \
    jq_true '.events[] | select(.event == "confirm") | .how == "--yes-destructive"'
if command -v script >/dev/null; then
    rm "$work/dropped"
    type_into mian "$work/ask.lua" "${real[@]}"
    expect "the wrong name typed" 6 'the answer was no'
    check "drops nothing" test ! -e "$work/dropped"
    type_into main "$work/ask.lua" "${real[@]}"
    expect "the right one" 0 'ok=1 changed=1'
    type_into y "$work/ask.lua" "${real[@]}" risk=disruptive
    expect "a yes" 0 'ok=1 changed=1'
    type_into "" "$work/ask.lua" "${real[@]}" risk=disruptive
    expect "no answer is a no" 6 'the answer was no'
    run runs show
    expect "the story tells of the no" 0 'denied  *drop it'
fi

done_testing
