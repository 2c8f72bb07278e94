# SPDX-License-Identifier: MIT
# thimble flash inspect: a device's flash for people, without a secret (I1), whatever is on it (R2).
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
image=$scratch/lamp.flash
"$thimble" ca init >/dev/null && "$thimble" broker init --no-proof --host 127.0.0.1 >/dev/null &&
    "$thimble" device enrol lamp >/dev/null && "$thimble" user add alice >/dev/null &&
    "$thimble" trust keygen >/dev/null && "$thimble" trust sign -o "$scratch/bundle" >/dev/null || exit 1
openssl x509 -in "$THIMBLE_HOME/devices/lamp/device.crt" -outform DER -out "$scratch/lamp.der"
"$THIMBLE_BUILD/test/flash_image" "$image" "$scratch/lamp.der" "$scratch/bundle" >"$scratch/secrets" || exit 1
cp "$image" "$scratch/before"

"$thimble" flash inspect "$image" >"$scratch/text" 2>"$scratch/err"
check "an image is shown" test -s "$scratch/text"
check "without a warning" test ! -s "$scratch/err"
check "and not changed" cmp "$image" "$scratch/before"
shows() { grep -qE -- "$1" "$scratch/text" || { cat "$scratch/text"; return 1; }; }
check "its map" shows 'log +0x002000 +16384'
check "the boot record" shows 'copy 0 +slot B, on trial, sequence 1, epoch 4; 0 starts, 0 failures; counts'
check "wear" shows 'unit 0 +number 1, erased 1 times'
check "settings" shows 'mqtt.server +broker.example:8883'
check "settings on trial" shows 'mqtt.keep_alive +30'
check "that a secret is set" shows 'mqtt.pass +\(set, and not shown\)'
check "the trial" shows 'state +the candidate is in use'
check "the history" shows 'update.*not newer'
check "the clock's floor" shows "clock's floor +2026-"
check "records of newer versions" shows 'record 14 +5 bytes: of a newer version'
check "the certificate's subject and end" sh -c "grep -A1 -A4 'LDevID in force' $scratch/text | grep -q 'subject *lamp' &&
    grep -A4 'LDevID in force' $scratch/text | grep -q 'valid to *20'"
check "the trust set" sh -c "grep -A12 'Trust set in force' $scratch/text | grep -q 'roles *1'"
check "that there is a set-up code" shows 'set-up code +yes'

"$thimble" flash inspect "$image" --json >"$scratch/json"
check "the same as JSON" json "$scratch/json" \
    "d ->> '\$.map' = 'sim' and d ->> '\$.log.settings.\"device.id\"' = 'lamp' and d ->> '\$.identity.enrolled' = 1
     and d ->> '\$.identity.ldevid.subject' = 'lamp' and d ->> '\$.boot[0].slot' = 'B'
     and json_array_length(d, '\$.areas') = 9 and d ->> '\$.log.trial.component' = 'settings'"
no_secret() {
    local secret
    [ "$(wc -l <"$scratch/secrets")" -ge 7 ] || return 1
    while read -r secret; do
        ! grep -qiF -- "$secret" "$scratch/text" "$scratch/json" || { echo "shows $secret"; return 1; }
    done <"$scratch/secrets"
}
check "no key, code, password or session is shown (I1)" no_secret

printf 'short' >"$scratch/short"
check "what is no flash image is refused" refused 3 "flash images have" "$thimble" flash inspect "$scratch/short"
check "so is a map that does not fit" refused 3 "flash images have" "$thimble" flash inspect --map chip "$image"
check "and one that nobody knows" refused 2 "no map" "$thimble" flash inspect --map moon "$image"
head -c 131072 /dev/zero >"$scratch/zero"
check "a flash of zeros is shown, with a warning" sh -c "$thimble flash inspect $scratch/zero 2>&1 >/dev/null | grep -q 'blank, damaged'"

# Arbitrary and damaged images (R2): always an end, and an orderly one.
cat >"$scratch/mutate.py" <<'EOF'
import random, sys
image, out, seed = bytearray(open(sys.argv[1], "rb").read()), sys.argv[2], int(sys.argv[3])
dice = random.Random(seed)
used = [i for i in range(0, len(image), 16) if image[i:i + 16] != b"\xff" * 16]
kind = dice.randrange(4)
if kind == 0:
    image = bytearray(dice.randbytes(len(image)))
elif kind == 1:
    for _ in range(dice.choice((1, 3, 30, 300))):
        image[dice.choice(used) + dice.randrange(16)] ^= 1 << dice.randrange(8)
elif kind == 2:
    for _ in range(dice.randrange(1, 6)):
        at, to, size = dice.choice(used), dice.choice(used), 16 * dice.randrange(1, 64)
        image[to:to + size] = image[at:at + size][:len(image[to:to + size])]
else:
    for _ in range(dice.randrange(1, 4)):
        at = dice.randrange(0, len(image), 1024)
        image[at:at + 1024] = b"\xff" * 1024 if dice.randrange(2) else bytes(1024)
image = image[:131072].ljust(131072, b"\xff")
open(out, "wb").write(image)
EOF
damaged() {
    local seed
    for ((seed = 0; seed < $1; seed++)); do
        python3 "$scratch/mutate.py" "$image" "$scratch/mutant" $seed
        "$thimble" flash inspect --json "$scratch/mutant" >"$scratch/mutant.json" 2>"$scratch/mutant.err" ||
            { echo "seed $seed: exit code $?"; cat "$scratch/mutant.err"; return 1; }
        json "$scratch/mutant.json" "json_valid(d)" || { echo "seed $seed: no JSON"; return 1; }
    done
}
[ "${THIMBLE_TEST_MODE:-}" = full ] && rounds=2000 || rounds=60
check "$rounds damaged images are shown without a crash" damaged "$rounds"
finish
