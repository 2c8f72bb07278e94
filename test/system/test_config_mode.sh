# SPDX-License-Identifier: MIT
# A blank device in configuration mode over real sockets: F1, F3, F4, F5, I1. The client is written
# from docs/config-mode.md alone.
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1
flash=$scratch/blank.flash
run_device blank "$flash" --http 127.0.0.1:0
says blank '^the page is at'
code=$(sed -n 's/^set-up code: //p' "$scratch/blank.out")
page=$(sed -n 's/^the page is at http:..\(.*\).config$/\1/p' "$scratch/blank.out")
timeout 300 python3 "$THIMBLE_SOURCE/test/system/config_mode.py" "$page" "$code" | tee "$scratch/said"
check "what it answers to the good and the bad" test "${PIPESTATUS[0]}" = 0
check "its console has said nothing of secrets (I1)" not grep -q "geheim" "$scratch/blank.out"
check "it has not fallen over" kill -0 "$running"

# F3: whoever is in MQTT mode has no door, whatever is asked of it.
sockets() { ss -Htlnp | grep -c "pid=$running,"; }
check "in configuration mode it listens once" test "$(sockets)" = 1
end_device TERM

# A button brings the page back to a device at work.
flash=$scratch/lamp.flash
pins=$scratch/pins
# hold LEVEL: what pin 14, an input, shows in the file of virtual pins.
hold() { printf %s "$1" | dd of="$pins" bs=1 seek=$((14 * 18 + 16)) conv=notrunc 2>/dev/null; }
check "a device at work" set_the_stage
check "has certificates" enrol_device lamp "$flash"
check "has a button" "$device" --flash "$flash" --set mode=mqtt --set sys.button=14
run_device lamp "$flash" --board "pins=$pins" --http 127.0.0.1:0
check "it connects" says lamp '^connected' 20
check "and nothing listens (F3)" test "$(sockets)" = 0
hold 0
sleep 1
hold 1
sleep 3
check "a touch does nothing" test "$(sockets)" = 0
hold 0
check "three seconds bring the page back" says lamp '^the page is at'
check "the console says why" says lamp 'the button was held: configuration mode'
check "and it listens" test "$(sockets)" = 1
hold 1
end_device TERM
finish
