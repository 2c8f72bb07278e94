# SPDX-License-Identifier: MIT
# thimble pub, sub and tls against a real mosquitto and its clients, and against bad files and bad
# servers: each error names file, flag or layer, and the next step.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME
port=$(free_port)
user_port=$(free_port)
"$thimble" ca init --name Test >/dev/null && "$thimble" broker init --no-proof --recovery-port 0 --port "$port" --user-port \
    "$user_port" --bind 127.0.0.1 --host localhost >/dev/null &&
    "$thimble" device enrol lamp pump >/dev/null && "$thimble" user add olga --role operator >/dev/null || exit 1
start_broker() {
    "$thimble" broker run >"$scratch/broker.log" 2>&1 &
    broker=$!
    children+=("$broker")
    wait_for 10 grep -q "The broker is up" "$scratch/broker.log"
}
start_broker || exit 1
lamp=$home/devices/lamp
ca=$home/ca/server.crt
pub() { timeout 30 "$thimble" pub --as lamp "$@"; }
# A subscriber, as olga, that is subscribed when this returns; its output is $scratch/got.
listen() {
    : >"$scratch/got" && : >"$scratch/got.err"
    timeout 60 "$thimble" sub --as olga -d "$@" >"$scratch/got" 2>"$scratch/got.err" &
    listener=$!
    children+=("$listener")
    wait_for 10 grep -q '^subscribed' "$scratch/got.err"
}
heard() { wait "$listener"; }
got_is() { [ "$(cat "$scratch/got")" = "$1" ]; }

# ---- both ways, all versions, both backends ----
for backend in openssl bearssl; do
    for version in 5 311; do
        for qos in 0 1 2; do
            listen -t lamp/status -C 1 -v -q "$qos" -V "$version" --tls-backend "$backend"
            pub -t lamp/status -m "v$version q$qos" -q "$qos" -V "$version" --tls-backend "$backend"
            check "$backend, MQTT $version, QoS $qos: sent" test $? = 0
            heard
            check "$backend, MQTT $version, QoS $qos: received" got_is "lamp/status v$version q$qos"
        done
    done
done
mosquitto=(-h localhost --cafile "$ca")
listen -t lamp/status -C 1
mosquitto_pub "${mosquitto[@]}" -p "$port" --cert "$lamp/device.crt" --key "$lamp/device.key" \
    -t lamp/status -m "from mosquitto_pub"
heard
check "sub hears mosquitto_pub" got_is "from mosquitto_pub"
timeout 20 mosquitto_sub "${mosquitto[@]}" -p "$user_port" --cert "$home/users/olga/user.crt" \
    --key "$home/users/olga/user.key" -t lamp/log -C 1 -d >"$scratch/got" &
listener=$!
wait_for 5 grep -q SUBACK "$scratch/got"
pub -t lamp/log -m "from thimble"
heard
check "mosquitto_sub hears pub" grep -qx "from thimble" "$scratch/got"

# ---- what is sent ----
head -c 3000000 /dev/urandom >"$scratch/big"
for qos in 0 1 2; do
    listen -t lamp/telemetry/big -C 1 -N -q "$qos"
    check "a file of 3 MB is streamed at QoS $qos" pub -t lamp/telemetry/big -f "$scratch/big" -q "$qos"
    heard
    check "and arrives byte for byte" cmp "$scratch/big" "$scratch/got"
done
listen -t lamp/telemetry/big -C 1 -F %x
pub -t lamp/telemetry/big -s <"$scratch/big"
heard
check "so does standard input as one message, in hexadecimal" \
    cmp "$scratch/got" <(od -An -v -tx1 "$scratch/big" | tr -d ' \n'; echo)
# Fewer than the 1000 that the broker queues for a slow subscriber.
seq 1 900 >"$scratch/lines"
for qos in 1 2; do
    listen -t lamp/telemetry/n -C 900 -q "$qos"
    check "900 lines are 900 messages at QoS $qos" pub -t lamp/telemetry/n -l -q "$qos" <"$scratch/lines"
    heard
    check "in order, each once" cmp "$scratch/lines" "$scratch/got"
done
listen -t lamp/telemetry/n -C 4 -v
printf 'one\r\n\nlast without end\n%10000s' x | pub -t lamp/telemetry/n -l
heard
check "Windows line ends, an empty line, a long one, a last one without end" sh -c "
    printf 'lamp/telemetry/n one\nlamp/telemetry/n \nlamp/telemetry/n last without end\nlamp/telemetry/n %10000s\n' x |
    cmp - $scratch/got"
pub -t lamp/status -m kept -r
pub -t lamp/zone/1 -m zone -r
listen -t 'lamp/#' -W 1 -R
heard
check "-W ends with exit code 27" test $? = 27
check "-R leaves retained messages out" got_is ""
check "sub -C 1 gets a retained one" sh -c "$thimble sub --as olga -t lamp/status -C 1 | grep -qx kept"
check "-T filters out" sh -c "$thimble sub --as olga -t 'lamp/#' -T lamp/status -C 1 | grep -qx zone"
"$thimble" sub --as olga -t lamp/status -C 1 --json >"$scratch/got.json"
check "sub --json prints an object" json "$scratch/got.json" \
    "d ->> '$.topic' = 'lamp/status' and d ->> '$.payload' = 'kept' and d ->> '$.retain' = 1"
check "an empty message clears it" pub -t lamp/status -n -r
listen -t lamp/status -W 1
heard
check "so that it is gone" got_is ""
listen -t lamp/status -C 1 --json
pub -t lamp/status -m x -D publish content-type text/plain -D publish response-topic lamp/to/olga/r \
    -D publish correlation-data AB -D publish user-property a b
heard
check "MQTT 5 properties arrive" json "$scratch/got" "d ->> '$.content_type' = 'text/plain' and
    d ->> '$.response_topic' = 'lamp/to/olga/r' and d ->> '$.correlation_data_hex' = '4142'"
listen -t lamp/status -W 2 -D connect maximum-packet-size 200
head -c 1000 /dev/zero | pub -t lamp/status -s
pub -t lamp/status -m small
heard
check "a message larger than our maximum packet size is kept from us" got_is small
listen -t lamp/status -C 1
mkfifo "$scratch/fifo"
exec 9<>"$scratch/fifo"
"$thimble" pub --as lamp -t lamp/telemetry/n -l --will-topic lamp/status --will-payload gone -d <&9 \
    2>"$scratch/will.err" &
dying=$!
echo a >&9
wait_for 5 grep -q acknowledged "$scratch/will.err"
kill -KILL "$dying"
wait "$dying" 2>/dev/null
exec 9>&-
heard
check "the will is sent when pub is killed" got_is gone

# ---- a broker that restarts in the middle ----
listen -c -t lamp/telemetry/n -C 400 -q 2
(seq 1 200; sleep 2; seq 201 400) | pub -t lamp/telemetry/n -l -q 2 2>"$scratch/pub.err" &
sender=$!
sleep 1
kill -TERM "$broker"
wait "$broker"
start_broker
wait "$sender"
check "pub -l outlives a restart of the broker" test $? = 0
heard
check "and no line is lost or doubled at QoS 2" cmp <(seq 1 400) "$scratch/got"

# ---- denials ----
check "a denial is reported, with the reason code" refused 6 "not authorized (reason code 0x87)" \
    pub -t pump/status -m x
check "in line mode too" refused 6 "0x87" sh -c "seq 3 | $thimble pub --as lamp -t pump/status -l"
"$thimble" pub --as lamp -t pump/status -m x --json >"$scratch/pub.json" 2>/dev/null
check "pub --json counts it" json "$scratch/pub.json" "d ->> '$.denied' = 1 and d ->> '$.published' = 0"

# ---- what the broker does not take ----
head -c 5000000 /dev/zero >"$scratch/five"
check "a message larger than the broker takes is refused before it is sent" \
    refused 16 "5000000 bytes is more than the broker takes (4194304" pub -t lamp/status -f "$scratch/five"
check "with 3.1.1, where the broker does not tell, it is not sent for ever" \
    refused 18 "ended the connection 3 times" pub -t lamp/status -f "$scratch/five" -V 311

# ---- flags ----
check "a wildcard is no topic" refused 2 "no topic to publish on" pub -t 'a/#' -m x
check "a filter with # inside is none" refused 2 "no topic filter" "$thimble" sub --as olga -t 'a/#/b'
check "no message" refused 2 "needs one of -m" pub -t a
check "two messages" refused 2 "not 2 of them" pub -t a -m x -n
check "no topic" refused 2 "needs a topic" pub -m x
check "a QoS that does not exist" refused 2 "from 0 to 2" pub -t a -m x -q 3
check "a version that does not exist" refused 2 "is 5 or 311" pub -t a -m x -V 4
check "properties with 3.1.1" refused 2 "need MQTT 5" pub -t a -m x -V 311 -D publish content-type x
check "an unknown property" refused 2 "no property 'colour'" pub -t a -m x -D publish colour red
check "a property in the wrong packet" refused 2 "does not belong into" pub -t a -m x -D subscribe content-type x
check "--plaintext and TLS flags" refused 2 "is no TLS" "$thimble" pub --plaintext --cafile "$ca" -t a -m x
check "nothing to trust by" refused 2 "nothing to trust the server by" "$thimble" pub -h localhost -t a -m x
check "a certificate without key" refused 2 "belong together" pub --cafile "$ca" --cert x -t a -m x --as ""
check "a name that does not exist" refused 4 "no device or user" "$thimble" pub --as nobody -t a -m x
check "a bad pin" refused 2 "32 bytes" pub --pin zz -t a -m x
check "a bad fragment length" refused 2 "512, 1024" pub --mfl 1000 -t a -m x

# ---- files ----
with() { timeout 30 "$thimble" pub -h localhost -p "$port" -t lamp/status -m x --cafile "${CA:-$ca}" \
    --cert "${CERT:-$lamp/device.crt}" --key "${KEY:-$lamp/device.key}"; }
good() { with; }
check "the files as they are" good
bad() { # CODE PATTERN, with CA, CERT or KEY set
    refused "$1" "$2" with
}
KEY=$home/devices/pump/device.key check "a key that does not match names its file" bad 3 \
    "devices/pump/device.key: the private key does not belong"
openssl pkey -in "$lamp/device.key" -aes256 -passout pass:x -out "$scratch/enc.key"
KEY=$scratch/enc.key check "an encrypted key" bad 3 "enc.key: the private key is encrypted"
: >"$scratch/empty"
KEY=$scratch/empty check "an empty key" bad 3 "is empty"
CERT=$scratch/empty check "an empty certificate" bad 3 "is empty"
CA=$scratch check "a directory" bad 3 "is a directory"
CA=$scratch/none check "a file that is not there" bad 3 "No such file"
CERT=$lamp/device.key check "a key in place of the certificate" bad 3 "neither PEM nor DER"
KEY=$lamp/device.crt check "a certificate in place of the key" bad 3 "neither PEM nor DER"
head -c 200 "$ca" >"$scratch/cut.crt"
CA=$scratch/cut.crt check "a certificate that was cut" bad 3 "cut.crt: a configured certificate cannot be decoded"
sed 's/$/\r/' "$ca" >"$scratch/crlf.crt"
sed 's/$/\r/' "$lamp/device.key" >"$scratch/crlf.key"
CA=$scratch/crlf.crt KEY=$scratch/crlf.key check "PEM with Windows line ends is taken" good
openssl x509 -in "$ca" -outform DER -out "$scratch/ca.der"
openssl x509 -in "$lamp/device.crt" -outform DER -out "$scratch/device.der"
openssl pkey -in "$lamp/device.key" -outform DER -out "$scratch/key.der"
CA=$scratch/ca.der CERT=$scratch/device.der KEY=$scratch/key.der check "DER is taken" good
cat "$home/ca/idevid.crt" "$ca" >"$scratch/two.crt"
CA=$scratch/two.crt check "several certificates in one file are taken" good
openssl ec -in "$lamp/device.key" -out "$scratch/sec1.key" 2>/dev/null
KEY=$scratch/sec1.key check "a key in the old EC format is taken" good
check "a file to send that is not there" refused 3 "-f: cannot open" pub -t lamp/status -f "$scratch/none"
check "a directory to send" refused 3 "-f: .* is no regular file" pub -t lamp/status -f "$scratch"

# ---- a key that stays in a PKCS#11 token ----
export SOFTHSM2_CONF=$scratch/softhsm2.conf
mkdir "$scratch/tokens"
echo "directories.tokendir = $scratch/tokens" >"$SOFTHSM2_CONF"
module=/usr/lib/softhsm/libsofthsm2.so
{
    softhsm2-util --init-token --free --label thimble --pin 1234 --so-pin 12345678 &&
        openssl pkcs8 -topk8 -nocrypt -in "$lamp/device.key" -out "$scratch/pkcs8.key" &&
        softhsm2-util --import "$scratch/pkcs8.key" --token thimble --label lamp --id 01 --pin 1234
} >/dev/null
uri="pkcs11:token=thimble;object=lamp;type=private;pin-value=1234"
PKCS11_MODULE_PATH=$module KEY=$uri check "a key in a PKCS#11 token proves who we are" good
wrong_pin() { # the engine itself leaks then, which is not ours to find
    ASAN_OPTIONS=detect_leaks=0 PKCS11_MODULE_PATH=$module KEY=${uri/1234/9753} \
        bad 3 "no such key, or its PIN is wrong" && ! grep -q 9753 "$scratch/refused.err"
}
check "a wrong PIN is an error that does not repeat it" wrong_pin
PKCS11_MODULE_PATH=$module KEY=$uri CERT=$home/devices/pump/device.crt \
    check "a token key of another certificate" bad 3 "does not belong"
check "BearSSL cannot use a token" refused 2 "BearSSL cannot use" pub --tls-backend bearssl --key "$uri" \
    --cert "$lamp/device.crt" -t a -m x

# ---- servers: the exit code names the layer, over both backends, in pub and in tls ----
serve() { # PORT, then arguments of openssl s_server
    openssl s_server -accept "127.0.0.1:$1" -quiet "${@:2}" </dev/zero >/dev/null 2>&1 &
    children+=("$!")
    wait_for 5 listens "$1"
}
judged() { # CODE PATTERN HOST:PORT flags...
    local code=$1 pattern=$2 at=$3 backend got
    shift 3
    for backend in openssl bearssl; do
        refused "$code" "$pattern" timeout 60 "$thimble" pub -h "${at%:*}" -p "${at##*:}" -t a -m x \
            --tls-backend "$backend" "$@" || return 1
        timeout 60 "$thimble" tls "$at" --tls-backend "$backend" "$@" >"$scratch/tls.out" 2>&1
        got=$?
        cat "$scratch/tls.out"
        [ "$got" = "$code" ] || { echo "tls: exit code $got, not $code"; return 1; }
        grep -q -- "$pattern" "$scratch/tls.out" && grep -q 'next:' "$scratch/tls.out" || return 1
    done
}
closed=$(free_port)
check "nothing listens: tcp" judged 11 "nothing listens" "localhost:$closed" --cafile "$ca"
check "a name without an address: name" judged 10 "name" "no-such-host.invalid:8883" --cafile "$ca"
check "no client certificate: trust" judged 13 "demands a client certificate" "localhost:$port" --cafile "$ca"
check "another CA: trust" judged 13 "does not lead to a CA that we trust" "localhost:$port" --cafile "$home/ca/device.crt"
check "another name: server name" judged 14 "for another name" "localhost:$port" --as lamp --server-name other.example
check "another pin: trust" judged 13 "none of the pinned" "localhost:$port" --as lamp \
    --pin 0000000000000000000000000000000000000000000000000000000000000000
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$scratch/x.key" \
    -out "$scratch/x.crt" -subj /CN=lamp -days 2 2>/dev/null
check "a certificate of another CA of ours: trust" judged 13 "refuses our certificate\|does not know" \
    "localhost:$port" --cafile "$ca" --cert "$scratch/x.crt" --key "$scratch/x.key"
plain=$(free_port)
printf 'listener %s 127.0.0.1\nallow_anonymous false\n' "$plain" >"$scratch/plain.conf"
mosquitto -c "$scratch/plain.conf" >/dev/null 2>&1 &
children+=("$!")
wait_for 5 listens "$plain"
plaintext_named() { # its end of the connection reaches us as a close or as a reset
    judged 12 "closed the connection in the TLS handshake" "localhost:$plain" --cafile "$ca" ||
        judged 11 "reset the connection" "localhost:$plain" --cafile "$ca"
}
check "a plaintext broker: tls, or tcp where the kernel sends a reset" plaintext_named
check "no user and password: connack" refused 17 "not authorized" "$thimble" pub --plaintext -h localhost \
    -p "$plain" -t a -m x
web=$(free_port)
python3 -c "
import socket
s = socket.create_server(('127.0.0.1', $web))
while True:
    c, _ = s.accept(); c.recv(1000); c.sendall(b'HTTP/1.1 400 Bad Request\r\n\r\n'); c.close()" &
children+=("$!")
wait_for 5 listens "$web"
check "HTTP on the port: tls" judged 12 "does not speak TLS" "localhost:$web" --cafile "$ca"
old=$(free_port)
serve "$old" -cert "$home/broker/server.crt" -key "$home/broker/server.key" -tls1_1 -cipher ALL:@SECLEVEL=0
check "TLS 1.1 alone: tls (T1)" judged 12 "tls:" "localhost:$old" --cafile "$ca"
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$scratch/old.key" \
    -out "$scratch/old.csr" -subj /CN=localhost 2>/dev/null
printf 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n' >"$scratch/old.ext"
openssl x509 -req -in "$scratch/old.csr" -CA "$ca" -CAkey "$home/ca/server.key" -set_serial 9 -days -1 \
    -extfile "$scratch/old.ext" -out "$scratch/old.crt" 2>/dev/null
expired=$(free_port)
serve "$expired" -cert "$scratch/old.crt" -key "$scratch/old.key"
check "an expired certificate: date" judged 15 "expired" "localhost:$expired" --cafile "$ca"
silent=$(free_port)
python3 -c "
import socket, time
s = socket.create_server(('127.0.0.1', $silent)); time.sleep(300)" &
children+=("$!")
wait_for 5 listens "$silent"
check "a silent server: -W ends it" refused 27 "not acknowledged within 2 s" pub -h localhost -p "$silent" \
    -t a -m x -W 2

# ---- tls on a good server ----
"$thimble" tls "localhost:$port" --as lamp --tls-backend both >"$scratch/tls.out"
check "a good server is accepted over both backends" test $? = 0
check "with its certificate's names shown" grep -q "for localhost" "$scratch/tls.out"
check "over TLS 1.3 with OpenSSL" grep -q "TLS 1.3.*(OpenSSL)" "$scratch/tls.out"
check "and TLS 1.2 with BearSSL" grep -q "TLS 1.2.*(BearSSL)" "$scratch/tls.out"
pin=$(openssl x509 -in "$home/broker/server.crt" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -c 1-64)
check "the pin it shows is openssl's" grep -q "pin $pin" "$scratch/tls.out"
check "and accepted" "$thimble" tls "localhost:$port" --as lamp --pin "$pin"
sha256=$(openssl x509 -in "$home/broker/server.crt" -noout -fingerprint -sha256 | cut -d= -f2)
sha1=$(openssl x509 -in "$home/broker/server.crt" -noout -fingerprint -sha1 | cut -d= -f2)
for fingerprint in "$sha256" "$sha1"; do
    check "a fingerprint instead of a CA, of $(tr -cd : <<<"$fingerprint" | wc -c) colons, is accepted (T5)" \
        "$thimble" tls "127.0.0.1:$port" --as lamp --fingerprint "$fingerprint" --fingerprint-instead
done
"$thimble" tls "localhost:$port" --as lamp --json --tls-backend both >"$scratch/tls.json"
check "tls --json is JSON" json "$scratch/tls.json" "json_array_length(d, '$.verdicts') = 2 and
    d ->> '$.verdicts[0].accepted' = 1 and d ->> '$.certificates[0].pin' = '$pin'"
check "a target that is none" refused 2 "is no server" "$thimble" tls "localhost:99999" --cafile "$ca"
check "by IPv4 address" "$thimble" tls "127.0.0.1:$port" --as lamp
finish
