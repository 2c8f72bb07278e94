# SPDX-License-Identifier: MIT
# A device that was stolen, and a user who was let go, try everything they know (I8): live and stored
# connections, certificates, TLS sessions of each kind, other names, wills and what they had retained,
# over every listener. A real mosquitto, thimble-device, openssl and mosquitto's own clients.
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1
websockets=$(free_port)
loopback=$(free_port)
mode=${THIMBLE_TEST_MODE:-ci}
flash=$scratch/lamp.flash
printf 'a password of hers\n' >"$scratch/vera.pw"

# client KIND NAME STEM PORT command arguments...: with that certificate, whatever it is worth
client() {
    local dir=$home/$1s/$2 stem=$3 at=$4 command=$5
    shift 5
    timeout 10 mosquitto_"$command" -h 127.0.0.1 -p "$at" --cafile "$home/devices/thief/ca.crt" \
        --cert "$dir/$stem.crt" --key "$dir/$stem.key" -V mqttv5 "$@" 2>&1
}
# hello KIND NAME STEM PORT openssl-options...: a TLS handshake and CONNECT by hand; true when CONNACK comes
hello() {
    local dir=$home/$1s/$2 stem=$3 at=$4
    shift 4
    { printf '\020\014\000\004MQTT\004\002\000\074\000\000'; sleep 0.15; printf '\340\000'; } |
        timeout 10 openssl s_client -connect "127.0.0.1:$at" -CAfile "$home/devices/thief/ca.crt" -cert "$dir/$stem.crt" \
            -key "$dir/$stem.key" -ign_eof "$@" >"$scratch/s_client" 2>&1
    LC_ALL=C grep -qaP '\x20\x02\x00\x00' "$scratch/s_client"
}
resumed() { grep -qa "^Reused, TLS" "$scratch/s_client"; }
declare -A session_options=([ticket12]="-tls1_2" [id12]="-tls1_2 -no_ticket" [psk13]="-tls1_3")

check "a broker with every kind of listener" set_the_stage --websockets "$websockets" --plaintext-loopback "$loopback"
mosquitto_sub -h 127.0.0.1 -p "$user_port" --cafile "$home/users/olga/ca.crt" --cert "$home/users/olga/user.crt" \
    --key "$home/users/olga/user.key" -V mqttv5 -v -t '#' >"$scratch/watch" 2>/dev/null &
children+=("$!")
check "a device in the field" enrol_device lamp "$flash"
check "a thief's, whose keys are files" "$thimble" device enrol thief other
"$thimble" user add opal --role operator >/dev/null
"$thimble" user add vera --connections 2 >/dev/null && "$thimble" broker password vera --from "$scratch/vera.pw" >/dev/null
[ "$failures" = 0 ] || finish

# ---- before: all of it works, or the attack would show nothing ----
"$device" --flash "$flash" --set mode=mqtt >/dev/null
run_device lamp "$flash" --tls bearssl
check "the device is connected" says lamp '^connected' 20
lives=$running
client device thief device "$port" sub -c -q 1 -x 86400 -t 'thief/from/#' -E >/dev/null
client user vera user "$user_port" pub -t thief/from/vera/rpc -m queued -q 1
for topic in status telemetry/a telemetry/b zone/1 log; do
    client device thief device "$port" pub -t "thief/$topic" -m "left" -r -q 1
done
client user vera user "$user_port" pub -t other/from/vera/rpc -m "left" -r -q 1
keeps() { # DEVICE filter: something is retained there
    timeout 10 "$thimble" sub --as keeper -t "$1" -C 1 -W 1 >"$scratch/kept" 2>&1
}
"$thimble" user add keeper >/dev/null
check "it has left retained messages" keeps 'thief/#'
check "and she a retained command" keeps '+/from/vera/#'
for kind in "${!session_options[@]}"; do
    # shellcheck disable=SC2086
    check "a TLS session is kept: $kind" hello device thief device "$port" ${session_options[$kind]} -sess_out "$scratch/$kind"
    check "and resumed" sh -c "$(declare -f hello resumed); home=$home scratch=$scratch; \
        hello device thief device $port ${session_options[$kind]} -sess_in $scratch/$kind && resumed"
done
client device thief birth "$recovery_port" sub -d -t recover/thief/answer -W 1 >"$scratch/birth" || true
check "its birth certificate opens recovery" grep -q "CONNACK (0)" "$scratch/birth"
client device thief device "$port" sub -d -t 'thief/from/#' --will-topic thief/telemetry/will --will-payload "last will" \
    --will-retain >"$scratch/thief.out" &
children+=("$!")
"$thimble" sub --as vera -t '+/status' >"$scratch/vera.out" 2>&1 &
children+=("$!")
"$thimble" sub --plaintext -h 127.0.0.1 -p "$loopback" -u vera.2 -i vera.2 --password-file "$scratch/vera.pw" -t '+/telemetry/#' -v \
    >"$scratch/vera2.out" 2>&1 &
children+=("$!")
wait_for 5 sh -c "grep -q 'as vera ' $scratch/broker.log && grep -q 'as vera.2 ' $scratch/broker.log"
sleep 0.5

# ---- the device ----
kinds() { sqlite3 "$home/registry.db" "select group_concat(kind) from (select kind from certificate where principal = '$1' and revoked_s not null order by kind)"; }
check "device revoke" sh -c "$thimble device revoke thief --json >$scratch/revoke.json"
check "it is locked out within ten seconds" json "$scratch/revoke.json" "d ->> '\$.locked_out' and d ->> '\$.ms' < 10000"
check "both of its certificates are revoked" test idevid,ldevid = "$(kinds thief)"
check "what it had retained was cleared" json "$scratch/revoke.json" "d ->> '\$.cleared' >= 5"
check "all of it" not keeps 'thief/#'
check "its last will was not heard" not grep -q "last will" "$scratch/watch"
check "it cannot come back" not client device thief device "$port" pub -t thief/status -m x -q 1
for at in $port $user_port $recovery_port; do
    for stem in device birth; do
        check "listener $at refuses its $stem certificate" not hello device thief $stem "$at"
    done
done
check "nor under another name" not client device thief device "$port" pub -i other -t other/status -m x -q 1
for kind in "${!session_options[@]}"; do
    # shellcheck disable=SC2086
    check "its TLS session is refused: $kind" not hello device thief device "$port" ${session_options[$kind]} -sess_in "$scratch/$kind"
    check "and not resumed" not resumed
done
over_websocket() { # topic arguments of pub or sub...
    local verb=$1
    shift
    timeout 10 "$thimble" "$verb" -h localhost -p "$websockets" --websocket /mqtt --cafile "$home/devices/thief/ca.crt" \
        --cert "$home/devices/thief/device.crt" --key "$home/devices/thief/device.key" -i thief "$@" 2>&1
}
check "over WebSocket it says nothing" not over_websocket pub -t thief/status -m forged -q 1
check "nor with a will" not over_websocket pub -t thief/telemetry/x -m forged -q 1 --will-topic thief/status --will-payload forged
over_websocket sub -t 'thief/from/#' -t '+/status' -W 2 >"$scratch/ws.out" &
listener=$!
sleep 0.5
"$thimble" pub --as opal -t thief/from/opal/rpc -m secret -q 1 >/dev/null
wait "$listener"
check "and hears nothing" not grep -q "secret\|online" "$scratch/ws.out"
check "nobody has heard it" not grep -q forged "$scratch/watch"
check "the other device was left alone" sh -c "$thimble pub --as other -t other/status -m here -q 1 && kill -0 $lives"
check "which somebody has heard" watched "other/status here"
check "as was the one in the field" not grep -q "revoked" "$scratch/lamp.out"

# The one in the field has its key to itself; the tool never had it.
check "device revoke of one whose key is not here" "$thimble" device revoke lamp
check "its connection ends, and it hears why" says lamp "our certificate is revoked" 10
check "its status is not there any more" not keeps 'lamp/#'
before=$(grep -c "^connected" "$scratch/lamp.out")
sleep 1
check "it tries again and is refused" test "$before" = "$(grep -c '^connected' "$scratch/lamp.out")"
end_device TERM
run_device lamp "$flash" --tls openssl
check "after a restart, with TLS 1.3 as well" says lamp "our certificate is revoked" 20
check "it is not let in" not grep -q "^connected" "$scratch/lamp.out"
end_device TERM

# ---- what came back is another ----
check "a new enrolment lets the name in" sh -c "cp -r $home/devices/thief $scratch/old && $thimble device enrol thief --replace"
check "with the new certificate" wait_for 5 client device thief device "$port" pub -t thief/status -m back -q 1
client device thief device "$port" sub -c -q 1 -x 60 -t 'thief/none' -d -W 1 >"$scratch/new" || true
check "of the old session no message is left" not grep -q queued "$scratch/new"
mkdir -p "$home/devices/stolen" && cp "$scratch"/old/* "$home/devices/stolen/"
check "the old certificate stays dead" not hello device stolen device "$port"
check "and the old birth certificate" not hello device stolen birth "$recovery_port"

# ---- the user ----
check "user revoke" sh -c "$thimble user revoke vera --json >$scratch/revoke.json"
check "she is locked out within ten seconds" json "$scratch/revoke.json" "d ->> '\$.locked_out' and d ->> '\$.ms' < 10000"
check "the command she had left is gone" not keeps '+/from/vera/#'
for stem in user user.2; do
    check "her certificate is refused: $stem" not client user vera $stem "$user_port" pub -t other/from/vera/rpc -m x -q 1
    check "on the devices' listener too" not client user vera $stem "$port" pub -t other/from/vera/rpc -m x -q 1
done
for name in vera vera.2; do
    check "her password is refused on loopback: $name" not "$thimble" pub --plaintext -h 127.0.0.1 -p "$loopback" -u $name -i $name \
        --password-file "$scratch/vera.pw" -t other/from/vera/rpc -m x -q 1
done
"$thimble" pub --as other -t other/telemetry/x -m "after her" -q 1 >/dev/null
sleep 0.5
check "her connections hear nothing more" not grep -q "after her" "$scratch/vera.out" "$scratch/vera2.out"
check "given back, the name has no old password" sh -c "$thimble user add vera --replace >/dev/null && ! grep -q ^vera: $home/broker/passwords"

# ---- killed at what changes something, with the broker running: run again, it finishes ----
points=3
[ "$mode" = full ] && points=100000
grep -q 'THIMBLE_SANITIZE:BOOL=ON' "$THIMBLE_BUILD/CMakeCache.txt" && [ "$mode" = ci ] && points=1
calls=openat,write,pwrite64,fsync,fdatasync,rename,unlink,kill,connect,sendto
places() {
    ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$scratch/trace" -e trace=$calls "$thimble" device revoke other >/dev/null || return 1
    awk '{ sub(/^[0-9]+ +/, ""); call = $0; sub(/\(.*/, "", call); n[call]++ }
        call == "openat" && !/O_CREAT|O_RDWR|O_WRONLY/ { next }
        /^write\([12],/ { next }
        /^[a-z0-9]+\(/ { print call, n[call] }' "$scratch/trace" >"$scratch/points"
    [ "$(wc -l <"$scratch/points")" -gt 30 ]
}
is_whole() { [ "$(sqlite3 "$home/registry.db" 'pragma integrity_check')" = ok ] && openssl crl -in "$home/broker/clients.crl" -noout; }
killed() {
    local call number
    while read -r call number; do
        "$thimble" device enrol other --replace >/dev/null && wait_for 5 client device other device "$port" pub -t other/zone/1 -m left -r -q 1 || return 1
        { strace -f -qq -o /dev/null -e trace="$call" -e inject="$call:signal=KILL:when=$number" "$thimble" device revoke other; } >/dev/null 2>&1
        is_whole || { echo "not whole after $call $number"; return 1; }
        "$thimble" device revoke other >"$scratch/again.out" 2>&1 || { echo "not finished after $call $number"; cat "$scratch/again.out"; return 1; }
        ! hello device other device "$port" && ! keeps 'other/#' && ! grep -q keeper.revoke "$home/broker/acl" ||
            { echo "not locked out after $call $number"; return 1; }
    done < <(shuf -n "$points" "$scratch/points")
}
check "where a revocation changes something" places
check "killed there, it finishes when it is run again" killed
stop_broker
finish
