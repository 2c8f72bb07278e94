# SPDX-License-Identifier: MIT
# thimble profile: AWS IoT Core, with a server that insists on SNI, ALPN and a certificate as its port 443
# does; and the one authority that a public broker needs out of a whole system's store.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
pki=$scratch/pki
mkdir "$pki"
cd "$scratch" || exit 1
endpoint=abc123-ats.iot.eu-west-1.amazonaws.com
root() { # FILE common-name
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$2" \
        -addext keyUsage=critical,keyCertSign,cRLSign -keyout "$pki/$1.key" -out "$pki/$1.crt" 2>/dev/null
}
leaf() { # FILE common-name ISSUER extension
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$pki/$1.key" \
        -out "$pki/$1.csr" 2>/dev/null
    printf 'basicConstraints=%s\n%b\n' "${5:-CA:FALSE}" "$4" >"$pki/ext"
    openssl x509 -req -in "$pki/$1.csr" -CA "$pki/$3.crt" -CAkey "$pki/$3.key" -CAcreateserial -days 2 -extfile "$pki/ext" \
        -out "$pki/$1.crt" 2>/dev/null
}
root amazon "Amazon Root CA 3"
root other "Some Other Root"
root clients "AWS signs clients with this"
leaf server "*.iot" amazon "extendedKeyUsage=serverAuth\nsubjectAltName=DNS:*.iot.eu-west-1.amazonaws.com"
leaf between "Between" other "keyUsage=critical,keyCertSign" CA:TRUE
leaf public "broker" between "extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1"
cat /etc/ssl/certs/ca-certificates.crt "$pki/other.crt" "$pki/amazon.crt" >"$scratch/store.pem"

# ---- aws ----
aws() { "$thimble" profile aws "$endpoint" --thing lamp --account 123456789012 --store "$scratch/store.pem" "$@"; }
check "profile aws makes what a thing needs" aws
check "its key is its owner's alone" [ "$(stat -c %a aws-lamp/device.key)" = 600 ]
check "its request is for its name, and verifies (I2)" sh -c "openssl req -in aws-lamp/device.csr -noout -verify -subject 2>&1 |
    grep -q 'CN = lamp'"
check "of the store it keeps Amazon's authorities alone" sh -c "! grep -q 'Some Other' aws-lamp/ca.crt &&
    [ \$(grep -c BEGIN aws-lamp/ca.crt) -lt 8 ] && openssl verify -CAfile aws-lamp/ca.crt $pki/server.crt"
check "the policy is JSON, for this thing alone" json "$scratch/aws-lamp/policy.json" "d ->> '\$.Version' = '2012-10-17' and
    json_array_length(d, '\$.Statement') = 5 and d ->> '\$.Statement[0].Resource[0]' =
    'arn:aws:iot:eu-west-1:123456789012:client/lamp' and (select count(*) from json_tree(d, '\$.Statement')
    where atom like 'arn:%' and atom not like '%/lamp' and atom not like '%/lamp/%') = 0"
before=$(sha256sum aws-lamp/device.key)
check "made again it keeps the key" sh -c "$(declare -f aws); thimble=$thimble scratch=$scratch endpoint=$endpoint; aws >aws.out"
check "as it was" test "$before" = "$(sha256sum aws-lamp/device.key)"
check "China has a partition of its own" sh -c "$thimble profile aws x.ats.iot.cn-north-1.amazonaws.com.cn --thing lamp \
    --account 123456789012 --store '$scratch/store.pem' --to cn >/dev/null && grep -q arn:aws-cn:iot:cn-north-1: cn/policy.json"
check "a thing's name that may not be is refused (F7)" refused 3 "cannot be used" aws --thing 'a/#'
check "an account that is none is refused" refused 3 "12 digits" aws --account 1234
check "a domain of one's own needs the region" refused 2 "does not tell its region" "$thimble" profile aws iot.example \
    --thing lamp --account 123456789012
check "a store without Amazon is said" refused 4 "none of Amazon" aws --store "$pki/other.crt" --to nowhere

# AWS signs the request and gives device.crt back.
printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n' >"$pki/ext"
openssl x509 -req -in aws-lamp/device.csr -CA "$pki/clients.crt" -CAkey "$pki/clients.key" -CAcreateserial -days 2 \
    -extfile "$pki/ext" -out aws-lamp/device.crt 2>/dev/null
python3 "$THIMBLE_SOURCE/test/system/aws_server.py" "$endpoint" "$pki/server.crt" "$pki/server.key" "$pki/clients.crt" 4 >server.out 2>server.err &
children+=("$!")
wait_for 10 grep -q port server.out
port=$(sed -n 's/port //p' server.out)
# The command that was printed, but for the name server.
printed() {
    eval "$(sed -n "s/^Next: thimble/'${thimble//\//\\/}'/p" aws.out | sed "s/-h $endpoint -p 443/-h 127.0.0.1 -p $port --server-name $endpoint/") $*"
}
for backend in openssl bearssl; do
    check "the command it prints publishes over $backend" printed --tls-backend $backend
done
check "each with SNI, ALPN and its certificate, then CONNECT and PUBLISH" sh -c \
    "[ \$(grep -c 'alpn=x-amzn-mqtt-ca id=lamp peer=lamp sni=$endpoint topic=lamp/status' server.out) = 2 ]"
check "without ALPN there is no MQTT at port 443" not "$thimble" pub -h 127.0.0.1 -p "$port" --server-name "$endpoint" \
    --cafile aws-lamp/ca.crt --cert aws-lamp/device.crt --key aws-lamp/device.key -i lamp -t lamp/status -m x -q 1 -W 3
check "without SNI there is no handshake" not "$thimble" pub -h 127.0.0.1 -p "$port" --alpn x-amzn-mqtt-ca --cafile aws-lamp/ca.crt \
    --cert aws-lamp/device.crt --key aws-lamp/device.key -i lamp -t lamp/status -m x -q 1 -W 3
wait_for 5 [ "$(wc -l <server.out)" = 5 ]
check "as the server saw" sh -c "sed -n 4p server.out | grep -q 'alpn=None' && sed -n 5p server.out | grep -q 'sni=None'"

# ---- a public broker ----
port=$(free_port)
openssl s_server -accept "127.0.0.1:$port" -cert "$pki/public.crt" -cert_chain "$pki/between.crt" -key "$pki/public.key" -quiet \
    >/dev/null 2>&1 &
children+=("$!")
wait_for 5 listens "$port"
check "a whole system's store is refused as --cafile, with the command to use" refused 3 "more than 16 certificates" \
    "$thimble" tls "localhost:$port" --cafile "$scratch/store.pem"
check "profile public finds the one authority" "$thimble" profile public "localhost:$port" --store "$scratch/store.pem"
check "and writes it alone" sh -c "[ \$(grep -c BEGIN localhost.ca.crt) = 1 ] && openssl x509 -in localhost.ca.crt -noout -subject |
    grep -q 'Some Other Root'"
check "with it a device accepts the server" "$thimble" tls "localhost:$port" --cafile localhost.ca.crt --tls-backend both
check "by address as well" "$thimble" profile public "127.0.0.1:$port" --store "$scratch/store.pem" --to address.crt
check "--json is JSON" sh -c "$thimble profile public localhost:$port --store '$scratch/store.pem' --json >p.json"
check "with its name" json "$scratch/p.json" "d ->> '\$.name' = 'Some Other Root'"
check "a server that no authority stands for is refused" refused 13 "no authority" "$thimble" profile public "localhost:$port"
elsewhere=$(free_port)
openssl s_server -accept "127.0.0.2:$elsewhere" -cert "$pki/public.crt" -cert_chain "$pki/between.crt" -key "$pki/public.key" -quiet \
    >/dev/null 2>&1 &
children+=("$!")
wait_for 5 sh -c "echo | timeout 1 openssl s_client -connect 127.0.0.2:$elsewhere"
check "one that is for another address, too" refused 13 "IP address mismatch" "$thimble" profile public "127.0.0.2:$elsewhere" \
    --store "$scratch/store.pem"
check "a name without an address is said" refused 10 "has no address" "$thimble" profile public broker.invalid
check "what is no server is a usage error" refused 2 "no server" "$thimble" profile public "localhost:x"
finish
