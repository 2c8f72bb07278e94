# SPDX-License-Identifier: MIT
# Zones of a real device process behind a real mosquitto: commanded by users of each role, off on
# time whatever becomes of the process (R9, F6, F11).
. "$THIMBLE_SOURCE/test/system/device.sh"
flash=$scratch/garden.flash
pins=$scratch/pins
check "a broker with its authorities" set_the_stage
"$thimble" user add vera --role viewer >/dev/null && "$thimble" user add ha --role operator --homeassistant >/dev/null || exit 1
check "the device is enrolled" enrol_device garden "$flash"
[ "$failures" = 0 ] || finish
"$thimble" user add late --role operator >/dev/null # after the trust set was signed
check "three relays are wired" "$device" --flash "$flash" --set mode=mqtt --set zones.count=3 \
    --set zones.pins=5,4,14 --set zones.most_s=600 --set zones.groups=1,1,0 --set telemetry.dead_band=50 \
    --set ha.caller=ha
start() {
    run_device garden "$flash" --board "pins=$pins"
    says garden '^connected'
}
call() { timeout 30 "$thimble" call --as "$@"; }
pin() { grep -q "^pin $1 out $2" "$pins"; } # a relay that is active low: on is 0
check "it starts with everything off" start
check "outputs are driven, and off" sh -c "grep -q '^pin 05 out 1' $pins && grep -q '^pin 04 out 1' $pins && grep -q '^pin 14 out 1' $pins"

# ---- commands ----
answer=$(call olga garden Zone.On '{"zone":2,"seconds":4}')
check "an operator switches a zone on" test "$answer" = '{"zone":2,"on":true,"seconds":4}'
check "its relay is on" pin 04 0
check "and off when its time is over" wait_for 8 pin 04 1
told() { timeout 20 "$thimble" sub --as olga -t garden/zone/2 -C 1 --retained-only | grep -q '"on":false,"actual":false,"seconds":0,"cause":"lease"'; }
check "what happened is told, retained" wait_for 5 told
check "a viewer may look" sh -c "timeout 20 $thimble call --as vera garden Zone.Status | grep -q '\"zone\":3'"
check "a viewer may not switch (403)" refused 8 "role does not allow" "$thimble" call --as vera garden Zone.On '{"zone":1,"seconds":5}'
check "only an admin drives pins by hand (403)" refused 8 "role does not allow" "$thimble" call --as olga garden Gpio.Write '{"pin":2,"value":0}'
check "who is not in the trust set may nothing (403)" refused 8 "does not know this caller" \
    "$thimble" call --as late garden Zone.Status
check "no zone has that number" refused 8 "(404)" "$thimble" call --as olga garden Zone.On '{"zone":5,"seconds":5}'
check "more than the longest run is refused" refused 8 "(422)" "$thimble" call --as olga garden Zone.On '{"zone":1,"seconds":601}'
check "a misspelt parameter opens nothing" refused 8 "(422)" "$thimble" call --as olga garden Zone.On '{"zone":1,"secnods":5,"seconds":5}'
check "zones of a group exclude each other" sh -c "$thimble call --as olga garden Zone.On '{\"zone\":1,\"seconds\":60}' >/dev/null &&
    $thimble call --as olga garden Zone.On '{\"zone\":2,\"seconds\":60}' >/dev/null &&
    grep -q '^pin 05 out 1' $pins && grep -q '^pin 04 out 0' $pins"
check "off at once when asked" sh -c "$thimble call --as olga garden Zone.Off '{\"zone\":2}' >/dev/null && grep -q '^pin 04 out 1' $pins"
olga=(-h localhost -p "$user_port" --cafile "$home/ca/server.crt" --cert "$home/users/olga/user.crt" --key "$home/users/olga/user.key")
frame='{"id":1,"method":"Zone.On","params":{"zone":1,"seconds":60}}'
end_device TERM
mosquitto_pub "${olga[@]}" -q 1 -t garden/from/olga/rpc -m "$frame"
start
check "a command without an expiry, sent while the device was away, does not act" sh -c "sleep 1; grep -q '^pin 05 out 1' $pins"
end_device TERM
mosquitto_pub "${olga[@]}" -q 1 -r -t garden/from/olga/rpc -m "$frame"
start
check "a retained command does not act, also on a device that comes later" sh -c "sleep 1; grep -q '^pin 05 out 1' $pins"
mosquitto_pub "${olga[@]}" -r -n -t garden/from/olga/rpc
end_device TERM
check "nobody answers for a device that is away" refused 27 "status is 'offline'" "$thimble" call -W 2 --as olga garden Zone.On '{"zone":1,"seconds":60}'
sleep 1
start
check "and its command does not act when it comes back" sh -c "sleep 1; grep -q '^pin 05 out 1' $pins"

head -c 100000 /dev/zero >"$scratch/large"
"$thimble" pub --as olga -t garden/from/olga/rpc -f "$scratch/large"
check "a request that is too large does not cost the connection" sh -c "$thimble call --as olga garden Sys.GetInfo | grep -q '\"id\":\"garden\"' &&
    [ \$(grep -c '^connected' $scratch/garden.out) = 1 ]"

# ---- sensors ----
check "an analog input is told when somebody moves it" sh -c "$thimble watch --as olga garden -W 6 >$scratch/seen &
    sleep 1; printf 000777 | dd of=$pins bs=1 seek=$((32 * 18 + 7 + 3 * 13 + 6)) conv=notrunc 2>/dev/null; wait
    grep -q '\"name\":\"Ain3\",\"retained\":false,\"payload\":{\"value\":777,' $scratch/seen"
check "the host tells of itself" sh -c "$thimble call --as vera garden Sensor.Read | grep -q '\"host_load\":[0-9]'"

# ---- Home Assistant ----
timeout 20 "$thimble" sub --as ha -t 'homeassistant/#' -C 1 --retained-only >"$scratch/discovery"
check "Home Assistant finds it" json "$scratch/discovery" "json_extract(d, '\$.components.garden_zone2.platform') = 'valve'"
sqlite3 :memory: "select json_extract(cast(readfile('$scratch/discovery') as text), '\$.components.garden_zone2.payload_open')" |
    tr -d '\n' >"$scratch/open"
to=$(sqlite3 :memory: "select json_extract(cast(readfile('$scratch/discovery') as text), '\$.components.garden_zone2.command_topic')")
"$thimble" pub --as ha -t "$to" -f "$scratch/open"
check "its command opens the valve" wait_for 5 pin 04 0
call olga garden Zone.Off '{"zone":2}' >/dev/null

# ---- off needs nobody ----
call olga garden Zone.On '{"zone":1,"seconds":600}' >/dev/null
check "a zone is on" pin 05 0
end_device KILL
check "the process is killed: off" wait_for 3 pin 05 1
start
call olga garden Zone.On '{"zone":1,"seconds":3}' >/dev/null
kill -STOP "$running"
check "the process hangs: on" pin 05 0
check "and off on time" wait_for 6 pin 05 1
kill -CONT "$running"
call olga garden Zone.On '{"zone":1,"seconds":5}' >/dev/null
stop_broker
check "the broker is gone: off on time" wait_for 9 pin 05 1
start_broker
check "and the device comes back" says garden '^connected'
call olga garden Zone.On '{"zone":1,"seconds":600}' >/dev/null
end_device TERM
check "an orderly end: off" wait_for 3 pin 05 1
finish
