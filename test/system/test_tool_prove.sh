# SPDX-License-Identifier: MIT
# thimble broker prove: it says that a good broker is good, and for each thing that can be wrong with
# one it names the statement that does not hold (F6, F8, I8).
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME
port=$(free_port)
user_port=$(free_port)
recovery_port=$(free_port)

init() {
    "$thimble" broker init --replace --port "$port" --user-port "$user_port" \
        --recovery-port "$recovery_port" --bind 127.0.0.1 "$@"
}
# finds "claim" command...: after the command the proof fails, and in that row.
finds() {
    local claim=$1
    shift
    init --no-proof >/dev/null || return 1
    "$@" || return 1
    "$thimble" broker prove >"$scratch/proof" 2>"$scratch/proof.err"
    [ $? = 7 ] || { cat "$scratch/proof.err"; echo "did not fail"; return 1; }
    grep -q "^FAIL .*$claim" "$scratch/proof" || { grep FAIL "$scratch/proof"; return 1; }
    grep -q "next: " "$scratch/proof.err"
}
conf() { sed -i "$1" "$home/broker/mosquitto.conf"; }
acl() { echo "$1" >>"$home/broker/acl"; }

"$thimble" ca init --name Test >/dev/null || exit 1
check "broker init proves what it made (F6, F8)" sh -c "$(declare -f init); thimble='$thimble' port=$port \
    user_port=$user_port recovery_port=$recovery_port; init | grep -q 'statements hold'"
"$thimble" device enrol lamp >/dev/null && "$thimble" user add alice --role admin >/dev/null || exit 1
before=$(sha256sum "$home"/broker/acl "$home"/broker/mosquitto.conf)
check "broker prove, too" "$thimble" broker prove
check "and leaves the broker's files as they were" \
    test "$before" = "$(sha256sum "$home"/broker/acl "$home"/broker/mosquitto.conf)"
check "and no key behind" not test -e "$home/broker/proof"
"$thimble" broker prove --json >"$scratch/proof.json"
check "--json is JSON with every row" json "$scratch/proof.json" \
    "d ->> '\$.ok' = 1 and json_array_length(d, '\$.proof') > 60"
for id in F6 F8 I7 I8; do
    check "rows name $id" grep -q "\"id\":\"$id\"" "$scratch/proof.json"
done
check "what it issued is in the registry, revoked where it was revoked" test 2 = "$(sqlite3 "$home/registry.db" \
    "select count(distinct common_name) from certificate where common_name like 'prove.%' and revoked_s not null")"
check "and lives for minutes" test 0 = "$(sqlite3 "$home/registry.db" \
    "select count(*) from certificate where common_name like 'prove.%' and not_after_s > unixepoch() + 600")"

# ---- what can be wrong ----
check "a client id that is not bound is found (F6)" finds "another's client id takes nothing over" \
    conf /use_username_as_clientid/d
check "on the users' listener as well (F6)" finds "nor on the users' listener" conf /use_username_as_clientid/d
check "and so is the identity" finds "who has a certificate gets in" conf /use_identity_as_username/d
check "no certificate asked for (F8)" finds "no certificate is refused" \
    conf 's/require_certificate true/require_certificate false/; s/^use_.*true//; s/allow_anonymous false/allow_anonymous true/'
check "anonymous clients (F8)" finds "anonymous clients are denied" conf 's/allow_anonymous false/allow_anonymous true/'
check "a listener in the clear (F8)" finds "no listener without TLS" sh -c \
    "printf 'listener 1 0.0.0.0\n' >>'$home/broker/mosquitto.conf'"
check "a revocation list that is not read (I8)" finds "a revoked one" conf /^crlfile/d
check "device certificates on the recovery listener" finds "recovery listener: an operational one" conf \
    's/recovery-ca.crt/clients-ca.crt/; s/recovery.crl/clients.crl/'
check "birth certificates on the others" finds "a birth certificate is refused" sh -c \
    "cat '$home/ca/idevid.crt' >>'$home/broker/clients-ca.crt'; sed -i /^crlfile/d '$home/broker/mosquitto.conf'"
check "a pattern that lets everybody write (F6)" finds "a device cannot tell another's status" \
    acl "pattern write +/status"
check "one that lets everybody call (F6)" finds "a viewer cannot guess another caller" \
    acl "pattern write +/from/#"
check "one that lets everybody hear (F6)" finds "an answer is for its caller alone" acl "pattern read +/to/#"
check "one that lets viewers make entities (F6)" finds "a viewer cannot inject entities" \
    acl "pattern write homeassistant/#"
check "one that opens recovery (F6)" finds "nor asks for another device" acl "pattern write recover/+/request"
check "a will in another's name (F6)" finds "a will in another's name is not" acl "pattern write +/status"
check "a right that is missing" finds "and its telemetry" \
    sed -i /telemetry/d "$home/broker/acl"
check "no rights at all" finds "" sed -i 's/^acl_file.*//' "$home/broker/mosquitto.conf"

# ---- a running broker ----
init --no-proof >/dev/null
"$thimble" broker run >"$scratch/log" 2>&1 &
broker=$!
children+=("$broker")
wait_for 10 grep -q "The broker is up" "$scratch/log"
before=$(sha256sum "$home"/broker/acl)
check "broker prove proves a running one" "$thimble" broker prove
check "on its own ports" grep -q "on port $recovery_port" "$scratch/log"
check "and gives its ACL back" test "$before" = "$(sha256sum "$home"/broker/acl)"
killed() {
    local i
    for i in 1 2 3 4 5 6; do
        timeout -s KILL "0.$((i * 8))" "$thimble" broker prove >/dev/null 2>&1
    done
    "$thimble" broker prove && [ "$before" = "$(sha256sum "$home"/broker/acl)" ]
}
check "a proof that is killed, and run again, leaves nothing behind" killed
kill "$broker"
wait "$broker"

# ---- over WebSocket, with a second judge ----
websockets=$(free_port)
if mosquitto_ws=$(init --no-proof --websockets "$websockets" && "$thimble" broker prove --json 2>/dev/null); then
    heeds=1
else
    heeds=0
fi
echo "$mosquitto_ws" | grep '^{' >"$scratch/ws.json"
check "the WebSocket listener is proved" grep -q "WebSocket listener: its own kind gets in" "$scratch/ws.json"
check "with what is delivered there (F6)" json "$scratch/ws.json" "(select count(*) from json_each(d, '\$.proof')
    where value ->> 'ok' = 1 and (value ->> 'claim' = 'a request over WebSocket reaches the device' or
    (value ->> 'claim' = 'every user hears a device''s status' and value ->> 'found' like '% web%'))) = 2"
check "and lets nobody in without a certificate (F8)" json "$scratch/ws.json" "(select count(*) from \
    json_each(d, '\$.proof') where value ->> 'claim' like 'WebSocket%' and value ->> 'ok' = 1) >= 5"
"$thimble" device enrol gone >/dev/null
sqlite3 "$home/registry.db" "update certificate set revoked_s = unixepoch() where common_name = 'gone'"
init --no-proof --websockets "$websockets" >/dev/null
"$thimble" broker run >"$scratch/log" 2>&1 &
broker=$!
children+=("$broker")
wait_for 10 grep -q "The broker is up" "$scratch/log"
sleep 1 | timeout 3 openssl s_client -connect "127.0.0.1:$websockets" -cert "$home/devices/gone/device.crt" \
    -key "$home/devices/gone/device.key" -CAfile "$home/ca/server.crt" >"$scratch/ws.openssl" 2>&1
"$thimble" user add wanda --role operator >/dev/null
for backend in openssl bearssl; do
    "$thimble" sub --as wanda -p "$websockets" --websocket /mqtt --tls-backend $backend -t '+/status' -C 1 -W 8 >"$scratch/ws.got" 2>&1 &
    listener=$!
    children+=("$listener")
    wait_for 5 sh -c "$thimble pub --as lamp -t lamp/status -m over-$backend -q 1; grep -q over-$backend '$scratch/ws.got'"
    wait "$listener"
    check "sub --websocket hears over $backend" grep -qx "over-$backend" "$scratch/ws.got"
    check "pub --websocket says over $backend" "$thimble" pub --as wanda -p "$websockets" --websocket /mqtt --tls-backend $backend \
        -t lamp/from/wanda/rpc -m hello -q 1
    check "and is refused what it has no right to (F6)" refused 6 "" "$thimble" pub --as wanda -p "$websockets" --websocket /mqtt \
        --tls-backend $backend -t lamp/status -m forged -q 1
done
check "a listener that speaks no WebSocket is said" refused 12 "closed" timeout 10 "$thimble" pub --as wanda -p "$user_port" \
    --websocket /mqtt -t x -m x
check "--websocket takes a path" refused 2 "takes a path" "$thimble" pub --as wanda --websocket mqtt -t x -m x
refuses=0
grep -q "alert certificate revoked" "$scratch/ws.openssl" && refuses=1
check "whether this mosquitto refuses revoked certificates there, openssl finds as the proof does (I8)" \
    test "$heeds" = "$refuses"
finish
