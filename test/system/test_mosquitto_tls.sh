# SPDX-License-Identifier: MIT
# TLS against a real mosquitto and OpenSSL's own server: resumption from both sides' view, small
# records, identity, and connections that are half open.
. "$THIMBLE_SOURCE/test/system/mosquitto.sh" || exit 1
make_pki
start_broker || exit 1

tls_line() { grep "^tls" "$scratch/$1.out" | sed -n "${2}p"; }
field() { tls_line "$1" "$2" | grep -o " $3=[^ ]*" | cut -d= -f2; }

# ---- resumption ----
# Dropped and back: the later handshakes are resumed, with a third of the bytes, and the session goes
# on.
resumes_with_mosquitto() { # backend kind
    # shellcheck disable=SC2046
    link "resume-$1" $(over "$1") --protocol 5 --id "resume-$1" up drop up drop up || return 1
    [ "$(field "resume-$1" 1 resumed)" = 0 ] && [ "$(field "resume-$1" 2 resumed)" = 1 ] &&
        [ "$(field "resume-$1" 3 resumed)" = 1 ] || { cat "$scratch/resume-$1.out"; return 1; }
    [ "$(($(field "resume-$1" 2 in) * 3))" -lt "$(field "resume-$1" 1 in)" ] || return 1
    [ "$(grep -c "connected present=1" "$scratch/resume-$1.out")" -ge 2 ]
}
# In another process, from a file.
resumes_from_a_file() {
    rm -f "$scratch/session"
    # shellcheck disable=SC2046
    link first $(over "$1") --clean --tls-session "$scratch/session" up sleep 200 &&
        link second $(over "$1") --clean --tls-session "$scratch/session" up || return 1
    [ "$(field first 1 resumed)" = 0 ] && [ "$(field second 1 resumed)" = 1 ]
}
for backend in bearssl openssl; do
    for kind in $backend $backend-mutual; do
        check "$kind: mosquitto resumes the TLS session after a cut (T10)" resumes_with_mosquitto $kind
        check "$kind: a session out of a file is resumed by another process" resumes_from_a_file $kind
    done
done
identity_of_the_session() { [ "$(grep -c "New client connected from .* as lamp (p5, c0, k60, u'lamp')" "$log")" -ge 2 ]; }
check "the resumed sessions have the certificate's identity" identity_of_the_session

# The server's view: OpenSSL's s_server says so itself. It speaks no MQTT, so that the link gives up
# after the handshake.
s_server_sees() { # backend arguments of s_server
    local backend=$1 at seen=$scratch/s_server.out
    shift
    at=$(free_port)
    rm -f "$scratch/session"
    tail -f /dev/null | openssl s_server -accept "127.0.0.1:$at" -cert "$pki/broker.crt" -key "$pki/broker.key" \
        -CAfile "$pki/device-ca.crt" -Verify 1 "$@" >"$seen" 2>&1 &
    children+=($!)
    local server=$!
    wait_for 10 grep -q ACCEPT "$seen"
    for name in one two; do
        timeout 4 "$client" --port "$at" --tls "$backend" --ca "$pki/server-ca.crt" --cert "$pki/lamp.crt" \
            --key "$pki/lamp.key" --clean --answer 1 --tls-session "$scratch/session" down >"$scratch/$name.out" 2>&1
    done
    kill "$server"
    wait "$server" 2>/dev/null
    [ "$(grep -c "^Reused session-id" "$seen")" = 1 ] && [ "$(field one 1 resumed)" = 0 ] &&
        [ "$(field two 1 resumed)" = 1 ] && grep -q "CN = lamp\|CN=lamp" "$seen"
}
check "bearssl, TLS 1.2: s_server reports 'Reused' for the second connection" s_server_sees bearssl -tls1_2
check "openssl, TLS 1.2: s_server reports 'Reused' for the second connection" s_server_sees openssl -tls1_2
# TLS 1.3 sends its tickets after the handshake, so that the server must also answer as a broker.
broker_sees() { # backend
    rm -f "$scratch/session"
    local at
    at=$(free_port)
    python3 - "$at" "$pki" >"$scratch/python.out" <<'PYTHON' &
import socket, ssl, sys
port, pki = int(sys.argv[1]), sys.argv[2]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{pki}/broker.crt", f"{pki}/broker.key")
context.load_verify_locations(f"{pki}/device-ca.crt")
context.verify_mode = ssl.CERT_REQUIRED
with socket.create_server(("127.0.0.1", port)) as listener:
    print("LISTENING", flush=True)
    for _ in range(2):
        with context.wrap_socket(listener.accept()[0], server_side=True) as peer:
            print(peer.version(), "reused" if peer.session_reused else "new", peer.getpeercert()["subject"][0][0][1], flush=True)
            peer.recv(1000)
            peer.send(b"\x20\x03\x00\x00\x00")
            peer.recv(1000)
PYTHON
    local server=$!
    children+=("$server")
    wait_for 10 grep -q LISTENING "$scratch/python.out"
    for name in one two; do
        link "$name" --port "$at" --tls "$1" --ca "$pki/server-ca.crt" --cert "$pki/lamp.crt" \
            --key "$pki/lamp.key" --id lamp --clean --tls-session "$scratch/session" --limit 5 up sleep 200 || return 1
    done
    wait "$server"
    [ "$(sed -n 2,3p "$scratch/python.out")" = "$(printf '%s new lamp\n%s reused lamp' "$2" "$2")" ] ||
        { cat "$scratch/python.out"; return 1; }
}
check "openssl, TLS 1.3: the server sees a reused session, with our identity" broker_sees openssl TLSv1.3

# ---- small records (T9) ----
head -c 300000 /dev/urandom >"$scratch/large"
small_records() { # kind fragment
    rm -f "$scratch/saved"
    # shellcheck disable=SC2046
    link_in_background small $(over "$1") --fragment "$2" --clean --save "$scratch/saved" up sub small 2 \
        expect 1 stream small/back 1 100000 flush
    wait_for 10 grep -q "step sub done" "$scratch/small.out" || return 1
    pub -t small -q 1 -f "$scratch/large" && wait "$linked" || { tail -3 "$scratch/small.out"; return 1; }
    cmp "$scratch/saved" "$scratch/large"
}
for fragment in 512 1024 2048 4096; do
    check "bearssl-mutual: with record buffers for $fragment bytes mosquitto's 300 kB arrive" \
        small_records bearssl-mutual $fragment
done
check "openssl-mutual: mosquitto honours a fragment length of 512 there too" small_records openssl-mutual 512

# ---- who we are (T6) ----
unasked() { # backend
    timeout 10 "$client" --port "$one_way_port" --tls "$1" --ca "$pki/server-ca.crt" --cert "$pki/lamp.crt" \
        --key "$pki/lamp.key" --clean down >"$scratch/unasked.out" 2>&1
    said unasked "failed TLS_CLIENT_CERT_UNASKED" && ! grep -q "^connected" "$scratch/unasked.out"
}
required() { # backend
    timeout 10 "$client" --port "$mutual_port" --tls "$1" --ca "$pki/server-ca.crt" --clean down \
        >"$scratch/required.out" 2>&1
    said required "failed TRUST_WE_ARE_REQUIRED"
}
bound() {
    # shellcheck disable=SC2046
    link bound $(over bearssl-mutual) --id somebody-else --clean up && ! logged "as somebody-else"
}
for backend in bearssl openssl; do
    check "$backend: a certificate that nobody asks for is a failure, never less (T6)" unasked $backend
    check "$backend: mosquitto's demand for a certificate is told in those words" required $backend
done
check "the client id is the certificate's name, whatever we ask for (F6)" bound

# ---- half open ----
# The broker is stopped, not killed: TCP goes on acknowledging, MQTT says nothing.
half_open() { # kind
    # shellcheck disable=SC2046
    link_in_background half $(over "$1") --protocol 5 --id "half-$1" --keep-alive 1 --answer 2 --limit 60 up down up
    wait_for 10 grep -q "step up done" "$scratch/half.out" || return 1
    kill -STOP "$broker"
    local begun=$SECONDS
    wait_for 10 grep -q "^failed" "$scratch/half.out"
    local noticed=$?
    kill -CONT "$broker"
    [ $noticed = 0 ] && said half "failed KEEP_ALIVE_TIMEOUT" && [ $((SECONDS - begun)) -le 6 ] || return 1
    wait "$linked" || { tail -3 "$scratch/half.out"; return 1; }
}
half_open_while_sending() { # kind
    # shellcheck disable=SC2046
    link_in_background stuck $(over "$1") --protocol 5 --id "stuck-$1" --keep-alive 2 --answer 2 --limit 60 up \
        stream stuck 0 200000000 sleep 30000
    wait_for 10 grep -q "step up done" "$scratch/stuck.out" || return 1
    kill -STOP "$broker"
    wait_for 15 grep -q "^failed KEEP_ALIVE" "$scratch/stuck.out"
    local noticed=$?
    kill -CONT "$broker"
    kill "$linked"
    [ $noticed = 0 ] || { tail -3 "$scratch/stuck.out"; return 1; }
}
for kind in plain bearssl-mutual openssl-mutual; do
    check "$kind: a half-open connection is noticed within keep-alive and answer time, and replaced" half_open $kind
    check "$kind: one that takes no more bytes too" half_open_while_sending $kind
done

# ---- wrong broker ----
refused_with() { # error options...
    local error=$1
    shift
    timeout 15 "$client" --clean "$@" down >"$scratch/refused.out" 2>&1
    said refused "^failed $error"
}
closed=$(free_port)
check "nobody listening is told as such" refused_with TCP_REFUSED --port "$closed"
check "TLS towards a plaintext listener is told as such (BearSSL)" refused_with "\(TLS_NOT_TLS\|TLS_CLOSED\|TCP_RESET\) tls" \
    --port "$port" --tls bearssl --ca "$pki/server-ca.crt"
check "TLS towards a plaintext listener is told as such (OpenSSL)" refused_with "\(TLS_NOT_TLS\|TLS_CLOSED\|TCP_RESET\) tls" \
    --port "$port" --tls openssl --ca "$pki/server-ca.crt"
check "another CA's broker is refused (BearSSL)" refused_with TRUST_UNKNOWN_CA \
    --port "$one_way_port" --tls bearssl --ca "$pki/device-ca.crt"
check "another CA's broker is refused (OpenSSL)" refused_with TRUST_UNKNOWN_CA \
    --port "$one_way_port" --tls openssl --ca "$pki/device-ca.crt"
check "a name that does not exist is told as such" refused_with "NAME_\(NOT_FOUND\|TIMEOUT\|OTHER\)" \
    --host no-such-host.invalid --port 8883 --limit 20

finish
