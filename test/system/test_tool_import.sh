# SPDX-License-Identifier: MIT
# thimble ca import: authorities made by easy-rsa and by `openssl ca`, real ones, become a device CA
# with their full index alone (F7, T15); openssl judges the lists, a real mosquitto who gets in.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME
unset THIMBLE_PASSPHRASE THIMBLE_PASSPHRASE_FILE
port=$(free_port)
easyrsa=/usr/share/easy-rsa/easyrsa
sql() { sqlite3 "$home/registry.db" "$1"; }
is_listed() { # CERTIFICATE CA: it verifies but for the list
    openssl verify -crl_check -CAfile "$home/broker/clients-ca.crt" -CRLfile "$home/broker/clients.crl" "$1" 2>&1 |
        grep -q "certificate revoked"
}
is_good() {
    openssl verify -crl_check -purpose sslclient -CAfile "$home/broker/clients-ca.crt" \
        -CRLfile "$home/broker/clients.crl" "$1"
}
gets_in() { # CERTIFICATE KEY
    timeout 10 mosquitto_pub -h 127.0.0.1 -p "$port" --cafile "$home/ca/server.crt" --cert "$1" --key "$2" \
        -V mqttv5 -q 1 -t x -m y
}

# ---- easy-rsa ----
export EASYRSA_BATCH=1 EASYRSA_ALGO=ec EASYRSA_CURVE=prime256v1 EASYRSA_PKI=$scratch/easy/pki
mkdir "$scratch/easy"
(cd "$scratch/easy" && "$easyrsa" init-pki && "$easyrsa" --req-cn="Old CA" build-ca nopass &&
    for name in lamp Bad.Name agent gone; do "$easyrsa" build-client-full $name nopass; done &&
    "$easyrsa" build-server-full broker.example nopass && "$easyrsa" revoke gone && "$easyrsa" gen-crl) \
    >"$scratch/easy.log" 2>&1 || { cat "$scratch/easy.log"; exit 1; }
pki=$scratch/easy/pki
check "easy-rsa has made an authority" test -e "$pki/issued/lamp.crt"
check "--as is asked for" refused 2 "device or server" "$thimble" ca import "$scratch/easy"
check "what is not there is said" refused 4 "there is no" "$thimble" ca import "$scratch/none" --as device
mkdir "$scratch/bare"
check "so is a directory without an authority" refused 4 "neither ca.crt nor" "$thimble" ca import "$scratch/bare" --as device
check "without its index it is refused as device CA, with what to do" refused 3 "index.txt alone" \
    "$thimble" ca import "$pki/ca.crt" --key "$pki/private/ca.key" --as device
check "with another key too" refused 3 "is not the key" \
    "$thimble" ca import "$pki" --as device --key "$pki/private/lamp.key"
check "and a leaf is no authority (T15)" refused 3 "no certificate of an authority" \
    "$thimble" ca import "$pki/issued/lamp.crt" --key "$pki/private/lamp.key" --index "$pki/index.txt" --as device
cp -r "$pki" "$scratch/lacking"
grep -v lamp "$pki/index.txt" >"$scratch/lacking/index.txt"
check "an index that lacks a certificate is refused" refused 3 "index is not full" "$thimble" ca import "$scratch/lacking" --as device
echo nonsense >>"$scratch/lacking/index.txt"
check "so is a line that is none" refused 3 "no line of an index" "$thimble" ca import "$scratch/lacking" --as device
cat "$pki/index.txt" "$pki/index.txt" >"$scratch/lacking/index.txt"
check "and a serial number twice" refused 3 "of an earlier line" "$thimble" ca import "$scratch/lacking" --as device
check "none of these made anything" not test -e "$home/ca/device.crt"
rm -rf "$home"
check "--dry-run tells what would be revoked" sh -c "$thimble ca import $scratch/easy --as device --dry-run >$scratch/dry &&
    grep -q 'CN=Bad.Name: it must begin' $scratch/dry && grep -q 'CN=agent: it is reserved' $scratch/dry &&
    grep -q '1 devices keep' $scratch/dry"
check "and makes nothing" not test -e "$home"
check "ca import" "$thimble" ca import "$scratch/easy" --as device
check "a second time it is here already" refused 5 "known here already" "$thimble" ca import "$scratch/easy" --as device
check "nor may the same key be the server CA: a device could pose as the broker" \
    refused 5 "known here already" "$thimble" ca import "$scratch/easy" --as server
check "the key's copy is its owner's alone" test 600 = "$(stat -c %a "$home/ca/device.key")"
check "ca init makes the others" "$thimble" ca init --name Garden
check "and leaves the imported one" cmp "$home/ca/device.crt" <(openssl x509 -in "$pki/ca.crt")
check "every certificate is a row" test 5 = "$(sql "select count(*) from certificate where kind <> 'ca' and authority = 1")"
check "the good one is a device" test "lamp device active" = "$(sql "select name || ' ' || kind || ' ' || state from principal")"
check "its name is taken" refused 5 "was given to a device" "$thimble" user add lamp
"$thimble" broker init --no-proof --port "$port" --user-port "$(free_port)" --recovery-port "$(free_port)" \
    --bind 127.0.0.1 --host 127.0.0.1 >/dev/null
check "its certificate is good" is_good "$pki/issued/lamp.crt"
check "a name against the rule is on the list (F7)" is_listed "$pki/issued/Bad.Name.crt"
check "a reserved one too" is_listed "$pki/issued/agent.crt"
check "what was revoked before stays so" is_listed "$(echo "$pki"/revoked/certs_by_serial/*.crt)"
check "a server's certificate is no client's (T15)" not is_good "$pki/issued/broker.example.crt"
"$thimble" broker run >"$scratch/log" 2>&1 &
broker=$!
children+=("$broker")
wait_for 10 grep -q "The broker is up" "$scratch/log"
check "the broker lets the good one in" gets_in "$pki/issued/lamp.crt" "$pki/private/lamp.key"
check "and not the bad name" not gets_in "$pki/issued/Bad.Name.crt" "$pki/private/Bad.Name.key"
check "nor the server's" not gets_in "$pki/issued/broker.example.crt" "$pki/private/broker.example.key"
check "nor who would be the agent" not gets_in "$pki/issued/agent.crt" "$pki/private/agent.key"
check "a device that was imported can be revoked" "$thimble" device revoke lamp --lists-only
check "and is on the list" is_listed "$pki/issued/lamp.crt"
stays_out() { ! gets_in "$pki/issued/lamp.crt" "$pki/private/lamp.key"; }
check "and out" wait_for 5 stays_out
check "or replaced by one of ours" "$thimble" device enrol lamp --replace
check "which is good" is_good "$home/devices/lamp/device.crt"

# ---- openssl ca: every kind of certificate that is not let through ----
demo=$scratch/demo
mkdir -p "$demo/newcerts" "$demo/private"
: >"$demo/index.txt"
echo 1000 >"$demo/serial"
echo 0A >"$demo/crlnumber"
cat >"$demo/conf" <<EOF
[ca]
default_ca = here
[here]
dir = $demo
database = $demo/index.txt
new_certs_dir = $demo/newcerts
serial = $demo/serial
crlnumber = $demo/crlnumber
certificate = $demo/cacert.pem
private_key = $demo/private/cakey.pem
default_days = 300
default_crl_days = 30
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
countryName = optional
commonName = supplied
[req]
distinguished_name = dn
[dn]
[v3_ca]
basicConstraints = critical,CA:TRUE
keyUsage = keyCertSign, cRLSign
[sub_ca]
basicConstraints = critical,CA:TRUE
[client]
extendedKeyUsage = clientAuth
[server]
extendedKeyUsage = serverAuth
EOF
ec() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }
ec "$demo/plain.key"
openssl pkey -in "$demo/plain.key" -aes256 -passout "pass:their phrase" -out "$demo/private/cakey.pem"
openssl req -x509 -new -key "$demo/plain.key" -subj "/CN=Demo CA" -days 1000 -config "$demo/conf" \
    -extensions v3_ca -out "$demo/cacert.pem"
number=0
issue() { # SUBJECT [SECTION [KEYFILE]]: into $last
    number=$((number + 1))
    local key=${3:-$demo/$number.key}
    [ -e "$key" ] || ec "$key"
    openssl req -new -key "$key" -subj "$1" -config "$demo/conf" -out "$demo/$number.csr" || return 1
    openssl ca -batch -config "$demo/conf" -passin "pass:their phrase" -in "$demo/$number.csr" -out "$demo/$number.pem" \
        -extensions "${2:-client}" -notext >/dev/null 2>"$demo/log" || { cat "$demo/log"; return 1; }
    last=$demo/$number.pem
}
declare -A made
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out "$demo/weak.key" 2>/dev/null
made_of() { issue "$2" "${3:-client}" "${4:-}" && made[$1]=$last; }
made_of good "/CN=valve" && made_of country "/C=DE/CN=meter" && made_of plus "/CN=a\\+b" && made_of wild "/CN=#" &&
    made_of slash "/CN=a\\/b" && made_of empty_like "/CN= " && made_of two "/CN=first/CN=second" &&
    made_of taken "/CN=lamp" && made_of birth "/CN=lamp.birth" && made_of older "/CN=twice" && made_of sub "/CN=subca" sub_ca &&
    made_of weak "/CN=weak" client "$demo/weak.key" && made_of server "/CN=www" server && made_of lost "/CN=lost" &&
    made_of lost_bad "/CN=Lost" || exit 1
sleep 1 # of two with the same name the newer is told by its date
made_of newer "/CN=twice" || exit 1
for name in lost lost_bad; do # their files are gone; the index knows them
    rm "$demo/newcerts/$(openssl x509 -in "${made[$name]}" -noout -serial | cut -d= -f2).pem"
done
check "its key needs its pass phrase" refused 2 "no terminal" setsid -w "$thimble" ca import "$demo" --as device </dev/null
check "and the right one" refused 3 "does not open" env THIMBLE_PASSPHRASE="another phrase" "$thimble" ca import "$demo" --as device
export THIMBLE_PASSPHRASE="their phrase"
"$thimble" ca import "$demo" --as device --dry-run --json >"$scratch/dry.json"
check "--dry-run --json lists what would be revoked" json "$scratch/dry.json" "json_array_length(d, '$.revoked') = 11 and d ->> '$.kept' = 4"
check "ca import beside the one there is" "$thimble" ca import "$demo" --as device
check "its key stays encrypted" grep -q "BEGIN ENCRYPTED" "$home/ca/device.2.key"
check "it is trusted and issues nothing" sh -c "$thimble ca show | grep -q 'old: trusted'"
for name in good country newer lost; do
    check "$name is good" is_good "${made[$name]}"
done
for name in plus wild slash empty_like two taken birth older sub weak lost_bad; do
    check "$name is on the list (F7)" is_listed "${made[$name]}"
done
check "a server's alone is neither listed nor a client's" not is_good "${made[server]}"
check "the list goes on counting where the old one was" test 0x0A = "$(
    csplit -s -z -f "$scratch/crl" "$home/broker/clients.crl" '/BEGIN X509/' '{*}'
    for f in "$scratch"/crl0*; do openssl crl -in "$f" -noout -issuer -crlnumber; done | grep -A1 Demo | sed -n 's/crlNumber=//p')"
check "the running broker lets the good one in" wait_for 5 gets_in "${made[good]}" "$demo/1.key"
check "one with more than a name in its subject too" gets_in "${made[country]}" "$demo/2.key"
check "and not the older of two" not gets_in "${made[older]}" "$demo/10.key"
check "nor what the sub-authority could be" not gets_in "${made[sub]}" "$demo/11.key"
# A leaf that the sub-authority signs, unknown to any index.
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$demo/leaf.key" -subj /CN=pump -out "$demo/leaf.csr" 2>/dev/null
openssl x509 -req -in "$demo/leaf.csr" -CA "${made[sub]}" -CAkey "$demo/11.key" -CAcreateserial -out "$demo/leaf.crt" -days 9 2>/dev/null
cat "$demo/leaf.crt" "${made[sub]}" >"$demo/chain.crt"
check "nor who has its signature" not gets_in "$demo/chain.crt" "$demo/leaf.key"
unset THIMBLE_PASSPHRASE
check "retired, it is trusted no more" env THIMBLE_PASSPHRASE="their phrase" "$thimble" ca rotate device --retire --force
stays_out() { ! gets_in "${made[good]}" "$demo/1.key"; }
check "and what it has issued stays out" wait_for 5 stays_out

# ---- authorities that cannot be ours ----
bad_ca() { # NAME [openssl req arguments]
    local name=$1
    shift
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$scratch/$name.key" -subj "/CN=$name" \
        -out "$scratch/$name.crt" -config "$demo/conf" "$@" 2>/dev/null
}
bring() { "$thimble" ca import "$scratch/$1.crt" --key "$scratch/$1.key" --as "$2" --index "$scratch/empty.txt"; }
echo "V	400101000000Z		01	unknown	/CN=one" >"$scratch/empty.txt"
openssl req -x509 -newkey rsa:1024 -nodes -keyout "$scratch/short.key" -subj /CN=short -out "$scratch/short.crt" \
    -config "$demo/conf" -extensions v3_ca -days 100 2>/dev/null
check "a weak key is refused (T15)" refused 3 "2048" bring short device
bad_ca ended -extensions v3_ca -days 1
openssl x509 -in "$scratch/ended.crt" -signkey "$scratch/ended.key" -days -1 -out "$scratch/ended.crt.new" 2>/dev/null
mv "$scratch/ended.crt.new" "$scratch/ended.crt"
check "one that has expired is refused" refused 3 "has expired" bring ended device
printf '[x]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n' >>"$demo/conf"
bad_ca nolist -extensions x -days 100
check "one that may sign no lists is refused as device CA" refused 3 "key usage" bring nolist device
openssl x509 -req -in "$demo/leaf.csr" -CA "$demo/cacert.pem" -CAkey "$demo/plain.key" -CAcreateserial -days 9 \
    -extfile "$demo/conf" -extensions v3_ca -out "$scratch/inter.crt" 2>/dev/null
cp "$demo/leaf.key" "$scratch/inter.key"
check "an intermediate is refused" refused 3 "not self-signed" bring inter device

# ---- as server CA ----
bad_ca web -extensions v3_ca -days 1000
check "without an index it is imported as server CA, with a warning" sh -c \
    "$thimble ca import $scratch/web.crt --key $scratch/web.key --as server 2>&1 | grep -q 'can pose as your broker'"
check "devices know both" test 2 = "$(grep -c BEGIN "$home/devices/lamp/ca.crt")"
alone=$scratch/alone
check "as the first one it issues" "$thimble" ca import "$scratch/web.crt" --key "$scratch/web.key" --as server --dir "$alone"
check "with ca init for the others" "$thimble" ca init --dir "$alone"
check "and broker init" "$thimble" broker init --no-proof --dir "$alone" --host broker.example
check "whose certificate is its" openssl verify -purpose sslserver -verify_hostname broker.example -CAfile "$scratch/web.crt" \
    "$alone/broker/server.crt"
finish
