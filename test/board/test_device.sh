# SPDX-License-Identifier: MIT
# The device as an image on the emulated lx106 against a real mosquitto: trials over resets, and the
# power gone at seeded moments (20, 200 in full mode).
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1
images=$THIMBLE_SOURCE/build/lx106
flash=$scratch/flash
export DEVICE_GEOMETRY=lx106

# board NAME parameters...: the emulator in the background, its console in $scratch/NAME.out.
board() {
    local name=$1 arguments= parameter
    for parameter in backoff=200 "${@:2}"; do arguments=$arguments,arg=$parameter; done
    qemu-system-xtensa -M lx60-nommu -cpu lx106 -m 16M -drive "if=pflash,format=raw,file=$flash" \
        -kernel "$images/loader.elf" -display none -monitor none -serial stdio \
        -qmp "unix:$scratch/qmp,server=on,wait=off" -nic user,model=open_eth,id=net \
        -semihosting-config "enable=on,target=native,arg=thimble$arguments" \
        >"$scratch/$name.out" 2>"$scratch/$name.err" </dev/null &
    running=$!
    children+=("$running")
}
reset_board() {
    python3 - "$scratch/qmp" <<'PY'
import socket, sys
qmp = socket.socket(socket.AF_UNIX)
qmp.connect(sys.argv[1])
lines = qmp.makefile("rw")
lines.readline()
for command in ("qmp_capabilities", "system_reset"):
    lines.write('{"execute":"%s"}\n' % command)
    lines.flush()
    lines.readline()
PY
}
on_linux() { "$device" --geometry lx106 --flash "$flash" "$@"; }
# The first of two crashes has been written down: the power may go.
crashed_twice() { [ "$(grep -c 'started by a crash' "$scratch/lamp.out")" -ge 2 ]; }
stack_fits() { # of 5,632 bytes, scripts/budgets.txt
    wait_for 10 grep -q '^stack peak' "$scratch/lamp.out" &&
        sed -n 's/^stack peak \([0-9]*\).*/\1/p' "$scratch/lamp.out" | { read -r peak; echo "$peak"; [ "$peak" -le 5632 ]; }
}
connections() { [ "$(grep -c '^connected' "$scratch/$1.out")" -ge "$2" ]; }

check "a broker with its authorities" set_the_stage --host 10.0.2.2
watch
"$images/mkflash" "$flash" "$images/device.elf" || exit 1
board blank
check "a blank board starts in configuration mode" says blank 'mode config: not enrolled' 30
end_device KILL
check "it is enrolled" enrol_device lamp "$flash" --broker "10.0.2.2:$port"
check "and put into MQTT mode" on_linux --set mode=mqtt
[ "$failures" = 0 ] || finish
board lamp
check "it tries that, and connects over mutual TLS" says lamp '^connected' 90
check "on a stack within the budget" stack_fits
check "and keeps it" watched 'the new settings passed the trial' 60
check "a reset" reset_board
check "is followed by a connection without a trial" wait_for 90 connections lamp 2
check "another one" reset_board
check "by a resumed session out of RTC memory" says lamp 'TLS resumed' 60
end_device KILL

board lamp set=mqtt.server=nowhere.invalid
check "a bad broker name goes on trial" says lamp '^on trial' 60
end_device KILL
board lamp
check "also over a power cut, and is taken back" says lamp 'the new settings were taken back: name:' 120
check "and reported" watched '"kept":false,"error":"NAME_' 90
end_device KILL

RANDOM=11
count=20
[ "${THIMBLE_TEST_MODE:-ci}" = full ] && count=200
for i in $(seq $count); do
    board killed "set=mqtt.keep_alive=$((20 + i))"
    sleep "0.$(printf %03d $((RANDOM % 1000)))"
    end_device KILL
done
board lamp crash=500
check "a crash and another one" wait_for 60 crashed_twice
end_device KILL
board lamp
check "after $count power cuts it connects" says lamp '^connected' 180
check "and the crash was reported" watched '"event":"crash"' 60
wait_for 60 grep -q 'passed the trial\|taken back' "$scratch/lamp.out"
end_device KILL
check "no trial is left undecided" on_linux --set mqtt.keep_alive=60
finish
