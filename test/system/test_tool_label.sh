# SPDX-License-Identifier: MIT
# thimble label: a camera reads the QR code, and it joins the access point that the code gives.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
device=$THIMBLE_BUILD/ports/thimble-device
"$device" --flash "$scratch/lamp.flash" >"$scratch/said" 2>&1 &
made=$!
children+=("$made")
wait_for 10 grep -q '^set-up code' "$scratch/said"
kill "$made" && wait "$made" 2>/dev/null
code=$(sed -n 's/^set-up code: //p' "$scratch/said")
check "a label of a device's flash" sh -c "$thimble label $scratch/lamp.flash >$scratch/label"
check "has the code that its console said" grep -q "set-up code  $code" "$scratch/label"
pass=$(sed -n 's/^pass phrase  //p' "$scratch/label")
# The pass phrase, by the contract of docs/config-mode.md.
check "and the pass phrase that follows from it" python3 - "$THIMBLE_SOURCE/test/system" "$code" "$pass" <<'EOF'
import sys
sys.path.insert(0, sys.argv[1])
from local import hkdf
key = hkdf(b"", sys.argv[2].replace("-", "").encode(), b"thimble wpa2 1", 16)
assert "".join("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[b & 31] for b in key) == sys.argv[3]
EOF
# The terminal's half blocks as a picture, which a reader of bar codes sees.
python3 - "$scratch/label" >"$scratch/label.pgm" <<'EOF'
import sys
rows = []
for line in open(sys.argv[1], encoding="utf-8"):
    line = line.rstrip("\n")
    if set(line) - set(" \u2580\u2584\u2588") or not line.strip():
        continue
    rows += [[c in "\u2580\u2588" for c in line], [c in "\u2584\u2588" for c in line]]
print("P2", len(rows[0]) * 4, len(rows) * 4, 255)
for row in rows:
    for _ in range(4):
        print(" ".join("255" if light else "0" for light in row for _ in range(4)))
EOF
check "a camera reads it" sh -c "zbarimg -q --raw $scratch/label.pgm >$scratch/read"
check "and would join" grep -qx "WIFI:T:WPA;S:thimble-setup;P:$pass;;" "$scratch/read"
check "a sheet to print" "$thimble" label "$scratch/lamp.flash" --name lamp --out "$scratch/lamp.svg"
check "is XML with the code" sh -c "python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' $scratch/lamp.svg && grep -q '$code' $scratch/lamp.svg && grep -q thimble-lamp $scratch/lamp.svg"
check "for its owner alone" test "$(stat -c %a "$scratch/lamp.svg")" = 600
check "and is not overwritten" refused 5 "" "$thimble" label "$scratch/lamp.flash" --out "$scratch/lamp.svg"
printf '%s\n' "$code" | tr 'A-Z' 'a-z' >"$scratch/code"
check "the same by the code alone, as somebody types it" sh -c "$thimble label --code-file $scratch/code | cmp - $scratch/label"
printf 'nonsense\n' >"$scratch/code"
check "what is no code is refused" refused 3 "16 letters" "$thimble" label --code-file "$scratch/code"
check "a name that none can have" refused 3 "cannot be the name" "$thimble" label "$scratch/lamp.flash" --name La/mp
finish
