# SPDX-License-Identifier: MIT
# A mosquitto of our own with every kind of listener, CAs made by openssl, and our link against it.
# Source it; end with `finish`.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
pki=$scratch/pki
log=$scratch/mosquitto.log
client=$THIMBLE_BUILD/test/link_client
mkdir -p "$pki" "$scratch/db"

# make_ca NAME; make_certificate NAME CA "extensions"
make_ca() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
        -addext keyUsage=critical,keyCertSign,cRLSign -keyout "$pki/$1.key" -out "$pki/$1.crt" 2>/dev/null
}
make_certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
        -keyout "$pki/$1.key" -out "$pki/$1.csr" 2>/dev/null
    printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n%b\n' "$3" >"$pki/$1.ext"
    openssl x509 -req -in "$pki/$1.csr" -CA "$pki/$2.crt" -CAkey "$pki/$2.key" -CAcreateserial -days 2 \
        -extfile "$pki/$1.ext" -out "$pki/$1.crt" 2>/dev/null
}
make_pki() {
    make_ca server-ca
    make_ca device-ca
    make_certificate broker server-ca 'extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1'
    make_certificate lamp device-ca 'extendedKeyUsage=clientAuth'
    make_certificate judge device-ca 'extendedKeyUsage=clientAuth'
}

# start_broker: on fresh ports the first time, on the same ones again after that.
start_broker() {
    local tls="certfile $pki/broker.crt
keyfile $pki/broker.key"
    : "${port:=$(free_port)}" "${one_way_port:=$(free_port)}" "${mutual_port:=$(free_port)}"
    cat >"$scratch/mosquitto.conf" <<CONF
user $(id -un)
per_listener_settings true
persistence true
persistence_location $scratch/db/
autosave_interval 0
max_queued_messages 1000000
log_dest file $log
log_type all
connection_messages true
${broker_conf:-}
listener $port 127.0.0.1
allow_anonymous true
listener $one_way_port 127.0.0.1
allow_anonymous true
$tls
listener $mutual_port 127.0.0.1
allow_anonymous false
$tls
cafile $pki/device-ca.crt
require_certificate true
use_identity_as_username true
use_username_as_clientid true
CONF
    mosquitto -c "$scratch/mosquitto.conf" 2>"$scratch/mosquitto.err" &
    broker=$!
    children+=("$broker")
    wait_for 10 listens "$port" && wait_for 10 listens "$mutual_port"
}
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
stop_broker() {
    kill -TERM "$broker"
    wait "$broker" 2>/dev/null
}
# The same broker without anything it remembers: a killed one comes back with an old session.
renew_broker() {
    stop_broker
    rm -f "$scratch"/db/*
    start_broker
}
kill_broker() {
    kill -KILL "$broker"
    wait "$broker" 2>/dev/null
}

# mosquitto's own clients, on the plain listener.
pub() { timeout 20 mosquitto_pub -h 127.0.0.1 -p "$port" "$@"; }
sub() { timeout 60 stdbuf -oL mosquitto_sub -h 127.0.0.1 -p "$port" "$@"; }

# over KIND: the options of link_client for plain, bearssl, openssl (one way), bearssl-mutual,
# openssl-mutual.
over() {
    case $1 in
    plain) echo "--port $port" ;;
    *-mutual) echo "--port $mutual_port --tls ${1%-mutual} --ca $pki/server-ca.crt --cert $pki/lamp.crt --key $pki/lamp.key" ;;
    *) echo "--port $one_way_port --tls $1 --ca $pki/server-ca.crt" ;;
    esac
}
kinds="plain bearssl openssl bearssl-mutual openssl-mutual"

# link NAME arguments...: runs our client, output in $scratch/NAME.out; link_in_background likewise,
# `linked` is its process.
link() {
    local name=$1
    shift
    "$client" "$@" >"$scratch/$name.out" 2>&1
}
link_in_background() {
    local name=$1
    shift
    : >"$scratch/$name.out" # now, so that nobody reads what an earlier one said
    "$client" "$@" >>"$scratch/$name.out" 2>&1 &
    linked=$!
    children+=("$linked")
}
said() { grep -q -- "$2" "$scratch/$1.out" || { tail -5 "$scratch/$1.out"; return 1; }; }
logged() { grep -q -- "$1" "$log"; }

# numbers FILE: the number at the beginning of each message's text.
numbers() { sed -n 's/.*text=\([0-9]*\) .*/\1/p' "$1"; }
