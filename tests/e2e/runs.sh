#!/usr/bin/env bash
# platrun runs: every kind of run is listed and told, also damaged ones; verify, last, diff, prune.
. "$(dirname "$0")/lib.sh"
export PLATRUN_RUNS_DIR=$work/runs

playbook() { # NAME: a playbook whose run() is standard input
    {
        echo 'local fs, task = require("plat.fs"), require("plat.task")'
        echo 'return { summary = "Test", risk = "safe",'
        echo '  args = { n = { type = "integer", default = 1 } },'
        echo '  run = function(run, args) local _ = { fs, task, args }'
        cat
        echo '  end }'
    } >"$work/$1.lua"
}

# shellcheck disable=SC2317 # called through check
jq_true() { # jq arguments...: about the last output
    jq -e "$@" "$work/out" >/dev/null
}

id_of() { # PLAYBOOK: the id of its newest run
    "$platrun" runs --playbook "$1" -n 1 -o json | jq -r '.runs[0].id'
}

mkdir "$work/inventory"
printf 'platrun:\n  environment: development\n' >"$work/inventory/platform.yaml"
real=(-i "$work/inventory")

run runs
expect "no runs at all" 0 '^no runs in '
run runs show
expect "nothing to show" 64 '' 'there are no runs'
run runs last good
expect "a playbook that never ran is stale" 1 '^good: never run'

playbook good <<LUA
run:guard("there is room", function() return true end)
run:keep("before", function() return args.n end)
run:step("write it", {}, function() fs.write("$work/file", tostring(args.n)) end)
LUA
playbook bad <<'LUA'
run:step("break it", {}, function() error("broken on purpose") end)
LUA
playbook slow <<LUA
run:step("mark", {}, function() fs.write("$work/mark", tostring(run.id)) end)
run:step("wait long", {}, function() task.sleep(60) end)
LUA

run "$work/good.lua" "${real[@]}"
expect "a good run" 0
good=$(id_of good)
run "$work/bad.lua" "${real[@]}"
check "a bad run" test "$status" -ne 0
bad_run=$(id_of bad)

start_slow() { # starts slow.lua in the background and waits until it is in its second step
    rm -f "$work/mark"
    env --default-signal=INT "$platrun" "$work/slow.lua" "${real[@]}" >/dev/null 2>&1 </dev/null &
    pid=$!
    wait_until 10 test -e "$work/mark"
}
start_slow
run runs
expect "a run that lives is running" 0 'slow .* running '
slow=$(id_of slow)
"$platrun" runs tail -f "$slow" >"$work/tail" 2>"$work/tail.err" &
follower=$!
kill -INT "$pid"
wait "$pid"
wait "$follower"
status=$? out=$(cat "$work/tail") err=$(cat "$work/tail.err")
expect "tail -f follows to the end" 0 'end .*exit 130' 'cancelled'
run runs show "$slow"
expect "a run that was stopped" 0 'cancelled .exit 130'

start_slow
disown "$pid" # so that the shell does not tell of it
kill -9 "$pid"
wait_until 10 test ! -e "/proc/$pid"
killed=$(id_of slow)
run runs
expect "a run that was killed is unfinished, and says what to do" 0 \
    "^$killed .* unfinished " "^$killed: unfinished: platrun resume $killed"
run runs verify "$killed"
expect "verify says after what" 3 '^unfinished after record [0-9]+ \(step "wait long" began\)'
run runs show "$killed"
expect "show too" 0 'begun +wait long'

run runs show "$good"
expect "the story of a good run" 0 'done +localhost: write 1 bytes'
check "its guard" grep -q 'ok  *there is room' <<<"$out"
check "what it kept" grep -q 'before = 1' <<<"$out"
run runs show "$bad_run"
expect "the story of a bad run" 0 'broken on purpose'
check "how to start it again" grep -q "platrun $work/bad.lua -i $work/inventory" <<<"$out"
check "without a trace of calls" test -z "$(grep traceback <<<"$out")"
run runs show "$bad_run" -o json
expect "as JSON" 0
check "with its steps" jq_true '.schema == 1 and .steps[0].title == "break it"'
run runs show "${good:0:4}"
expect "an ambiguous beginning lists what it may be" 64 '' "$good.*$bad_run|$bad_run.*$good"
run runs show nonesuch
expect "an unknown run" 64 '' 'no run "nonesuch"'
run runs --status faild
expect "an unknown status" 64 '' 'did you mean "failed"'
run runs --status failed -o json
expect "a list by status" 0
check "has only those" jq_true '[.runs[].playbook] == ["bad"]'
run runs --playbook good -n 1
expect "a list by playbook" 0 "^$good "
run runs tail "$good"
expect "tail of a run that has ended" 0 'changed +write it' 'changed'
run runs shwo
expect "a misspelt word" 64 '' 'did you mean "show"'

# ---- last ----
run runs last good --max-age 1h
expect "a fresh success" 0 "^good: last success .* ago \\($good\\)"
sleep 1.1
run runs last good --max-age 1s
expect "a stale one" 1 'more than 1s'
run runs last "$work/bad.lua" -o json
expect "one that never succeeded" 1
check "tells the last attempt" jq_true '.fresh == false and .attempt.status == "failed"'
run tests/bench/empty.lua -q
run runs last empty
expect "a success on the sandbox is none" 1 'never run outside the sandbox'
run runs last empty --sandbox
expect "unless it is asked for" 0

# ---- diff ----
run "$work/good.lua" "${real[@]}" n=2
run runs diff "$good" "$(id_of good)"
expect "diff: the argument" 0 '^argument n$'
check "and the kept value" grep -q '^kept value before$' <<<"$out"
run runs diff "$good" "$good"
expect "no difference" 0 '^no difference$'

# ---- damage ----
journal=$PLATRUN_RUNS_DIR/$bad_run/journal.jsonl
cp "$journal" "$work/saved"
run runs verify "$bad_run"
expect "a whole journal" 0 '^complete: [0-9]+ records, failed'
sed -i '2s/break it/break It/' "$journal"
run runs verify "$bad_run"
expect "a flipped byte is found in its line" 1 '^damaged: line 2: '
run runs show "$bad_run"
expect "a damaged run is told as far as it is whole" 0 'problem +line 2'
run runs
expect "and listed" 0 "^$bad_run .* damaged" "^$bad_run: damaged"
sed '$d' "$work/saved" >"$journal"
printf '{"type":"end","sta' >>"$journal"
run runs verify "$bad_run"
expect "a cut tail is no end" 3 '18 bytes of a line that was cut'

first=$(sed -n 1p "$work/saved" | sed 's/,"chain":"[0-9a-f]*"}$/}/; s/"schema":1/"schema":99/')
chain=$(printf '%032d%s' 0 "$first" | sha256sum | cut -c1-32)
printf '%s,"chain":"%s"}\n' "${first%\}}" "$chain" >"$journal"
run runs verify "$bad_run"
expect "a journal of a newer schema" 1 '^newer schema: line 1: .*schema 99'
run runs
expect "is listed as such" 0 "^$bad_run .* newer schema"
rm "$journal"
run runs
expect "a half deleted run" 0 "^$bad_run .* damaged"
run runs show "$bad_run"
expect "is shown" 0 'the journal is missing'
mkdir "$PLATRUN_RUNS_DIR/20200101-000000000-junk-0000"
printf 'no json\n' >"$PLATRUN_RUNS_DIR/20200101-000000000-junk-0000/journal.jsonl"
run runs verify --all
expect "verify --all" 1 '20200101-000000000-junk-0000: damaged: line 1'

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    chmod 755 "$work" "$PLATRUN_RUNS_DIR"
    other=(setpriv --reuid=65534 --regid=65534 --clear-groups "$platrun")
    "${other[@]}" runs >"$work/out" 2>"$work/err" </dev/null
    status=$? out=$(cat "$work/out") err=$(cat "$work/err")
    expect "the runs of another user are listed as unreadable" 0 "^$good .* unreadable"
    "${other[@]}" runs show "$good" >"$work/out" 2>"$work/err" </dev/null
    status=$? out=$(cat "$work/out") err=$(cat "$work/err")
    expect "and shown as that" 0 'it is the run of another user'
    "${other[@]}" runs tail "$good" >"$work/out" 2>"$work/err" </dev/null
    status=$? out=$(cat "$work/out") err=$(cat "$work/err")
    expect "but not followed" 1 '' 'another user'
fi

# ---- prune ----
run runs prune
expect "prune wants to know what" 64 '' 'keep'
run runs prune --keep 1 --check
expect "prune --check deletes nothing" 0 "^would delete $good "
check "really" test -d "$PLATRUN_RUNS_DIR/$good"
run runs prune --keep 1
expect "prune keeps the newest of each" 0 "^deleted $good "
check "it is gone" test ! -e "$PLATRUN_RUNS_DIR/$good"
check "the unfinished one is not" test -d "$PLATRUN_RUNS_DIR/$killed"
run runs prune --damaged -o json
expect "prune --damaged" 0
check "deletes the damaged alone" jq_true '.deleted | length == 2'
run runs prune --older-than 30d
expect "nothing is that old" 0 '^0 deleted'

done_testing
