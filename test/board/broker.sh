#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A mosquitto of its own for tests of boards: broker.sh FOLDER makes authorities and certificates
# there (once), starts the broker on a free port of the loopback and prints the port. It runs until
# this script is ended; FOLDER/pid has the broker's id, FOLDER/log what it says.
#
#   FOLDER/device/{ca,cert,key}.der   what a board needs; FOLDER/users/ the same as PEM for clients
set -euo pipefail

folder=$1
mosquitto=$(PATH=$PATH:/usr/sbin command -v mosquitto)
mkdir -p "$folder/device" "$folder/users"
cd "$folder"

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

authority() {
    key "$1.key"
    openssl req -new -x509 -key "$1.key" -subj "/CN=$2" -days 30 -out "$1.pem" \
        -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign" 2>/dev/null
}

# issue AUTHORITY NAME EXTENSIONS: NAME.key, NAME.pem
issue() {
    key "$2.key"
    openssl req -new -key "$2.key" -subj "/CN=${2##*/}" -out request 2>/dev/null
    printf '%s\n' "basicConstraints=critical,CA:FALSE" "keyUsage=critical,digitalSignature" "$3" >extensions
    openssl x509 -req -in request -CA "$1.pem" -CAkey "$1.key" -CAcreateserial -days 30 \
        -extfile extensions -out "$2.pem" 2>/dev/null
}

if [ ! -f device/key.der ]; then
    authority server-ca "Board test server CA"
    authority device-ca "Board test device CA"
    issue server-ca server $'extendedKeyUsage=serverAuth\nsubjectAltName=IP:10.0.2.2,IP:127.0.0.1,DNS:localhost'
    issue device-ca board extendedKeyUsage=clientAuth
    issue device-ca users/host extendedKeyUsage=clientAuth
    cp server-ca.pem users/ca.pem
    openssl x509 -in server-ca.pem -outform DER -out device/ca.der
    openssl x509 -in board.pem -outform DER -out device/cert.der
    openssl pkcs8 -topk8 -nocrypt -in board.key -outform DER -out device/key.der
fi

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

child=
trap '[ -z "$child" ] || { kill "$child" 2>/dev/null; wait "$child"; }; exit 0' TERM INT
for _ in 1 2 3 4 5; do
    port=${BROKER_PORT:-$(free_port)}
    cat >mosquitto.conf <<CONF
listener $port 127.0.0.1
cafile $PWD/device-ca.pem
certfile $PWD/server.pem
keyfile $PWD/server.key
require_certificate true
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
${BROKER_EXTRA:-}
CONF
    # Started as root, mosquitto would become a user that may not read this folder.
    [ "$(id -u)" -ne 0 ] || echo "user root" >>mosquitto.conf
    "$mosquitto" -v -c mosquitto.conf >>log 2>&1 &
    child=$!
    for _ in $(seq 100); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$child" >pid
            echo "$port"
            wait "$child"
            exit
        fi
        kill -0 "$child" 2>/dev/null || break
        sleep 0.05
    done
done
echo "broker.sh: mosquitto does not start; its log:" >&2
tail -5 log >&2
exit 1
