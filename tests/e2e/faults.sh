#!/usr/bin/env bash
# shellcheck disable=SC2154  # out, err and platrun are set by lib.sh
# Every kind of fault on scale-dremio: it recovers, or ends with the right status and a reason.
. "$(dirname "$0")/lib.sh"

play=playbooks/scale-dremio.lua
time=2026-11-18T10:00:00Z

# play FAULT [ARGUMENT...]: on a fresh sandbox, up to 5 executors.
play() {
    rm -rf "$XDG_STATE_HOME/platrun/sandbox"
    run $play executors=5 --sandbox-time $time --fault "$@"
}
down() {
    rm -rf "$XDG_STATE_HOME/platrun/sandbox"
    run $play executors=1 --sandbox-time $time --fault "$@"
}

play drop-before@2
expect "a change that was never sent: nothing is changed" 4 'changed=0' \
    'cannot connect: connection refused'
play drop-unsent@2
expect "a change lost on its way is seen not to have happened, and made" 0 'grow from 3 to 5'
play drop-after@2
expect "a change whose answer is lost is seen to have happened" 0 'grow from 3 to 5'
play drop-before@k8s.get
expect "a read is asked again after a lost connection" 0 'grow from 3 to 5'
play drop-after@dremio.login
expect "and a read that is a POST" 0 'grow from 3 to 5'
play partial:3@k8s.list
expect "and one whose answer is cut off" 0 'grow from 3 to 5'
play partial@k8s.watch
expect "a watch that breaks off in a line is taken up again" 0 'grow from 3 to 5'
play partial@2
expect "a change whose answer is cut off is looked up" 0 'grow from 3 to 5'
play garbled@k8s.list
expect "half an answer that passes for a whole one is no empty list" 1 'changed=0' \
    'not whole JSON'
play garbled@k8s.watch
expect "half a line of a watch" 0 'grow from 3 to 5'
play silent@k8s.get
expect "a server that never answers costs its deadline, and names it" 4 'changed=0' \
    'no answer in 60 s'
play slow:300
expect "slow answers" 0 'grow from 3 to 5'
play slow:70000@k8s.get
expect "an answer that is too late" 4 'changed=0' 'no answer in 60 s'

play 500@k8s.get
expect "500 for a read" 2 'changed=0' '500 Internal Server Error.*'
play 502:3@k8s.get
expect "502 for some reads" 0 'grow from 3 to 5'
play 503:3
expect "503 for the next requests of the cluster" 0 'grow from 3 to 5'
play 503:9@on=dremio
expect "503 of the other service" 6 'changed=0' 'coordinator is up.*503'
play 503@2
expect "503 for a change: it did not happen, and is made again" 0 'grow from 3 to 5'
play 504@2
expect "504 for a change: it is looked up and did happen" 0 'grow from 3 to 5'
play 429:5@2
expect "429 is waited for" 0 'grow from 3 to 5'
play 429:5:99@k8s.scale
expect "but not for ever" 2 'changed=0' '429 Too Many Requests'
play 409@2
expect "409 for a change: nobody meant the number, it is made again" 0 'grow from 3 to 5'
play 410@k8s.watch
expect "410 for a watch: listed anew" 0 'grow from 3 to 5'
play watch-410:2
expect "watches that end with 410" 0 'grow from 3 to 5'

down lease-stolen
expect "a lock that is stolen ends the run before its next change" 9 '' \
    'the lock is lost: it is held by thief'
play lease-stolen
expect "one that is stolen after the last change is told" 0 'grow from 3 to 5' \
    'lost before the run ended'
play meddle
expect "somebody annotates the set: no harm" 0 'grow from 3 to 5'
play meddle:7
expect "somebody scales it in the same moment" 6 'changed=0' 'somebody else scaled it from 3 to 7'
play clock-skew:7200
expect "the cluster's clock is two hours ahead" 0 'grow from 3 to 5'
play clock-skew:-7200
expect "or behind" 0 'grow from 3 to 5'

down query:90 drain=10m
expect "a long query" 2 '' 'job'
play pod-crash:dremio-executor-3
expect "a pod that crashes" 8 'undone: 1 of 1' 'dremio-executor-3'
play pod-crash:dremio-executor-3:2
expect "a pod that crashes twice" 0 'grow from 3 to 5'
play image-pull:dremio-executor-3
expect "an image that is not there" 8 'undone: 1 of 1' 'cannot be pulled'
play no-capacity@2
expect "no room any more" 8 'undone: 1 of 1' 'Insufficient|room'
play any:6@30%,seed=3
first=$out
check "by chance: it ends in a known way" grep -qwE '0|2|4|6|8' <<<"$status"
play any:6@30%,seed=3
check "the same seed, the same run" test "$out" = "$first"

play drop-after@nonsense=3
expect "a moment that is none" 64 '' 'when is "nonsense=3"'
play any
expect "chance needs a share" 64 '' 'any\[:TIMES\]@P%'
play node-down:nowhere
expect "a node that is none" 64 '' 'no node "nowhere"; there are worker-1'
play node-down:nowhere@2
expect "also when it is for later" 64 '' 'no node "nowhere"'
play query:3:nobody
expect "an executor that is none" 64 '' 'no executor nobody'
play drop-aftr@2
expect "a kind that is none" 64 '' 'did you mean "drop-after"'

done_testing
