# SPDX-License-Identifier: MIT
# thimble device run: the device as a child, its virtual pins as a table on a terminal that is given
# back whatever happens, or as lines. R9: the device ends with whoever runs it, and all is off then.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
export LANG=C.UTF-8
unset LC_ALL LC_CTYPE
run=("$thimble" device run)
flash=$scratch/lamp.flash
PATH=$THIMBLE_BUILD/ports:$PATH

# ---- without pins ----
check "a program that is nowhere is told, with a next step" refused 1 "thimble-device is neither" \
    env PATH=/nonexistent "${run[@]}" --flash "$flash"
check "what it does not know is the device's, with its exit code" sh -c "'$thimble' device run --flash '$flash' --nonsense x 2>&1 | grep -q 'thimble-device: there is no option'"
"${run[@]}" --flash "$flash" --show --json >"$scratch/show"
check "options are handed on, --json too" json "$scratch/show" "json_extract(d, '\$.enrolled') = 0"
check "--attach starts nothing" refused 2 "starts none" "${run[@]}" --attach "$scratch/p" --flash "$flash"
check "what is no file of pins is told" refused 3 "is no file of virtual pins" "${run[@]}" --attach /etc/passwd

# ---- for programs ----
# Writes as the guard does, or as anybody may: OFFSET TEXT
poke() { printf '%s' "$2" | dd of="$pins" bs=1 seek="$1" conv=notrunc 2>/dev/null; }
pins=$scratch/lamp.pins
pin() { poke $(($1 * 18 + 7)) "$2"; }        # pin 4 "out 0"
lease() { poke $((791 + $1 * 22 + 7)) "$2"; } # pin 4 "1 000012345678"
in_ms() { python3 -c "import time; print('%012d' % (time.monotonic() * 1000 + $1))"; }
"${run[@]}" --flash "$flash" --board "pins=$pins" --pins --json >"$scratch/lines" 2>"$scratch/err" </dev/null &
runner=$!
children+=("$runner")
check "what the device says is a line" wait_for 10 grep -q '"what":"says","text":"device without a name' "$scratch/lines"
lease 4 "1 $(in_ms 125000)"
pin 4 "out 0"
poke $((12 * 18 + 16)) 0
poke $((583 + 3 * 13 + 6)) 000512
check "an output that goes on is a line with the time it has left" wait_for 5 grep -qE '"what":"pin","number":4,"driven":true,"high":false,"on":true,"left_ms":12[0-9]{4}}$' "$scratch/lines"
check "an input is a line" wait_for 5 grep -q '"what":"input","number":12,"high":false}$' "$scratch/lines"
check "an analog input is a line" wait_for 5 grep -q '"what":"adc","number":3,"value":512}$' "$scratch/lines"
check "each line is a JSON object" python3 -c 'import json, sys
for line in open(sys.argv[1]): json.loads(line)' "$scratch/lines"
timeout 20 "${run[@]}" --attach "$pins" >"$scratch/text" </dev/null &
watcher=$!
children+=("$watcher")
check "another may watch, in words" wait_for 5 grep -qE '^[0-9:]{8} pin 4 on for 1[0-9]{2} s$' "$scratch/text"
kill "$watcher"
device=$(pgrep -P "$runner")
kill -KILL "$runner"
check "the device ends with whoever runs it, also when that is killed" wait_for 5 not kill -0 "$device"
wait "$runner" 2>/dev/null

# ---- the guard ----
"${run[@]}" --flash "$flash" --set zones.count=1 --set zones.pins=5 >/dev/null
"${run[@]}" --flash "$flash" --board "pins=$pins" >"$scratch/device" 2>&1 &
device=$!
children+=("$device")
wait_for 10 grep -q "device without a name" "$scratch/device"
kill -KILL "$(pgrep -P "$device")"
wait "$device"
check "a device whose guard was killed switches everything off and ends" test $? = 1
check "and says so" grep -q "what was on is off; this process ends" "$scratch/device"

# ---- on a terminal ----
cat >"$scratch/terminal.py" <<'EOF'
"""terminal.py ROWSxCOLUMNS OUT STEP... -- COMMAND: runs it on a terminal. Steps: wait:TEXT in the
frame shown, said:TEXT ever, send:KEYS, signal:NAME, shown:FILE keeps the frame. Says what the
terminal is like."""
import fcntl, os, pty, re, select, signal, struct, sys, termios, time
rows, columns = map(int, sys.argv[1].split("x"))
cut = sys.argv.index("--")
steps, command = sys.argv[3:cut], sys.argv[cut + 1:]
ready, go = os.pipe()
pid, fd = pty.fork()
if pid == 0:
    os.read(ready, 1)
    os.execvp(command[0], command)
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
before = termios.tcgetattr(fd)
os.write(go, b"x")
seen, end, status = b"", time.time() + 40, None
def frame():
    text = seen.split(b"\x1b[H")[-1].decode(errors="replace")
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
def listen():
    global seen
    if select.select([fd], [], [], 0.05)[0]:
        try:
            seen += os.read(fd, 65536)
        except OSError:
            time.sleep(0.05)
for step in steps:
    kind, _, value = step.partition(":")
    if kind == "send":
        os.write(fd, value.encode().decode("unicode_escape").encode())
    elif kind == "signal":
        os.kill(pid, getattr(signal, value))
    elif kind == "shown":
        open(value, "w").write(frame())
    while kind == "wait" and value not in frame() or kind == "said" and value.encode() not in seen:
        listen()
        if time.time() > end:
            sys.exit("no '%s' in\n%s" % (value, frame()))
while status is None and time.time() < end:
    listen()
    done, status = os.waitpid(pid, os.WNOHANG)
    status = status if done else None
listen()
open(sys.argv[2], "wb").write(seen)
after = termios.tcgetattr(fd)
print("status", status, "echo and lines back" if after[3] == before[3] else "NOT RESTORED",
      "screen back" if seen.rfind(b"\x1b[?1049l") > seen.rfind(b"\x1b[?1049h") >= 0 else "SCREEN KEPT",
      "cursor back" if seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l") else "CURSOR KEPT")
EOF
terminal() { timeout 60 python3 "$scratch/terminal.py" "$@"; }
back='echo and lines back screen back cursor back'

terminal 24x80 "$scratch/all" "wait:not enrolled" "send: " "wait:pin 0 is low" "send:\x1b[C" "wait:▶ 8" \
    "send:\x1bOB\x1bOB" "wait:▶10" "send: " "wait:pin 10 is low" "send:lll" "wait:▶26" "send:jjjjjjjj" "wait:▶ 2 " \
    "send:+++" "wait:reads 30 now" "send:-" "wait:reads 20 now" "send:\x1b[5~" "wait:reads 120 now" \
    "send:777" "wait:: 777_" "send:\x7f\x7f\r" "wait:reads 7 now" "send:9999999\r" "wait:reads 999999 now" \
    "send:55" "wait:: 55_" "send:\x1b" "wait:digits type it" "send:k" "wait:▶ 1 " \
    "shown:$scratch/frame" "send:q" -- "${run[@]}" --flash "$flash" --board "pins=$pins" --pins >"$scratch/end"
check "q ends it, and the terminal is as before" grep -q "^status 0 $back" "$scratch/end"
check "keys drive inputs" grep -q '^pin 10 --- 0 in 0' "$pins"
check "and analog inputs" grep -q '^adc 2 999999' "$pins"
check "no line is longer than the screen, no frame higher" sh -c "[ \$(wc -l <'$scratch/frame') -le 24 ] && ! grep -qE '^.{81}' '$scratch/frame'"
check "what the device said stays when the screen goes" sh -c "tail -3 '$scratch/all' | grep -q 'not enrolled'"

# An output as the guard writes it, seen by another.
lease 4 "1 $(in_ms 5400000)"
pin 4 "out 0"
lease 5 "1 000000000000"
pin 5 "out 1"
poke 576 'spi fe'
poke $((791 + 32 * 22 + 7)) "1 $(in_ms 65000)"
for bit in 1 2 3 4 5 6 7; do poke $((791 + (32 + bit) * 22 + 7)) "1"; done
terminal 24x80 "$scratch/all" "wait: 4 ● on  1:29:5" "wait: 5 ○ off" "wait: 1 ● on  1:0" "wait: 8 ○ off" "wait:▶ 0" \
    "send:jjjj " "wait:pin 4 is an output" "send:q" -- "${run[@]}" --attach "$pins" >"$scratch/end"
check "outputs are shown with the time they have left, and are not to be driven" grep -q "^status 0 $back" "$scratch/end"
check "leaving does not end what runs elsewhere, nor changes its pins" grep -q '^pin 04 out 0' "$pins"
poke 7 $'\e[35'
poke $((791 + 7)) "zzzzzzzzzzzzzz"
poke $((583 + 6)) "abcdef"
terminal 10x30 "$scratch/all" "wait:▶ 0" "send:qq" -- "${run[@]}" --attach "$pins" >"$scratch/end"
check "what does not belong in the file stays off the terminal" sh -c "grep -q '^status 0 ' '$scratch/end' && ! grep -q '35z' '$scratch/all'"
LC_ALL=C terminal 24x80 "$scratch/all" "wait: 5 o off" "send:q" -- "${run[@]}" --attach "$pins" >"$scratch/end"
check "without UTF-8 it is plain characters" sh -c "grep -q '^status 0 ' '$scratch/end' && ! grep -q '●' '$scratch/all'"

for name in SIGINT SIGTERM SIGHUP SIGQUIT; do
    terminal 24x80 "$scratch/all" "wait:not enrolled" "signal:$name" -- "${run[@]}" --flash "$flash" --board "pins=$pins" --pins >"$scratch/end"
    check "$name gives the terminal back" grep -q "^status 0 $back" "$scratch/end"
done
for name in SIGSEGV SIGABRT; do
    terminal 24x80 "$scratch/all" "wait:▶ 0" "signal:$name" -- "${run[@]}" --attach "$pins" >"$scratch/end"
    check "$name too" grep -q "$back" "$scratch/end"
done
terminal 24x80 "$scratch/all" "wait:▶ 0" "send:\x03" -- "${run[@]}" --attach "$pins" >"$scratch/end"
check "Ctrl-C ends it" grep -q "^status 0 $back" "$scratch/end"
cat >"$scratch/stopped.sh" <<EOF
set -m
"$thimble" device run --attach "$pins"
echo stopped with \$?
read -rsn 1
fg
echo ended with \$?
EOF
terminal 24x80 "$scratch/all" "wait:▶ 0" "send:\x1a" "said:stopped with" "send:x" "wait:▶ 0" "send:q" "said:ended with 0" -- bash "$scratch/stopped.sh" >"$scratch/end"
check "Ctrl-Z gives it to the shell, and fg takes it back" grep -q "^status 0 $back" "$scratch/end"
check "a file that was made for the pins is gone with them" sh -c "'$thimble' device run --flash '$flash' --pins --board clock=nonsense 2>&1 </dev/null | grep -q \"clock=nonsense\" && ! ls \${XDG_RUNTIME_DIR:-/tmp}/thimble-pins.* 2>/dev/null | grep -q ."
finish
