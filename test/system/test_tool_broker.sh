# SPDX-License-Identifier: MIT
# thimble broker run: a real mosquitto that only our devices and users can use. Delivery is what is
# checked, as mosquitto denies in silence (F6, F8).
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
export THIMBLE_HOME="$scratch/a home" # mosquitto's file must bear the space
home=$THIMBLE_HOME
port=$(free_port)
user_port=$(free_port)
recovery_port=$(free_port)
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
mosquitto_of() { pgrep -P "$1" mosquitto; }
gone() { ! kill -0 "$1" 2>/dev/null; }

# as NAME pub|sub arguments...: with NAME's certificate, on the listener of its kind.
as() {
    local name=$1 verb=$2 kind=user at=$user_port
    shift 2
    [ -d "$home/devices/$name" ] && kind=device at=$port
    timeout 10 mosquitto_"$verb" -h 127.0.0.1 -p "${AT:-$at}" --cafile "$home/${kind}s/$name/ca.crt" \
        --cert "$home/${kind}s/$name/$kind.crt" --key "$home/${kind}s/$name/$kind.key" -V mqttv5 "$@" 2>>"$scratch/clients.err"
}
# A subscriber that is connected when this returns; what it got is in $scratch/<name>.got.
listen_as() {
    local name=$1
    shift
    : >"$scratch/$name.got"
    as "$name" sub -v -d "$@" >"$scratch/$name.got" &
    listener=$!
    children+=("$listener")
    wait_for 5 grep -q SUBACK "$scratch/$name.got"
}
got() { wait_for 3 grep -q -- "$2" "$scratch/$1.got"; }
got_nothing() { sleep 0.5; ! grep -q -- "$2" "$scratch/$1.got"; }

"$thimble" ca init --name Test >/dev/null && "$thimble" broker init --no-proof --port "$port" \
    --user-port "$user_port" --recovery-port "$recovery_port" --bind 127.0.0.1 >/dev/null &&
    "$thimble" device enrol lamp pump >/dev/null && "$thimble" user add olga --role operator >/dev/null &&
    "$thimble" user add rita --role operator >/dev/null && "$thimble" user add vera >/dev/null || exit 1

check "broker run starts mosquitto" start_broker
check "a second one over the same directory is refused" refused 5 "runs already" "$thimble" broker run

# One certificate is one connection: who listens does not publish.
listen_as olga -t '#'
as lamp pub -t lamp/status -m on-line -q 1 -r
check "what a device says arrives at a user" got olga "lamp/status on-line"
as lamp pub -t pump/status -m forged -q 1
check "a device cannot speak for another (F6)" got_nothing olga forged
as rita pub -t lamp/status -m forged -q 1
check "a user cannot speak for a device (F6)" got_nothing olga forged
as lamp pub -t lamp/log -m a-log-line
check "an operator reads the log" got olga "lamp/log a-log-line"
listen_as vera -t '#'
as lamp pub -t lamp/log -m another-line
check "a viewer does not" got_nothing vera another-line
as lamp pub -t lamp/telemetry/temp -m 21
check "but telemetry" got vera "lamp/telemetry/temp 21"
as lamp pub -t lamp/to/olga/rpc -m answer
check "an answer arrives at the caller" got olga "lamp/to/olga/rpc answer"
check "and not at another user" got_nothing vera "rpc answer"
listen_as lamp -t 'lamp/from/#' -t 'pump/from/#'
as rita pub -t lamp/from/rita/rpc -m command -q 1
check "a user's request arrives at the device" got lamp "lamp/from/rita/rpc command"
as rita pub -t lamp/from/olga/rpc -m guessed -q 1
check "a caller cannot be guessed into the topic (F6)" got_nothing lamp guessed
as rita pub -t pump/from/rita/rpc -m for-the-pump -q 1
check "a device does not hear another's requests (F6)" got_nothing lamp for-the-pump
as pump sub -i lamp -t 'pump/from/#' -W 1 >/dev/null 2>&1
AT=$user_port as pump sub -i lamp -t 'pump/from/#' -W 1 >/dev/null 2>&1
check "another's client id takes no session over, on either listener (F6)" \
    sh -c "! grep -q 'Client lamp already connected' $log && grep -q 'as pump' $log"
as rita pub -t lamp/from/rita/rpc -m still-there -q 1
check "and the device still hears" got lamp still-there

connects() { timeout 5 mosquitto_pub -h 127.0.0.1 -p "$1" "${@:2}" -t x -m x -q 1; }
ca=$home/ca/server.crt
check "without a certificate nobody gets in (F8)" not connects "$port" --cafile "$ca"
check "nor in plain text (F8)" not connects "$port"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$scratch/x.key" \
    -out "$scratch/x.crt" -subj /CN=lamp -days 2 2>/dev/null
check "nor with another CA's certificate" not connects "$port" --cafile "$ca" --cert "$scratch/x.crt" \
    --key "$scratch/x.key"

check "the log says in words who was refused, and why" sh -c \
    "grep -q 'without a certificate and was refused' $log && grep -q 'spoke no TLS' $log &&
     grep -q 'not of the device CA' $log"
next_of() { sed -n "s/^$1//p" "$scratch/enrolled" | sed "s/^ *//"; }
"$thimble" device enrol newcomer >"$scratch/enrolled"
check "the command device enrol says next works as it is printed" \
    env PATH="$THIMBLE_BUILD/tool:$PATH" bash -c "$(next_of Next:)"
"$thimble" user add uma >"$scratch/enrolled"
check "and the one of user add" env PATH="$THIMBLE_BUILD/tool:$PATH" bash -c "$(next_of Next:) -C 1 -W 5"
check "and another client joins as it says" \
    bash -c "timeout 5 $(sed -n 's/^  mosquitto_sub/mosquitto_sub/p' "$scratch/enrolled") -C 1"
check "a user added now" "$thimble" user add nora --role operator
check "is connected by the running broker at once" listen_as nora -t '+/status'
check "and has its rights" got nora "lamp/status on-line"

child=$(mosquitto_of "$broker")
check "SIGTERM ends the broker in good order" stop_broker
check "and mosquitto with it" gone "$child"
check "started again" start_broker
check "it has kept what was retained" sh -c "true; $(declare -f as); home='$home' port=$port \
    user_port=$user_port; as olga sub -t lamp/status -C 1 | grep -q on-line"
child=$(mosquitto_of "$broker")
kill -KILL "$broker"
wait "$broker" 2>/dev/null
check "if it is killed mosquitto does not stay behind" wait_for 5 gone "$child"

python3 -c "
import socket, time
s = socket.socket(); s.bind(('127.0.0.1', $port)); s.listen(); time.sleep(60)" &
squatter=$!
children+=("$squatter")
wait_for 5 listens "$port"
check "a port in use is said, with the way out" refused 1 "Address already in use" "$thimble" broker run
check "and how" refused 1 "broker init --replace" "$thimble" broker run
kill "$squatter"
check "a certificate that is damaged is said" sh -c "
    echo x >'$home/broker/server.crt'; $thimble broker run >$scratch/damaged 2>&1
    [ \$? = 1 ] && grep -q 'next: thimble broker init --replace' $scratch/damaged"
finish
