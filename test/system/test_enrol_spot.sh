# SPDX-License-Identifier: MIT
# From a blank flash to a device in MQTT mode by one command, over its page's address or its serial
# console, and back to its page: F1 F3 F12 I1. A real mosquitto, real processes.
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1
page() { sed -n 's/^the page is at \(http:.*\)\/config$/\1/p' "$scratch/$1.out" | tail -n 1; }
blank() { # NAME options...: a blank device with its page, and its code in a file
    run_device "$1" "$scratch/$1.flash" --http 127.0.0.1:0 "${@:2}"
    says "$1" '^the page is at' || return 1
    sed -n 's/^set-up code: //p' "$scratch/$1.out" >"$scratch/$1.code"
}
enrol() { timeout 60 "$thimble" device enrol "$1" "$(page "$1")" --code-file "$scratch/$1.code" "${@:2}"; }
shows() { "$device" --flash "$scratch/$1.flash" --show --json >"$scratch/show.json" && json "$scratch/show.json" "$2"; }
sockets() { ss -Htlnp | grep -c "pid=$running,"; }

check "a broker with its authorities" set_the_stage
"$thimble" user add anna --role admin >/dev/null || exit 1
watch

check "a blank device opens its page" blank lamp --board pins="$scratch/pins"
printf '0123-4567-89AB-CDEF\n' >"$scratch/wrong.code"
check "a wrong code is refused (F1)" refused 13 "refuses the set-up code" "$thimble" device enrol lamp "$(page lamp)" \
    --code-file "$scratch/wrong.code"
check "and has issued nothing" not test -e "$home/devices/lamp"
check "what is no code is told here" refused 3 "16 letters and digits" "$thimble" device enrol lamp "$(page lamp)" --code abc
check "one command enrols it" enrol lamp --set zones.count=1 --set zones.pins=5 --set zones.most_s=60
check "it is connected" says lamp '^connected' 30
check "everybody sees it" watched '^lamp/status online' 20
check "its change is kept" says lamp 'kept' 20
check "in MQTT mode it has no listening socket (F3)" test "$(sockets)" = 0
check "and nobody can connect where the page was" not curl -s -m 2 "$(page lamp)/config"

check "a zone goes on" sh -c "$thimble call lamp Zone.On '{\"zone\":1,\"seconds\":5}' --as anna | grep -q '\"on\": *true'"
check "the broker brings the page back" sh -c "$thimble call lamp Mode.Set '{\"mode\":\"config\"}' --as anna | grep -q trial"
check "it is there" wait_for 10 sh -c "curl -s -m 2 -o /dev/null $(page lamp)/config || curl -s -m 2 -o /dev/null \$(sed -n 's/^the page is at \(.*\)\/config$/\1/p' $scratch/lamp.out | tail -n 1)"
cat >"$scratch/look.py" <<'EOF'
import sys
sys.path.insert(0, sys.argv[1])
from local import Session, Web
me = Session(Web(sys.argv[2].replace("http://", "")), open(sys.argv[3]).read().strip().replace("-", ""))
assert me.call("Config.Get", key="zones")["zones"]["pins"] == "5", "settings"
assert me.call("Enrol.Status") == {"enrolled": True, "requested": False, "name": "lamp"}, "status"
assert me.call("Mode.Set", mode="mqtt") == {"trial": True}
EOF
check "with settings and certificate intact" timeout 30 python3 "$scratch/look.py" "$THIMBLE_SOURCE/test/system" "$(page lamp)" "$scratch/lamp.code"
check "and leads to MQTT mode again" sh -c "for i in \$(seq 100); do [ \$(grep -c '^connected' $scratch/lamp.out) -ge 2 ] && exit; sleep 0.1; done; exit 1"
end_device TERM
check "run again, nothing is enrolled twice" shows lamp "d ->> '\$.name' = 'lamp'"

# I1: neither key nor code nor what was typed stands in what anybody said.
check "no secret was said (I1)" not grep -rqF -e "$(cat "$scratch/lamp.code")" "$scratch/watch" "$home/devices/lamp"

# A wrong Wi-Fi password: on trial, and back on the page with the reason.
printf 'ssid=home\npass=right password\n' >"$scratch/wifi"
printf 'wrong password\n' >"$scratch/wifi.pass"
check "a device with a radio" blank shed --board wifi="$scratch/wifi"
check "is enrolled with a wrong Wi-Fi password" enrol shed --ssid home --wifi-pass-file "$scratch/wifi.pass"
check "tries it, and comes back" sh -c "for i in \$(seq 400); do [ \$(grep -c '^page open' $scratch/shed.out) -ge 2 ] && exit; sleep 0.1; done; exit 1"
cat >"$scratch/why.py" <<'EOF'
import sys
sys.path.insert(0, sys.argv[1])
from local import Session, Web
me = Session(Web(sys.argv[2].replace("http://", "")), open(sys.argv[3]).read().strip().replace("-", ""))
last = me.call("Sys.GetInfo")["last_trial"]
assert not last["kept"] and last["reason"] == "the network refuses us", last
assert any("refuses us" in str(item) for item in me.call("Log.Tail")), "log"
assert me.call("Config.Get", key="wifi.sta.ssid")["wifi"]["sta"]["ssid"] == "", "taken back"
networks = me.call("Wifi.Scan")
assert networks["done"] and networks["networks"][0]["ssid"] == "home", networks
me.call("Session.End")
EOF
check "with the reason" timeout 30 python3 "$scratch/why.py" "$THIMBLE_SOURCE/test/system" "$(page shed)" "$scratch/shed.code"
printf 'right password\n' >"$scratch/wifi.pass"
check "the right one" enrol shed --ssid home --wifi-pass-file "$scratch/wifi.pass"
check "connects it, with the certificate it has" says shed '^connected' 30
end_device TERM

# F12: whoever alters a byte of the enrolment: it fails and is told, or the byte meant nothing.
check "a device to be attacked" blank vase
attack() { # SEED
    local made name=v$1
    rm -f "$scratch/middle.port"
    python3 "$THIMBLE_SOURCE/test/system/middle.py" "$scratch/middle.port" "$(page vase | sed 's/http:..//')" "$1" &
    made=$!
    children+=("$made")
    wait_for 5 test -s "$scratch/middle.port" || return 1
    timeout 60 "$thimble" device enrol "$name" "http://127.0.0.1:$(cat "$scratch/middle.port")" --stay --take --replace \
        --code-file "$scratch/vase.code" >"$scratch/attack.out" 2>"$scratch/attack.err"
    local code=$?
    kill "$made" && wait "$made" 2>/dev/null
    if [ $code != 0 ]; then
        grep -q '  next: ' "$scratch/attack.err" || return 1
        altered=$((altered + 1))
        return 0
    fi
    # The byte meant nothing, or fell behind the end: then everything is as the tool has said.
    grep -q "$name is enrolled" "$scratch/attack.out" || { cat "$scratch/attack.out"; return 1; }
    timeout 60 python3 "$scratch/reset.py" "$THIMBLE_SOURCE/test/system" "$(page vase)" "$scratch/vase.code"
    wait_for 10 sh -c "[ \$(grep -c '^page open' $scratch/vase.out) -gt $resets ]"
    resets=$((resets + 1))
}
cat >"$scratch/reset.py" <<'EOF'
import sys
sys.path.insert(0, sys.argv[1])
from local import Session, Web
me = Session(Web(sys.argv[2].replace("http://", "")), open(sys.argv[3]).read().strip().replace("-", ""), take=True)
if me.call("Enrol.Status")["enrolled"]:
    me.call("Sys.FactoryReset")
EOF
altered=0 resets=1
for seed in ${SEEDS:-0 1 3 6 12 15}; do
    check "a byte altered on the way, seed $seed (F12)" attack "$seed"
done
check "most were refused" test "$altered" -ge 4
end_device TERM

# The serial console: the same frames, one a line.
cat >"$scratch/cable.py" <<'EOF'
import os, selectors, sys, tty
ends = [os.openpty() for _ in range(2)]
wait = selectors.DefaultSelector()
for (here, there), to, path in zip(ends, reversed(ends), sys.argv[1:]):
    tty.setraw(there)
    os.symlink(os.ttyname(there), path)
    wait.register(here, selectors.EVENT_READ, to[0])
while True:
    for key, _ in wait.select():
        os.write(key.data, os.read(key.fd, 4096))
EOF
python3 "$scratch/cable.py" "$scratch/tty.device" "$scratch/tty.host" &
children+=("$!")
wait_for 5 test -e "$scratch/tty.host"
run_device post "$scratch/post.flash" --console "$scratch/tty.device"
timeout 1 cat "$scratch/tty.host" >"$scratch/post.console"
sed -n 's/^set-up code: //p' "$scratch/post.console" "$scratch/post.out" >"$scratch/post.code"
check "one command over the serial console" timeout 60 "$thimble" device enrol post --serial "$scratch/tty.host" --code-file "$scratch/post.code"
check "connects it" watched '^post/status online' 20
end_device TERM
finish
