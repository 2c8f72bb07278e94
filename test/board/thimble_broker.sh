#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# As broker.sh, but set up and run by our tool: thimble_broker.sh FOLDER. FOLDER/device has what the
# enrolled device "board" needs. THIMBLE is the tool.
set -euo pipefail

folder=$1
cd "$folder"
mkdir -p device

free_ports() {
    python3 -c 'import socket
s = [socket.socket() for _ in range(2)]
for x in s: x.bind(("127.0.0.1", 0))
print(*(x.getsockname()[1] for x in s))'
}

read -r port user_port < <(free_ports)
{
    "$THIMBLE" ca init --name Board --dir home
    "$THIMBLE" broker init --no-proof --bind 127.0.0.1 --host 10.0.2.2 --host 127.0.0.1 --port "$port" \
        --user-port "$user_port" --recovery-port 0 --dir home
    "$THIMBLE" device enrol board --dir home
} >log 2>&1
openssl x509 -in home/devices/board/ca.crt -outform DER -out device/ca.der
openssl x509 -in home/devices/board/device.crt -outform DER -out device/cert.der
openssl pkcs8 -topk8 -nocrypt -in home/devices/board/device.key -outform DER -out device/key.der

"$THIMBLE" broker run --dir home >>log 2>&1 &
child=$!
trap 'kill "$child" 2>/dev/null; wait "$child"; exit 0' TERM INT
for _ in $(seq 100); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        echo "$port"
        wait "$child"
        exit
    fi
    sleep 0.05
done
echo "thimble_broker.sh: the broker does not start; its log:" >&2
tail -5 log >&2
exit 1
