# SPDX-License-Identifier: MIT
# thimble demo tells the whole story on a real mosquitto, and leaves nothing behind.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
export TMPDIR=$scratch/tmp
mkdir "$TMPDIR"
unset THIMBLE_HOME

says() { grep -q -- "$2" "$scratch/$1" || { cat "$scratch/$1"; return 1; }; }
nothing_left() { [ -z "$(ls -A "$TMPDIR")" ] && ! pgrep -f "$TMPDIR" >/dev/null; }

for backend in bearssl openssl; do
    check "demo with $backend ends by itself, well" sh -c \
        "timeout 120 $thimble demo --tls-backend $backend >$scratch/$backend 2>&1"
    check "$backend: a full handshake with version, suite and certificate" says $backend \
        "TLS       1.[23], TLS_.*, full handshake"
    check "$backend: the server's certificate is named" says $backend "server    localhost, issued by Demo server CA"
    check "$backend: CONNACK" says $backend "CONNACK   accepted, MQTT session new"
    check "$backend: telemetry arrives" says $backend 'lamp/telemetry/q2  {"n":1,'
    check "$backend: a command is answered" says $backend '"result":{"on":true}'
    check "$backend: the impostor is refused with the reason" says $backend \
        "found     trust: .* does not lead to a CA that we trust"
    check "$backend: TLS is resumed after a cut" says $backend "TLS       1.[23], TLS_.*, resumed handshake"
    check "$backend: the session outlives the broker's restart" says $backend "MQTT session present"
    check "$backend: nothing at QoS 1 is lost" says $backend "QoS 1: [1-9][0-9]* sent, 0 lost"
    check "$backend: nothing at QoS 2 is lost or doubled" says $backend \
        "QoS 2: [1-9][0-9]* sent, 0 lost, 0 arrived twice"
    check "$backend: next commands are given" says $backend "thimble ca init"
    check "$backend: nothing is left behind" nothing_left
done

timeout 120 "$thimble" demo --stay >"$scratch/stay" 2>&1 &
demo=$!
children+=("$demo")
check "demo --stay stays" wait_for 60 grep -q "The broker's log" "$scratch/stay"
join=$(grep '^mosquitto_sub ' "$scratch/stay")
check "the mosquitto_sub command it prints works" sh -c "timeout 10 $join -C 3 | grep -q telemetry"
ask=$(grep '^mosquitto_rr ' "$scratch/stay")
check "and so does the question" sh -c "timeout 10 $ask | grep -q uptime"
kill -INT "$(pgrep -P "$demo")"
wait "$demo"
check "Ctrl-C ends it well" test $? = 0
check "and removes everything" nothing_left

"$thimble" demo >"$scratch/cut" 2>&1 &
demo=$!
wait_for 30 grep -q "^4\." "$scratch/cut"
kill -TERM "$demo"
wait "$demo"
check "ended in the middle it says so" test $? = 1
check "and removes everything as well" nothing_left
"$thimble" demo >"$scratch/cut" 2>&1 &
demo=$!
wait_for 30 grep -q "^4\." "$scratch/cut"
kids=$(pgrep -P "$demo")
kill -KILL "$demo"
wait "$demo" 2>/dev/null
all_gone() { ! ps -o pid= -p "$(echo $kids | tr ' ' ,)" >/dev/null; }
check "killed, its broker and relay end with it" wait_for 10 all_gone
finish
