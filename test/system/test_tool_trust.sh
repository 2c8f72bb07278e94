# SPDX-License-Identifier: MIT
# thimble trust: update keys and the bundles they sign, judged by openssl (I6, O16).
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME
update=$home/update
"$thimble" ca init --name Garden >/dev/null || exit 1
echo 'correct horse' >"$scratch/pass"
echo 'wrong horse' >"$scratch/wrong"

check "a key is made" "$thimble" trust keygen
check "its private half is for its owner alone" test "$(stat -c %a "$update/main.key")" = 600
check "openssl reads it as a P-256 key" sh -c "openssl pkey -in $update/main.key -noout -text | grep -q prime256v1"
check "the public half is its" test "$(openssl pkey -in "$update/main.key" -pubout)" = \
    "$(openssl pkey -pubin -in "$update/main.pub")"
check "a second one of that name is refused" refused 5 "exists already" "$thimble" trust keygen
check "and the first is as it was" test "$(openssl pkey -in "$update/main.key" -pubout)" = \
    "$(openssl pkey -pubin -in "$update/main.pub")"
check "a bad name is refused" refused 3 "no name for a key" "$thimble" trust keygen ../out
check "so is something that cannot be signed" refused 2 "trust, firmware and coproc" \
    "$thimble" trust keygen x --for trust,fimware
check "a key can be encrypted" sh -c \
    "$thimble trust keygen next --for trust,firmware --pass-file $scratch/pass --json >$scratch/next.json"
check "which opens with its pass phrase alone" sh -c \
    "openssl pkey -in $update/next.key -passin file:$scratch/pass -noout &&
     ! openssl pkey -in $update/next.key -passin file:$scratch/wrong -noout"
check "what it may sign is told" json "$scratch/next.json" "d ->> '\$.signs' = 'trust,firmware'"
check "without a terminal or a file there is no pass phrase" refused 2 "no terminal" sh -c \
    "$thimble trust keygen third --encrypt </dev/null"

# ---- bundles ----

# A judge of its own: struct and hashlib read what docs/manifest.md says, openssl checks the
# signature over those bytes.
cat >"$scratch/judge.py" <<'EOF'
import hashlib, struct, subprocess, sys
bundle, public, scratch = open(sys.argv[1], "rb").read(), sys.argv[2], sys.argv[3]
head, content = bundle[:256], bundle[256:]
magic, version, component, flags, zero, sequence, epoch, when = struct.unpack("<4sBBBBIIq", head[:24])
assert (magic, version, component, zero) == (b"THMF", 1, 3, 0), head[:8]
low, high, size, block, spare = struct.unpack("<HHIII", head[56:72])
assert size == len(content) and spare == 0
assert head[72:104] == hashlib.sha256(content).digest()
blocks = b"".join(hashlib.sha256(content[i:i + block]).digest() for i in range(0, size, block))
assert head[104:136] == hashlib.sha256(blocks).digest()
assert head[136:168] == bytes(32) and head[176:192] == bytes(16)
der = subprocess.run(["openssl", "pkey", "-pubin", "-in", public, "-outform", "DER"],
                     capture_output=True, check=True).stdout
assert head[168:176] == hashlib.sha256(der[-65:]).digest()[:8]
def integer(raw):
    raw = raw.lstrip(b"\0")
    raw = b"\0" + raw if not raw or raw[0] & 0x80 else raw
    return b"\2" + bytes([len(raw)]) + raw
both = integer(head[192:224]) + integer(head[224:])
open(scratch + "/signature", "wb").write(b"\x30" + bytes([len(both)]) + both)
open(scratch + "/signed", "wb").write(b"thimble manifest 1\0" + head[:192])
subprocess.run(["openssl", "dgst", "-sha256", "-verify", public, "-signature",
                scratch + "/signature", scratch + "/signed"], check=True)
print(sequence, head[24:56].rstrip(b"\0").decode(), low, high, epoch, flags)
assert content[:5] == b"THTS\1"
at = 5
while at < size:
    kind, flag, length = struct.unpack("<BBH", content[at:at + 4])
    assert flag == 0
    print(kind, content[at + 4:at + 4 + length].hex())
    at += 4 + length
EOF
judge() { python3 "$scratch/judge.py" "$1" "$2" "$scratch"; }
hex() { printf %s "$1" | od -An -v -tx1 | tr -d ' \n'; }

check "without a broker there is nothing to sign" refused 4 "no broker" "$thimble" trust sign
"$thimble" broker init --no-proof --host broker.example --port 8883 --user-port 8884 --recovery-port 8885 >/dev/null || exit 1
for role in viewer operator admin; do "$thimble" user add "$role"1 --role $role >/dev/null; done
"$thimble" user add agent >/dev/null && "$thimble" user add keeper >/dev/null
"$thimble" user add gone >/dev/null && "$thimble" user revoke gone --lists-only >/dev/null
check "a bundle is signed" sh -c "$thimble trust sign --json >$scratch/1.json"
one=$home/trust/1.bundle
check "openssl finds its signature right" judge "$one" "$update/main.pub"
judge "$one" "$update/main.pub" >"$scratch/1.txt" 2>/dev/null
check "it is the first, for every hardware of the product" grep -q '^1 thimble 0 65535 0 0$' "$scratch/1.txt"
check "the server CA is its anchor" grep -q \
    "^1 $(openssl x509 -in "$home/ca/server.crt" -outform DER | od -An -v -tx1 | tr -d ' \n')\$" "$scratch/1.txt"
check "no other certificate is" test "$(grep -c '^1 3' "$scratch/1.txt")" = 1
check "the broker is in it" grep -q "^4 b322$(hex broker.example)\$" "$scratch/1.txt"
check "and its recovery listener" grep -q "^5 b522$(hex broker.example)\$" "$scratch/1.txt"
check "both update keys are" test "$(grep -c '^6 ' "$scratch/1.txt")" = 2
check "with what they may sign" grep -q '^6 0a0004' "$scratch/1.txt"
check "roles are those of the users" test "$(grep '^7 ' "$scratch/1.txt" | sort)" = "$(
    { echo "7 01$(hex viewer1)"; echo "7 02$(hex operator1)"; echo "7 03$(hex admin1)"; echo "7 04$(hex agent)"; } | sort)"
check "the same is told as JSON" json "$scratch/1.json" \
    "d ->> '\$.signer' = 'known' and d ->> '\$.signature' = 1 and d ->> '\$.whole' = 1 and
     (select count(*) from json_each(d, '\$.trust')) = 9"
check "no private key is in it (I1)" sh -c "! grep -qa 'PRIVATE' $one"

check "sequence numbers rise" sh -c "$thimble trust sign && test -f $home/trust/2.bundle"
check "none is used again" refused 3 "was used already" "$thimble" trust sign --sequence 2
check "some may be left out" sh -c "$thimble trust sign --sequence 10 -o $scratch/ten && $thimble trust sign &&
    test -f $home/trust/11.bundle"
check "eight at once get eight numbers" sh -c "
    for i in 1 2 3 4 5 6 7 8; do $thimble trust sign >/dev/null & done; wait
    test \$(ls $home/trust | wc -l) = 11 && test -f $home/trust/19.bundle"

# Rolling keys (O16): both are in the set until every device has the new one.
check "a key that the last bundle named may sign the next" sh -c \
    "$thimble trust sign --key $update/next.key --pass-file $scratch/pass --without main -o $scratch/rolled 2>$scratch/roll.err &&
     ! grep -q warning $scratch/roll.err"
check "openssl finds that signature right" judge "$scratch/rolled" "$update/next.pub"
check "the old key is not in it" sh -c "! $thimble trust show $scratch/rolled | grep -q ' $(
    "$thimble" trust show "$one" | sed -n 's/.*by \([0-9a-f]*\) main/\1/p') signs'"
check "a key that it did not name brings a warning" sh -c \
    "$thimble trust sign -o $scratch/late 2>&1 | grep -q 'devices that have taken it refuse this one'"
check "a wrong pass phrase is refused" refused 3 "not that of" "$thimble" trust sign --key "$update/next.key" \
    --pass-file "$scratch/wrong"
check "an authority's key is refused" refused 3 "signs updates is nothing else" \
    "$thimble" trust sign --key "$home/ca/server.key"
check "a user's key is refused" refused 3 "signs updates is nothing else" \
    "$thimble" trust sign --key "$home/users/admin1/user.key"
"$thimble" trust keygen images --for firmware >/dev/null
check "a key for firmware alone is refused" refused 3 "may not sign trust" "$thimble" trust sign --key "$update/images.key"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$scratch/p384.key" 2>/dev/null
check "so is a key on another curve" refused 3 "no P-256 key" "$thimble" trust sign --key "$scratch/p384.key"
check "a set without any key that signs trust is refused" refused 4 "no further bundle" \
    "$thimble" trust sign --without main --without next
check "a mistyped --without is refused" refused 3 "not in" "$thimble" trust sign --without mian
check "further anchors, brokers and pins are taken" sh -c "
    cp $home/ca/idevid.crt $scratch/next-ca.crt
    $thimble trust sign --anchor $scratch/next-ca.crt --broker a.example:1 --broker [::1]:2 --recovery b.example:3 \
        --pin $(printf '%064d' 7) --product kettle --hardware 2-5 --epoch 4 --development -o $scratch/more"
judge "$scratch/more" "$update/main.pub" >"$scratch/more.txt" 2>/dev/null
check "and written as the format says" sh -c "
    grep -q ' kettle 2 5 4 1\$' $scratch/more.txt && test \$(grep -c '^1 3' $scratch/more.txt) = 2 &&
    grep '^4 ' $scratch/more.txt | tr '\n' ' ' | grep -q '^4 0100$(hex a.example) 4 0200$(hex ::1) \$' &&
    grep -q '^5 0300$(hex b.example)\$' $scratch/more.txt && grep -q '^2 $(printf '%064d' 7)\$' $scratch/more.txt"
check "a leaf certificate is no anchor" refused 3 "no CA's certificate" "$thimble" trust sign --anchor "$home/broker/server.crt"
check "a broker needs a port" refused 2 "HOST:PORT" "$thimble" trust sign --broker broker.example
check "a short pin is refused" refused 2 "is no pin" "$thimble" trust sign --pin 1234
spent=$(sqlite3 "$home/registry.db" "select value from setting where name = 'trust.sequence'")
check "what was refused has spent no sequence number" test "$spent" = 22

# ---- show ----
check "a bundle is shown" sh -c "$thimble trust show $one | grep -q 'broker.example port 8883'"
check "without a state directory its own keys prove nothing" sh -c \
    "THIMBLE_HOME=$scratch/none $thimble trust show $one | grep -q 'proves nothing'"
check "a public key can be named" sh -c "THIMBLE_HOME=$scratch/none $thimble trust show $one --key $update/main.pub |
    grep -q 'signature  *right\$'"
damaged() {
    python3 - "$one" "$scratch" <<'EOF'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
for i in range(0, len(data), 7):
    data[i] ^= 1 << i % 8
    open(sys.argv[2] + "/bit%d" % i, "wb").write(data)
    data[i] ^= 1 << i % 8
for i in (1, 100, 255, 256, 257, len(data) - 1):
    open(sys.argv[2] + "/cut%d" % i, "wb").write(data[:i])
EOF
    local file
    for file in "$scratch"/bit* "$scratch"/cut*; do
        refused 3 "" "$thimble" trust show "$file" >"$scratch/one.out" || { echo "$file"; cat "$scratch/one.out"; return 1; }
    done
}
check "no altered or cut bundle is called right" damaged
finish
