# SPDX-License-Identifier: MIT
# thimble ca, broker init, device enrol, user add; openssl and sqlite3 judge what they make.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME

text() { openssl x509 -in "$1" -noout -text; }
has() { text "$1" | grep -q -- "$2"; }
mode_is() { [ "$(stat -c %a "$1")" = "$2" ]; }
sql() { sqlite3 "$home/registry.db" "$1"; }

# ---- before there is anything ----
check "without a command it prints examples and succeeds" sh -c "$thimble | grep -q 'thimble ca init'"
check "broker init before ca init names the command to run first" \
    refused 4 "no state directory" "$thimble" broker init
check "an unknown command is a usage error with a suggestion" \
    refused 2 "no command 'thimble brocker'" "$thimble" brocker init
check "an unknown flag is a usage error with a suggestion" \
    refused 2 "did you mean --name" "$thimble" ca init --nmae x
check "a flag without its value is a usage error" refused 2 "needs a value" "$thimble" ca init --name
for command in "ca init" "ca show" "broker init" "broker run" "device enrol" "device list" "user add" \
    "user list"; do
    check "thimble $command --help tells what it does" sh -c "$thimble $command --help | grep -q -- --dir"
done

check "output that cannot be written is an error" refused 1 "could not be written" \
    sh -c "$thimble --help >/dev/full"
check "a reader that has seen enough is none" sh -c "$thimble --help | head -n 1"

# ---- ca init ----
check "ca init makes the authorities" "$thimble" ca init --name Garden
check "the state directory is its owner's alone" mode_is "$home" 700
for ca in server device idevid; do
    check "the $ca key is its owner's alone" mode_is "$home/ca/$ca.key" 600
    check "the $ca CA is self-signed and verifies" \
        openssl verify -x509_strict -CAfile "$home/ca/$ca.crt" "$home/ca/$ca.crt"
    check "the $ca CA may only issue leaves" has "$home/ca/$ca.crt" "CA:TRUE, pathlen:0"
    check "the $ca CA is P-256" has "$home/ca/$ca.crt" "ASN1 OID: prime256v1"
done
subjects() { for ca in server device idevid; do openssl x509 -in "$home/ca/$ca.crt" -noout -subject; done; }
check "the subjects are distinct" sh -c "[ \"$(subjects | sort -u | wc -l)\" = 3 ]"
before=$(sha256sum "$home"/ca/*)
check "a second ca init is refused" refused 5 "were left as they are" "$thimble" ca init
check "and leaves every file as it was" test "$before" = "$(sha256sum "$home"/ca/*)"
"$thimble" ca show --json >"$scratch/ca.json"
check "ca show --json lists three authorities" \
    json "$scratch/ca.json" "json_array_length(d, '$.authorities') = 3 and d ->> '$.authorities[0].name' = 'Garden server CA'"

# ---- broker init ----
check "broker init sets mosquitto up" "$thimble" broker init --host broker.example --host 192.0.2.7 --port 28883
check "a second broker init is refused" refused 5 "left as it is" "$thimble" broker init
crt=$home/broker/server.crt
check "the server's certificate verifies as a server, by name" openssl verify -x509_strict \
    -purpose sslserver -verify_hostname broker.example -CAfile "$home/ca/server.crt" "$crt"
check "and by IP address (T4)" openssl verify -x509_strict -purpose sslserver -verify_ip 192.0.2.7 \
    -CAfile "$home/ca/server.crt" "$crt"
check "it is no client's certificate (T15)" not openssl verify -x509_strict -purpose sslclient \
    -CAfile "$home/ca/server.crt" "$crt"
check "the device CA does not vouch for it" not openssl verify -CAfile "$home/ca/device.crt" "$crt"
check "it is valid for a year and no longer" sh -c \
    "openssl x509 -in $crt -noout -checkend 31000000 && ! openssl x509 -in $crt -noout -checkend 32000000"
check "the server's key is its owner's alone" mode_is "$home/broker/server.key" 600
check "the CRL is the device CA's" openssl crl -in "$home/broker/clients.crl" -noout -CAfile "$home/ca/device.crt"
conf=$home/broker/mosquitto.conf
check "no anonymous client (F8)" grep -qx "allow_anonymous false" "$conf"
listeners=$(grep -c '^listener ' "$conf")
for line in "require_certificate true" "use_identity_as_username true" "use_username_as_clientid true" \
    "crlfile $home/broker/.*\\.crl"; do
    check "every listener has '$line' (F6, F8)" test "$(grep -cx "$line" "$conf")" = "$listeners"
done
key_before=$(sha256sum <"$home/broker/server.key")
check "broker init --replace makes it anew" "$thimble" broker init --replace --port 28883
check "and keeps the server's key, so that pins hold" test "$key_before" = "$(sha256sum <"$home/broker/server.key")"
check "a host name that cannot stand in a certificate is refused" \
    refused 3 "cannot stand in a certificate" "$thimble" broker init --replace --host 'a b'
check "a port out of range is refused" refused 2 "1 to 65535" "$thimble" broker init --replace -p 70000
check "one port for both kinds is refused" \
    refused 2 "a port of its own" "$thimble" broker init --replace -p 9000 --user-port 9000

# ---- device enrol ----
check "device enrol makes a device" "$thimble" device enrol lamp
lamp=$home/devices/lamp
check "its key is its owner's alone" mode_is "$lamp/device.key" 600
check "its certificate verifies as a client" openssl verify -x509_strict -purpose sslclient \
    -CAfile "$home/ca/device.crt" "$lamp/device.crt"
check "it cannot pose as a server (T15)" not openssl verify -purpose sslserver \
    -CAfile "$home/ca/device.crt" "$lamp/device.crt"
check "its common name is its name, alone" sh -c \
    "openssl x509 -in $lamp/device.crt -noout -subject -nameopt RFC2253 | grep -qx 'subject=CN=lamp'"
check "it lives 180 days" sh -c "openssl x509 -in $lamp/device.crt -noout -checkend 15500000 &&
    ! openssl x509 -in $lamp/device.crt -noout -checkend 15600000"
check "its request proves possession (I2)" openssl req -in "$lamp/device.csr" -noout -verify
check "request and certificate hold the key it made" sh -c "
    a=\$(openssl pkey -in $lamp/device.key -pubout)
    [ \"\$a\" = \"\$(openssl x509 -in $lamp/device.crt -noout -pubkey)\" ] &&
    [ \"\$a\" = \"\$(openssl req -in $lamp/device.csr -noout -pubkey)\" ]"
check "it knows the broker by the server CA alone" cmp "$lamp/ca.crt" "$home/ca/server.crt"
check "the key is nowhere but in its file (I1)" not grep -rqF "$(sed -n 2p "$lamp/device.key")" \
    --exclude=device.key "$home"
birth=$lamp/birth.crt
check "its birth certificate verifies as a client, by the IDevID CA" openssl verify -x509_strict \
    -purpose sslclient -CAfile "$home/ca/idevid.crt" "$birth"
check "and not by the device CA" not openssl verify -CAfile "$home/ca/device.crt" "$birth"
check "it is for life" sh -c "openssl asn1parse -in $birth | grep -q 'GENERALIZEDTIME *:99991231235959Z'"
check "its common name is <device>.birth" sh -c \
    "openssl x509 -in $birth -noout -subject -nameopt RFC2253 | grep -qx 'subject=CN=lamp.birth'"
check "over a key of its own" sh -c "[ \"\$(openssl x509 -in $birth -noout -pubkey)\" != \
    \"\$(openssl x509 -in $lamp/device.crt -noout -pubkey)\" ]"
check "and no purpose but to sign" has "$birth" "Digital Signature\$"
mkdir -p "$home/devices/thief" && cp "$lamp/device.key" "$home/devices/thief/device.key"
check "a key that another device has is refused" refused 3 "its key is the one of lamp" "$thimble" device enrol thief
check "and the name is not taken by it" test 0 = "$(sql "select count(*) from principal where name = 'thief'")"
rm -r "$home/devices/thief"
check "a name enrolled twice is refused" refused 5 "was given to a device" "$thimble" device enrol lamp
check "a user cannot take a device's name" refused 5 "was given to a device" "$thimble" user add lamp
check "a refused name leaves no directory" not test -e "$home/users/lamp"
long=$(printf 'a%.0s' {1..33})
for name in "" Lamp "la mp" "a+b" "a/b" "a#" ".a" "a.b" "-a" "$long" $'a\nb' $'a\tb' "ä" ../x agent \
    keeper homeassistant irrigation recover status mqtt_rx_1 mqtt_tx_; do
    check "the name '$(printf %q "$name")' is refused (F7)" refused 3 "cannot be the name" \
        "$thimble" device enrol -- "$name"
done
check "nothing was made for them" test "$(ls "$home/devices")" = lamp
check "the longest name is taken" "$thimble" device enrol "${long:1}"
check "all names are judged before the first is made" refused 3 "" "$thimble" device enrol good Bad
check "so the good one was not" not test -e "$home/devices/good"

# An earlier run that was cut off after the registry's commit, before its files.
rm "$lamp/device.crt" "$lamp/ca.crt"
serials=$(sql "select count(*) from certificate")
check "a run that was cut off is finished by the next" "$thimble" device enrol lamp
check "with the certificate issued then" test "$serials" = "$(sql "select count(*) from certificate")"
rm "$lamp/device.crt" "$lamp/device.key"
check "with another key it is not finished but refused (I2)" refused 5 "was given to" "$thimble" device enrol lamp
mkdir -p "$home/devices/odd"
openssl req -new -newkey rsa:1024 -nodes -keyout "$home/devices/odd/device.key" -subj /CN=odd \
    -out /dev/null 2>/dev/null
check "a weak key is refused" refused 3 "2048" "$thimble" device enrol odd
openssl ecparam -name secp384r1 -genkey -noout -out "$home/devices/odd/device.key"
check "so is a curve that is not ours" refused 3 "P-256" "$thimble" device enrol odd

# ---- key files that are not usable ----
cp "$home/ca/device.key" "$scratch/device.key"
bad_key() { # PATTERN: with whatever stands in ca/device.key now
    refused 3 "$1" "$thimble" device enrol other
}
: >"$home/ca/device.key"
check "an empty CA key names the file" bad_key "ca/device.key is empty"
openssl pkey -in "$scratch/device.key" -aes256 -passout pass:x -out "$home/ca/device.key"
THIMBLE_PASSPHRASE=y check "an encrypted CA key does not open with another pass phrase" bad_key "does not open"
openssl pkey -in "$scratch/device.key" -outform DER -out "$home/ca/device.key"
check "a DER key is said to be DER" bad_key "is DER"
cp "$home/ca/server.key" "$home/ca/device.key"
check "another CA's key is refused" bad_key "is not the key of the device CA"
cp "$home/ca/device.crt" "$home/ca/device.key"
check "a certificate in place of the key is refused" bad_key "holds no PEM private key"
rm "$home/ca/device.key"
mkdir "$home/ca/device.key"
check "a directory in place of the key is refused" bad_key "is a directory"
rmdir "$home/ca/device.key"
check "a missing CA key is refused" bad_key "cannot open"
sed 's/$/\r/' "$scratch/device.key" >"$home/ca/device.key"
check "a PEM key with Windows line ends is taken" "$thimble" device enrol windows
cp "$scratch/device.key" "$home/ca/device.key"

# ---- users and the registry ----
check "user add makes a user" "$thimble" user add alice --role operator
check "its certificate verifies as a client" openssl verify -x509_strict -purpose sslclient \
    -CAfile "$home/ca/device.crt" "$home/users/alice/user.crt"
check "its rights are in the ACL" grep -qx "topic write +/from/alice/rpc" "$home/broker/acl"
check "user add --connections 3 --homeassistant" "$thimble" user add hass --connections 3 --homeassistant
for file in user user.2 user.3; do
    check "has $file.crt, which verifies" openssl verify -x509_strict -purpose sslclient \
        -CAfile "$home/ca/device.crt" "$home/users/hass/$file.crt"
done
check "each has a common name of its own" sh -c \
    "openssl x509 -in $home/users/hass/user.3.crt -noout -subject -nameopt RFC2253 | grep -qx 'subject=CN=hass.3'"
echo "a pass phrase" >"$scratch/pass"
check "user add --pkcs12" "$thimble" user add phone --connections 2 --pkcs12 "$scratch/pass"
for file in user user.2; do
    check "$file.p12 is its owner's alone" mode_is "$home/users/phone/$file.p12" 600
    check "opens with the pass phrase and holds the key" sh -c "
        [ \"\$(openssl pkcs12 -in $home/users/phone/$file.p12 -passin 'pass:a pass phrase' -nodes -nocerts |
            openssl pkey -pubout)\" = \"\$(openssl x509 -in $home/users/phone/$file.crt -noout -pubkey)\" ]"
    check "and with no other" not openssl pkcs12 -in "$home/users/phone/$file.p12" -passin pass:x -nodes
done
: >"$scratch/nopass"
check "an empty pass phrase is refused" refused 3 "" "$thimble" user add tablet --pkcs12 "$scratch/nopass"
check "and the user is not made" not test -e "$home/users/tablet"
lines_of() { sed -n "/^user $1\$/,/^\$/p" "$home/broker/acl"; }
check "and all the rights of the one caller (F6)" sh -c "
    [ \"\$(echo '$(lines_of hass.3)' | grep -cx 'topic write +/from/hass/rpc')\" = 1 ]"
check "and the denials of its own name" grep -qx "topic deny hass.3/#" "$home/broker/acl"
check "a role for a name that is one is refused" refused 2 "role of its own" "$thimble" user add agent --role admin
check "the reserved users can be made" sh -c "$thimble user add agent && $thimble user add keeper"
check "the agent answers devices in recovery" sh -c "echo '$(lines_of agent)' | grep -qx 'topic write recover/+/answer'"
check "a role that does not exist is refused" refused 2 "viewer, operator or admin" \
    "$thimble" user add bob --role boss
"$thimble" user list --json >"$scratch/users.json"
check "user list --json is JSON" json "$scratch/users.json" "d ->> '$.users[1].role' = 'operator'"
check "serials are random, 128 bits, all different" sh -c "
    [ \$(sqlite3 $home/registry.db 'select count(distinct serial) = count(*) from certificate') = 1 ] &&
    [ \$(sqlite3 $home/registry.db 'select max(length(serial)) = 32 and min(length(serial)) = 32 from certificate') = 1 ]"
check "every certificate is a row" test "$(sql "select count(*) from certificate where kind = 'ldevid' and principal not null")" = 3
check "the registry is in WAL mode" test "$(sql 'pragma journal_mode')" = wal
race() { # CODE command...: six at once; how many succeed is $won, the others must end with CODE
    local code=$1 racers=() pid got
    shift
    won=0
    for _ in 1 2 3 4 5 6; do
        "$@" >/dev/null 2>>"$scratch/race.err" &
        racers+=($!)
    done
    for pid in "${racers[@]}"; do
        wait "$pid"
        got=$?
        [ "$got" = 0 ] && won=$((won + 1))
        [ "$got" = 0 ] || [ "$got" = "$code" ] || { cat "$scratch/race.err"; return 1; }
    done
    [ "$won" = 1 ]
}
for round in 1 2 3; do
    check "of six commands at once for one name one wins" race 5 "$thimble" device enrol "race$round"
    check "and it has one certificate" \
        test "$(sql "select count(*) from certificate where common_name = 'race$round'")" = 1
    check "of six ca init at once one wins" race 5 "$thimble" ca init --dir "$scratch/race$round"
done
# ---- killed at any moment, a command run again finishes ----
survives() {
    local i ms name
    for i in $(seq 1 25); do
        name=killed$i
        ms=$(printf '0.%03d' $((i * 1)))
        timeout -s KILL "$ms" "$thimble" device enrol "$name" >/dev/null 2>&1
        "$thimble" device enrol "$name" >"$scratch/killed.out" 2>&1
        case $? in 0 | 5) ;; *) cat "$scratch/killed.out"; return 1 ;; esac
        openssl verify -purpose sslclient -CAfile "$home/ca/device.crt" "$home/devices/$name/device.crt" || return 1
        [ "$(openssl pkey -in "$home/devices/$name/device.key" -pubout)" = \
            "$(openssl x509 -in "$home/devices/$name/device.crt" -noout -pubkey)" ] || return 1
        [ "$(sql "select count(*) from certificate where common_name = '$name'")" = 1 ] || return 1
        openssl verify -CAfile "$home/ca/idevid.crt" "$home/devices/$name/birth.crt" || return 1
    done
}
check "device enrol, killed at 25 moments, then run again" survives
ca_survives() {
    local i dir
    for i in $(seq 1 15); do
        dir=$scratch/ca$i
        timeout -s KILL "$(printf '0.%03d' $((i * 2)))" "$thimble" ca init --dir "$dir" >/dev/null 2>&1
        "$thimble" ca init --dir "$dir" >"$scratch/killed.out" 2>&1
        case $? in 0 | 5) ;; *) cat "$scratch/killed.out"; return 1 ;; esac
        openssl verify -CAfile "$dir/ca/server.crt" "$dir/ca/server.crt" || return 1
        "$thimble" broker init --no-proof --dir "$dir" >/dev/null || return 1
    done
}
check "ca init, killed at 15 moments, then run again" ca_survives
check "no temporary file is left by commands that ended" \
    sh -c "[ -z \"\$(find $home/ca $home/broker -name '*.tmp-??????' -newer $home/ca/server.crt)\" ]"

# ---- RSA ----
rsa=$scratch/rsa
check "ca init --rsa" "$thimble" ca init --rsa --dir "$rsa"
for ca in server device idevid; do
    check "the $ca CA is RSA-2048 and verifies" sh -c "openssl x509 -in $rsa/ca/$ca.crt -noout -text |
        grep -q 'Public-Key: (2048 bit)' && openssl verify -x509_strict -CAfile $rsa/ca/$ca.crt $rsa/ca/$ca.crt"
done
check "a broker of it is proved, its devices with P-256 keys" "$thimble" broker init --dir "$rsa" --port "$(free_port)" \
    --user-port "$(free_port)" --recovery-port "$(free_port)"
check "its server's key is RSA, and verifies" sh -c "openssl x509 -in $rsa/broker/server.crt -noout -text |
    grep -q 'Public-Key: (2048 bit)' &&
    openssl verify -x509_strict -purpose sslserver -CAfile $rsa/ca/server.crt $rsa/broker/server.crt"
"$thimble" device enrol --dir "$rsa" lamp >/dev/null
check "a device's certificate of it verifies" openssl verify -x509_strict -purpose sslclient \
    -CAfile "$rsa/ca/device.crt" "$rsa/devices/lamp/device.crt"

# ---- a CA at the wrong time ----
cp "$home/registry.db" "$scratch/before.db"
openssl x509 -in "$home/ca/device.crt" -signkey "$home/ca/device.key" -days -1 -outform DER \
    -out "$scratch/expired.der" 2>/dev/null
sql "update authority set certificate = readfile('$scratch/expired.der') where kind = 'device'"
check "an expired CA issues nothing, and says so" refused 3 "device CA has expired" "$thimble" device enrol late
check "and nothing was made" not test -e "$home/devices/late/device.crt"
cp "$scratch/before.db" "$home/registry.db"

schema=$(sql "pragma user_version")
sql "pragma user_version = 99"
check "a registry of a newer thimble is not touched" refused 3 "newer thimble" "$thimble" device list
check "and keeps its version" test 99 = "$(sql "pragma user_version")"
sql "pragma user_version = $schema"
: >"$scratch/file"
check "a state directory that is a file is refused" refused 1 "cannot make the directory" \
    "$thimble" ca init --dir "$scratch/file"
chmod 755 "$home"
check "a state directory open to others is warned of, with the command" sh -c \
    "$thimble device list 2>&1 | grep -q 'chmod 700'"
finish
