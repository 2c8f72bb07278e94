# SPDX-License-Identifier: MIT
# thimble broker lint: nothing in what broker init makes; each usual mistake, at its line, with a fix.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME
pki=$scratch/pki
mkdir "$pki"

# certificate NAME SUBJECT DAYS extension...: signed by ca, over NAME.key.
certificate() {
    local name=$1 subject=$2 days=$3
    shift 3
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$pki/$name.key" \
        -subj "$subject" -out "$pki/$name.csr" 2>/dev/null
    printf '%s\n' "$@" >"$pki/ext"
    openssl x509 -req -in "$pki/$name.csr" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -days "$days" \
        -extfile "$pki/ext" -out "$pki/$name.crt" 2>/dev/null
    chmod 600 "$pki/$name.key"
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$pki/ca.key" -out "$pki/ca.crt" \
    -subj "/CN=CA" -days 3650 2>/dev/null
certificate good /CN=broker.example 365 subjectAltName=DNS:broker.example,IP:192.0.2.7 extendedKeyUsage=serverAuth
certificate nosan /CN=broker.example 365 extendedKeyUsage=serverAuth
certificate client /CN=broker.example 365 subjectAltName=DNS:broker.example extendedKeyUsage=clientAuth
certificate old /CN=broker.example -1 subjectAltName=DNS:broker.example
certificate soon /CN=broker.example 5 subjectAltName=DNS:broker.example
: >"$pki/index"
printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s\ndefault_md=sha256\n' "$pki/index" >"$pki/ca.cnf"
crl() { openssl ca -config "$pki/ca.cnf" -gencrl -keyfile "$pki/ca.key" -cert "$pki/ca.crt" "$@" 2>/dev/null; }
crl -crldays 30 -out "$pki/ca.crl"
crl -crlsec 1 -out "$pki/old.crl"
printf 'pattern write %%u/x\nuser a\ntopic read #\n' >"$pki/acl"

# A file without a mistake; each test changes one thing in it.
write() {
    cat >"$scratch/mosquitto.conf" <<EOF
# a comment
allow_anonymous false
acl_file $pki/acl
listener 8883
cafile $pki/ca.crt
certfile $pki/good.crt
keyfile $pki/good.key
crlfile $pki/ca.crl
require_certificate true
use_identity_as_username true
use_username_as_clientid true
tls_version tlsv1.2
EOF
}
lint() { "$thimble" broker lint "$scratch/mosquitto.conf" "$@"; }
# finds LINE "text" sed-script [flags]: that, and nothing else.
finds() {
    local line=$1 text=$2 edit=$3
    shift 3
    write
    sed -i "$edit" "$scratch/mosquitto.conf"
    lint "$@" >"$scratch/out"
    [ $? = 3 ] || { cat "$scratch/out"; echo "not 3"; return 1; }
    cat "$scratch/out"
    grep -q "mosquitto.conf${line:+:$line}: .*$text" "$scratch/out" && grep -q "^1 findings" "$scratch/out" &&
        grep -q "^  fix: ." "$scratch/out"
}
both() { # LINE "text" LINE "text" sed-script: these two
    write
    sed -i "$5" "$scratch/mosquitto.conf"
    lint >"$scratch/out"
    cat "$scratch/out"
    grep -q ":$1: .*$2" "$scratch/out" && grep -q ":$3: .*$4" "$scratch/out"
}

"$thimble" ca init >/dev/null && "$thimble" broker init --no-proof --websockets 9001 >/dev/null || exit 1
check "what broker init makes has no mistake" "$thimble" broker lint "$home/broker/mosquitto.conf" --host localhost
write
check "nor has a good file of somebody else's" lint --host broker.example --host 192.0.2.7
check "nothing said of anonymous clients" finds "" "nothing is said of anonymous" /allow_anonymous/d
check "anonymous clients" finds 2 "anybody gets in" 's/allow_anonymous false/allow_anonymous true/'
check "no ACL" finds "" "there is no acl_file" /acl_file/d
check "an ACL that is not there" finds 3 "there is no /nowhere" 's|acl_file.*|acl_file /nowhere|'
check "a listener in the clear" finds 13 "in the clear" '$alistener 1883'
write
echo "listener 1883 127.0.0.1" >>"$scratch/mosquitto.conf"
check "but not on loopback" lint
check "no subjectAltName" both 6 "has no subjectAltName" 7 "does not belong" 's/good.crt/nosan.crt/'
check "a certificate for another name (T4)" finds 6 "is not for other.example" '' --host other.example
check "and for another address" finds 6 "is not for 192.0.2.8" '' --host 192.0.2.8
check "a client's certificate (T15)" finds 6 "not for a server" 's/good\./client./'
check "an expired one" finds 6 "has expired" 's/good\./old./'
check "one that expires soon" finds 6 "expires soon" 's/good\./soon./'
check "a key in place of the certificate" finds 6 "holds no PEM certificate" 's|good.crt|good.key|'
check "a certificate file that is not there" finds 6 "cannot be read" 's|certfile.*|certfile /nowhere|'
cat "$pki/ca.crt" "$pki/good.crt" >"$pki/order.crt"
check "a chain in the wrong order" both 6 "the first certificate is a CA's" 7 "the key does not belong" \
    's|good.crt|order.crt|'
check "a key that is not there" finds 7 "cannot be read" 's|keyfile.*|keyfile /nowhere|'
check "the key of another certificate" finds 7 "does not belong" 's/good.key/soon.key/'
cp "$pki/good.key" "$pki/open.key" && chmod 644 "$pki/open.key"
check "a key that everybody may read" finds 7 "everybody may read" 's/good.key/open.key/'
openssl pkey -in "$pki/good.key" -aes256 -passout pass:x -out "$pki/locked.key" && chmod 600 "$pki/locked.key"
check "an encrypted key" finds 7 "without a pass phrase" 's/good.key/locked.key/'
check "no key at all" finds 6 "without its key" /keyfile/d
sleep 1.1
check "a revocation list past its end" finds 8 "past its nextUpdate" 's/ca.crl/old.crl/'
check "one that is none" finds 8 "holds no PEM revocation list" 's/ca.crl/ca.crt/'
check "no list" finds 8 "no certificate can be revoked" /crlfile/d
check "a client id that is not bound (F6)" finds 9 "the client id is not bound" /use_username_as_clientid/d
check "an identity that is not used (F6)" finds 9 "not the users' names" '/use_.*as/d'
check "TLS 1.1 (T1)" finds 12 "no version of TLS to offer" 's/tlsv1.2/tlsv1.1/'
check "an option that is deprecated" finds 13 "'allow_duplicate_messages' is deprecated" '$aallow_duplicate_messages true'
acl_finds() { # LINE "text" line of the ACL
    write
    sed -i "s|^acl_file.*|acl_file $pki/bad.acl|" "$scratch/mosquitto.conf"
    printf '# one\n\n%s\n' "$3" >"$pki/bad.acl"
    lint >"$scratch/out"
    [ $? = 3 ] && grep -q "bad.acl:$1: .*$2" "$scratch/out"
}
check "a pattern that lets everybody write (F6)" acl_finds 3 "neither %u nor %c" "pattern write a/#"
check "also where it does not say write" acl_finds 3 "neither %u nor %c" "pattern a/#"
check "everything writable" acl_finds 3 "every topic" "topic readwrite #"
check "a pattern to read is none of it" not acl_finds 3 "" "pattern read a/#"
# ---- passwords ----
printf '# one\nlamp:$7$101$c2FsdA==$aGFzaA==\n' >"$pki/passwords" && chmod 600 "$pki/passwords"
with_passwords() { # [line of the password file]
    write
    sed -i "2apassword_file $pki/passwords" "$scratch/mosquitto.conf"
    [ -z "${1:-}" ] || { cp "$pki/passwords" "$pki/plain"; echo "$1" >>"$pki/plain"; sed -i "s|passwords$|plain|" "$scratch/mosquitto.conf"; }
}
with_passwords
check "a password file of hashes is none" lint
with_passwords pump:water
check "a password that is not hashed" sh -c "$thimble broker lint $scratch/mosquitto.conf | grep -q 'plain:3: a password stands here'"
with_passwords
chmod 644 "$pki/passwords"
check "a password file for everybody" sh -c "$thimble broker lint $scratch/mosquitto.conf | grep -q ':3: everybody may read the passwords'"
chmod 600 "$pki/passwords"
echo "listener 1883 127.0.0.1" >>"$scratch/mosquitto.conf"
check "a name with a password whose client id is not bound (F6)" sh -c \
    "$thimble broker lint $scratch/mosquitto.conf | grep -q ':14: the client id is not bound: whoever has a password'"
write
check "what 2.1 calls deprecated, when asked for it" sh -c "$thimble broker lint --mosquitto 2.1 $scratch/mosquitto.conf |
    grep -q \"3: 'acl_file' is deprecated since mosquitto 2.1\""
write
sed -i /crlfile/d "$scratch/mosquitto.conf"
lint --json >"$scratch/lint.json"
check "--json is JSON" json "$scratch/lint.json" \
    "d ->> '\$.findings[0].line' = 8 and d ->> '\$.findings[0].fix' = 'crlfile FILE'"
echo "port 1883" >"$scratch/old.conf"
check "an old file with 'port' alone is read, too" \
    sh -c "$thimble broker lint $scratch/old.conf | grep -q \"'port' is deprecated\""
check "a file that is not there" refused 3 "" "$thimble" broker lint /nowhere/mosquitto.conf
finish
