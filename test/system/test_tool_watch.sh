# SPDX-License-Identifier: MIT
# thimble watch against a real mosquitto: lines for programs, a table on a terminal.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
port=$(free_port)
user_port=$(free_port)
"$thimble" ca init --name Test >/dev/null && "$thimble" broker init --no-proof --recovery-port 0 \
    --port "$port" --user-port "$user_port" --bind 127.0.0.1 --host localhost >/dev/null &&
    "$thimble" device enrol garden pump >/dev/null && "$thimble" user add olga --role operator >/dev/null || exit 1
"$thimble" broker run >"$scratch/broker.log" 2>&1 &
children+=("$!")
wait_for 10 grep -q "The broker is up" "$scratch/broker.log" || exit 1
say() { timeout 20 "$thimble" pub --as "$@"; }
say garden -r -t garden/status -m online
say pump -r -t pump/status -m offline

# ---- for programs ----
"$thimble" watch 'gar*' -C 4 -W 20 >"$scratch/lines" 2>"$scratch/err" &
watcher=$!
children+=("$watcher")
wait_for 10 grep -q status "$scratch/lines"
say garden -t garden/telemetry/Ain0 -m '{"value":512,
"alarm":"normal"}'
say pump -t pump/telemetry/Ain0 -m '{"value":1}'
say garden -t garden/zone/2 -m '{"on":true,"seconds":105}'
say garden -t garden/log -m 'not "JSON"'
wait "$watcher"
check "watch ends after -C lines" test $? = 0
check "each line is a JSON object" python3 -c 'import json, sys
for line in open(sys.argv[1]): json.loads(line)' "$scratch/lines"
check "a retained message says so" grep -q '"device":"garden","kind":"status","retained":true,"payload":"online"}$' "$scratch/lines"
check "a JSON payload stays JSON, in one line" grep -q '"name":"Ain0","retained":false,"payload":{"value":512, "alarm":"normal"}}$' "$scratch/lines"
check "another payload is a string" grep -q '"kind":"log","retained":false,"payload":"not \\"JSON\\""}$' "$scratch/lines"
check "FILTER leaves other devices out" not grep -q pump "$scratch/lines"
check "-W ends it" timeout 10 "$thimble" watch -W 1 nobody
check "of nobody, a user is asked for" refused 4 "nobody" "$thimble" watch --as nobody

# ---- for people ----
# Runs watch on a terminal of 24 rows and 100 columns, and prints the last screen it drew.
cat >"$scratch/terminal.py" <<'EOF'
import fcntl, os, pty, select, signal, struct, sys, termios, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
seen, end = b"", time.time() + 20
while time.time() < end:
    if select.select([fd], [], [], 0.1)[0]:
        try:
            seen += os.read(fd, 65536)
        except OSError:
            break
    if sys.argv[1].encode() in seen.split(b"\x1b[H")[-1]:
        os.kill(pid, signal.SIGINT)
        end = min(end, time.time() + 3)
os.waitpid(pid, 0)
sys.stdout.write(seen.decode(errors="replace"))
EOF
python3 "$scratch/terminal.py" "61.25" "$thimble" watch >"$scratch/screen" &
watcher=$!
children+=("$watcher")
wait_for 10 sh -c "sleep 1; true"
say garden -t garden/zone/2 -m '{"on":true,"seconds":105}'
say garden -t garden/log -m "$(printf '{"event":"failure","text":"no answer\\u001b[35m"}')"
say garden -t garden/telemetry/cpu -m '{"value":61.25,"unit":"°C","alarm":"high"}'
wait "$watcher"
screen() { python3 - "$scratch/screen" <<'EOF'
import re, sys
text = open(sys.argv[1]).read()
last = [part for part in text.split("\x1b[H") if "61.25" in part][-1]
print(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", last))
EOF
}
screen >"$scratch/last"
check "the table shows status and values" grep -q "garden *online .*z2 on 1:45 *cpu 61.25 °C" "$scratch/last"
check "the table shows who is away" grep -q "pump *offline *-" "$scratch/last"
check "what a device logs stands below" grep -q "garden no answer" "$scratch/last"
check "a device's control characters stay off the terminal" not grep -q $'\x1b''\[35m' "$scratch/screen"
check "the screen is given back" grep -q $'\x1b''\[?1049l' "$scratch/screen"
finish
