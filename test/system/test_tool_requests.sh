# SPDX-License-Identifier: MIT
# thimble device enrol --csr: requests made elsewhere, the good and the bad (I1, I2, F7).
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME
away=$scratch/device
mkdir "$away"

# request FILE SUBJECT [openssl req arguments]: FILE.key and FILE.csr, as a device makes them.
request() {
    local file=$1 subject=$2
    shift 2
    [ -f "$away/$file.key" ] ||
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$away/$file.key" 2>/dev/null
    openssl req -new -key "$away/$file.key" -subj "$subject" -out "$away/$file.csr" "$@"
}
enrol() { # NAME CSR BIRTH
    "$thimble" device enrol "$1" --csr "$away/$2.csr" --birth-csr "$away/$3.csr" "${@:4}"
}
count() { sqlite3 "$home/registry.db" "select count(*) from certificate where kind in ('ldevid','idevid')"; }
"$thimble" ca init >/dev/null && "$thimble" broker init --no-proof >/dev/null || exit 1

request lamp /CN=lamp
request birth /CN=lamp.birth
check "two requests of a device are signed" enrol lamp lamp birth
lamp=$home/devices/lamp
check "the certificate is over the device's key" test "$(openssl pkey -in "$away/lamp.key" -pubout)" = \
    "$(openssl x509 -in "$lamp/device.crt" -noout -pubkey)"
check "the birth certificate over the other" test "$(openssl pkey -in "$away/birth.key" -pubout)" = \
    "$(openssl x509 -in "$lamp/birth.crt" -noout -pubkey)"
check "both verify" sh -c "openssl verify -x509_strict -purpose sslclient -CAfile $home/ca/device.crt $lamp/device.crt &&
    openssl verify -x509_strict -purpose sslclient -CAfile $home/ca/idevid.crt $lamp/birth.crt"
check "there is no key here (I1)" sh -c "! ls $lamp/*.key"
"$thimble" device list --json >"$scratch/list.json"
check "and none is told of" json "$scratch/list.json" "d ->> '\$.devices[0].key' is null"
rm "$lamp/device.crt" "$lamp/birth.crt"
before=$(count)
check "run again after it was cut off, it finishes" enrol lamp lamp birth
check "with the certificates issued then" test "$before" = "$(count)"

before=$(count)
request pump /CN=pump
request pump-birth /CN=pump.birth
check "another device's name in the request is refused" refused 3 "exactly CN=" enrol other pump pump-birth
check "the same key twice is refused" sh -c "cp $away/pump.key $away/twice.key;
    openssl req -new -key $away/twice.key -subj /CN=pump.birth -out $away/twice.csr;
    $thimble device enrol pump --csr $away/pump.csr --birth-csr $away/twice.csr 2>&1 | grep -q 'its key is the one of pump'"
cp "$away/lamp.key" "$away/stolen.key"
request stolen /CN=pump
check "a key of another device is refused" refused 3 "its key is the one of lamp" enrol pump stolen pump-birth
request two /CN=pump/CN=lamp
check "two common names are refused (F7)" refused 3 "exactly CN=" enrol pump two pump-birth
request more /O=x/CN=pump
check "further parts of the subject are refused" refused 3 "exactly CN=" enrol pump more pump-birth
python3 - "$away" <<'EOF'
import subprocess, sys
der = subprocess.run(["openssl", "req", "-in", sys.argv[1] + "/pump.csr", "-outform", "DER"], capture_output=True).stdout
at = der.index(b"pump")
def write(name, data):
    pem = subprocess.run(["openssl", "base64"], input=data, capture_output=True).stdout.decode()
    open(sys.argv[1] + "/" + name + ".csr", "w").write(
        "-----BEGIN CERTIFICATE REQUEST-----\n" + pem + "-----END CERTIFICATE REQUEST-----\n")
write("nul", der[:at] + b"pu\0p" + der[at + 4:])
for i in range(0, len(der), 7): # a bit of every seventh byte
    write("bit%d" % i, der[:i] + bytes([der[i] ^ 1]) + der[i + 1:])
EOF
check "a NUL in the name is refused (F7)" refused 3 "" enrol pump nul pump-birth
altered() {
    local file some=0
    for file in "$away"/bit*.csr; do
        refused 3 "" enrol pump "$(basename "$file" .csr)" pump-birth || return 1
        some=$((some + 1))
    done
    [ "$some" -gt 20 ]
}
check "a request with one bit altered is refused, wherever (I2)" altered
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out "$away/weak.key" 2>/dev/null
request weak /CN=pump
check "a weak key is refused" refused 3 "shorter than 2048" enrol pump weak pump-birth
check "one request alone is refused" refused 2 "belong together" "$thimble" device enrol pump --csr "$away/pump.csr"
check "nor are they for two names" refused 2 "one name" enrol pump pump pump-birth valve
check "a file that is no request is refused" refused 3 "holds no PEM certificate request" sh -c \
    "$thimble device enrol pump --csr $away/pump.key --birth-csr $away/pump-birth.csr"
check "of all these nothing was issued" test "$before" = "$(count)"
check "and the name is free still" enrol pump pump pump-birth
request new /CN=pump
rm "$away/new.key"
request new /CN=pump
request new-birth /CN=pump.birth
check "another key for a name needs --replace" refused 5 "was given to a device" enrol pump new new-birth
check "which is --replace" enrol pump new new-birth --replace
finish
