# SPDX-License-Identifier: MIT
# The legacy front of a real device process behind a real mosquitto: answers byte for byte as the
# sketch sent them, zones by "<zone> <seconds>", and what neighbours and viewers may not, tried with
# delivery. F6, F11, R9.
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1
flash=$scratch/garden.flash
pins=$scratch/pins
mac=18fe34000001
check "a broker with its authorities" set_the_stage
"$thimble" user add vera --role viewer >/dev/null && "$thimble" device enrol thief >/dev/null || exit 1
check "the device is enrolled" enrol_device garden "$flash"
[ "$failures" = 0 ] || finish
"$device" --flash "$flash" --set mode=mqtt --set zones.count=2 --set zones.pins=5,4 --set legacy.led_pin=16 \
    --set legacy.enable=true --set legacy.mac=18:fe:34:00:00:01 >"$scratch/set.out" || exit 1
code=$(sed -n 's/^set-up code: //p' "$scratch/set.out")
check "a set-up code that settings for a blank device have made is told" test -n "$code"
check "topics are granted to those that ask" sh -c "'$thimble' device legacy garden --mac 18:fe:34:00:00:01 >/dev/null &&
    '$thimble' device legacy thief --mac 18:fe:34:00:00:02 >/dev/null"
olga=(-h localhost -p "$user_port" --cafile "$home/ca/server.crt" --cert "$home/users/olga/user.crt" --key "$home/users/olga/user.key")
pin() { grep -q "^pin $1 out $2" "$pins"; }

# One name is one connection: olga asks, vera listens to the answer.
vera=(-h localhost -p "$user_port" --cafile "$home/ca/server.crt" --cert "$home/users/vera/user.crt" --key "$home/users/vera/user.key")
answer() { # REQUEST
    timeout 20 stdbuf -oL mosquitto_sub "${vera[@]}" -t "mqtt_tx_$mac" -C 1 -W "${2:-10}" -N -d >"$scratch/heard" 2>/dev/null &
    local listening=$!
    children+=("$listening")
    wait_for 5 grep -q SUBACK "$scratch/heard"
    mosquitto_pub "${olga[@]}" -q 1 -t "mqtt_rx_$mac" -m "$1"
    wait "$listening"
    python3 -c 'import re, sys
sys.stdout.buffer.write(re.sub(rb"(Client [^\n]* (sending|received) |Subscribed )[^\n]*\n", b"", open(sys.argv[1], "rb").read()))' \
        "$scratch/heard" >"$scratch/answer"
}
start() {
    run_device garden "$flash" --board "pins=$pins"
    says garden '^connected'
}

start
says garden 'passed the trial' 20
answer "/?request=LedOn"
check "LedOn answers as the sketch did" test "$(od -An -c "$scratch/answer" | tr -d ' \n')" = 'LEDisnowON\n'
check "and the pin is high" pin 16 1
answer "/?request=LedOff"
check "LedOff too" sh -c "grep -qx 'LED is now OFF' $scratch/answer && grep -q '^pin 16 out 0' $pins"
answer "/?request=GetSensors"
check "GetSensors has its lines, its quotes, its two decimals" python3 -c 'import json, re, sys
text = open(sys.argv[1], "rb").read()
names = ["Ain%d" % n for n in range(8)] + ["SYS_Heap", "SYS_Time"]
assert re.fullmatch(rb"\{\r\n" + b",\r\n".join(rb"\"%s\":\"[0-9.-]*\"" % n.encode() for n in names) + rb"\r\n\}", text), text
values = json.loads(text)
assert all(re.fullmatch(r"\d+\.\d\d", values["Ain%d" % n]) for n in range(8)), values
assert int(values["SYS_Heap"]) > 0 and 0 <= int(values["SYS_Time"]) < 600' "$scratch/answer"
answer "/?request=MqttOn"
check "MQTT without TLS is refused" grep -q 'refused' "$scratch/answer"
answer "nonsense"
check "what is no request is told so" test "$(cat "$scratch/answer")" = "Invalid Request"

# ---- zones ----
mosquitto_pub "${olga[@]}" -q 1 -t irrigation/zone/on -m '2 3'
check "a zone goes on by its number and seconds" wait_for 5 pin 04 0
check "and off by itself" wait_for 8 pin 04 1
mosquitto_pub "${olga[@]}" -q 1 -r -t irrigation/zone/on -m '1 60'
end_device TERM
start
check "a retained command does not act" sh -c "sleep 1; grep -q '^pin 05 out 1' $pins"
mosquitto_pub "${olga[@]}" -r -n -t irrigation/zone/on

# ---- who may not ----
mosquitto_pub "${vera[@]}" -q 1 -t irrigation/zone/on -m '1 60'
mosquitto_pub "${vera[@]}" -q 1 -t "mqtt_rx_$mac" -m '/?request=LedOn'
thief=(-h localhost -p "$port" --cafile "$home/ca/server.crt" --cert "$home/devices/thief/device.crt" --key "$home/devices/thief/device.key")
mosquitto_pub "${thief[@]}" -q 1 -t irrigation/zone/on -m '1 60'
mosquitto_pub "${thief[@]}" -q 1 -t "mqtt_rx_$mac" -m '/?request=LedOn'
check "a viewer and a neighbour switch nothing" sh -c "sleep 1; grep -q '^pin 05 out 1' $pins && ! grep -q '^pin 16 out 1' $pins"
timeout 20 stdbuf -oL mosquitto_sub "${thief[@]}" -t "mqtt_rx_$mac" -t 'mqtt_rx_+' -t '#' -W 2 -v -d >"$scratch/thief" 2>/dev/null &
spy=$!
children+=("$spy")
wait_for 5 grep -q SUBACK "$scratch/thief"
answer "/?request=LedOn"
wait "$spy"
check "its owner is answered meanwhile" grep -q 'LED is now ON' "$scratch/answer"
check "a neighbour hears neither requests nor answers" not grep -aq "request=\|LED is now" "$scratch/thief"
timeout 20 stdbuf -oL mosquitto_sub "${vera[@]}" -t "mqtt_tx_$mac" -C 1 -W 2 -d >"$scratch/forged" 2>/dev/null &
listening=$!
children+=("$listening")
wait_for 5 grep -q SUBACK "$scratch/forged"
mosquitto_pub "${thief[@]}" -q 1 -t "mqtt_tx_$mac" -m 'LED is now ON'
wait "$listening"
check "a neighbour cannot answer in its place" not grep -aq "LED is now" "$scratch/forged"

# ---- modes ----
answer "/?request=HttpOn"
check "HttpOn answers as the sketch did" test "$(cat "$scratch/answer")" = "HTTP Server Restored and MQTT Disabled"
check "and leads to configuration mode" says garden 'device garden, mode config'
end_device TERM

# ---- over HTTP, in configuration mode ----
run_device garden "$flash" --board "pins=$pins" --http 127.0.0.1:0
says garden 'the page is at '
page=$(sed -n 's|.*the page is at \(http://[0-9.:]*\)/config|\1|p' "$scratch/garden.out")
get() { # PATH: status, type and body
    python3 - "$page$1" <<'EOP'
import sys, urllib.error, urllib.request
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None
try:
    answer = urllib.request.build_opener(Stay).open(sys.argv[1], timeout=5)
except urllib.error.HTTPError as error:
    answer = error
sys.stdout.write(f"{answer.status} {answer.headers.get('Content-Type')} ")
sys.stdout.flush()
sys.stdout.buffer.write(answer.read())
EOP
}
get '/?request=GetSensors' >"$scratch/sensors"
check "GetSensors over HTTP has the same bytes" grep -qP '^200 application/json {\r$' "$scratch/sensors"
check "what acts needs the code" grep -q '^401 ' <(get '/?request=LedOn')
check "an invalid request is told so" test "$(get '/?request=Sesame')" = "200 text/plain; charset=utf-8 Invalid Request"
check "other paths lead to the page" grep -q '^302 ' <(get '/?x=1')
check "with the code it acts" test "$(get "/?request=LedOn&code=$code")" = "200 text/plain; charset=utf-8 LED is now ON"
check "and the pin is high" pin 16 1
check "also as it is typed" test "$(get "/?request=LedOff&code=$(tr 'A-Z' 'a-z' <<<"$code" | tr -d -)")" = "200 text/plain; charset=utf-8 LED is now OFF"
for _ in 1 2 3 4 5; do get '/?request=LedOn&code=0000-0000-0000-0000' >/dev/null; done
check "wrong codes make it wait (F2)" grep -q '^429 ' <(get "/?request=LedOn&code=$code")
check "and nothing was switched" not pin 16 1
check "wrong codes are told (F9)" test "$(grep -c '^local asks for something, refused: the set-up code is wrong$' "$scratch/garden.out")" = 5
check "and not themselves" not grep -q '0000-0000\|0000000000000000' "$scratch/garden.out"
end_device TERM
"$device" --flash "$flash" --set legacy.enable=false >/dev/null
run_device garden "$flash" --board "pins=$pins" --http 127.0.0.1:0
says garden 'the page is at '
page=$(sed -n 's|.*the page is at \(http://[0-9.:]*\)/config|\1|p' "$scratch/garden.out")
check "turned off, there is no such request" grep -q '^302 ' <(get '/?request=GetSensors')
end_device TERM
finish
