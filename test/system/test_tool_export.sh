# SPDX-License-Identifier: MIT
# The broker where it is to stay: in one directory for a router, under systemd, restarted, with a large
# fleet; and the topics of older programs for the devices that asked for them (F6, I8).
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME
port=$(free_port)
user_port=$(free_port)
log=$scratch/broker.log

init() { "$thimble" broker init --replace --no-proof --port "$port" --user-port "$user_port" --recovery-port "$(free_port)" --bind 127.0.0.1 "$@"; }
start_broker() {
    "$thimble" broker run >"$log" 2>&1 &
    broker=$!
    children+=("$broker")
    wait_for 10 grep -q "The broker is up" "$log"
}
stop_broker() {
    kill -TERM "$1"
    wait "$1"
}
mode_is() { [ "$(stat -c %a "$1")" = "$2" ]; }

check "export before init names the command to run first" sh -c "$thimble ca init >/dev/null; $thimble broker export x 2>&1 |
    grep -q 'next: thimble broker init'"
init >/dev/null
"$thimble" device enrol lamp pump >/dev/null
"$thimble" user add olga --role operator --connections 2 >/dev/null
"$thimble" user add vera >/dev/null
"$thimble" user add vito >/dev/null

# ---- the topics of older programs ----
mac=240ac4000001
check "a device that is not there gets no legacy topics" refused 4 "no device" "$thimble" device legacy nobody --mac $mac
check "nor does a user" refused 4 "no device" "$thimble" device legacy vera --mac $mac
check "what is no MAC address is refused" refused 3 "no MAC address" "$thimble" device legacy lamp --mac 24:0a:c4:00:00
check "nothing asked for is a usage error" refused 2 "--mac or --off" "$thimble" device legacy lamp
check "without it the rights name none of them" not grep -qE 'mqtt_[rt]x_|irrigation' "$home/broker/acl"
check "a device asks for them" "$thimble" device legacy lamp --mac 24:0A:C4-00:00:01
check "another cannot have the same address" refused 5 "is the address of 'lamp'" "$thimble" device legacy pump --mac $mac
check "the broker with them is proved (F6)" "$thimble" broker prove
"$thimble" broker prove --json >"$scratch/proof.json"
check "and the proof has rows for them (F6)" json "$scratch/proof.json" "(select count(*) from json_each(d, '\$.proof')
    where value ->> 'claim' like '%legacy%' and value ->> 'ok' = 1) >= 2"
start_broker
listen() { # NAME filter: what arrives is in NAME.got
    "$thimble" sub --as "$1" -t "$2" -t lamp/status -W 20 -v >"$scratch/$1.got" 2>/dev/null &
    children+=("$!")
    wait_for 5 grep -q "as $1 (p5" "$log"
    sleep 0.2
}
listen lamp "mqtt_rx_$mac"
listen pump "mqtt_rx_$mac"
listen vera "mqtt_tx_$mac"
check "an operator's request arrives at the device" "$thimble" pub --as olga -t mqtt_rx_$mac -m '/?request=GetSensors' -q 1
check "as it is" wait_for 3 grep -q "mqtt_rx_$mac /?request=GetSensors" "$scratch/lamp.got"
check "a viewer's is refused (F6)" refused 6 "" "$thimble" pub --as vito -t mqtt_rx_$mac -m x -q 1
check "another device hears none of it (F6)" not grep -q GetSensors "$scratch/pump.got"
check "an operator's time for a zone is taken" "$thimble" pub --as olga -t irrigation/zone/on -m "1 60" -q 1
check "another device answers for nobody (F6)" refused 6 "" "$thimble" pub --as pump -t mqtt_tx_$mac -m x -q 1
check "and switches nothing (F6)" refused 6 "" "$thimble" pub --as pump -t irrigation/zone/on -m "1 60" -q 1
check "the device's answer is taken" "$thimble" pub --as lamp -t mqtt_tx_$mac -m '{"LED":1}' -q 1
"$thimble" device legacy lamp --off >/dev/null
check "taken away, an operator's request is refused" refused 6 "" "$thimble" pub --as olga -t mqtt_rx_$mac -m x -q 1
stop_broker "$broker"

# ---- one directory for a router ----
router=$scratch/router
check "broker export makes one directory" "$thimble" broker export "$router" --prefix "$router" --data "$router/data" \
    --user "$(id -un)"
check "that names nothing outside it" not grep -q "$home" "$router/mosquitto.conf"
check "broker lint finds nothing in it" "$thimble" broker lint "$router/mosquitto.conf"
for file in server.key passwords; do
    check "$file is its owner's alone" mode_is "$router/$file" 600
done
mkdir "$router/data"
mosquitto -c "$router/mosquitto.conf" >"$scratch/router.log" 2>&1 &
child=$!
children+=("$child")
wait_for 10 listens "$port"
check "mosquitto runs from it" "$thimble" pub --as lamp -t lamp/status -m hello -q 1
check "and refuses who has no right (F6)" refused 6 "" "$thimble" pub --as lamp -t pump/status -m hello -q 1
stop_broker "$child"
check "for OpenWrt it is /etc/mosquitto unless told" sh -c "$thimble broker export '$scratch/other' >/dev/null &&
    grep -qx 'certfile /etc/mosquitto/server.crt' '$scratch/other/mosquitto.conf' &&
    grep -qx 'persistence_location /tmp/mosquitto/' '$scratch/other/mosquitto.conf' && grep -qx 'user mosquitto' '$scratch/other/mosquitto.conf'"
check "a prefix that is no full path is refused" refused 2 "full path" "$thimble" broker export "$scratch/other" --prefix etc

# ---- systemd ----
init --websockets "$(free_port)" >/dev/null
mkdir -p "$scratch/units/mosquitto.service.d"
printf '[Unit]\nDescription=mosquitto\n[Service]\nExecStartPre=/nowhere\nExecStart=/usr/sbin/mosquitto\n' >"$scratch/units/mosquitto.service"
cp "$home/broker/systemd.conf" "$scratch/units/mosquitto.service.d/thimble.conf"
check "systemd takes the drop-in" sh -c "SYSTEMD_UNIT_PATH='$scratch/units:' systemd-analyze verify mosquitto.service >'$scratch/verify' 2>&1 &&
    ! grep -q thimble.conf '$scratch/verify'"
notified() { # the command of the drop-in, waited for as systemd waits for Type=notify
    python3 - "$scratch/notify" "$log" "$1" <<'PY'
import os, shlex, socket, struct, subprocess, sys
path, log, unit = sys.argv[1:]
line = [l[10:] for l in open(unit) if l.startswith("ExecStart=\"")][0]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind(path)
s.settimeout(15)
child = subprocess.Popen(shlex.split(line), env={**os.environ, "NOTIFY_SOCKET": path}, stdout=open(log, "w"))
try:
    while True: # NotifyAccess=main: mosquitto tells systemd as well, and is not the main process
        text, extra, _, _ = s.recvmsg(100, socket.CMSG_SPACE(12))
        if text == b"READY=1" and struct.unpack("iii", extra[0][2])[0] == child.pid:
            break
    said = open(log).read()
    assert "The broker is up" in said and "Reloading config" in said, said # the SIGHUP for WebSocket is out
finally:
    child.terminate()
    child.wait()
PY
}
check "its command tells systemd when the broker is up, after the SIGHUP for WebSocket" notified "$home/broker/systemd.conf"

# ---- a restart of the running one ----
init >/dev/null
cat >"$scratch/restart" <<END
#!/bin/sh
kill -TERM \$(cat "$scratch/pid")
while kill -0 \$(cat "$scratch/pid") 2>/dev/null; do sleep 0.05; done
setsid "$thimble" broker run >"$log.2" 2>&1 & echo \$! >"$scratch/pid"
END
chmod +x "$scratch/restart"
(exec setsid "$thimble" broker run >"$log" 2>&1) &
disown $!
wait_for 10 grep -q "The broker is up" "$log"
sed -n 's/.*process \([0-9]*\)$/\1/p' <<<"$("$thimble" broker run 2>&1)" | head -1 >"$scratch/pid"
check "the running broker is proved over a restart (I8)" sh -c "$thimble broker prove --restart-command '$scratch/restart' >$scratch/proof &&
    grep -q 'a revoked one, after a restart' $scratch/proof && grep -q running '$log.2'"
check "a restart that fails is said" refused 1 "failed" "$thimble" broker prove --restart-command false
children+=("$(cat "$scratch/pid")")
kill "$(cat "$scratch/pid")"

# ---- a large fleet ----
sqlite3 "$home/registry.db" "with recursive n(i) as (select 1 union all select i + 1 from n where i < 6000)
    insert into principal (name, kind, role, state, created_s) select 'sensor-' || i, 'device', '', 'active', 0 from n"
init >/dev/null
check "the rights of 6,000 devices are more than a mebibyte" [ "$(stat -c %s "$home/broker/acl")" -gt 1048576 ]
check "and proved all the same" "$thimble" broker prove
check "and linted" "$thimble" broker lint "$home/broker/mosquitto.conf"
finish
