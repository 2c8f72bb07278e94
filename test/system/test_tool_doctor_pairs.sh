# SPDX-License-Identifier: MIT
# thimble doctor where two faults are at work at once, ten times: it names one of the two and a fix
# that mends it, or says that it does not know and shows evidence of one. A wrong cause counts as two
# misses, "nothing is wrong" as one; at most one miss is borne. Nothing here is taken from what
# doctor looks at: the words are those by which a person would name each fault.
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1
good=$scratch/good
planted=() # processes that are part of a fault
misses=0
wrong=0
mended=0

# ---- the stage ----
made_with=(--port "$port" --user-port "$user_port" --recovery-port "$recovery_port" --bind 127.0.0.1 --host localhost)
# Everything was made 200 days ago and the broker's certificate renewed since; `old` has slept.
long_ago() { faketime -f -200d "$@"; }
set_the_pairs_stage() {
    long_ago "$thimble" ca init --name Test >/dev/null &&
        long_ago "$thimble" broker init --no-proof "${made_with[@]}" >/dev/null &&
        long_ago "$thimble" device enrol old >/dev/null &&
        "$thimble" device enrol lamp pump >/dev/null && "$thimble" trust keygen >/dev/null &&
        "$thimble" user add alice >/dev/null && "$thimble" user add olga --role operator >/dev/null &&
        "$device" --flash "$scratch/spot.flash" --csr --name spot --out "$scratch/spot.csr" >/dev/null &&
        "$thimble" device enrol --request "$scratch/spot.csr" --out "$scratch/spot.bundle" >/dev/null &&
        "$device" --flash "$scratch/spot.flash" --bundle "$scratch/spot.bundle" >/dev/null &&
        cp -a "$home" "$good"
}
start_broker_as() { # command before...
    "$@" "$thimble" broker run >"$scratch/broker.log" 2>&1 &
    broker=$!
    planted+=("$broker")
    children+=("$broker")
    wait_for 20 grep -q "The broker is up" "$scratch/broker.log"
}
restore() {
    local pid
    for pid in ${planted[@]+"${planted[@]}"}; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    planted=()
    rm -rf "$home" && cp -a "$good" "$home"
}
restart_broker() {
    kill "$broker"
    wait "$broker"
    start_broker_as env
}
conf() { sed -i "$1" "$home/broker/mosquitto.conf"; }
acl() { sed -i "$1" "$home/broker/acl"; }

# client pub|sub NAME PORT arguments...: takes the place of the subshell it is called in.
client() {
    local verb=$1 name=$2 at=$3 kind=device
    shift 3
    [ -d "$home/users/$name" ] && kind=user
    exec stdbuf -oL mosquitto_"$verb" -h localhost -p "$at" --cafile "$home/${kind}s/$name/ca.crt" \
        --cert "$home/${kind}s/$name/$kind.crt" --key "$home/${kind}s/$name/$kind.key" -V mqttv5 "$@"
}
# heard NAME PORT TOPIC LISTENER PORT [BYTES]: what the one publishes there, the other hears, in $patience s.
patience=10
subscribed() { grep -q SUBACK "$scratch/heard" || ! kill -0 "$1"; }
heard() {
    local listener result
    : >"$scratch/heard"
    client sub "$4" "$5" -d -t "$3" -W 30 >"$scratch/heard" 2>&1 &
    listener=$!
    children+=("$listener")
    wait_for 10 subscribed "$listener" && grep -q SUBACK "$scratch/heard" &&
        (client pub "$1" "$2" -q 1 -t "$3" -m "$(printf "%0${6:-10}d" 7)") >"$scratch/said" 2>&1 &&
        wait_for "$patience" grep -q "received PUBLISH" "$scratch/heard"
    result=$?
    [ "$result" = 0 ] || cat "$scratch/heard" "$scratch/said"
    kill "$listener" 2>/dev/null
    wait "$listener" 2>/dev/null
    return "$result"
}
device_heard() { heard "$1" "$port" "$1/status" olga "$user_port" ${2:+"$2"}; }
alice_heard() { heard alice "$user_port" lamp/from/alice/rpc lamp "$port"; }

# An authority of nobody's, and a certificate of NAME's server that it has signed.
stranger() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=Another CA" \
        -days 30 -keyout "$scratch/stranger.key" -out "$scratch/stranger.crt" 2>/dev/null
}
# The broker's certificate anew from its CA, for another name.
server_for() {
    printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\n' "$1" >"$scratch/ext"
    openssl req -new -key "$home/broker/server.key" -subj "/CN=$1" 2>/dev/null |
        openssl x509 -req -CA "$home/ca/server.crt" -CAkey "$home/ca/server.key" -set_serial 77 \
            -days 90 -extfile "$scratch/ext" -out "$home/broker/server.crt" 2>/dev/null
}
# The device CA's revocation list as it was made five days ago, for a day.
stale_list() {
    : >"$scratch/index"
    printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s\ndefault_md=sha256\n' "$scratch/index" >"$scratch/ca.conf"
    faketime -f -5d openssl ca -gencrl -config "$scratch/ca.conf" -cert "$home/ca/device.crt" \
        -keyfile "$home/ca/device.key" -crldays 1 -out "$home/broker/clients.crl" 2>/dev/null
}

# ---- the judge ----
# doctor arguments...: its report in $scratch/report, cause and fix in variables.
under=()
doctor() {
    ${under[@]+"${under[@]}"} "$thimble" doctor "$@" >"$scratch/report" 2>&1
    verdict=$?
    cause=$(sed -n 's/^Cause *//p' "$scratch/report")
    fix=$(sed -n 's/^Fix *//p' "$scratch/report")
}
# judge "title" "words of one" "words of the other" doctor's arguments...: $named is 1 or 2, or 0
judge() {
    local title=$1 one=$2 other=$3
    shift 3
    doctor "$@"
    named=0
    case $verdict in
    20)
        if grep -qiE -- "$one" <<<"$cause"; then named=1; elif grep -qiE -- "$other" <<<"$cause"; then named=2; else
            wrong=$((wrong + 1))
            misses=$((misses + 2))
            echo "WRONG  $title"
        fi
        ;;
    21) grep -qiE -- "$one|$other" "$scratch/report" || { misses=$((misses + 1)); echo "MISSED $title"; } ;;
    *)
        misses=$((misses + 1))
        echo "MISSED $title"
        ;;
    esac
    echo "note $title: exit $verdict, fault $named; cause: $cause; fix: $fix"
    [ "${THIMBLE_PAIRS_SHOW:-}" ] && cat "$scratch/report"
    return 0
}
# told NAME: runs the last thimble command of the fix as it stands there. `broker init --replace` takes
# its defaults where it is given no ports, so one that names none gets those of this installation.
told() {
    local words
    words=$(grep -oE "thimble (user|device|broker) [^,;]*" <<<"$fix" | tail -1 | sed 's/ and .*//')
    words=${words/NAME/$1}
    read -ra words <<<"${words#thimble }"
    if [ "${words[*]:0:2}" = "broker init" ]; then
        words+=(--no-proof)
        case "${words[*]}" in *--port*) ;; *) words+=("${made_with[@]}") ;; esac
    fi
    "$thimble" "${words[@]}"
}
reloads() { grep -c "Reloading config" "$scratch/broker.log"; }
reloaded_since() { [ "$(reloads)" -gt "$1" ]; }
reload_broker() {
    local before
    before=$(reloads)
    kill -HUP "$broker" && wait_for 10 reloaded_since "$before"
}
as_before() { local file; for file in "$@"; do cp -a "$good/$file" "$home/$file" || return 1; done; }
# mended "sentence" N "what the fix must say" "its deed" "the other's undoing" works...: where N is what it
# named, its fix is done as it stands; then the other fault is taken back, and all must work.
mended() {
    local sentence=$1 about=$2 says=$3 deed=$4 undo=$5
    shift 5
    [ "$named" = "$about" ] || { echo "note $sentence: it named something else; the fix was not tried"; return 0; }
    mended=$((mended + 1))
    check "$sentence: the fix says so" grep -qE -- "$says" <<<"$fix"
    check "$sentence: it can be done" eval "$deed"
    check "$sentence: the other one undone" eval "$undo"
    check "$sentence: it works" "$@"
}
both_broken() {
    patience=2
    check "$1: it does not work" not "$2" "${@:3}"
    patience=10
}

set_the_pairs_stage || { echo "FAIL the stage"; exit 1; }
restore && start_broker_as env || exit 1
check "before, a device is heard" device_heard lamp
check "and a user" alice_heard

# ---- 1: a certificate that has ended, and a line that somebody took out of the ACL ----
restore
acl '/^pattern write %u\/status/d'
start_broker_as env
both_broken "an ended certificate, and no right to its topic" device_heard old
judge "ended certificate + right taken away" "expired|ended|certificate of old" "acl|right|may not (write|publish)|denie" \
    old --publishes old/status
mended "a new certificate" 1 "enrol --replace old" "told old" "as_before broker/acl && reload_broker" device_heard old

# ---- 2: the list was renewed and the broker not told; a user's rights are gone ----
restore
stale_list
acl '/^user alice/,/^$/d'
start_broker_as env
cp -a "$good/broker/clients.crl" "$home/broker/clients.crl"
both_broken "the running broker's list is stale, and a user has no rights" alice_heard
judge "list renewed without reload + user's ACL lines gone" "reload|restart|not read|older|sighup|still has|revocation list" "acl|right|denie" \
    alice --publishes lamp/from/alice/rpc
mended "told to read its files" 1 "kill -HUP" reload_broker "as_before broker/acl && reload_broker" alice_heard

# ---- 3: a port changed in the file alone; another device's key ----
restore
start_broker_as env
elsewhere=$(free_port)
conf "s/^listener $port /listener $elsewhere /"
cp "$home/devices/pump/device.key" "$home/devices/lamp/device.key"
both_broken "a port the broker was not restarted for, and another's key" heard lamp "$elsewhere" lamp/status olga "$user_port"
judge "port changed without restart + key of another" "listen|port|restart|older" "key.*(match|belong|certificate|another|other)" lamp
mended "the configuration anew" 1 "broker init --replace, and restart" "told broker && restart_broker" \
    "as_before devices/lamp/device.key" device_heard lamp

# ---- 4: a second machine with a copy of the certificate; a limit below what it sends ----
restore
conf 's/^max_packet_size .*/max_packet_size 2000/'
start_broker_as env
for _ in 1 2; do
    client sub lamp "$port" -t 'lamp/from/#' >/dev/null 2>&1 &
    planted+=("$!")
    children+=("$!")
done
check "two with one certificate throw each other out" wait_for 8 grep -q "already connected" "$scratch/broker.log"
both_broken "a copied certificate, and a limit too small" device_heard lamp 5000
judge "copied certificate + packet limit" "twice|two|another (client|device|connection|program)|same (name|client|certificate)|cop(y|ied)|duplicate|more than one|second" \
    "limit|max_packet|too (large|big)|packet|bytes" lamp --size 5000
mended "the copy found" 1 "find the other copy" 'kill "${planted[@]:1}"' \
    "as_before broker/mosquitto.conf && restart_broker" device_heard lamp 5000

# ---- 5: a user who was revoked; a broker's certificate for another name ----
restore
"$thimble" user revoke alice --lists-only >/dev/null
server_for broker.example
start_broker_as env
both_broken "revoked, and the broker has another name" alice_heard
judge "user revoked + broker's name" "revoked" "name|subjectAltName|localhost" alice
mended "a new user certificate" 1 "user add --replace" "told alice" \
    "as_before broker/server.crt && restart_broker" alice_heard

# ---- 6: a device that was sent to a wrong port, and revoked ----
restore
"$thimble" device revoke spot --lists-only >/dev/null
start_broker_as env
elsewhere=$(free_port)
cp "$scratch/spot.flash" "$scratch/now.flash"
"$device" --flash "$scratch/now.flash" --set "mqtt.server=localhost:$elsewhere" >/dev/null
"$device" --flash "$scratch/now.flash" >"$scratch/spot.out" 2>&1 &
spot=$!
children+=("$spot")
check "a device tries a wrong port, then the old one" wait_for 30 grep -q "revoked" "$scratch/spot.out"
check "a device with a wrong port, and revoked: it does not connect" not grep -q "^connected" "$scratch/spot.out"
kill "$spot" && wait "$spot"
judge "device at a wrong port + revoked" "port|mqtt.server|setting|trial|listen" "revoked" spot --flash "$scratch/now.flash"

# ---- 7: another authority's certificate as the device's anchor; a listener that is full ----
restore
stranger
cp "$scratch/stranger.crt" "$home/devices/lamp/ca.crt"
conf 's/^max_connections .*/max_connections 1/'
start_broker_as env
client sub pump "$port" -t 'pump/from/#' >/dev/null 2>&1 &
planted+=("$!")
children+=("$!")
wait_for 5 grep -q "as pump" "$scratch/broker.log"
both_broken "a wrong anchor, and a full listener" device_heard lamp
judge "wrong anchor + listener full" "anchor|authority|trust|issuer|ca.crt|\bCA\b" "max_connections|limit|connections|full" lamp
mended "the right anchor" 1 "give it $home/ca/server.crt" "cp $home/ca/server.crt $home/devices/lamp/ca.crt" \
    "as_before broker/mosquitto.conf && restart_broker" device_heard lamp

# ---- 8: no room on the disk, and the registry held ----
restore
hold='import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute("begin exclusive"); print("held", flush=True); time.sleep(60)'
in_little_room() {
    unshare --mount bash -c '
        export TMPDIR=/dev/shm
        mount -t tmpfs -o size=64m none "$THIMBLE_HOME" && cp -a "$1/." "$THIMBLE_HOME" || exit 9
        python3 -c "$2" "$THIMBLE_HOME/registry.db" >"$4.held" &
        holder=$!
        until grep -q held "$4.held"; do kill -0 $holder || exit 9; sleep 0.1; done
        dd if=/dev/zero of="$THIMBLE_HOME/video" bs=64k >/dev/null 2>&1
        dd if=/dev/zero of="$THIMBLE_HOME/film" bs=1k >/dev/null 2>&1
        timeout 30 "$3" device enrol fan >"$4.enrol" 2>&1 && exit 8
        timeout 30 "$3" doctor >"$4" 2>&1
        code=$?
        kill $holder
        timeout 30 "$3" device enrol fan >>"$4.enrol" 2>&1 && exit 8
        exit $code' - "$good" "$hold" "$thimble" "$scratch/inside"
}
if unshare --mount true 2>/dev/null; then
    in_little_room
    inside=$?
    check "no room, and the registry held: nothing can be enrolled" test -s "$scratch/inside.enrol"
    thimble_was=$thimble
    thimble=$scratch/told
    printf '#!/bin/sh\ncat "%s"\nexit %s\n' "$scratch/inside" "$inside" >"$thimble" && chmod +x "$thimble"
    judge "disk full + registry locked" "disk|space|room|full" "locked|held|busy|another (process|program)|in use"
    thimble=$thimble_was
else
    echo "note: no mount namespace here; the full disk was left out"
fi

# ---- 9: a broker that cannot start: another's key, and its port is taken ----
restore
openssl ecparam -name prime256v1 -genkey -noout -out "$home/broker/server.key"
python3 -m http.server --bind 127.0.0.1 "$port" >/dev/null 2>&1 &
planted+=("$!")
children+=("$!")
wait_for 5 listens "$port"
timeout 10 "$thimble" broker run >"$scratch/broker.log" 2>&1
both_broken "a wrong key for the broker, and its port is taken" device_heard lamp
judge "broker's key + port taken" "key" "in use|taken|another program|other program|not (a|the) broker|something else|http|is no broker" lamp
mended "the broker's files anew" 1 "broker init --replace, and restart" \
    'kill "${planted[0]}" && told broker' "start_broker_as env" device_heard lamp

# ---- 10: a machine whose clock says 2040; a key that only root may read ----
restore
start_broker_as faketime -f "+5000d"
late=$(pgrep -P "$broker") # faketime waits for what it runs
planted+=("$late")
children+=("$late")
under=(faketime -f "+5000d")
if [ "$(id -u)" = 0 ]; then
    chmod 755 "$scratch" && chown -R 65534:65534 "$home" && chown 0:0 "$home/users/alice/user.key"
    under=(setpriv --reuid 65534 --regid 65534 --clear-groups "${under[@]}")
else
    chmod 000 "$home/users/alice/user.key"
fi
check "a clock in 2040, and a key of root's: it does not work" not "${under[@]}" "$thimble" pub --as alice -t lamp/from/alice/rpc -m x
judge "clock in 2040 + key not readable" "clock|time|2040|year" "key.*(read|open|used|permission|owner)|permission" alice
set_the_clock() {
    kill "$late"
    wait "$broker"
    under=("${under[@]:0:${#under[@]}-3}")
    start_broker_as env
}
give_the_key_back() { chmod 600 "$home/users/alice/user.key" && { [ "$(id -u)" != 0 ] || chown 65534 "$home/users/alice/user.key"; }; }
as_themselves() { ${under[@]+"${under[@]}"} "$thimble" pub --as alice -t lamp/from/alice/rpc -m x -q 1; }
mended "the clock set" 1 "set it: timedatectl" set_the_clock give_the_key_back as_themselves
check "at least five fixes were tried" test "$mended" -ge 5
under=()
restore

echo "$misses misses in ten pairs, $wrong of them by a wrong cause"
check "two faults at once: at least 9 of 10 (a wrong cause counts twice)" test "$misses" -le 1
finish
