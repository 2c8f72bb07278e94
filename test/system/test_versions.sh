# SPDX-License-Identifier: MIT
# O14: what the next version has written survives this one, and back: test_versions.sh [linux|lx106].
# test/next is that version: further settings, further kinds of records in the log and among the
# identities, items in the history that this one does not know. Both really run over one flash.
machine=${1:-linux}
. "$THIMBLE_SOURCE/test/system/machine.sh" || exit 1
next=$THIMBLE_BUILD/ports/thimble-device-next
talkers=()

# version NAME: the one that runs from now on; on the board its image goes into the slot.
version() {
    if [ "$machine" = linux ]; then
        device=$THIMBLE_BUILD/ports/thimble-device
        [ "$1" = this ] || device=$next
        return
    fi
    local image=device
    [ "$1" = this ] || image=device_next
    "$images/mkflash" "$scratch/image" "$images/$image.elf" &&
        dd if="$scratch/image" of="$flash" bs=64k skip=1 seek=1 count=2 conv=notrunc 2>/dev/null && # boot records
        dd if="$scratch/image" of="$flash" bs=1M skip=1 seek=1 count=1 conv=notrunc 2>/dev/null     # slot A
}
# on_linux() runs thimble-device, whatever version: put NAME=VALUE, which only the next one knows.
put() { on_linux --set "$1"; }
put_next() {
    if [ "$machine" = linux ]; then put "$1"; else "$next" --geometry lx106 --flash "$flash" --set "$1"; fi
}
found() { sed -n "s/^next: $1 //p" "$scratch/garden.out" | tail -1; } # of the newest start
run_until() { # PATTERN: what it says once it is there
    start_machine && says garden "$1" $((20 * slow))
}

make_flash || exit 1
check "a broker with its authorities" machine_broker
check "this version is enrolled" enrol_machine
check "and put into MQTT mode" put mode=mqtt
[ "$failures" = 0 ] || finish
check "it connects, and keeps that" run_until 'passed the trial'
power_cut

# ---- the next version ----
version next
check "the next version has a setting of its own" put_next next.text=hello
check "it connects over the same flash and keeps it" run_until 'passed the trial'
power_cut
check "a second time it finds its records" run_until '^connected'
records=$(found record)
check "in the log" test "$records" -ge 1
check "and its item in the history" test "$(found items)" = 1
identities=$(found identity)
power_cut
check "another change of its own goes on trial" put_next next.count=42
boot_machine
power_cut # while it is on trial

# ---- this version over that ----
version this
check "this version connects, and ends that trial" run_until 'passed the trial\|taken back'
power_cut
check "it changes a setting" put mqtt.keep_alive=33
check "and keeps it" run_until 'passed the trial'
power_cut
"$thimble" trust sign -o "$scratch/two.bundle" $([ "$machine" = linux ] || echo --broker "$broker_host:$port") >/dev/null
check "and takes a trust bundle, so that its identities are written anew" on_linux --trust "$scratch/two.bundle"
check "which it keeps" run_until 'the new trust passed the trial'
power_cut
# Each start writes: so many that the log goes round, and copies what it does not know.
unit_number() {
    "$thimble" flash inspect --json "$flash" >"$scratch/inspected"
    sqlite3 :memory: "select max(json_extract(value, '$.number')) from json_each(json_extract(cast(readfile('$scratch/inspected') as text), '$.log.units'))"
}
goes_round() {
    local before starts=0
    before=$(unit_number)
    until [ "$(unit_number)" -gt "$before" ] || [ $((starts += 20)) -gt 1000 ]; do
        for _ in $(seq 20); do on_linux --set no.such=1 >/dev/null 2>&1; done
    done
    echo "unit $before, then $(unit_number), $starts starts"
    [ "$(unit_number)" -gt "$before" ]
}
if [ "$machine" = linux ] || [ "${THIMBLE_TEST_MODE:-ci}" = full ]; then
    check "its log goes round" goes_round
fi

# ---- and back ----
version next
check "the next version connects" run_until '^connected'
check "its record in the log is there" test "$(found record)" -gt "$records"
check "and the one among the identities" test "$(found identity)" -gt "$identities"
check "and its item in the history" test "$(found items)" = 1
check "its setting has its value" test "$(found next.text)" = hello
check "the one whose trial this version ended is whole, old or new" sh -c "[ $(found next.count) = 7 ] || [ $(found next.count) = 42 ]"
check "and what this version changed counts" test "$(found mqtt.keep_alive)" = 33
power_cut
finish
