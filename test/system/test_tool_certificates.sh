# SPDX-License-Identifier: MIT
# Every kind of certificate that thimble makes, as `openssl verify` and `openssl x509 -text` see it (T15).
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME
text() { # looked at once, unless the file is a newer one
    local seen=$scratch/text${1//\//_}
    [ "$seen" -nt "$1" ] || openssl x509 -in "$1" -noout -text -nameopt RFC2253 >"$seen"
    cat "$seen"
}
# extension CERTIFICATE NAME: its line and what it says, on one line.
extension() { text "$1" | grep -A1 "X509v3 $2:" | tr -s ' \n' ' '; }
says() { # CERTIFICATE EXTENSION "exactly this"
    local found
    found=$(extension "$1" "$2")
    echo "$found"
    [ "$found" = " X509v3 $2: $3 " ]
}
has_not() { ! text "$1" | grep -q "$2"; }
well_made() { # CERTIFICATE "key": what all have in common
    local serial
    text "$1" >"$scratch/text"
    grep -q "Version: 3 (0x2)" "$scratch/text" || return 1
    grep -q "$2" "$scratch/text" || return 1
    # 128 bits of chance, positive, of at most 20 bytes (RFC 5280 §4.1.2.2).
    serial=$(openssl x509 -in "$1" -noout -serial | cut -d= -f2)
    [ ${#serial} -le 32 ] && [ ${#serial} -ge 24 ] || { echo "serial $serial"; return 1; }
    grep -Eq "Signature Algorithm: (ecdsa-with-SHA256|sha256WithRSAEncryption)" "$scratch/text" || return 1
    says "$1" "Subject Key Identifier" "$(openssl x509 -in "$1" -noout -ext subjectKeyIdentifier | sed -n 2p | tr -d ' ')"
}
identifier() { openssl x509 -in "$1" -noout -ext "$2" 2>/dev/null | sed -n 2p | sed 's/.*keyid://; s/ //g'; }
ca() { # NAME FILE KEY
    check "$1 is well made" well_made "$2" "$3"
    check "$1 verifies by itself" openssl verify -x509_strict -check_ss_sig -CAfile "$2" "$2"
    check "$1 issues leaves alone" says "$2" "Basic Constraints" "critical CA:TRUE, pathlen:0"
    check "$1 signs certificates and lists alone" says "$2" "Key Usage" "critical Certificate Sign, CRL Sign"
    check "$1 names no other purpose" has_not "$2" "Extended Key Usage"
}
leaf() { # NAME FILE CA PURPOSE "EKU" SUBJECT KEY
    check "$1 is well made" well_made "$2" "${7:-ASN1 OID: prime256v1}"
    check "$1 verifies for its purpose" openssl verify -x509_strict -purpose "$4" -CAfile "$3" "$2"
    check "$1 does not for the other (T15)" not openssl verify -purpose \
        "$([ "$4" = sslclient ] && echo sslserver || echo sslclient)" -CAfile "$3" "$2"
    check "$1 is no authority" says "$2" "Basic Constraints" "critical CA:FALSE"
    check "$1 only signs" says "$2" "Key Usage" "critical Digital Signature"
    check "$1 has one purpose" says "$2" "Extended Key Usage" "$5"
    check "$1 names its issuer's key" test "$(identifier "$2" authorityKeyIdentifier)" = "$(identifier "$3" subjectKeyIdentifier)"
    check "$1 has its name alone" test "subject=$6" = "$(openssl x509 -in "$2" -noout -subject -nameopt RFC2253)"
}
client="TLS Web Client Authentication"
no_names() { check "$1 has no further names" has_not "$2" "Subject Alternative Name"; }

"$thimble" ca init --name Garden >/dev/null && "$thimble" broker init --no-proof --host x.example --host 192.0.2.7 --host 2001:db8::1 >/dev/null 2>&1 &&
    "$thimble" device enrol lamp >/dev/null && "$thimble" user add alice --connections 2 >/dev/null &&
    "$thimble" user add old --rsa >/dev/null && "$thimble" user add agent >/dev/null && "$thimble" user add keeper >/dev/null || exit 1
for kind in server device idevid; do
    ca "the $kind CA" "$home/ca/$kind.crt" "ASN1 OID: prime256v1"
done
leaf "the server's certificate" "$home/broker/server.crt" "$home/ca/server.crt" sslserver "TLS Web Server Authentication" CN=x.example
for name in "-verify_hostname x.example" "-verify_hostname localhost" "-verify_ip 192.0.2.7" "-verify_ip 2001:db8::1"; do
    # shellcheck disable=SC2086
    check "it is good for ${name#-verify_}" openssl verify -x509_strict $name -CAfile "$home/ca/server.crt" "$home/broker/server.crt"
done
check "and for no other name" not openssl verify -verify_hostname y.example -CAfile "$home/ca/server.crt" "$home/broker/server.crt"
leaf "an LDevID" "$home/devices/lamp/device.crt" "$home/ca/device.crt" sslclient "$client" CN=lamp
no_names "an LDevID" "$home/devices/lamp/device.crt"
leaf "an IDevID" "$home/devices/lamp/birth.crt" "$home/ca/idevid.crt" sslclient "$client" CN=lamp.birth
no_names "an IDevID" "$home/devices/lamp/birth.crt"
check "an IDevID has no end (IEEE 802.1AR)" sh -c "openssl x509 -in $home/devices/lamp/birth.crt -noout -enddate | grep -q 'Dec 31 23:59:59 9999 GMT'"
leaf "a user's" "$home/users/alice/user.crt" "$home/ca/device.crt" sslclient "$client" CN=alice
leaf "a user's second" "$home/users/alice/user.2.crt" "$home/ca/device.crt" sslclient "$client" CN=alice.2
leaf "an RSA user's" "$home/users/old/user.crt" "$home/ca/device.crt" sslclient "$client" CN=old "(2048 bit)"
for name in agent keeper; do
    leaf "the $name's" "$home/users/$name/user.crt" "$home/ca/device.crt" sslclient "$client" CN=$name
done
life() { # CERTIFICATE DAYS: its end, and ten minutes of slack before
    python3 - "$(openssl x509 -in "$1" -noout -startdate | cut -d= -f2)" "$(openssl x509 -in "$1" -noout -enddate | cut -d= -f2)" "$2" <<'EOF'
import sys
from datetime import datetime
begin, end = (datetime.strptime(t, "%b %d %H:%M:%S %Y %Z") for t in sys.argv[1:3])
sys.exit((end - begin).total_seconds() != int(sys.argv[3]) * 86400 + 600)
EOF
}
check "an LDevID lives 180 days" life "$home/devices/lamp/device.crt" 180
check "a user's certificate too" life "$home/users/alice/user.crt" 180
check "the server's a year" life "$home/broker/server.crt" 365
check "a CA ten years" life "$home/ca/device.crt" 3652

# ---- of exchanged and of imported authorities ----
for kind in server device idevid; do "$thimble" ca rotate $kind >/dev/null; done
"$thimble" ca rotate server --switch >/dev/null && "$thimble" device enrol pump >/dev/null || exit 1
for kind in server device idevid; do
    ca "the second $kind CA" "$home/ca/$kind.2.crt" "ASN1 OID: prime256v1"
done
leaf "its server's certificate" "$home/broker/server.crt" "$home/ca/server.2.crt" sslserver "TLS Web Server Authentication" CN=x.example
leaf "its LDevID" "$home/devices/pump/device.crt" "$home/ca/device.2.crt" sslclient "$client" CN=pump
leaf "its IDevID" "$home/devices/pump/birth.crt" "$home/ca/idevid.2.crt" sslclient "$client" CN=pump.birth
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$scratch/their.key" -out "$scratch/their.crt" -subj "/O=Their/CN=Their CA" -days 900 \
    -addext "keyUsage=critical,keyCertSign,cRLSign" 2>/dev/null
: >"$scratch/index.txt"
printf 'R\t400101000000Z\t260101000000Z\t01\tunknown\t/CN=one\n' >"$scratch/index.txt"
theirs=$scratch/theirs
check "an imported authority" "$thimble" ca import "$scratch/their.crt" --key "$scratch/their.key" --index "$scratch/index.txt" --as device --dir "$theirs"
"$thimble" ca init --dir "$theirs" >/dev/null && "$thimble" device enrol valve --dir "$theirs" >/dev/null || exit 1
leaf "its LDevID" "$theirs/devices/valve/device.crt" "$scratch/their.crt" sslclient "$client" CN=valve
check "ends no later than its issuer would" openssl x509 -in "$theirs/devices/valve/device.crt" -noout -checkend 15000000

# ---- the revocation lists ----
"$thimble" device revoke lamp --lists-only >/dev/null
crl() { openssl crl -in "$home/broker/$1.crl" -noout -text; }
for list in clients recovery; do
    check "the $list list is of version 2, signed with SHA-256" sh -c "openssl crl -in $home/broker/$list.crl -noout -text |
        tr '\n' ' ' | grep -q 'Version 2 (0x1).*ecdsa-with-SHA256.*X509v3 CRL Number.*X509v3 Authority Key Identifier'"
done
check "and the device's certificate is on it" sh -c "openssl verify -crl_check -CAfile $home/broker/clients-ca.crt \
    -CRLfile $home/broker/clients.crl $home/devices/lamp/device.crt 2>&1 | grep -q 'certificate revoked'"
finish
