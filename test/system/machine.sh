# SPDX-License-Identifier: MIT
# One device on one of two machines behind a real broker: a process with files as flash and pins
# (linux), or the image for the emulated board (lx106). Set `machine`, source this, end with `finish`.
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1
flash=$scratch/garden.flash
pins=$scratch/pins      # linux: the pins themselves
pins_in=$scratch/pins-in pins_out=$scratch/pins-out
images=$THIMBLE_SOURCE/build/lx106
broker_host=localhost
slow=1 # an emulated handshake takes so much longer
[ "$machine" = linux ] || broker_host=10.0.2.2 slow=6
[ "$machine" = linux ] || export DEVICE_GEOMETRY=lx106
HOLD_PIN=12 CRASH_PIN=13

# ---- its flash ----
on_linux() {
    if [ "$machine" = linux ]; then "$device" --flash "$flash" "$@"; else
        "$device" --geometry lx106 --flash "$flash" "$@"
    fi
}
make_flash() { # a blank one, with the image where there is one
    [ "$machine" = linux ] || "$images/mkflash" "$flash" "$images/${1:-device}.elf"
}
machine_broker() { set_the_stage --host "$broker_host"; }
enrol_machine() {
    if [ "$machine" = linux ]; then enrol_device garden "$flash"; else
        enrol_device garden "$flash" --broker "$broker_host:$port"
    fi
}

# ---- running ----
# start_machine [PARAMETER...]: up and connected. The parameters are those of the emulator.
boot_machine() {
    if [ "$machine" = linux ]; then
        run_device garden "$flash" --board "pins=$pins"
        return
    fi
    local arguments= parameter
    for parameter in backoff=200 "pins-in=$pins_in" "pins-out=$pins_out" hold-pin=$HOLD_PIN crash-pin=$CRASH_PIN "$@"; do
        arguments=$arguments,arg=$parameter
    done
    [ -f "$pins_in" ] || printf '0000000000000000\n0000\n0000\n0000\n0000\n0000\n0000\n0000\n0000\n' >"$pins_in"
    # The plugin reports what the real chip would trap, once the emulator ends.
    qemu-system-xtensa -M lx60-nommu -cpu lx106 -m 16M -drive "if=pflash,format=raw,file=$flash" \
        -kernel "$images/loader.elf" -display none -monitor none -serial stdio \
        -plugin "$THIMBLE_SOURCE/build/plugin.so,out=$scratch/plugin.$SRANDOM,board=lx106" \
        -qmp "unix:$scratch/qmp,server=on,wait=off" -nic user,model=open_eth,id=net \
        -semihosting-config "enable=on,target=native,arg=thimble$arguments" \
        >"$scratch/garden.out" 2>"$scratch/garden.err" </dev/null &
    running=$!
    children+=("$running")
}
connected_times() { [ "$(grep -c '^connected' "$scratch/garden.out")" -ge "$1" ]; }
start_machine() {
    boot_machine "$@"
    wait_for $((15 * slow)) connected_times 1 && wait_for 10 there
}
# Again after a start of its own: the board starts in the same emulator, a dead process does not.
start_again() { # CONNECTIONS so far
    if [ "$machine" = linux ] && ! kill -0 "$running" 2>/dev/null; then start_machine; else
        wait_for $((15 * slow)) connected_times $(($1 + 1))
    fi
    wait_for 10 there # connected is not subscribed yet
}
there() { [ ${#talkers[@]} = 0 ] || answers anna; }
power_cut() { end_device KILL; }
end_machine() { end_device TERM; }

# ---- pins ----
# The board reads digits of this file: its inputs, then its converters.
set_input() { printf %s "$2" | dd of="$pins_in" bs=1 seek="$1" conv=notrunc 2>/dev/null; }
# analog INPUT VALUE: somebody turns a knob.
analog() {
    if [ "$machine" = linux ]; then
        printf %06d "$2" | dd of="$pins" bs=1 seek=$((32 * 18 + 7 + $1 * 13 + 6)) conv=notrunc 2>/dev/null
    else
        printf %04d "$2" | dd of="$pins_in" bs=1 seek=$((17 + $1 * 5)) conv=notrunc 2>/dev/null
    fi
}
# pin NUMBER LEVEL: so it is driven now. The board's pull keeps what nobody drives high.
pin() {
    if [ "$machine" = linux ]; then
        grep -q "^pin $(printf %02d "$1") out $2" "$pins"
    else
        [ "$(awk -v pin="$(printf %x "$1")" '$2 == "reset" { level = 1 } $2 == pin { level = $3 }
            END { print level }' "$pins_out")" = "$2" ]
    fi
}

# ---- trouble ----
# hang: the loop stands still. The process stands for good, the board until its watchdog bites.
hang() { if [ "$machine" = linux ]; then kill -STOP "$running"; else set_input $HOLD_PIN 1; fi; }
hang_over() {
    if [ "$machine" = linux ]; then kill -CONT "$running"; else
        wait_for 10 grep -q 'started by the watchdog' "$scratch/garden.out"
        set_input $HOLD_PIN 0
        start_again "$1"
    fi
}
crash() {
    if [ "$machine" = linux ]; then kill -SEGV "$running"; else
        set_input $CRASH_PIN 1
        wait_for 10 grep -q 'started by a crash' "$scratch/garden.out"
        set_input $CRASH_PIN 0
    fi
}
# What the chip would have trapped, of all that ran here.
rules_kept() {
    [ "$machine" = lx106 ] || return 0
    ! grep -h violation "$scratch"/plugin.* && ls "$scratch"/plugin.* >/dev/null
}
