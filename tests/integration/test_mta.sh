#!/bin/bash
# test_mta: a real mail server between the world and base/mail (tools/mta).
#
# Steps, each with what is expected: mail waits in the server's queue while nobody takes it, survives the server's own
# death, and comes exactly once; what we send becomes a file; what the world says about DMARC is not believed.
# Needs the build with tests/mail_tool: BEFFROI_BUILD, else build/check-asan, else build.
set -euo pipefail
umask 022
TOP=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)
for build in "${BEFFROI_BUILD:-}" "$TOP/build/check-asan" "$TOP/build"; do
    TOOL=$build/tests/mail_tool
    [ ! -x "$TOOL" ] || break
done
[ -x "$TOOL" ] || { echo "tests/mail_tool is not built"; exit 1; }
if ! command -v apt-get >/dev/null || ! command -v python3 >/dev/null; then
    echo "needs apt-get and python3"
    exit 77
fi

ID=mx.test.localhost
ADDRESS=activation@test.localhost
PASSES=0
WORK=$(mktemp -d "${TMPDIR:-/tmp}/beffroi-test-mta.XXXXXX")
chmod 0755 "$WORK"
PKG=${BEFFROI_MTA_PKG:-$TOP/var/pkg}
[ -w "$TOP" ] || PKG=$WORK/pkg
SINK=''
cleanup() {
    sink_stop
    "$TOP/tools/mta" stop --dir "$WORK/mta" >/dev/null 2>&1 || true
    rm -rf -- "$WORK"
}
sink_stop() {
    [ -z "$SINK" ] || { kill -s TERM "$SINK" 2>/dev/null && wait "$SINK"; } || true
    SINK=''
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

fail() {
    printf 'FAILED: %s\n' "$1"
    tail -n 30 "$WORK"/mta/log/* 2>/dev/null || true
    exit 1
}
pass() { PASSES=$((PASSES + 1)); printf 'ok %s\n' "$1"; }
# until_true SECONDS COMMAND…
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}

# As tests/lib/beffroi.py chooses them: below the ports of outgoing connections.
read -r IN ALIGNED SUBMIT LMTP_PORT < <(PYTHONPATH=$TOP/tests/lib python3 -c 'import beffroi
print(*[beffroi.free_port() for _ in range(4)])')
LMTP=127.0.0.1:$LMTP_PORT

mta() {
    "$TOP/tools/mta" "$1" --dir "$WORK/mta" --in-port "$IN" --aligned-port "$ALIGNED" --submit-port "$SUBMIT" \
        --lmtp "$LMTP" --out-dir "$WORK/out" --address "$ADDRESS" --address autre@test.localhost --authserv-id "$ID" \
        --retry 1 --pkg-dir "$PKG"
}
waiting() { "$TOP/tools/mta" status --dir "$WORK/mta" | sed -n 's/.*; \([0-9]*\) messages.*/\1/p'; }
queue_is() { [ "$(waiting)" = "$1" ]; }
sink_start() {
    mkdir -p "$WORK/in"
    "$TOOL" sink "$LMTP" "$WORK/in" "$ID" >>"$WORK/sink.log" 2>&1 &
    SINK=$!
    disown "$SINK" 2>/dev/null || true
    until_true 10 sink_answers || fail "the LMTP sink does not start: $(cat "$WORK/sink.log")"
}
sink_answers() {
    case $LMTP in
    unix:*) [ -S "${LMTP#unix:}" ] ;;
    *) (exec 3<>"/dev/tcp/127.0.0.1/$LMTP_PORT") 2>/dev/null ;;
    esac
}
taken() { find "$WORK/in" -name '*.seen' 2>/dev/null | wc -l; }
taken_is() { [ "$(taken)" = "$1" ]; }
seen() { grep -q "^$2\$" "$WORK/in/$1.seen" || { cat "$WORK/in/$1.seen"; fail "delivery $1 does not say: $2"; }; }

# world PORT ENVELOPE-FROM RECIPIENT [EXTRA-BYTES]: sends standard input; prints the code of the last reply.
world() {
    python3 -c '
import smtplib, sys
port, sender, to, extra = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
text = sys.stdin.buffer.read()
if extra:
    text += (b"0123456789" * 7 + b"\n") * (extra // 71 + 1)
s = smtplib.SMTP("127.0.0.1", port, timeout=30)
try:
    s.ehlo("client.test")
    code, words = s.docmd("MAIL", "FROM:<%s>" % sender)
    if code == 250:
        code, words = s.docmd("RCPT", "TO:<%s>" % to)
    if code == 250:
        code, words = s.data(text)
    s.quit()
except smtplib.SMTPServerDisconnected:
    pass
print(code)' "$1" "$2" "$3" "${4:-0}"
}
letter() { # SUBJECT [HEADER…]
    printf 'From: Jeanne Dupont <jeanne@client.test>\nTo: %s\nSubject: %s\nMessage-ID: <%s@client.test>\n' "$ADDRESS" "$1" "$RANDOM$RANDOM"
    shift
    [ $# = 0 ] || printf '%s\n' "$@"
    printf '\nmerci\n'
}
sent() { # EXPECTED-CODE LABEL PORT FROM TO, message on standard input
    local want=$1 label=$2 code
    shift 2
    code=$(world "$@")
    [ "$code" = "$want" ] || fail "$label: answered $code, not $want"
}

mta start >/dev/null
mta start >/dev/null          # twice is harmless
queue_is 0 || fail "the queue of a new server is not empty"
pass "the server starts"

# --- it waits -----------------------------------------------------------------------------------------------------
letter G6J7-2QGR-RB3K "Authentication-Results: $ID; dmarc=pass header.from=client.test" |
    sent 250 "mail while we are away" "$IN" jeanne@client.test "$ADDRESS"
sleep 2.5
queue_is 1 || fail "the message does not wait in the queue"
pass "a message waits while nobody answers on LMTP"

daemon=$(cut -d' ' -f1 "$WORK/mta/mta.pid")
kill -s KILL "$daemon"
until_true 5 bash -c "! kill -0 $daemon 2>/dev/null" || fail "the server cannot be killed"
if "$TOP/tools/mta" status --dir "$WORK/mta" >/dev/null; then fail "status says that a killed server runs"; fi
mta start >/dev/null
queue_is 1 || fail "the message was lost with the server"
pass "the queue survives the server's death"

sink_start
until_true 20 taken_is 1 || fail "the message is not delivered when we are back"
until_true 10 queue_is 0 || fail "the queue is not empty after the delivery"
sleep 2.5
taken_is 1 || fail "the message came $(taken) times"
seen 1 "return_path jeanne@client.test"
seen 1 "recipient $ADDRESS"
seen 1 "from jeanne@client.test"
seen 1 "subject G6J7-2QGR-RB3K"
seen 1 "automatic 0 "
pass "it is delivered once, when we are back"

# --- the verdict --------------------------------------------------------------------------------------------------
seen 1 "dmarc 0"
[ "$(grep -ci '^Authentication-Results:' "$WORK/in/1.raw")" = 1 ] || fail "the forged Authentication-Results is still there"
pass "a forged DMARC result is taken off"
letter x | sent 250 "aligned mail" "$ALIGNED" jeanne@client.test "$ADDRESS"
until_true 10 taken_is 2 || fail "aligned mail does not arrive"
seen 2 "dmarc 2"
grep -q "^Authentication-Results: $ID; dmarc=pass header.from=client.test" "$WORK/in/2.raw" || fail "no result was added"
[ "$(head -n 1 "$WORK/in/2.raw" | cut -d: -f1)" = Authentication-Results ] || fail "the result is not the first field"
pass "the port for aligned senders says dmarc=pass"

# --- whom it serves -----------------------------------------------------------------------------------------------
letter x | sent 550 "unknown recipient" "$IN" jeanne@client.test nobody@test.localhost
letter x | sent 550 "relay" "$IN" jeanne@client.test someone@elsewhere.test
letter x | sent 250 "the other address" "$IN" jeanne@client.test AUTRE@test.localhost
until_true 10 taken_is 3 || fail "mail for the second address does not arrive"
pass "mail for our addresses only"

letter x | sent 250 "null return path" "$IN" '' "$ADDRESS"
until_true 10 taken_is 4 || fail "mail with a null return path does not arrive"
seen 4 "return_path "
seen 4 "automatic 1 null return path"
pass "a null return path stays null"

letter x | sent 552 "mail above the server's limit" "$IN" jeanne@client.test "$ADDRESS" 2300000
letter x | sent 250 "large mail" "$IN" jeanne@client.test "$ADDRESS" 1500000
until_true 10 taken_is 5 || fail "large mail does not arrive"
seen 5 "too_large 1"
seen 5 "from jeanne@client.test"
pass "large mail arrives as too large, larger mail is refused at the door"

# --- we are there, but cannot -------------------------------------------------------------------------------------
: >"$WORK/in/away"
letter later | sent 250 "mail while our database is away" "$IN" jeanne@client.test "$ADDRESS"
sleep 2.5
queue_is 1 || fail "451 does not keep the message in the queue"
rm "$WORK/in/away"
until_true 20 taken_is 6 || fail "the message does not come after 451"
seen 6 "subject later"
pass "451 keeps the message in the queue"

for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    letter "burst $i" | world "$IN" jeanne@client.test "$ADDRESS" >/dev/null &
    [ $((i % 5)) != 0 ] || wait $(jobs -p) || true
done
until_true 30 taken_is 21 || fail "of 15 messages at once $(($(taken) - 6)) arrive"
sleep 2
taken_is 21 || fail "of 15 messages at once some come twice"
[ "$(grep -h '^subject burst' "$WORK"/in/*.seen | sort -u | wc -l)" = 15 ] || fail "a message of the burst is missing"
pass "many at once, each once"

# --- what we send -------------------------------------------------------------------------------------------------
out_is() { [ "$(find "${2:-$WORK/out}" -maxdepth 1 -name '*.eml' | wc -l)" = "$1" ]; }
out_is 0 || fail "there is outgoing mail already: $(ls "$WORK/out")"
printf 'Bonjour,\n.\nvotre code : 4071 9362\n' |
    "$TOOL" send "smtp://127.0.0.1:$SUBMIT" activation@test.localhost jeanne@client.test '<k1@test.localhost>'
until_true 10 out_is 1 || fail "what we send does not become a file"
file=$(find "$WORK/out" -maxdepth 1 -name '*.eml')
for line in 'Return-path: <activation@test.localhost>' 'Envelope-to: jeanne@client.test' 'To: jeanne@client.test' 'Auto-Submitted: auto-replied' \
    'Message-ID: <k1@test.localhost>' 'votre code : 4071 9362'; do
    grep -q "^$line" "$file" || { cat "$file"; fail "the file does not hold: $line"; }
done
pass "what we send becomes one file"

# --- what comes back ----------------------------------------------------------------------------------------------
: >"$WORK/in/gone"
letter nobody | sent 250 "mail for somebody who is gone" "$IN" jeanne@client.test "$ADDRESS"
until_true 20 out_is 2 || fail "550 on LMTP does not become a bounce of this server"
rm "$WORK/in/gone"
grep -l '^Envelope-to: jeanne@client.test' "$WORK"/out/*.eml | xargs grep -l '^Return-path: <>' | xargs grep -q 'no such recipient' ||
    fail "the bounce is not one"
queue_is 0 || fail "something is left in the queue after the bounce"
pass "550 comes back as a bounce, by this server and no other"

# --- a Unix socket, and an end ------------------------------------------------------------------------------------
sink_stop
LMTP=unix:$WORK/lmtp.sock
mta stop
if "$TOP/tools/mta" status --dir "$WORK/mta" >/dev/null; then fail "the server runs after stop"; fi
[ ! -s "$WORK/mta/daemon.out" ] || { cat "$WORK/mta/daemon.out"; fail "the server complained"; }
mta start >/dev/null
letter unix | sent 250 "mail for the Unix socket" "$IN" jeanne@client.test "$ADDRESS"
sleep 1.5
queue_is 1 || fail "mail for an absent Unix socket does not wait"
rm -rf "$WORK/in"
sink_start
until_true 20 taken_is 1 || fail "mail does not come over the Unix socket"
seen 1 "subject unix"
pass "LMTP over a Unix socket"

[ "$(find "$WORK" -perm /6000 | wc -l)" = 0 ] || fail "a set-uid file was unpacked"
if [ "$(id -u)" = 0 ]; then
    daemon=$(cut -d' ' -f1 "$WORK/mta/mta.pid")
    [ "$(awk '/^Uid:/ { print $2 }' "/proc/$daemon/status")" != 0 ] || fail "the server runs as root"
fi
pass "no privilege is left"

# --- as an ordinary user ------------------------------------------------------------------------------------------
if [ "$(id -u)" = 0 ] && setpriv --reuid=nobody --clear-groups test -x "$TOP/tools/mta" 2>/dev/null; then
    sink_stop
    "$TOP/tools/mta" stop --dir "$WORK/mta"
    nobody=(setpriv --reuid=nobody --regid=nogroup --clear-groups env "HOME=$WORK/user")
    mkdir "$WORK/user"
    chown nobody "$WORK/user"
    LMTP=127.0.0.1:$LMTP_PORT
    "${nobody[@]}" "$TOP/tools/mta" start --dir "$WORK/user/mta" --in-port "$IN" --submit-port "$SUBMIT" --lmtp "$LMTP" \
        --out-dir "$WORK/user/out" --address "$ADDRESS" --authserv-id "$ID" --retry 1 --pkg-dir "$PKG"
    letter user | sent 250 "mail to an ordinary user's server" "$IN" jeanne@client.test "$ADDRESS"
    rm -rf "$WORK/in"
    sink_start
    until_true 20 taken_is 1 || fail "mail does not pass an ordinary user's server"
    printf 'Bonjour\n' | "$TOOL" send "smtp://127.0.0.1:$SUBMIT" activation@test.localhost jeanne@client.test '<k2@test.localhost>'
    until_true 10 out_is 1 "$WORK/user/out" || fail "mail out of an ordinary user's server is no file"
    "${nobody[@]}" "$TOP/tools/mta" stop --dir "$WORK/user/mta"
    pass "it works for an ordinary user"
fi
printf '%s steps passed\n' "$PASSES"
