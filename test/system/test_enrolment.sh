# SPDX-License-Identifier: MIT
# From nothing to an enrolled device by two files: thimble-device and thimble device enrol. I1 I2 I3
# I4 I9 T11.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
device=$THIMBLE_BUILD/ports/thimble-device
home=$THIMBLE_HOME
outputs=$scratch/outputs # everything that either side has said
mkdir "$outputs"

# said NAME command...: runs it and keeps what it prints; gives back its code.
said() {
    local name=$1
    shift
    "$@" >"$outputs/$name.out" 2>"$outputs/$name.err"
}
show() { said "show-$1" "$device" --flash "$scratch/$1.flash" --show --json && cat "$outputs/show-$1.out"; }
shows() { show "$1" >"$scratch/show.json" && json "$scratch/show.json" "$2"; }
ask() { # NAME [FLASH]
    said "ask-$1" "$device" --flash "$scratch/${2:-$1}.flash" --csr --name "$1" --out "$outputs/$1.request"
}
answer() { # NAME [options]
    said "answer-$1" "$thimble" device enrol "$1" --request "$outputs/$1.request" --out "$outputs/$1.bundle" "${@:2}"
}
take() { said "take-$1" "$device" --flash "$scratch/${2:-$1}.flash" --bundle "$outputs/$1.bundle"; }

check "ca init" said ca "$thimble" ca init
check "broker init" said broker "$thimble" broker init --no-proof
check "a blank flash gives a request" ask lamp
check "the tool answers it" answer lamp
check "with an update key, as there was none" test -s "$home/update/main.key"
check "the device takes the answer" take lamp
check "and is enrolled" shows lamp "d ->> '\$.enrolled' = 1 and d ->> '\$.name' = 'lamp'"
check "it knows the broker" shows lamp "d ->> '\$.brokers[0].port' = 8883"

lamp=$home/devices/lamp
check "openssl takes the certificate for a client's" openssl verify -x509_strict -purpose sslclient \
    -CAfile "$home/ca/device.crt" "$lamp/device.crt"
check "and not for a server's" not openssl verify -x509_strict -purpose sslserver \
    -CAfile "$home/ca/device.crt" "$lamp/device.crt"
check "the birth certificate is the other authority's" openssl verify -x509_strict -purpose sslclient \
    -CAfile "$home/ca/idevid.crt" "$lamp/birth.crt"
check "and has no end" sh -c "openssl x509 -in $lamp/birth.crt -noout -enddate | grep -q 'Dec 31 23:59:59 9999'"
check "openssl accepts both of its requests (I2)" sh -c \
    "openssl req -in $lamp/device.csr -noout -verify && openssl req -in $lamp/birth.csr -noout -verify"
pubkey() { openssl "$1" -in "$2" -noout -pubkey; }
check "the certificates are over two keys" not test "$(pubkey x509 "$lamp/device.crt")" = "$(pubkey x509 "$lamp/birth.crt")"

# I1: the secret stands before its point in the key record; the point is in the certificate.
cat >"$scratch/secret.py" <<'EOF'
import base64, os, subprocess, sys
def point(certificate):
    der = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], capture_output=True).stdout
    return subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=der, capture_output=True).stdout[-65:]
def secret(flash, certificate):
    at = flash.find(point(certificate))
    return flash[at - 32:at] if at >= 32 else None
def forms(key):
    yield key
    yield key[:16]
    yield key[::-1]
    yield key.hex().encode()
    yield key.hex().upper().encode()
    for shift in range(3):
        yield base64.b64encode(bytes(shift) + key)[4:-4]
def files(roots):
    for root in roots:
        for where, _, names in os.walk(root):
            for name in names:
                yield os.path.join(where, name)
command, arguments = sys.argv[1], sys.argv[2:]
if command == "save": # FLASH CERTIFICATE FILE
    found = secret(open(arguments[0], "rb").read(), arguments[1])
    sys.exit("the key is not on the flash") if found is None else open(arguments[2], "wb").write(found)
else: # nowhere SECRET ROOT...
    key = open(arguments[0], "rb").read()
    roots = [r for r in arguments[1:] if os.path.isdir(r)]
    searched = 0
    for name in list(files(roots)) + [a for a in arguments[1:] if os.path.isfile(a)]:
        data = open(name, "rb").read().replace(b"\n", b"")
        searched += 1
        for form in forms(key):
            if form in data or form in open(name, "rb").read():
                sys.exit("the key is in " + name)
    print(searched, "files searched")
    sys.exit(0 if searched else "nothing to search")
EOF
secret() { python3 "$scratch/secret.py" "$@"; }
check "the device's key is on its flash" secret save "$scratch/lamp.flash" "$lamp/device.crt" "$scratch/lamp.key"
check "and its birth key" secret save "$scratch/lamp.flash" "$lamp/birth.crt" "$scratch/birth.key"
said run timeout -s TERM 2 "$device" --flash "$scratch/lamp.flash" # with nobody to connect to
sed -n 's/^set-up code: //p' "$outputs/run.out" >"$scratch/lamp.code"
check "it runs, as what it was enrolled for" grep -q "device lamp, mode mqtt" "$outputs/run.out"
said inspect "$thimble" flash inspect "$scratch/lamp.flash"
check "flash inspect shows it too" grep -q lamp "$outputs/inspect.out"
check "neither is in anything either side has said or written (I1)" sh -c \
    "python3 $scratch/secret.py nowhere $scratch/lamp.key $outputs $home && python3 $scratch/secret.py nowhere $scratch/birth.key $outputs $home"
check "the search finds a key where there is one" not secret nowhere "$scratch/lamp.key" "$scratch/lamp.flash"

# I4
check "an enrolled device takes no other bundle" refused 5 "is enrolled" "$device" --flash "$scratch/lamp.flash" --bundle "$outputs/lamp.bundle"
check "nor does it ask again" refused 5 "is enrolled" "$device" --flash "$scratch/lamp.flash" --csr
ask pump && ask valve
check "another device is enrolled" answer pump
cp "$outputs/pump.bundle" "$outputs/first.bundle"
check "a bundle for another device is refused (I4)" refused 3 "another request" "$device" --flash "$scratch/valve.flash" --bundle "$outputs/pump.bundle"
ask pump
check "a bundle for an earlier request is refused (I4)" refused 3 "another request" "$device" --flash "$scratch/pump.flash" --bundle "$outputs/first.bundle"
check "the name is taken, as far as the tool knows" refused 5 "was given to a device" "$thimble" device enrol pump --request "$outputs/pump.request" --out "$outputs/pump.bundle"
check "--replace gives it new certificates" answer pump --replace
check "answered again, nothing is issued" sh -c "sqlite3 $home/registry.db 'select count(*) from certificate' >$scratch/count;
    $thimble device enrol pump --request $outputs/pump.request --out $outputs/pump.bundle | grep -q 'as it was' &&
    test \"\$(sqlite3 $home/registry.db 'select count(*) from certificate')\" = \"\$(cat $scratch/count)\""
check "which the device takes" take pump
said reset "$device" --flash "$scratch/pump.flash" --factory-reset
check "after a factory reset an old bundle is no answer" refused 3 "not asked" "$device" --flash "$scratch/pump.flash" --bundle "$outputs/pump.bundle"
ask pump
check "nor is it one to a new request (I4)" refused 3 "another request" "$device" --flash "$scratch/pump.flash" --bundle "$outputs/pump.bundle"
check "a damaged bundle is refused" sh -c "sed 's/^VEhFQ/VEhFR/' $outputs/pump.bundle >$outputs/damaged.bundle;
    $device --flash $scratch/pump.flash --bundle $outputs/damaged.bundle 2>&1 | grep -q 'not an enrolment bundle'"
check "a file that is missing" refused 3 "does not exist" "$device" --flash "$scratch/pump.flash" --bundle "$outputs/none"

# I2: bits of the request altered.
python3 - "$outputs/valve.request" "$outputs" <<'EOF'
import base64, sys
lines = open(sys.argv[1]).read().splitlines()
begin = next(i for i, line in enumerate(lines) if line.startswith("-----BEGIN"))
der = bytearray(base64.b64decode("".join(lines[begin + 1:-1])))
for i in range(0, len(der), 29):
    der[i] ^= 4
    text = base64.b64encode(bytes(der)).decode()
    open("%s/altered-%d" % (sys.argv[2], i), "w").write("\n".join(
        [lines[begin]] + [text[at:at + 64] for at in range(0, len(text), 64)] + [lines[-1]]) + "\n")
    der[i] ^= 4
EOF
altered() {
    local file some=0
    for file in "$outputs"/altered-*; do
        refused 3 "" "$thimble" device enrol valve --request "$file" --out "$scratch/none" || return 1
        some=$((some + 1))
    done
    [ "$some" -gt 15 ] && [ ! -e "$scratch/none" ] && [ ! -e "$home/devices/valve" ]
}
check "a request with a bit altered is refused, wherever (I2)" altered
check "a request for another name is refused" refused 3 "exactly CN=" "$thimble" device enrol other --request "$outputs/valve.request"
check "without a name, the request's is taken" sh -c "$thimble device enrol --request $outputs/valve.request --json >$scratch/valve.json"
check "as JSON tells" json "$scratch/valve.json" "d ->> '\$.devices[0].name' = 'valve' and d ->> '\$.bundle' like '%enrol.bundle'"
check "what is no request is refused" refused 3 "is no enrolment request" "$thimble" device enrol x --request "$lamp/device.crt"
check "names follow the rule" refused 3 "cannot be the name" "$device" --flash "$scratch/x.flash" --csr --name 'A/b'

ask late
check "an answer that cannot be written is told" refused 1 "" "$thimble" device enrol late --request "$outputs/late.request" --out "$scratch/none/late.bundle"
check "and given when it is asked for again" answer late
check "over the certificate that was issued then" test "$(sqlite3 "$home/registry.db" "select count(*) from certificate where common_name = 'late'")" = 1
check "the device takes it" take late

# I3: no two devices share a secret. The set-up code is told once, at the first start.
timeout -s TERM 2 "$device" --flash "$scratch/valve.flash" | sed -n 's/^set-up code: //p' >"$scratch/valve.code"
check "each has a set-up code of its own (I3)" sh -c "grep -qE '^(....-){3}....$' $scratch/lamp.code && ! cmp $scratch/lamp.code $scratch/valve.code"
check "it is told once" not grep -qF "$(cat "$scratch/lamp.code")" "$outputs/show-lamp.out" "$outputs/inspect.out"
check "the program has none of what they have (I3)" secret nowhere "$scratch/lamp.key" "$device"

# I9 T11
text_on() { grep -qaF -- "$2" "$scratch/$1.flash"; }
code=$(tr -d - <"$scratch/lamp.code")
said set "$device" --flash "$scratch/lamp.flash" --set wifi.sta.pass=correct-horse-battery
check "a secret setting is on the flash" text_on lamp correct-horse-battery
cp "$scratch/lamp.flash" "$scratch/whole.flash"
check "factory reset" said reset-lamp "$device" --flash "$scratch/lamp.flash" --factory-reset
check "the device is blank" shows lamp "d ->> '\$.enrolled' = 0 and d ->> '\$.name' = '' and d -> '\$.trust' is null"
check "its key is nowhere on the flash (I9)" secret nowhere "$scratch/lamp.key" "$scratch/lamp.flash"
check "nor is the setting (I9)" not text_on lamp correct-horse-battery
check "the set-up code stays" text_on lamp "$code"
check "and the birth key" not secret nowhere "$scratch/birth.key" "$scratch/lamp.flash"
killed() { # the process dies in the middle; the next start ends what was begun
    local i pid
    for i in 1 2 3 4 5 6 7 8 9 10 12 14 16 18 20; do
        cp "$scratch/whole.flash" "$scratch/cut.flash"
        "$device" --flash "$scratch/cut.flash" --factory-reset >/dev/null 2>&1 &
        pid=$!
        sleep "0.0$(printf %02d "$i")"
        kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null # dead, so that it has the file no more
        show cut >"$scratch/cut.json" || return 1
        if json "$scratch/cut.json" "d ->> '\$.enrolled' = 0"; then
            secret nowhere "$scratch/lamp.key" "$scratch/cut.flash" && not text_on cut correct-horse-battery || return 1
        else
            text_on cut correct-horse-battery || return 1
        fi
    done
}
check "killed in the middle, it is whole or blank (I9)" killed
check "decommission" said gone "$device" --flash "$scratch/lamp.flash" --decommission
check "the birth key is gone too (I9)" secret nowhere "$scratch/birth.key" "$scratch/lamp.flash"
check "and the set-up code (I9)" not text_on lamp "$code"

# Another name needs another birth key.
cp "$scratch/pump.flash" "$scratch/renamed.flash"
ask fountain renamed
check "a birth key keeps its name" refused 3 "its key is the one of pump.birth" "$thimble" device enrol --request "$outputs/fountain.request"
said renamed "$device" --flash "$scratch/renamed.flash" --decommission
ask fountain renamed
check "until the device is decommissioned" answer fountain
check "and a device of another name" take fountain renamed

# Many at once.
many=$scratch/many
mkdir "$many"
for i in 1 2 3 4 5 6; do
    said "many-$i" "$device" --flash "$many/$i.flash" --csr --name "unit-$i" --out "$many/unit-$i.request"
done
run() { "$thimble" device enrol --manifest "$@"; }
check "no more than --count at a time" sh -c "$thimble device enrol --manifest $many --count 2 | grep -q '2 answered, 0 before, 4 left of 6'"
"$thimble" device enrol --manifest "$many" >/dev/null 2>&1 &
sleep 0.05
kill -KILL $! 2>/dev/null
wait $! 2>/dev/null
check "killed and run again, it goes on" run "$many"
check "and then there is nothing left" sh -c "$thimble device enrol --manifest $many --json >$scratch/many.json"
check "as JSON tells" json "$scratch/many.json" "d ->> '\$.answered' = 0 and d ->> '\$.answered_before' = 6 and d ->> '\$.left' = 0"
check "each was issued once" test "$(sqlite3 "$home/registry.db" "select count(*) from certificate where common_name like 'unit-%'")" = 12
taken() {
    local i
    for i in 1 2 3 4 5 6; do
        "$device" --flash "$many/$i.flash" --bundle "$many/unit-$i.bundle" || return 1
    done
}
check "each device takes its answer" taken
"$device" --flash "$many/a.flash" --csr --name unit-a --out "$many/a.request"
"$device" --flash "$many/b.flash" --csr --name unit-b --out "$many/b.request"
printf '# the second run\nunit-a\ta.request\tto-a\n\nunit-b, b.request\n' >"$many/table.tsv"
check "a table names devices and files" run "$many/table.tsv"
check "where it says, beside it" test -s "$many/to-a" -a -s "$many/unit-b.bundle"
printf 'unit-c\n' >"$many/bad.tsv"
check "a line without a request is refused" refused 3 "bad.tsv:1" run "$many/bad.tsv"
printf 'unit-a,a.request\nunit-a,b.request\n' >"$many/twice.tsv"
check "a name twice is refused" refused 3 "twice.tsv:2" run "$many/twice.tsv"
check "the ways do not mix" refused 2 "one at a time" "$thimble" device enrol --manifest "$many" --request x
finish
