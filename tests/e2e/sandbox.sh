#!/usr/bin/env bash
# shellcheck disable=SC2154  # out, err and platrun are set by lib.sh
# The main job on the sandbox: up, again, down, plans, schedules, faults, the world between runs.
. "$(dirname "$0")/lib.sh"

play=playbooks/scale-dremio.lua
sandbox=$XDG_STATE_HOME/platrun/sandbox

# Each run an hour of sandbox time after the one before: nothing depends on today.
hour=0
at() {
    date -u -d "2026-11-18 10:00 UTC + $hour hours" +%Y-%m-%dT%H:%M:%SZ
}
play() {
    hour=$((hour + 2))
    run $play "$@" --sandbox-time "$(at)"
}
reset() { # [TIME]
    hour=0
    "$platrun" sandbox reset --sandbox-time "${1:-$(at)}" >/dev/null
}
executors() { # how many pods are ready
    hour=$((hour + 1))
    ready_at "$(at)"
}
ready_at() {
    "$platrun" sandbox status --sandbox-time "$1" | grep -c 'dremio-executor-.*Running, ready'
}
log_size() {
    stat -c %s "$sandbox/world.log"
}

reset
play executors=5
expect "3 to 5" 0 'changed +step +grow from 3 to 5 executors' '^sandbox: nothing real is touched'
check "five executors are ready" test "$(executors)" -eq 5
play executors=5
expect "again: nothing to do" 0 '^[^ ]* nothing to do$'
check "and no step" test "$(grep -c ' step ' <<<"$out")" -eq 0

play executors=6 -v
expect "-v: what is changed" 0 ' k8s\.scale: scale statefulset .*dremio-executor from 5 to 6'
expect "the sum" 0 'sandbox : ok=8 changed=1 unreachable=0 failed=0 skipped=0  in '
play executors=5
check "without -v: only the steps" test -z "$(grep 'k8s\.scale' <<<"$out")"

before=$(log_size)
play --check --diff executors=4
expect "a plan says what would change" 0 \
    'will +cluster sandbox: scale statefulset data-platform/dremio-executor from 5 to 4'
check "with the difference" grep -q -- '+ spec.replicas: 4' <<<"$out"
check "a plan leaves no trace in the world" test "$(log_size)" -eq "$before"
play --check executors=7
expect "a plan upwards" 0 'plan: 1 to change \(1 will, 0 maybe, 0 opaque\), coverage 100 %'
run plan $play executors=7 --sandbox-time "$(at)"
expect "platrun plan is --check --diff" 0 '\+ spec.replicas: 7'
check "five are still there" test "$(executors)" -eq 5

play executors=2 --fault query:3
expect "down, one at a time" 0 'changed +step +retire dremio-executor-4 +[34]m'
check "the highest ordinal goes first" \
    test "$(grep -oE 'retire dremio-executor-[0-9]' <<<"$out" | tr -d '\n' | tr -cd 0-9)" = 432
check "two are left" test "$(executors)" -eq 2

play executors=1 --fault query:90 drain=10m
expect "a query that outlives the drain ends the run" 2 '' 'job'
check "and the executor stays" test "$(executors)" -eq 2
play executors=1 --fault query:90 drain=10m cancel_queries=true
expect "unless it may be cancelled" 0 'retire dremio-executor-1'

reset
play executors=9 --fault no-capacity
expect "no capacity: refused before any change" 6 'changed=0' 'new executors'
check "it names the shortage" grep -q '4 cpu, 16Gi memory' <<<"$err"
play executors=4 --fault image-pull
expect "an image that is not there: undone" 8 'undone: 1 of 1' '^failed: .*image .*cannot be pulled'
check "the first line names the image" grep -qE '^failed: .*dremio-oss' <<<"$err"
check "three executors are left" test "$(executors)" -eq 3
play executors=4 --fault image-pull --no-undo
expect "--no-undo leaves it as it is" 2 'then: platrun resume' '^failed: .*image'
hour=$((hour + 2))
run resume --sandbox-time "$(at)"
expect "without the fault a resume completes it" 0 'changed +step +grow from 3 to 4'
check "four executors" test "$(executors)" -eq 4
run resume
expect "what has ended cannot be resumed" 64 '' 'nothing to go on with'
reset
play executors=4 --fault api-503:3
expect "a few 503 are outlived" 0
play executors=3 --fault watch-410
expect "a watch that has become too old" 0
play executors=4 --fault slow:300
expect "a slow API" 0
play executors=4 --fault pod-crash:dremio-executor-3
expect "a pod that crashes is noticed" 2 '' 'dremio-executor-3'

play executors=banana
expect "a wrong number" 64 '' 'executors: "banana" is not a whole number'
play executer=5
expect "a mistyped argument" 64 '' 'did you mean "executors"\?'
play --fault nonsense
expect "an unknown fault" 64 '' 'hint: the faults are'
play --fault image-pul
expect "a nearly right fault" 64 '' 'did you mean "image-pull"\?'
play cluster=sandbx
expect "an unknown cluster" 64 '' 'did you mean "sandbox"\?'
play --cron
expect "--cron never means the sandbox by mistake" 64 '' 'nothing real would be changed'
play executors=4 -q
expect "-q says that it is the sandbox all the same" 0 '' '^sandbox: nothing real is touched'
play executors=4 -o json
check "and so does JSON" jq -e '.sandbox == true' "$work/out"

# The schedule of the inventory, in its own zone.
reset 2026-11-18T10:00:00Z # a Wednesday, 11:00 in Berlin
run $play --sandbox-time 2026-11-18T10:00:00Z
expect "business hours" 0 'executors wanted .*business'
day=$(ready_at 2026-11-18T12:00:00Z)
run $play --sandbox-time 2026-11-18T20:30:00Z
expect "the evening" 0 'executors wanted .*otherwise'
night=$(ready_at 2026-11-18T22:00:00Z)
check "fewer executors by night" test "$night" -lt "$day"
run $play --sandbox-time 2026-11-17T10:00:00Z
expect "time never runs backwards" 64 '' "before the sandbox's own time"

# The world between runs.
reset
"$platrun" $play executors=5 --sandbox-speed 20 --sandbox-time "$(at)" >"$work/first" 2>&1 &
pid=$!
wait_until 10 grep -q 'room on the nodes' "$work/first"
play executors=4
expect "one process holds a sandbox" 75 '' "in use by pid $pid"
wait_until 20 grep -q '"method":"PUT"' "$sandbox/world.log"
kill -9 $pid
wait $pid 2>/dev/null
check "what was asked before kill -9 is in the log" grep -q 'replicas.*:5' "$sandbox/world.log"
play executors=5
expect "and the next run finishes it" 0 'every executor is in use'
check "five executors" test "$(executors)" -eq 5
printf '{"t":1,"half' >>"$sandbox/world.log"
play executors=5
expect "a torn last line of the log is cut off" 0
check "and is gone" test "$(grep -c half "$sandbox/world.log")" -eq 0

# The same seed, the same bytes; but each run has an id of its own.
strip_id() {
    sed 's/"run":"[^"]*",//'
}
for i in 1 2; do
    reset
    play executors=6 -o jsonl --fault slow:40
    strip_id <<<"$out" >"$work/events.$i"
    play executors=3 -o jsonl --fault query:7
    strip_id <<<"$out" >>"$work/events.$i"
    cp "$sandbox/world.log" "$work/world.$i"
    cp "$sandbox/snapshot.json" "$work/snapshot.$i"
done
check "two runs, the same events" cmp "$work/events.1" "$work/events.2"
check "the same requests" cmp "$work/world.1" "$work/world.2"
check "the same world" cmp "$work/snapshot.1" "$work/snapshot.2"

done_testing
