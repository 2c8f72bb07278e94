# SPDX-License-Identifier: MIT
# An independent MQTT client, npm's `mqtt` as Debian packages it, works with a user's certificate, over TLS
# and over WebSocket, and is held to the user's rights (F6, F8, I8).
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
export NODE_PATH=/usr/share/nodejs
home=$THIMBLE_HOME
port=$(free_port)
user_port=$(free_port)
websockets=$(free_port)
log=$scratch/broker.log
"$thimble" ca init --name Test >/dev/null && "$thimble" broker init --no-proof --port "$port" --user-port "$user_port" \
    --recovery-port 0 --websockets "$websockets" --bind 127.0.0.1 >/dev/null && "$thimble" device enrol lamp >/dev/null &&
    "$thimble" user add olga --role operator >/dev/null && "$thimble" user add vera >/dev/null || exit 1
"$thimble" broker run >"$log" 2>&1 &
broker=$!
children+=("$broker")
wait_for 10 grep -q "The broker is up" "$log"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$scratch/x.key" -out "$scratch/x.crt" \
    -subj /CN=olga -days 2 2>/dev/null

# node URL USER SECONDS message...: with that user's certificate; what it says is in $scratch/USER.out
node_as() {
    local url=$1 user=$2
    shift 2
    node "$THIMBLE_SOURCE/test/system/node_client.cjs" "$url" "$home/ca/server.crt" "$home/users/$user/user.crt" \
        "$home/users/$user/user.key" "${id:-$user}" "$@" >"$scratch/$user.out" 2>&1
}
said() { grep -q -- "$2" "$scratch/$1.out" || { cat "$scratch/$1.out"; return 1; }; }
silent() { ! grep -q -- "$2" "$scratch/$1.out"; }
refused_with() { # URL certificate key
    timeout 10 node "$THIMBLE_SOURCE/test/system/node_client.cjs" "$1" "$home/ca/server.crt" "$2" "$3" olga 5 >"$scratch/refused.out" 2>&1
    cat "$scratch/refused.out"
    ! grep -q ^connected "$scratch/refused.out"
}
pub() { "$thimble" pub --as lamp -t "$1" -m "$2" -q 1; }

for url in "mqtts://127.0.0.1:$user_port" "wss://127.0.0.1:$websockets"; do
    over=${url%%:*}
    check "over $over nobody without a certificate (F8)" refused_with "$url" - -
    check "over $over nobody of another CA (F8)" refused_with "$url" "$scratch/x.crt" "$scratch/x.key"
    : >"$scratch/olga.out" >"$scratch/vera.out"
    "$thimble" sub --as lamp -t 'lamp/from/#' -v -W 20 -C 1 >"$scratch/lamp.got" 2>/dev/null &
    lamp=$!
    children+=("$lamp")
    node_as "$url" vera 6 lamp/status=forged lamp/from/olga/rpc=guessed &
    children+=("$!")
    wait_for 8 grep -q "^published lamp/from" "$scratch/vera.out"
    check "over $over a viewer tells no device's status: reason 135 (F6)" said vera "^published lamp/status 135"
    check "over $over it cannot pose as another caller (F6)" said vera "^published lamp/from/olga/rpc 135"
    node_as "$url" olga 4 lamp/from/olga/rpc=request &
    children+=("$!")
    wait_for 8 grep -q "^published lamp/from" "$scratch/olga.out"
    wait "$lamp"
    check "over $over a user's request arrives at the device" grep -q "^lamp/from/olga/rpc request" "$scratch/lamp.got"
    pub lamp/log "a-log-line-over-$over"
    pub lamp/to/olga/rpc "an-answer-over-$over"
    pub lamp/status "on-line-over-$over"
    wait_for 5 grep -q on-line "$scratch/vera.out"
    wait_for 5 grep -q on-line "$scratch/olga.out"
    check "over $over what a device says arrives" said olga "^heard lamp/status on-line-over-$over"
    check "over $over an operator hears its log" said olga "^heard lamp/log a-log-line-over-$over"
    check "over $over and the answer is for it" said olga "^heard lamp/to/olga/rpc an-answer-over-$over"
    check "over $over a viewer hears the status" said vera "^heard lamp/status on-line-over-$over"
    check "over $over and no log (F6)" silent vera a-log-line
    check "over $over and no answer to another (F6)" silent vera an-answer
    check "over $over another's client id takes no session over (F6)" sh -c "$(declare -f node_as); scratch=$scratch home='$home'
        THIMBLE_SOURCE=$THIMBLE_SOURCE id=lamp; node_as $url vera 1; ! grep -q 'Client lamp already connected' $log"
done

# A revoked user: TLS refuses it. mosquitto 2.0.11 lets it in over WebSocket, where it has no rights.
"$thimble" user revoke vera >/dev/null
wait_for 5 sh -c "[ \$(grep -c 'Reloading config' $log) -ge 2 ]"
check "revoked, it is refused over TLS (I8)" refused_with "mqtts://127.0.0.1:$user_port" "$home/users/vera/user.crt" \
    "$home/users/vera/user.key"
: >"$scratch/vera.out"
node_as "wss://127.0.0.1:$websockets" vera 3 lamp/from/vera/rpc=after &
children+=("$!")
wait_for 5 grep -qE "^published|^error|^closed" "$scratch/vera.out"
pub lamp/status after-the-revocation
pub lamp/telemetry/x after-the-revocation
wait "$!"
check "over WebSocket it hears nothing more, in whatever way (I8)" silent vera after-the-revocation
check "and says nothing" silent vera "^published lamp/from/vera/rpc 0"
finish
