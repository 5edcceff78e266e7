#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154  # out, err, status and platrun belong to lib.sh
# Bad journals, and runs that cannot be recorded: each is told, and no effect is lost or doubled.
. "$(dirname "$0")/lib.sh"
. tests/e2e/badinput/told.sh

runs=$XDG_STATE_HOME/platrun/runs
sandbox=$XDG_STATE_HOME/platrun/sandbox
play=$work/sandbox/play.lua
killer=$work/kill_write.so

cc -shared -fPIC -o "$killer" tests/crash/kill_write.c || exit 1
mkdir "$work/sandbox" "$work/bare"
cp "$root/platrun.conf" "$work/sandbox/"
cp -R "$root/inventory" "$work/sandbox/inventory"
cat >"$play" <<'EOT'
local k8s = require("plat.k8s")

local M = {
  summary = "Make ConfigMaps",
  risk = "safe",
  args = {
    prefix = { type = "string", default = "a" },
    twice = { type = "boolean", default = false, help = "two steps with one title at once" },
    value = { type = "string", default = "", help = "function: a step returns one" },
  },
}

function M.run(run, args)
  local cluster = run:cluster()
  local api = k8s.connect(cluster.kubernetes)
  local function make(name)
    api:create({
      apiVersion = "v1",
      kind = "ConfigMap",
      metadata = { name = ("%s-%s"):format(args.prefix, name), namespace = cluster.namespace },
    })
  end
  run:keep("a fact", function()
    return { prefix = args.prefix }
  end)
  run:step("first", function()
    make("first")
  end)
  run:step("second", { returns = true }, function()
    make("second")
    return args.value == "function" and { print } or { 1, "2", { three = true } }
  end)
  run:step("first", function() -- the same title again: another step
    make("third")
  end)
  if args.twice then
    local items = { { name = "x", n = 1 }, { name = "x", n = 2 } }
    run:each("at once", items, { limit = 2 }, function(item)
      make("once-" .. item.n)
    end)
  end
end

return M
EOT

fresh() { # a new sandbox, no runs
    rm -rf "$runs"
    "$platrun" sandbox reset --sandbox-time 2035-03-07T10:00:00Z >/dev/null
}
journal() { # of the newest run
    find "$runs" -name journal.jsonl | sort | tail -n 1
}
made() { # the ConfigMaps that were asked for, in their order
    grep -oE '"method":"POST".*configmaps"|"name\\":\\"[a-z]+-[a-z0-9-]+' "$sandbox/world.log" |
        grep -oE '[a-z]-[a-z0-9-]+$' | tr '\n' ' '
}
unfinished() { # RECORDS: a run that was killed after so many of them
    fresh
    { # the shell says that it was killed
        CRASH_WHAT=journal CRASH_AT=$1 CRASH_HOW=${2-after} LD_PRELOAD=$killer run "$play"
    } 2>/dev/null
    [ "$status" -eq 137 ] || result "a run is killed at record $1" "it was not"
}
resume() { # that run, by its id
    run resume "$(basename "$(dirname "$(journal)")")"
}
same_made() { # TITLE EXPECTED
    check "$1" test "$(made)" = "$2"
}

# The line of each record: 1 header, 2 keep, 3 step, 4 intent, 5 outcome, 6 end of the step, ...
all="a-first a-second a-third "
fresh
run "$play"
expect "a run is recorded" 0
same_made "its changes" "$all"
run runs verify
expect "and its journal is whole" 0 'complete'
check "the records are those that this test counts on" \
    test "$(jq -r .type "$(journal)" | head -n 6 | tr '\n' ' ')" = \
    "run keep step intent outcome step_end "
resume
told "a run that has ended is not resumed" 64 'has ended \(changed\)'
run resume
told "without a name neither" 64 'no run stopped in the middle'

# ---- torn, flipped, cut ----

unfinished 6
printf '{"n":7,"type":"ste' >>"$(journal)"
run runs verify
expect "a torn last line is seen" 3 'cut'
run resume
expect "and repaired with a warning" 0 '' '^warning: .*last line was cut after 18 bytes'
run runs verify
expect "the journal is whole again" 0 'complete'
same_made "what was done is not done again" "$all"

unfinished 6
head -c 200 /dev/zero >>"$(journal)"
run resume
expect "zeros behind a power failure are cut off too" 0 '' '^warning: .*last line was cut'

unfinished 6
printf x | dd of="$(journal)" bs=1 seek=$(($(head -n 2 "$(journal)" | wc -c) + 40)) conv=notrunc \
    status=none
run runs verify
expect "a flipped byte is found, with its line" 1 'line 3'
resume
told "and such a run is not resumed" 1 'line 3: its chain does not fit'
same_made "nothing more was done" "a-first "

unfinished 8
sed -i '4d' "$(journal)"
run runs verify
expect "a line that is missing is found" 1 'line 4'

unfinished 5
run runs verify
expect "a cut tail is an unfinished run" 3 'record 5'
run resume
expect "and goes on" 0
same_made "from where it was" "$all"

unfinished 1 before
resume
told "a run without a record had done nothing" 64 'it had done nothing'
run "$play" prefix=b
expect "and does not stand in the way" 0

# ---- schema, owner, half deleted ----

unfinished 1
header=$(sed -E 's/"schema":1,/"schema":99,/; s/,"chain":"[0-9a-f]+"\}$/}/' "$(journal)")
zeros=$(printf '0%.0s' $(seq 32))
chain=$(printf '%s%s' "$zeros" "$header" | sha256sum | cut -c1-32)
printf '%s,"chain":"%s"}\n' "${header%\}}" "$chain" >"$(journal)"
resume
told "a newer schema" 1 'schema 99'
run runs verify
expect "is no damage" 1 'newer schema'

unfinished 6
if [ "$(id -u)" -eq 0 ]; then
    chown 65534 "$(dirname "$(journal)")"
    resume
    told "the run of another user" 6 'it is the run of another user'
    chown 0 "$(dirname "$(journal)")"
fi

id=$(basename "$(dirname "$(journal)")")
rm "$(journal)"
run resume "$id"
told "a directory that is half deleted" 1 'the journal is missing'
run runs list
expect "is listed as damaged" 0 'damaged'
run runs verify --all
expect "and found" 1 'missing'
rm -rf "$runs"
run resume
told "no runs" 64 'nothing to go on with'

# ---- no room ----

fresh
run "$play"
before=$(made)
PLATRUN_RUNS_DIR=/sys/kernel run "$play" prefix=b # not even root makes a folder there
told "runs cannot be recorded: nothing begins" 1 'cannot be recorded, so it does not begin'
same_made "no change was asked for" "$before"

cat >"$work/bare/lines.lua" <<'EOT'
local fs = require("plat.fs")
return {
  summary = "Append many lines",
  risk = "safe",
  args = { file = { type = "string", required = true }, n = { type = "integer", default = 150 } },
  run = function(run, args)
    for i = 1, args.n do
      run:step("line " .. i, function()
        fs.append(args.file, i .. "\n")
      end)
    end
  end,
}
EOT
bare() { # PROGRAM ARGUMENTS...: quietly, where no platrun.conf chooses the sandbox
    (cd "$work/bare" && "$@") >"$work/out" 2>"$work/err" </dev/null
    status=$? err=$(cat "$work/err") out=
}
full() { # TITLE: what holds after the disk was full in the middle of the run
    local written records
    written=$(wc -l <"$work/lines")
    records=$(jq -r '.type + (.outcome // "")' "$(journal)")
    expect "$1: the run stops in the middle" 2 '' 'cannot be recorded, so it stops here'
    check "$1: some lines were written" test "$written" -gt 10 -a "$written" -lt 150
    check "$1: nothing was begun that could not be recorded" \
        test "$(grep -c intent <<<"$records")" -eq "$written"
    check "$1: and each outcome is there" \
        test "$(grep -c outcomedone <<<"$records")" -eq "$written"
}
gone_on() { # TITLE
    bare "$platrun" resume
    expect "$1: with room again it goes on" 0
    check "$1: and each line is there once" cmp -s "$work/lines" <(seq 150)
}

# shellcheck disable=SC2317 # called by wait_until
bare_resume_asks() {
    bare "$platrun" resume
    grep -q 'nobody can tell' <<<"$err"
}

# shellcheck disable=SC2317 # called by bare
limited() {
    trap '' XFSZ
    ulimit -f 128 # KiB: the journal wants more
    exec "$platrun" lines.lua file="$work/lines"
}
rm -rf "$runs"
bare limited
full "a limit"
gone_on "a limit"

rm -rf "$runs" "$work/lines"
mkdir "$runs"
if [ "$(id -u)" -eq 0 ] && [ "${CI-}${REAL-}" != '' ] &&
    mount -t tmpfs -o size=128k tmpfs "$runs" 2>/dev/null; then
    bare "$platrun" lines.lua file="$work/lines"
    full "a full disk"
    mount -o remount,size=1m "$runs"
    gone_on "a full disk"
    umount "$runs"
else
    result "a full disk # SKIP it mounts a tmpfs: as root that may, with REAL=1" ''
fi

# ---- what the run began with has changed ----

unfinished 6
cp "$play" "$work/play.before"
sed -i 's/run:step("second"/run:step("zweitens"/' "$play"
run resume
expect "an edited playbook" 6 '' 'play.lua:[0-9]+ was edited since the run began'
check "both lines are shown" grep -q 'is: .*zweitens' "$work/err"
same_made "nothing was done" "a-first "
cp "$work/play.before" "$play"
sed -i '1i # edited' "$work/sandbox/inventory/sandbox/platform.yaml"
run resume
told "an edited inventory" 6 'platform.yaml was edited since the run began'
sed -i 1d "$work/sandbox/inventory/sandbox/platform.yaml"
run "$play" prefix=b --resume-or-start
expect "another argument" 6 '' 'argument "prefix" differs'
check "both are shown" grep -q 'was: "a"' "$work/err"
mv "$play" "$play.away"
run resume
told "a playbook that is gone" 64 'no such playbook'
mv "$play.away" "$play"
run resume
expect "unchanged it goes on" 0
same_made "to its end" "$all"

# ---- titles, values, clocks ----

fresh
run "$play" twice=true
expect "two steps with one title at once" 2 '' 'two steps "at once x" run at the same time'
fresh
run "$play" value=function
expect "a step value that holds a function" 2 '' 'is not plain data: .*function'
same_made "ends the run there" "a-first a-second "

unfinished 6
"$platrun" sandbox reset --sandbox-time 2034-01-01T00:00:00Z >/dev/null
run resume
expect "a clock that was set back" 0
run runs verify
expect "does no harm to the journal" 0

# ---- a command that outlives its platrun ----

cat >"$work/bare/outlive.lua" <<'EOT'
local fs = require("plat.fs")
local proc = require("plat.proc")
return {
  summary = "Start something that goes on alone",
  risk = "safe",
  args = { dir = { type = "string", required = true } },
  undo = {
    remove = function(_, saved)
      fs.remove(saved.path)
    end,
  },
  run = function(run, args)
    run:step("before", function(step)
      step:undo("remove", { path = args.dir .. "/before" })
      fs.write(args.dir .. "/before", "")
    end)
    run:step("start it", function()
      proc.run({ "sh", "-c", '(sleep 2; echo late >>"$1/late") & wait', "sh", args.dir })
    end)
  end,
}
EOT
rm -rf "$runs"
(cd "$work/bare" && exec "$platrun" outlive.lua dir="$work/bare") >/dev/null 2>&1 </dev/null &
pid=$!
wait_until 10 pgrep -f "sleep 2; echo late.*$work" >/dev/null
kill -9 $pid
wait $pid 2>/dev/null
bare "$platrun" resume
expect "what still runs is waited for" 3 '' 'it still runs, as process [0-9]+'
check "nothing is undone beside it" test -e "$work/bare/before"
wait_until 10 test -e "$work/bare/late"
wait_until 10 bare_resume_asks
expect "then a person is asked" 3 '' 'nobody can tell .*start it|start it.*nobody can tell'
bare "$platrun" resume --done "start it"
expect "and answers" 0
check "it ran once" test "$(cat "$work/bare/late")" = late

# ---- cron ----

unfinished 6
run "$play" --resume-or-start
expect "--resume-or-start goes on with what was not finished" 0 'skipping +step +first'
same_made "without doing it again" "$all"
run "$play" prefix=b --resume-or-start
expect "and starts when there is nothing" 0 'changed +step +first'
unfinished 6
run "$play" prefix=b
expect "a run beside an unfinished one says so" 0 '' '^warning: run .* was not finished'

done_testing
