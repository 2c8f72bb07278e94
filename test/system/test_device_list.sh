# SPDX-License-Identifier: MIT
# What every device must do, on any machine: test_device_list.sh [linux|lx106]. Requests of each
# role, bad and hostile ones, zones through hang, crash, reset and lost broker, settings on trial,
# and each forbidden action of users and devices with its delivery watched (R9, R10, F6, F11).
machine=${1:-linux}
. "$THIMBLE_SOURCE/test/system/machine.sh" || exit 1
. "$THIMBLE_SOURCE/test/system/device_callers.sh" || exit 1
all_off() { pin 5 1 && pin 4 1 && pin 14 1; }
times() { grep -c '^connected' "$scratch/garden.out"; }

make_flash || exit 1
check "a broker with its authorities" machine_broker
check "users of each role" add_users
check "the device is enrolled" enrol_machine
check "and a neighbour" "$thimble" device enrol hut
"$thimble" user add late --role operator >/dev/null # after the trust set was signed
check "three relays, two of them in a group" on_linux --set mode=mqtt --set zones.count=3 \
    --set zones.pins=5,4,14 --set zones.most_s=600 --set zones.groups=1,1,0 --set telemetry.dead_band=50 --set ha.caller=ha
check "it connects, and keeps that" start_machine
[ "$failures" = 0 ] || finish
open_callers
wait_for 20 grep -q 'passed the trial' "$scratch/garden.out"

for chapter in requests work forbidden; do
    . "$THIMBLE_SOURCE/test/system/device_$chapter.sh"
done
end_machine
check "nothing that the real chip would trap" rules_kept
finish
