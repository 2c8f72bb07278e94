# SPDX-License-Identifier: MIT
# thimble-device against a real mosquitto: enrolled, connected, changed on trial, and killed at any
# moment (I1, I6, I11, T11).
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1
flash=$scratch/lamp.flash
check "a broker with its authorities" set_the_stage
watch

check "a blank device starts in configuration mode" sh -c "timeout 2 $device --flash $flash >$scratch/blank; \
    grep -q 'mode config: not enrolled' $scratch/blank"
check "it is enrolled" enrol_device lamp "$flash"
[ "$failures" = 0 ] || finish
check "a flash in use is not opened twice" sh -c "$device --flash $flash & p=\$!; sleep 0.5; \
    $device --flash $flash --set device.id=x 2>$scratch/locked; kill \$p; wait \$p; \
    grep -q 'another process has the file open' $scratch/locked"
check "and put into MQTT mode" "$device" --flash "$flash" --set mode=mqtt
for tls in openssl bearssl; do
    run_device lamp "$flash" --tls $tls
    check "$tls: it connects over mutual TLS" says lamp '^connected'
    check "$tls: it says where" says lamp "broker localhost:$port"
    end_device TERM
done
check "its status says when it comes and goes" sh -c "grep -q 'lamp/status online' $scratch/watch && \
    grep -q 'lamp/status offline' $scratch/watch"
check "it says on connect what it is" watched '"event":"connected","product":"thimble"'
check "settings that connected are kept" watched 'the new settings passed the trial'

check "a setting that does not exist is refused" not "$device" --flash "$flash" --set no.such=1
check "a value that the schema forbids is refused" not "$device" --flash "$flash" --set mqtt.keep_alive=1
check "a bad broker name goes on trial" "$device" --flash "$flash" --set mqtt.server=nowhere.invalid
check "a second change has to wait" not "$device" --flash "$flash" --set mqtt.keep_alive=30
run_device lamp "$flash"
check "it is taken back" says lamp 'the new settings were taken back: name:' 60
check "and reported over MQTT" watched '"component":"settings","kept":false,"error":"NAME_NOT_FOUND"' 20
check "from the old broker" says lamp '^connected'
end_device TERM

# Trust.
check "a next trust bundle is signed" "$thimble" trust sign -o "$scratch/next.bundle"
check "it goes on trial" "$device" --flash "$flash" --trust "$scratch/next.bundle"
run_device lamp "$flash"
check "and is kept" watched 'the new trust passed the trial' 30
end_device TERM
check "the same one again is old" sh -c "$device --flash $flash --trust $scratch/next.bundle 2>$scratch/old; \
    grep -q 'not newer' $scratch/old"
check "a bundle for a broker that is not there is signed" \
    "$thimble" trust sign --broker "localhost:$(free_port)" -o "$scratch/away.bundle"
check "it goes on trial" "$device" --flash "$flash" --trust "$scratch/away.bundle"
run_device lamp "$flash"
check "it is taken back (I6)" watched '"component":"trust","kept":false,"error":"TCP_REFUSED"' 60
check "and the device is where it was" says lamp '^connected'
end_device TERM
check "a bundle of another key is refused" sh -c "THIMBLE_HOME=$scratch/other; export THIMBLE_HOME; \
    $thimble ca init >/dev/null && $thimble broker init --no-proof >/dev/null && $thimble trust keygen >/dev/null && \
    $thimble trust sign --sequence 99 -o $scratch/alien.bundle >/dev/null && \
    ! $device --flash $flash --trust $scratch/alien.bundle 2>$scratch/alien && grep -q 'does not take' $scratch/alien"

# Wi-Fi that is a file.
air=$scratch/air
printf 'ssid=garden\npass=other words\n' >"$air"
check "it is told of a network" "$device" --flash "$flash" --set wifi.sta.ssid=garden --set "wifi.sta.pass=secret words" \
    --set wifi.ap.fallback_s=2
run_device lamp "$flash" --board wifi="$air"
check "a wrong password is named" says lamp 'wifi: the network refuses us ("garden"); check wifi.sta.pass' 20
end_device TERM
printf 'ssid=garden\npass=secret words\n' >"$air"
run_device lamp "$flash" --board wifi="$air"
check "with the right one it joins" says lamp 'Wi-Fi garden, address 192.168.4.2' 30
check "and connects" says lamp '^connected' 30
check "and keeps the network" watched '"component":"settings","kept":true' 20
echo gone=1 >>"$air"
check "a network that goes away opens the access point" says lamp 'access point open' 30
sed -i '/gone/d' "$air"
check "which closes when it is back" says lamp 'access point closed' 90
end_device TERM

# R8: the counter of milliseconds wraps two seconds after the start.
up_ms=$(awk '{ printf "%d", $1 * 1000 }' /proc/uptime)
run_device lamp "$flash" --board counter=$(((4294967296 - up_ms % 4294967296 - 2000) % 4294967296))
check "over the counter's wrap it connects (R8)" says lamp '^connected' 30
sleep 3
check "and stays" not grep -q 'again in' "$scratch/lamp.out"
end_device TERM

# kill -9 in the middle of trials, at seeded moments.
RANDOM=7
count=12
[ "${THIMBLE_TEST_MODE:-ci}" = full ] && count=200
survived=0
for i in $(seq $count); do
    value=$((30 + i % 60))
    "$device" --flash "$flash" --set mqtt.keep_alive=$value >/dev/null 2>&1
    [ $((i % 4)) = 0 ] && "$device" --flash "$flash" --set mqtt.server=nowhere.invalid >/dev/null 2>&1
    run_device lamp "$flash"
    sleep "0.$(printf %03d $((RANDOM % 900)))"
    end_device KILL
    survived=$((survived + 1))
done
echo "killed $survived times"
run_device lamp "$flash"
check "after all that it connects" says lamp '^connected' 60
sleep 3
end_device TERM
check "and no trial is left undecided" "$device" --flash "$flash" --set mqtt.keep_alive=60

# I1: nothing it ever printed or sent holds its key.
cp "$flash" "$scratch/copy"
check "a search for its key finds it in its flash" not "$enrol" "$flash" seek "$scratch/copy"
check "and in no output, message or request (I1)" "$enrol" "$flash" seek "$scratch"/*.out "$scratch/watch" \
    "$scratch"/*.der "$scratch"/*.csr
finish
