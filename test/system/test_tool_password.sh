# SPDX-License-Identifier: MIT
# thimble broker init --one-way and --plaintext-loopback: passwords instead of certificates, held to
# the same rights; limits; what broker init says of the machine it runs on (F6, F8).
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME
port=$(free_port)
user_port=$(free_port)
loopback_port=$(free_port)
log=$scratch/broker.log

start_broker() {
    "$thimble" broker run >"$log" 2>&1 &
    broker=$!
    children+=("$broker")
    wait_for 10 grep -q "The broker is up" "$log"
}
stop_broker() {
    kill -TERM "$broker"
    wait "$broker"
}
init() { "$thimble" broker init --replace --port "$port" --user-port "$user_port" --bind 127.0.0.1 "$@"; }
mode_is() { [ "$(stat -c %a "$1")" = "$2" ]; }
conf_has() { grep -qx -- "$1" "$home/broker/mosquitto.conf"; }

"$thimble" ca init --name Test >/dev/null || exit 1
check "broker init --one-way proves what it made (F6, F8)" sh -c "$(declare -f init); thimble='$thimble' port=$port
    user_port=$user_port; init --one-way --plaintext-loopback $loopback_port | grep -q 'statements hold'"
"$thimble" broker prove --json >"$scratch/proof.json"
check "the proof tries passwords, wrong ones and none" json "$scratch/proof.json" "(select count(*) from json_each(d, '\$.proof')
    where value ->> 'ok' = 1 and (value ->> 'claim' like '%a wrong one is refused' or
    value ->> 'claim' like '%no password is refused' or value ->> 'claim' like '%a revoked one%')) = 9"
check "in the clear it listens on loopback alone (F8)" conf_has "listener $loopback_port 127.0.0.1"
check "nobody is anonymous (F8)" conf_has "allow_anonymous false"
check "broker lint finds nothing in it" "$thimble" broker lint "$home/broker/mosquitto.conf" --host localhost
check "and no recovery listener, as there is nothing to recover" not grep -q recovery-ca "$home/broker/mosquitto.conf"

# ---- passwords ----
check "a password for nobody is refused" refused 4 "no device or user 'lamp'" "$thimble" broker password lamp
check "a name that may not be is refused (F7)" refused 3 "cannot be the name" "$thimble" broker password 'a+b' --device
check "a new device gets one, into a file" "$thimble" broker password lamp --device --to "$scratch/lamp.pw"
check "that only its owner can read" mode_is "$scratch/lamp.pw" 600
check "the same file is not written over" refused 5 "exists already" "$thimble" broker password lamp --to "$scratch/lamp.pw"
check "the hashes are their owner's alone" mode_is "$home/broker/passwords" 600
check "and no password is in any file of the state directory" not grep -rqF "$(cat "$scratch/lamp.pw")" "$home"
"$thimble" broker password alice --role operator --json >"$scratch/alice.json"
json "$scratch/alice.json" "length(d ->> '\$.password') = 20" || echo "FAIL alice"
sqlite3 :memory: "select json_extract(cast(readfile('$scratch/alice.json') as text), '\$.password')" >"$scratch/alice.pw"
check "two are never alike (I3)" not cmp -s "$scratch/lamp.pw" "$scratch/alice.pw"
check "one that was chosen is taken from a file" sh -c \
    "echo my-own-words >$scratch/vera.pw; $thimble broker password vera --role viewer --from $scratch/vera.pw"
"$thimble" device enrol pump >/dev/null
check "whoever has a certificate gets one as well" "$thimble" broker password pump --to "$scratch/pump.pw"
check "--from and --to do not go together" refused 2 "leave one of them out" "$thimble" broker password pump \
    --from "$scratch/vera.pw" --to "$scratch/x"
check "a file of nothing is no password" refused 3 "no pass phrase of 1" sh -c \
    "echo >$scratch/nothing; $thimble broker password vera --from $scratch/nothing"

# ---- the broker ----
check "the broker runs" start_broker
pub() { "$thimble" pub --as "$1" --password-file "$scratch/${PW:-$1}.pw" -t "$2" -m "$3" -q 1 "${@:4}"; }
check "a device publishes with its password" pub lamp lamp/status hello
check "with a random client id as well" pub lamp lamp/status hello --id-random
check "which mosquitto replaces with its name" grep -q "as lamp (p5" "$log"
check "and with mosquitto_pub" timeout 5 mosquitto_pub -h 127.0.0.1 -p "$port" --cafile "$home/ca/server.crt" \
    -u lamp -P "$(cat "$scratch/lamp.pw")" -t lamp/status -m hello -q 1
check "a wrong password is refused" env PW=vera bash -c "$(declare -f pub refused); scratch=$scratch thimble=$thimble
    PW=vera refused 17 'refused the connection' pub lamp lamp/status forged"
check "no password is refused" refused 17 "refused the connection" "$thimble" pub --as lamp -t lamp/status -m x -q 1
check "-P and --password-file are one too many" refused 2 "one password too many" pub lamp lamp/status x -P y
check "a random client id is not for certificates" refused 2 "goes with neither" "$thimble" pub --id-random -h 127.0.0.1 \
    --cafile "$home/ca/server.crt" --cert "$home/devices/pump/device.crt" --key "$home/devices/pump/device.key" -t x -m x
check "a device cannot speak for another (F6)" refused 6 "" pub lamp pump/status forged
"$thimble" sub --as alice --password-file "$scratch/alice.pw" -t '+/status' -C 1 -W 8 -v >"$scratch/alice.got" &
listener=$!
wait_for 5 grep -q "as alice (p5" "$log"
sleep 0.2
pub pump pump/status from-the-pump
wait "$listener"
check "what it says arrives at a user" grep -q from-the-pump "$scratch/alice.got"
check "over loopback without TLS it is the same name" "$thimble" pub --plaintext -h 127.0.0.1 -p "$loopback_port" -u lamp \
    --password-file "$scratch/lamp.pw" -t lamp/status -m hello -q 1
check "and the same rights (F6)" refused 6 "" "$thimble" pub --plaintext -h 127.0.0.1 -p "$loopback_port" -u lamp \
    --password-file "$scratch/lamp.pw" -t pump/status -m forged -q 1
check "a new password counts at once" "$thimble" broker password lamp --from "$scratch/vera.pw"
check "and the old one no more" refused 17 "" pub lamp lamp/status old
check "its new one opens" env PW=vera bash -c "$(declare -f pub); scratch=$scratch thimble=$thimble PW=vera pub lamp lamp/status new"
check "a password taken away opens nothing" sh -c "$thimble broker password lamp --remove"
check "from then on" env PW=vera bash -c "$(declare -f pub refused); scratch=$scratch thimble=$thimble
    PW=vera refused 17 '' pub lamp lamp/status gone"
check "a user is locked out where passwords let in (I8)" sh -c "$thimble user revoke vera | grep -q 'vera is locked out'"
check "who is revoked has none either" not grep -q ^vera: "$home/broker/passwords"
check "and gets none" refused 3 "is revoked" "$thimble" broker password vera
before=$(sha256sum "$home/broker/passwords")
check "broker prove proves the running broker" "$thimble" broker prove
check "and gives its passwords back" test "$before" = "$(sha256sum "$home/broker/passwords")"
stop_broker

# ---- what can be wrong with it ----
finds() {
    local claim=$1
    shift
    init --no-proof --one-way >/dev/null || return 1
    sed -i "$1" "$home/broker/mosquitto.conf"
    "$thimble" broker prove >"$scratch/proof" 2>&1
    [ $? = 7 ] && grep -q "^FAIL .*$claim" "$scratch/proof" || { grep FAIL "$scratch/proof"; return 1; }
}
check "a client id that is not bound is found (F6)" finds "another's client id takes nothing over" /use_username/d
check "and by broker lint" sh -c "$thimble broker lint '$home/broker/mosquitto.conf' | grep -q 'whoever has a password'"
check "anybody let in is found (F8)" finds "no password is refused" \
    's/allow_anonymous false/allow_anonymous true/; /^use_username/d'
check "a password file that nobody reads is found (F8)" finds "gets in, with its rights" /^password_file/d

# ---- limits ----
init --no-proof --one-way --packet 2048 --connections 2 --queue 7 --queue-bytes 5000 --save 0 >/dev/null
for line in "max_packet_size 2048" "max_connections 2" "max_queued_messages 7" "max_queued_bytes 5000"; do
    check "$line is in the file" conf_has "$line"
done
check "--save 0 keeps nothing on the disk" not grep -q ^persistence "$home/broker/mosquitto.conf"
check "with limits it runs" start_broker
# First of all: mosquitto before 2.0.12 miscounts from the first client's end on.
third() { python3 - <<PY
import socket, sys, time
all = [socket.create_connection(("127.0.0.1", $port)) for i in range(3)]
time.sleep(0.3)
all[2].settimeout(2)
try:
    sys.exit(0 if all[2].recv(1) == b"" else 1)
except ConnectionResetError:
    sys.exit(0)
PY
}
check "a third connection to a listener for two is closed" third
"$thimble" broker password lamp --from "$scratch/vera.pw" >/dev/null
PW=vera
pub lamp lamp/status "$(printf '%01000d' 0)" || echo "FAIL small"
check "a packet that is too large is refused" refused 16 "" pub lamp lamp/status "$(printf '%03000d' 0)"
stop_broker

# ---- mosquitto and the machine ----
check "mosquitto that is not there is said, with the next step" env THIMBLE_MOSQUITTO=/nowhere/mosquitto bash -c \
    "$(declare -f refused init); scratch=$scratch thimble=$thimble port=$port user_port=$user_port
    refused 4 'no such program' init"
old_one() { # a program that says what an old mosquitto says of itself
    printf '#!/bin/sh\necho "mosquitto version %s"\n' "$1" >"$scratch/mosquitto"
    chmod +x "$scratch/mosquitto"
}
old_one 1.6.9
check "one that is too old, too" env THIMBLE_MOSQUITTO="$scratch/mosquitto" bash -c "$(declare -f refused init)
    scratch=$scratch thimble=$thimble port=$port user_port=$user_port; refused 3 'version 1.6.9' init"
old_one whatever
check "one that tells no version, too" env THIMBLE_MOSQUITTO="$scratch/mosquitto" bash -c "$(declare -f refused init)
    scratch=$scratch thimble=$thimble port=$port user_port=$user_port; refused 1 'no version' init"
init --no-proof --mosquitto 2.1 --plugins /opt/mosquitto --one-way >/dev/null
check "for 2.1 rights and passwords are plugins" sh -c "grep -qx 'plugin /opt/mosquitto/mosquitto_acl_file.so' \
    '$home/broker/mosquitto.conf' && grep -q '^plugin_opt_password_file ' '$home/broker/mosquitto.conf'"
check "and nothing in it is deprecated there" "$thimble" broker lint --mosquitto 2.1 "$home/broker/mosquitto.conf"
check "a third kind of mosquitto is not known" refused 2 "2.0 or 2.1" init --mosquitto 1.6
taken=$(free_port)
python3 -c "
import socket, time
s = socket.socket(); s.bind(('127.0.0.1', $taken)); s.listen(); time.sleep(60)" &
children+=("$!")
wait_for 5 listens "$taken"
warned() {
    "$@" 2>"$scratch/warned" >/dev/null
    cat "$scratch/warned"
    grep -q "$what" "$scratch/warned" && grep -q "  next: " "$scratch/warned"
}
what="port $taken is in use"
check "a port in use is warned of" warned init --no-proof --port "$taken"
what="'broker.example' has no address"
check "a name without an address is warned of" warned init --no-proof --host broker.example
for name in $(hostname) localhost 127.0.0.1 $(hostname -I); do
    check "the certificate is for $name" sh -c "openssl x509 -in '$home/broker/server.crt' -noout -checkhost '$name' -checkip '$name' |
        grep -q 'does match'"
done
finish
