# shellcheck shell=bash
# What is no SSH server, or stops being one.  Each ends with a cause, within its own time.
# shellcheck disable=SC2154

# says HOST TITLE SECONDS PATTERN: it is unreachable, in less than SECONDS, with these words.
says() {
    answer "$1"
    expect "$2: unreachable" 4 "host $1: ssh: .*($4)"
    check "$2: in time ($took s)" awk -v took="$took" -v most="$3" 'BEGIN { exit !(took < most) }'
}

# All of them wait at the same time.
take_port
add nobody "$port"
begin 20 nobody -- true
while read -r name mode; do
    odd "$name" "$mode"
    begin 60 "$name" -- true
done <<'END'
tarpit silent
hello banner_silent
endless endless
lines endless_lines
garbage garbage
web http
old old
closing close_at_once
banner banner_close
random banner_garbage
huge huge_packet
full full
END
says nobody "nobody listens" 10 'connection refused'
says tarpit "a tarpit" 25 'connected, but no SSH server answers'
says hello "a banner and silence" 25 'the key exchange came to no end'
says endless "an endless banner" 10 'sends much and no SSH banner: xxx'
says lines "endless lines before the banner" 10 'sends much and no SSH banner: please wait'
says garbage "garbage" 25 'port [0-9]+ is no SSH server|sends much'
says web "a web server" 25 'is no SSH server: it says: HTTP/1.1 400|before its SSH banner'
says old "SSH 1.5" 10 'speaks SSH 1 alone'
says closing "closes at once" 25 'closed the connection before its SSH banner, [0-9]+ times'
check "and what to do is said" grep -q 'hint: .*MaxStartups' <<<"$out"
says banner "closes after its banner" 10 'lost in the key exchange: the server ended it'
says random "garbage for a key exchange" 25 'the key exchange came to no end|libssh2'
says huge "a packet of 2 GB" 10 'libssh2|lost'
says full "always beyond MaxStartups" 25 'its SSH banner(: Exceeded MaxStartups)?, [0-9]+ times'

serve good "MaxStartups 100"
good=$port
odd dying cut "$good" 900
begin 40 dying -- true
odd stalled stall "$good" 900
begin 40 stalled -- true
odd flipped flip "$good" 1500
begin 40 flipped -- true
odd late flip "$good" 200000
begin 40 late -- head -c 1000000 /dev/zero
odd midway cut "$good" 300000
begin 40 midway -- head -c 1000000 /dev/zero
odd quiet stall "$good" 300000
begin 40 quiet -T 5s -- head -c 1000000 /dev/zero
odd slow delay "$good" 50
begin 40 slow -- sh -c 'cat; echo to-err >&2; exit 3'
odd drops bytewise "$good"
begin 90 drops -- sh -c 'head -c 5000 /dev/zero | tr "\0" x; exit 4'
odd busy refuse_first "$good" 2
begin 40 busy -- true
says dying "dies in the key exchange" 10 'lost in the key exchange: the server ended it'
says stalled "falls silent in the key exchange" 25 'the key exchange came to no end'
says flipped "a bit flips in the login" 25 'damaged|lost'
says late "a bit flips in the output" 25 'was damaged on its way'
says midway "dies in the output" 10 'lost'
answer quiet
expect "falls silent in the output: the deadline" 2 'host quiet: .*(5 s|time|deadline)'
check "the deadline holds ($took s)" awk -v took="$took" 'BEGIN { exit !(took < 20) }'
answer slow
expect "50 ms away" 2 'exit 3'
answer drops
expect "byte by byte" 2 'exit 4'
check "and all of them" test "$(grep -o x <<<"$out" | wc -l)" -eq 5001 # with "exit"
answer busy
expect "beyond MaxStartups at first: asked again" 0
