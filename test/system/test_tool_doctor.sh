# SPDX-License-Identifier: MIT
# thimble doctor: faults are planted one at a time, for real; it must name the cause, or say that it does
# not know. A wrong cause counts as two misses; at most two misses are allowed in all.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME
planted=0 right=0 unknown=0 misses=0
names_the_cause() { [ "$misses" -le 2 ] && [ "$planted" -ge 30 ]; }

# plant "fault" 'words of the cause' doctor's arguments...
plant() {
    local fault=$1 words=$2 code verdict
    shift 2
    planted=$((planted + 1))
    ${doctor_in:-} "$thimble" doctor "$@" >"$scratch/said" 2>"$scratch/said.err"
    code=$?
    if [ $code = 20 ] && sed -n 's/^Cause *//p' "$scratch/said" | grep -qE -- "$words" && grep -q '^Fix  *.' "$scratch/said"; then
        right=$((right + 1)) verdict="named"
    elif [ $code = 21 ]; then
        unknown=$((unknown + 1)) verdict="unknown"
    elif [ $code = 20 ]; then
        misses=$((misses + 2)) verdict="WRONG CAUSE"
    else
        misses=$((misses + 1)) verdict="MISSED ($code)"
    fi
    echo "$verdict: $fault"
    [ "$verdict" = named ] || { sed 's/^/       /' "$scratch/said" "$scratch/said.err"; }
}

# ---- a good installation ----
device_port=$(free_port) user_port=$(free_port) recovery_port=$(free_port) plain_port=$(free_port)
"$thimble" ca init >/dev/null && "$thimble" broker init --port "$device_port" --user-port "$user_port" \
    --recovery-port "$recovery_port" --plaintext-loopback "$plain_port" --no-proof >/dev/null || exit 1
for name in lamp pump; do "$thimble" device enrol $name >/dev/null || exit 1; done
"$thimble" user add alice --role operator >/dev/null || exit 1
cp -a "$home" "$scratch/good"
broker=
start() {
    "$thimble" broker run >"$scratch/broker.out" 2>&1 &
    broker=$!
    children+=("$broker")
    wait_for 10 listens "$device_port"
}
stop() {
    [ -z "$broker" ] || { kill "$broker"; wait "$broker"; } 2>/dev/null
    broker=
}
# What was good again, with the broker down.
anew() {
    stop
    rm -rf "$home"
    cp -a "$scratch/good" "$home"
}
b=$home/broker
ca_leaf() { # CA days-from-now common-name extension OUT
    openssl req -new -key "$b/server.key" -subj "/CN=$3" -out "$scratch/csr" 2>/dev/null
    printf 'subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=%s\n' "$(hostname)" "$4" >"$scratch/ext"
    faketime "$2" openssl x509 -req -in "$scratch/csr" -CA "$1.crt" -CAkey "$1.key" -set_serial 77 -days 30 \
        -extfile "$scratch/ext" -out "$5" 2>/dev/null
}
other_ca() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=Another CA" \
        -addext keyUsage=critical,keyCertSign,cRLSign -keyout "$scratch/other.key" -out "$scratch/other.crt" 2>/dev/null
}
other_ca
crl() { # CA from to OUT
    printf '[ca]\ndefault_ca=a\n[a]\ndatabase=%s\ncrlnumber=%s\ndefault_md=sha256\n' "$scratch/index" "$scratch/number" >"$scratch/ca.cnf"
    : >"$scratch/index"
    echo 1000 >"$scratch/number"
    openssl ca -gencrl -config "$scratch/ca.cnf" -cert "$1.crt" -keyfile "$1.key" -crl_lastupdate "$2" -crl_nextupdate "$3" -out "$4" 2>/dev/null
}
device_leaf() { # CA when OUT: lamp's certificate over its key
    openssl req -new -key "$home/devices/lamp/device.key" -subj "/CN=${4:-lamp}" -out "$scratch/csr" 2>/dev/null
    printf 'extendedKeyUsage=clientAuth\nkeyUsage=critical,digitalSignature\n' >"$scratch/ext"
    faketime "$2" openssl x509 -req -in "$scratch/csr" -CA "$1.crt" -CAkey "$1.key" -set_serial 78 -days 30 -extfile "$scratch/ext" -out "$3" 2>/dev/null
}

# ---- nothing is wrong ----
start
check "nothing is wrong with a good installation" "$thimble" doctor lamp
check "nor with a user" "$thimble" doctor alice
check "nor with the broker alone" "$thimble" doctor
"$thimble" doctor lamp --json >"$scratch/fine.json"
check "--json is JSON" json "$scratch/fine.json" "d ->> '\$.verdict' = 'fine' and d ->> '\$.tried' = 1"

# ---- faults that a running broker shows ----
plant "the port of another listener, which has no TLS" "speaks no TLS" lamp -p "$plain_port"
plant "plaintext to the TLS port" "speaks TLS" lamp -p "$device_port" --plaintext
plant "a wrong port" "none of this broker's" lamp -p "$(free_port)"
plant "a name without an address" "no address" lamp -h nothing.invalid
plant "a name that is not in the certificate" "not for the name" lamp -h 127.0.0.2
plant "a name nobody knows" "no device or user" stranger
plant "a topic outside its rights" "does not let lamp write" lamp --publishes garden/water
plant "a filter that hears nothing" "does not let alice read" alice --subscribes lamp/from/bob/rpc
plant "a message larger than the broker takes" "no message of 5000000" lamp --size 5000000
doctor_in="faketime 1970-01-02" plant "the clock in 1970" "clock of this machine is behind" lamp
doctor_in="faketime 2040-01-01" plant "the clock in 2040" "clock of this machine is ahead" lamp
cp "$home/devices/lamp/device.key" "$scratch/lamp.key"
cp "$home/devices/pump/device.key" "$home/devices/lamp/device.key"
plant "another device's private key" "private key of lamp" lamp
rm "$home/devices/lamp/device.key"
plant "no private key" "private key of lamp" lamp
echo garbage >"$home/devices/lamp/device.key"
plant "a damaged private key" "private key of lamp" lamp
cp "$scratch/lamp.key" "$home/devices/lamp/device.key"
cp "$home/devices/lamp/device.crt" "$scratch/lamp.crt"
device_leaf "$home/ca/device" "-2 years" "$home/devices/lamp/device.crt"
plant "a device's certificate that has expired" "certificate of lamp is not in force" lamp
device_leaf "$scratch/other" "now" "$home/devices/lamp/device.crt"
plant "a device's certificate of another CA" "not of this device CA" lamp
device_leaf "$home/ca/device" "now" "$home/devices/lamp/device.crt" pump
plant "a device with another's name in its certificate" "that of another" lamp
cp "$scratch/lamp.crt" "$home/devices/lamp/device.crt"
cp "$scratch/other.crt" "$home/devices/lamp/ca.crt"
plant "a device that knows another server CA" "does not know the CA" lamp
cp "$home/ca/server.crt" "$home/devices/lamp/ca.crt"
for i in 1 2; do
    (for _ in 1 2 3 4 5 6; do timeout 1 mosquitto_sub -h localhost -p "$device_port" --cafile "$home/ca/server.crt" \
        --cert "$home/devices/pump/device.crt" --key "$home/devices/pump/device.key" -i pump -t pump/from/# -V 5 2>/dev/null; done) &
    copies[i]=$!
done
wait "${copies[@]}"
plant "two programs with one certificate" "two programs connect as pump" pump
openssl s_client -connect "localhost:$device_port" </dev/null >/dev/null 2>&1
check "and lamp is well still" "$thimble" doctor lamp

# ---- faults of the broker's files; it is started with them where it starts at all ----
anew
plant "the broker is down" "does not run" lamp
ca_leaf "$home/ca/server" "-2 years" "$(hostname)" serverAuth "$b/server.crt" && start
plant "the broker's certificate has expired" "broker's certificate is not in force" lamp
anew
ca_leaf "$home/ca/server" "+2 years" "$(hostname)" serverAuth "$b/server.crt" && start
plant "the broker's certificate begins later" "broker's certificate is not in force" lamp
anew
ca_leaf "$scratch/other" now "$(hostname)" serverAuth "$b/server.crt" && start
plant "the broker's certificate is of another CA" "not of the server CA" lamp
anew
ca_leaf "$home/ca/server" now "$(hostname)" clientAuth "$b/server.crt" && start
plant "the broker's certificate is a client's" "not meant for a server" lamp
anew
openssl req -x509 -key "$b/server.key" -days 30 -subj "/CN=$(hostname)" -addext "subjectAltName=DNS:$(hostname)" -out "$b/server.crt" 2>/dev/null
start
plant "the broker's certificate is self-signed" "not of the server CA" lamp
anew
openssl ecparam -name prime256v1 -genkey -noout -out "$b/server.key"
plant "the broker's key is another's" "broker's private key" lamp
anew
crl "$home/ca/device" 20200101000000Z 20210101000000Z "$b/clients.crl" && start
plant "the revocation list has expired" "revocation list is not in force" lamp
anew
crl "$scratch/other" 20200101000000Z 20400101000000Z "$b/clients.crl" && start
plant "the revocation list is of another CA" "no revocation list of the device CA" lamp
anew
rm "$b/clients.crl"
plant "the revocation list is missing" "revocation list cannot be read" lamp
anew
cp "$scratch/other.crt" "$b/clients-ca.crt" && start
plant "the broker does not know the device CA" "does not know the device CA" lamp
anew
sed -i '/^pattern write %u\/telemetry/d' "$b/acl" && start
plant "the ACL has lost a device's line" "does not give lamp" lamp
anew
printf '\nuser lamp\ntopic deny lamp/#\n' >>"$b/acl" && start
plant "the ACL denies the device" "denies lamp" lamp
anew
sed -i 's/^require_certificate true/require_certificate false/' "$b/mosquitto.conf" && start
plant "the listener asks for no certificate" "asks nobody for a certificate" lamp
anew
sed -i 's/^max_packet_size .*/max_packet_size 200/' "$b/mosquitto.conf" && start
plant "the broker's packets are too small" "no packet above 200" lamp
anew
sed -i "s/^listener $device_port/listener $(free_port)/" "$b/mosquitto.conf" && start
plant "the devices' listener is elsewhere" "no listener for devices" lamp
anew
echo "this is no configuration" >"$b/mosquitto.conf"
plant "the configuration is none" "configuration cannot be used" lamp
anew
head -c 4096 /dev/urandom >"$home/registry.db"
plant "the registry is garbage" "registry" lamp
anew
start
"$thimble" device revoke lamp >/dev/null 2>&1
plant "a revoked device" "was revoked" lamp
anew

# ---- a disk that is full, and a network that drops, where the machine lets us make them ----
full() {
    mount -t tmpfs -o size=1m tmpfs "$home" && cp -a "$scratch/good/." "$home" && { cat /dev/zero >"$home/full" 2>/dev/null; "$@"; }
}
export -f full
export home scratch
if unshare -m true 2>/dev/null; then
    in_full() { unshare -m bash -c 'full "$@"' full "$@"; }
    doctor_in=in_full plant "the disk is full" "is full" lamp
    doctor_in=
fi
dropping() {
    ip link add d0 type veth peer name d1 && ip link set d0 up && ip link set d1 up && ip address add 10.99.0.2/24 dev d0 &&
        ip neighbour add 10.99.0.1 lladdr 02:00:00:00:00:01 dev d0 && "$@"
}
export -f dropping
if unshare -n ip link add d0 type veth peer name d1 2>/dev/null; then
    in_dropping() { unshare -n bash -c 'dropping "$@"' dropping "$@"; }
    doctor_in=in_dropping plant "a firewall that drops" "drops packets" --dir "$scratch/nothing" -h 10.99.0.1 -p 8883 \
        --cafile "$home/ca/server.crt" --cert "$home/devices/lamp/device.crt" --key "$home/devices/lamp/device.key"
fi

echo "$planted planted: $right named, $unknown unknown, $misses misses"
check "at most two misses in all, of thirty faults and more" names_the_cause
check "every fault was named or unknown" [ "$misses" = 0 ]
finish
