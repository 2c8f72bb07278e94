# SPDX-License-Identifier: MIT
# thimble config with a real device process behind a real mosquitto: settings go on trial, their
# author answers for them, and what would cut the device off is taken back.
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1
flash=$scratch/garden.flash
check "a broker with its authorities" set_the_stage
"$thimble" user add anna --role admin >/dev/null || exit 1
check "the device is enrolled" enrol_device garden "$flash"
[ "$failures" = 0 ] || finish
check "and put into MQTT mode" "$device" --flash "$flash" --set mode=mqtt --set mqtt.pass=verysecret
run_device garden "$flash"
says garden '^connected'
config() { timeout 120 "$thimble" config "$@"; }

check "one branch of the settings" test "$(config get garden telemetry.interval_s --as olga)" = '{"telemetry":{"interval_s":60}}'
config export garden "$scratch/garden.json" --as anna >/dev/null
check "all of them in a file" json "$scratch/garden.json" "json_extract(d, '\$.mqtt.keep_alive') = 60"
check "without secrets (I1)" not grep -q "verysecret\|\"pass\"" "$scratch/garden.json"
check "an existing file is not overwritten" refused 5 "" "$thimble" config export garden "$scratch/garden.json" --as anna
check "nothing differs from its own export" sh -c "$thimble config diff garden $scratch/garden.json --as olga | grep -q 'nothing differs'"

check "a change is tried, proved and kept" sh -c "timeout 100 $thimble config set garden telemetry.interval_s=30 mqtt.keep_alive=45 --as anna |
    grep -q 'they are kept'"
check "it holds" test "$(config get garden telemetry.interval_s --as olga)" = '{"telemetry":{"interval_s":30}}'
check "over a restart" sh -c "kill $running; sleep 1"
run_device garden "$flash"
says garden '^connected'
check "too" test "$(config get garden telemetry.interval_s --as olga)" = '{"telemetry":{"interval_s":30}}'
check "the difference is shown" sh -c "$thimble config diff garden $scratch/garden.json --as olga | grep -q 'telemetry.interval_s: 30 -> 60'"
check "an import sets what differs" sh -c "timeout 100 $thimble config import garden $scratch/garden.json --as anna | grep -q 'they are kept'"
check "and nothing the second time" sh -c "timeout 100 $thimble config import garden $scratch/garden.json --as anna | grep -q 'nothing differs'"
check "an operator may not" refused 8 "(403)" "$thimble" config set garden log.level=warn --as olga
check "whom the device trusts does not change so (I6)" refused 2 "whom the device trusts" \
    "$thimble" config set garden mqtt.server=evil.example --as anna
check "an unknown name is told here already" refused 2 "there is no setting" "$thimble" config set garden no.such=1 --as anna
check "a value out of range too" refused 2 "mqtt.keep_alive" "$thimble" config set garden mqtt.keep_alive=1 --as anna
check "a word without a value" refused 2 "not NAME=VALUE" "$thimble" config set garden log.level --as anna
printf '{"a":[1]}' >"$scratch/bad.json"
check "a file that holds none" refused 3 "holds no settings" "$thimble" config import garden "$scratch/bad.json" --as anna
printf '{"a":' >"$scratch/bad.json"
check "a file that is no JSON" refused 3 "is not JSON" "$thimble" config diff garden "$scratch/bad.json" --as anna
check "a key nobody knows" refused 8 "(404)" "$thimble" config get garden nonsense --as olga
end_device TERM
check "a device that is away" refused 27 "did not answer" "$thimble" config get garden -W 2 --as olga
finish
