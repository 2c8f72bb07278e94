# SPDX-License-Identifier: MIT
# Requests over the serial console of a real device process, at the other end of a real PTY: frames
# and lines for people beside each other, bad lines, changes that nobody can prove over MQTT. F1, R2.
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1

# Runs the device with its console on a PTY and plays a list of steps: text to send, what an answer
# must hold (or "" for none). Prints what came.
cat >"$scratch/console.py" <<'EOP'
import json, os, select, signal, subprocess, sys, termios, time
program, steps = sys.argv[1:-1], json.loads(sys.argv[-1])
here, there = os.openpty()
child = subprocess.Popen(program + ["--console", os.ttyname(there)], stdin=subprocess.DEVNULL)
lines, rest, wrong = [], b"", 0

def more(seconds):
    global rest
    if select.select([here], [], [], seconds)[0]:
        rest += os.read(here, 65536)
        *whole, rest = rest.split(b"\n")
        lines.extend(line.decode() for line in whole)

def wait_for(text, seconds):
    end, at = time.time() + seconds, 0
    while time.time() < end:
        for at in range(at, len(lines)):
            if text in lines[at]:
                return lines[:at + 1]
        at = len(lines)
        more(0.1)
    return None

# Before that the terminal is not raw, and would echo.
if wait_for("started by", 10) is None:
    sys.exit("the device does not start")
for send, wanted in steps:
    if isinstance(send, list): # in pieces
        for piece in send:
            os.write(here, piece.encode())
            time.sleep(0.02)
    elif send:
        os.write(here, send.encode())
    if wanted and wait_for(wanted, 10) is None:
        print("after", repr(send)[:120], "there is no", wanted, "in", lines, file=sys.stderr)
        wrong = 1
        break
    if wanted:
        while wanted not in lines.pop(0):
            pass
    else:
        more(0.3)
answers = [line for line in lines if line.startswith("{")]
child.send_signal(signal.SIGTERM)
child.wait(10)
echo = termios.tcgetattr(there)[3] & termios.ECHO
if not echo:
    print("the terminal was not given back as it was", file=sys.stderr)
    wrong = 1
if answers:
    print("more answers than were asked for:", answers, file=sys.stderr)
    wrong = 1
sys.exit(wrong)
EOP
console() { timeout 60 python3 "$scratch/console.py" "$device" --flash "$1" "${@:2}"; }
blank=$scratch/blank.flash
# shellcheck disable=SC2016
check "a blank device answers between its lines for people" console "$blank" '[
    ["", "mode config: not enrolled"],
    ["{\"id\":1,\"method\":\"Sys.GetInfo\"}\n", "{\"id\":1,\"src\":\"\",\"dst\":\"console\",\"result\":{\"id\":\"\",\"product\":\"thimble\""],
    ["{\"id\":2,\"method\":\"Rpc.List\"}\r\n", "\"Log.Lines\""]]'
check "a frame comes in any pieces" console "$blank" '[
    [["{\"id\":3,\"met", "hod\":\"Sys.", "GetInfo\"}", "\n"], "{\"id\":3,"]]'
check "lines that are no frames are passed over, bad frames are told what is wrong" console "$blank" '[
    ["AT+RST\r\n\r\n\u0000\u00ff\n", ""],
    ["{\"id\":4,\n", "\"code\":400"],
    ["{\"id\":5,\"method\":\"Open.Sesame\"}\n", "{\"id\":5,\"src\":\"\",\"dst\":\"console\",\"error\":{\"code\":404"],
    ["{\"method\":\"Sys.GetInfo\"}\n", ""],
    ["{\"id\":6,\"method\":\"Sys.GetInfo\"}\n", "{\"id\":6,"]]'
long=$(head -c 1100 /dev/zero | tr '\0' ' ')
check "a line that is too long is refused, and the next is taken" console "$blank" "[
    [\"{\\\"id\\\":7,$long}\\n\", \"\\\"code\\\":413\"],
    [\"{\\\"id\\\":8,\\\"method\\\":\\\"Sys.GetInfo\\\"}\\n\", \"{\\\"id\\\":8,\"]]"
check "settings can be changed there, but not whom it trusts" console "$blank" '[
    ["{\"id\":9,\"method\":\"Config.Set\",\"params\":{\"config\":{\"mqtt\":{\"server\":\"evil.example\"}}}}\n", "\"code\":403"],
    ["{\"id\":10,\"method\":\"Config.Set\",\"params\":{\"config\":{\"telemetry\":{\"interval_s\":7}}}}\n", "{\"trial\":true}"],
    ["", "passed the trial"],
    ["{\"id\":11,\"method\":\"Config.Get\",\"params\":{\"key\":\"telemetry\"}}\n", "\"interval_s\":7"]]'
check "a secret is not given out there either" console "$blank" '[
    ["{\"id\":12,\"method\":\"Config.Set\",\"params\":{\"config\":{\"mqtt\":{\"pass\":\"hidden\"}}}}\n", "{\"trial\":true}"],
    ["", "passed the trial"],
    ["{\"id\":13,\"method\":\"Config.Get\",\"params\":{\"key\":\"mqtt.pass\"}}\n", "\"code\":404"]]'
check "a restart keeps the console" console "$blank" '[
    ["{\"id\":14,\"method\":\"Sys.Reboot\"}\n", "\"result\":true"],
    ["", "started by a restart"],
    ["{\"id\":15,\"method\":\"Sys.GetInfo\"}\n", "\"started\":\"restart\""]]'

# ---- standard input and output ----
stdio() {
    { printf '{"id":1,"method":"Sys.GetInfo"}\n'; sleep 1; } | timeout -s TERM 0.8 "$device" --flash "$blank" --console - >"$scratch/stdio"
    grep -q '^{"id":1,' "$scratch/stdio" && grep -q '^thimble ' "$scratch/stdio"
}
check "standard input and output are a console too" stdio
ended_input() {
    "$device" --flash "$blank" --console - </dev/null >"$scratch/ended" 2>&1 &
    local pid=$!
    children+=("$pid")
    wait_for 5 grep -q 'mode config' "$scratch/ended" && sleep 0.3 && kill -0 "$pid" && kill -TERM "$pid" && wait "$pid"
}
check "without input the device goes on" ended_input
check "a console that is not there is refused" refused 1 "nowhere" "$device" --flash "$blank" --console "$scratch/nowhere"
check "a console is for a device that runs" refused 2 "that runs" "$device" --flash "$blank" --console - --show

# ---- with a broker ----
flash=$scratch/garden.flash
check "a broker with its authorities" set_the_stage
check "the device is enrolled" enrol_device garden "$flash"
"$device" --flash "$flash" --set mode=mqtt >/dev/null
check "a change from the console is proved by the broker's acknowledgement" console "$flash" '[
    ["", "passed the trial"],
    ["{\"id\":1,\"method\":\"Config.Set\",\"params\":{\"config\":{\"mqtt\":{\"keep_alive\":30}}}}\n", "{\"trial\":true}"],
    ["", "trying the new set"],
    ["", "passed the trial"],
    ["{\"id\":2,\"method\":\"Config.Get\",\"params\":{\"key\":\"mqtt.keep_alive\"}}\n", "\"keep_alive\":30"]]'
finish
