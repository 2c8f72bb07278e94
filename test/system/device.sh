# SPDX-License-Identifier: MIT
# A real broker, and devices that are processes with a file as their flash. Source it; end with `finish`.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME
device=$THIMBLE_BUILD/ports/thimble-device
enrol=$THIMBLE_BUILD/test/device_enrol
port=$(free_port)
user_port=$(free_port)
recovery_port=$(free_port)

start_broker() {
    "$thimble" broker run >"$scratch/broker.log" 2>&1 &
    broker=$!
    children+=("$broker")
    wait_for 20 grep -q "The broker is up" "$scratch/broker.log"
}
stop_broker() {
    kill -TERM "$broker"
    wait "$broker"
}
# A broker, an operator who watches everything in $scratch/watch, and the key that signs trust.
# Further options are those of broker init.
set_the_stage() {
    "$thimble" ca init --name Test >/dev/null &&
        "$thimble" broker init --no-proof --port "$port" --user-port "$user_port" \
            --recovery-port "$recovery_port" --bind 127.0.0.1 --host localhost "$@" >/dev/null &&
        "$thimble" user add olga --role operator >/dev/null && "$thimble" trust keygen >/dev/null &&
        start_broker
}
watch() {
    timeout 600 mosquitto_sub -h 127.0.0.1 -p "$user_port" --cafile "$home/users/olga/ca.crt" \
        --cert "$home/users/olga/user.crt" --key "$home/users/olga/user.key" -V mqttv5 -v -t '#' \
        >"$scratch/watch" 2>"$scratch/watch.err" &
    children+=("$!")
    wait_for 5 grep -q . "$scratch/watch" || true
}

# enrol_device NAME FLASH: keys made on the device, certificates over them, and a trust bundle.
enrol_device() {
    local to=$scratch/$1
    "$enrol" "$2" request "$1" "$to.der" "$to.birth.der" || return 1
    openssl req -inform DER -in "$to.der" -out "$to.csr" &&
        openssl req -inform DER -in "$to.birth.der" -out "$to.birth.csr" &&
        "$thimble" device enrol "$1" --csr "$to.csr" --birth-csr "$to.birth.csr" >/dev/null &&
        "$thimble" trust sign -o "$to.bundle" "${@:3}" >/dev/null &&
        openssl x509 -in "$home/devices/$1/device.crt" -outform DER -out "$to.crt.der" &&
        "$enrol" "$2" take "$to.crt.der" "$to.bundle"
}

# run_device NAME FLASH options...: in the background, its lines in $scratch/NAME.out.
run_device() {
    local name=$1
    "$device" --flash "$2" "${@:3}" >"$scratch/$name.out" 2>&1 &
    running=$!
    children+=("$running")
}
end_device() { # SIGNAL
    kill "-${1:-TERM}" "$running"
    wait "$running" 2>/dev/null
}
says() { wait_for "${3:-10}" grep -q -- "$2" "$scratch/$1.out"; }
watched() { wait_for "${2:-10}" grep -q -- "$1" "$scratch/watch"; }
