# SPDX-License-Identifier: MIT
# Configuration mode on the emulated lx106: the page is served, the device is enrolled through it by
# one command, connects over mutual TLS, and the page comes back. F1 F3 F12, in the budgets.
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1
images=$THIMBLE_SOURCE/build/lx106
flash=$scratch/flash
http=$(free_port)
board() { # NAME: the emulator in the background, its port 80 on ours
    qemu-system-xtensa -M lx60-nommu -cpu lx106 -m 16M -drive "if=pflash,format=raw,file=$flash" \
        -kernel "$images/loader.elf" -display none -monitor none -serial stdio \
        -nic "user,model=open_eth,id=net,hostfwd=tcp:127.0.0.1:$http-:80" \
        -semihosting-config "enable=on,target=native,arg=thimble,arg=backoff=200" \
        >"$scratch/$1.out" 2>"$scratch/$1.err" </dev/null &
    running=$!
    children+=("$running")
}
stack_fits() { # of 5,632 bytes, scripts/budgets.txt
    wait_for 10 grep -q '^stack peak' "$scratch/lamp.out" &&
        sed -n 's/^stack peak \([0-9]*\).*/\1/p' "$scratch/lamp.out" | tail -n 1 | { read -r peak; echo "$peak"; [ "$peak" -le 5632 ]; }
}
pages() { [ "$(grep -c '^page open' "$scratch/lamp.out")" -ge "$1" ]; }

check "a broker with its authorities" set_the_stage --host 10.0.2.2
"$thimble" user add anna --role admin >/dev/null || exit 1
watch
"$images/mkflash" "$flash" "$images/device.elf" || exit 1
board lamp
check "a blank board opens its page" says lamp '^page open' 30
sed -n 's/^set-up code: \([-0-9A-Z]*\).*/\1/p' "$scratch/lamp.out" >"$scratch/code"
check "the page comes whole" sh -c "curl -s -m 20 http://127.0.0.1:$http/config | gzip -dc | grep -q '</html>'"
check "anything else leads to it" sh -c "curl -si -m 20 http://127.0.0.1:$http/generate_204 | grep -q '^Location: /config'"
check "what it answers to the good and the bad" timeout 250 python3 "$THIMBLE_SOURCE/test/system/config_mode.py" \
    "127.0.0.1:$http" "$(cat "$scratch/code")" 1 200 1 10.0.2.15
check "one command enrols it (F12)" timeout 100 "$thimble" device enrol lamp "http://127.0.0.1:$http" --code-file "$scratch/code" \
    --server "10.0.2.2:$port" --set log.level=warn
check "it connects over mutual TLS" says lamp '^connected' 90
check "and keeps it" watched 'the new settings passed the trial' 60
check "on a stack within the budget, the page's included" stack_fits
check "in MQTT mode it has no listening socket (F3)" not curl -s -m 3 -o /dev/null "http://127.0.0.1:$http/config"
check "the broker brings the page back" sh -c "$thimble call lamp Mode.Set '{\"mode\":\"config\"}' --as anna | grep -q trial"
check "it is there again" wait_for 30 pages 2
check "with the settings intact" timeout 30 python3 - "$THIMBLE_SOURCE/test/system" "127.0.0.1:$http" "$scratch/code" <<'EOF'
import sys
sys.path.insert(0, sys.argv[1])
from local import Session, Web
me = Session(Web(sys.argv[2]), open(sys.argv[3]).read().strip().replace("-", ""))
assert me.call("Config.Get", key="log")["log"]["level"] == "warn"
assert me.call("Enrol.Status")["name"] == "lamp"
EOF
end_device KILL
finish
