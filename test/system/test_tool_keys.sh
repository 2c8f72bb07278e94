# SPDX-License-Identifier: MIT
# The authorities' keys under a pass phrase, and in a PKCS#11 token; openssl judges.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME
unset THIMBLE_PASSPHRASE THIMBLE_PASSPHRASE_FILE
phrase="correct horse battery"
echo "$phrase" >"$scratch/right"
echo "another phrase" >"$scratch/wrong"
echo short >"$scratch/short"
: >"$scratch/empty"
printf 'a%.0s' {1..300} >"$scratch/long"
right=(--passphrase-file "$scratch/right")
quietly() { setsid -w "$@" </dev/null; } # without a terminal

# typed ANSWER... -- command...: at a terminal of its own; what that showed is in $scratch/typed.
typed() {
    python3 - "$scratch/typed" "$@" <<'EOF'
import os, pty, sys, time
log, words = sys.argv[1], sys.argv[2:]
cut = words.index("--")
answers, command = words[:cut], words[cut + 1:]
pid, master = pty.fork()
if pid == 0:
    os.execv(command[0], command)
shown = b""
while True:
    try:
        more = os.read(master, 4096)
    except OSError:
        break
    if not more:
        break
    shown += more
    while answers and shown.count(b": ") > len(words[:cut]) - len(answers) and shown.endswith(b": "):
        time.sleep(0.3)  # a person, not what was typed ahead
        os.write(master, answers.pop(0).encode().replace(b"^C", b"\x03") + b"\n")
        break
open(log, "wb").write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
EOF
}
shown() { cat "$scratch/typed"; grep -q -- "$1" "$scratch/typed"; }

# ---- key files under a pass phrase ----
check "without a pass phrase or a terminal ca init --encrypt says what to give" \
    refused 2 "no terminal" quietly "$thimble" ca init --encrypt
check "a short one is refused" refused 3 "shorter than 8" "$thimble" ca init --encrypt --passphrase-file "$scratch/short"
check "so is an empty file" refused 3 "no pass phrase" "$thimble" ca init --encrypt --passphrase-file "$scratch/empty"
check "and one that is too long" refused 3 "no pass phrase" "$thimble" ca init --encrypt --passphrase-file "$scratch/long"
check "and a file that is not there" refused 3 "cannot open" "$thimble" ca init --encrypt --passphrase-file "$scratch/none"
check "no key was left in the clear" sh -c "! grep -rq 'BEGIN PRIVATE' $home"
check "ca init --encrypt" "$thimble" ca init --encrypt "${right[@]}"
for ca in server device idevid; do
    check "the $ca key is PKCS#8 under PBES2 with PBKDF2 and AES-256" sh -c "
        openssl asn1parse -in $home/ca/$ca.key | tr '\n' ' ' | grep -q 'PBES2.*PBKDF2.*:0927C0.*hmacWithSHA256.*aes-256-cbc'"
    check "openssl opens it with the pass phrase" openssl pkey -in "$home/ca/$ca.key" -passin "pass:$phrase" -noout
    check "and with no other" not openssl pkey -in "$home/ca/$ca.key" -passin pass:x -noout
done
check "ca show says so, and asks for nothing" sh -c "[ \"\$($thimble ca show | grep -c '(encrypted)')\" = 3 ]"
check "broker init with the pass phrase in a file" "$thimble" broker init --no-proof "${right[@]}"
check "the server's own key is plain, as mosquitto starts unattended" \
    openssl pkey -in "$home/broker/server.key" -passin pass: -noout
check "device enrol with a wrong one is refused" refused 3 "does not open" \
    "$thimble" device enrol lamp --passphrase-file "$scratch/wrong"
check "and makes no name" test 0 = "$(sqlite3 "$home/registry.db" "select count(*) from principal")"
check "device enrol by THIMBLE_PASSPHRASE_FILE" env THIMBLE_PASSPHRASE_FILE="$scratch/right" "$thimble" device enrol lamp
check "user add by THIMBLE_PASSPHRASE" env THIMBLE_PASSPHRASE="$phrase" "$thimble" user add alice
check "through a pipe" sh -c "echo '$phrase' | $thimble user add bob --passphrase-file /dev/stdin"
check "without any, it is refused" refused 2 "no terminal" quietly "$thimble" device enrol other
check "user revoke needs it for the list" refused 2 "no terminal" quietly "$thimble" user revoke bob
check "and takes it" "$thimble" user revoke bob --lists-only "${right[@]}"
check "the certificate is the device CA's" openssl verify -x509_strict -purpose sslclient \
    -CAfile "$home/ca/device.crt" "$home/devices/lamp/device.crt"
check "listing asks for nothing" quietly "$thimble" device list

# ---- at a terminal ----
check "typed at the terminal it is asked for once for three keys" typed "$phrase" -- "$thimble" device enrol typed
check "by one question" sh -c "[ \"\$(grep -ac 'Pass phrase for.*:' $scratch/typed)\" = 1 ]"
check "and is not shown" not shown "$phrase"
check "a wrong one is an error" not typed wrong -- "$thimble" device enrol wrong
check "that says so" shown "does not open"
check "a new one is typed twice" typed "$phrase" "$phrase" -- "$thimble" ca init --encrypt --dir "$scratch/two"
check "and opens the key" openssl pkey -in "$scratch/two/ca/device.key" -passin "pass:$phrase" -noout
check "two that differ make nothing" not typed "$phrase" "$phrase." -- "$thimble" ca init --encrypt --dir "$scratch/differ"
check "and say so" shown "no pass phrase was given"
check "Ctrl-C at the question ends the command" not typed ^C -- "$thimble" device enrol stopped
check "which made nothing" not test -e "$home/devices/stopped/device.crt"

# ---- a plain key is encrypted by the run that finishes ----
mkdir -p "$scratch/cut/ca" && chmod 700 "$scratch/cut"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$scratch/cut/ca/server.key" 2>/dev/null
plain=$(openssl pkey -in "$scratch/cut/ca/server.key" -pubout)
check "a run that finishes another encrypts the key that was plain" \
    "$thimble" ca init --encrypt --dir "$scratch/cut" "${right[@]}"
check "and keeps it" test "$plain" = \
    "$(openssl pkey -in "$scratch/cut/ca/server.key" -passin "pass:$phrase" -pubout)"
check "not in the clear" not openssl pkey -in "$scratch/cut/ca/server.key" -passin pass: -noout

# ---- a successor is under the same pass phrase ----
check "ca rotate with a wrong pass phrase is refused" refused 3 "does not open" \
    "$thimble" ca rotate device --passphrase-file "$scratch/wrong"
check "and leaves no key under it" not test -e "$home/ca/device.2.key"
check "ca rotate of an encrypted CA" "$thimble" ca rotate device "${right[@]}"
check "encrypts the successor's key" openssl pkey -in "$home/ca/device.2.key" -passin "pass:$phrase" -noout
check "in no other way" not openssl pkey -in "$home/ca/device.2.key" -passin pass: -noout
check "and issues by it" "$thimble" device enrol after "${right[@]}"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$scratch/web.key" -out "$scratch/web.crt" -subj /CN=web \
    -addext keyUsage=keyCertSign,cRLSign 2>/dev/null
check "a plain key that is imported is not encrypted under a wrong one" refused 3 "does not open" "$thimble" ca import \
    "$scratch/web.crt" --key "$scratch/web.key" --as server --passphrase-file "$scratch/wrong"
check "but under that of the others" "$thimble" ca import "$scratch/web.crt" --key "$scratch/web.key" --as server "${right[@]}"
check "as openssl finds" openssl pkey -in "$home/ca/server.2.key" -passin "pass:$phrase" -noout

# ---- RSA users ----
check "user add --rsa" "$thimble" user add old --rsa --connections 2 "${right[@]}"
for file in user user.2; do
    check "$file has an RSA-2048 key" sh -c "openssl x509 -in $home/users/old/$file.crt -noout -text | grep -q '(2048 bit)'"
    check "and verifies" openssl verify -x509_strict -purpose sslclient -CAfile "$home/ca/device.2.crt" "$home/users/old/$file.crt"
done

# ---- keys in a token ----
export ASAN_OPTIONS=detect_leaks=0 # libp11 frees nothing where a token has no such key
export SOFTHSM2_CONF=$scratch/softhsm2.conf
export PKCS11_MODULE_PATH=/usr/lib/softhsm/libsofthsm2.so
mkdir "$scratch/tokens"
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$scratch/tokens" >"$SOFTHSM2_CONF"
pin=12345678
echo $pin >"$scratch/pin"
softhsm2-util --init-token --free --label authority --pin $pin --so-pin 87654321 >/dev/null
uri='pkcs11:token=authority'
token=$scratch/token
in_token=(--dir "$token" --passphrase-file "$scratch/pin")
check "a PIN in the URI is refused" refused 2 "shown by ps" "$thimble" ca init --dir "$token" --pkcs11 "$uri;pin-value=$pin"
check "something else than a URI is refused" refused 2 "takes a URI" "$thimble" ca init --dir "$token" --pkcs11 authority
check "--encrypt with it is refused" refused 2 "leave one" "$thimble" ca init --dir "$token" --pkcs11 "$uri" --encrypt
check "a token without the keys: the message has the command that makes one" \
    refused 3 "keypairgen --key-type EC:prime256v1 --label thimble-server --id 740101" \
    "$thimble" ca init "${in_token[@]}" --pkcs11 "$uri"
# libp11 takes keys without an id for one and the same: three authorities of one key.
softhsm2-util --init-token --free --label careless --pin $pin --so-pin 87654321 >/dev/null
for ca in server device idevid; do
    pkcs11-tool --module "$PKCS11_MODULE_PATH" --token-label careless --login --pin $pin --keypairgen \
        --key-type EC:prime256v1 --label "thimble-$ca" >/dev/null 2>&1
done
check "keys that the token cannot tell apart are refused" refused 3 "an id of its own" \
    "$thimble" ca init --dir "$scratch/careless" --passphrase-file "$scratch/pin" --pkcs11 pkcs11:token=careless
make_key() { # what the message says, until there is none
    local next
    next=$("$thimble" ca init "${in_token[@]}" --pkcs11 "$uri" 2>&1 | sed -n 's/^  next: pkcs11-tool/pkcs11-tool/p')
    [ -n "$next" ] && eval "$next --token-label authority --pin $pin"
}
for ca in server device idevid; do
    check "which works, for $ca" make_key
done
check "ca init --pkcs11" "$thimble" ca init "${in_token[@]}" --pkcs11 "$uri"
check "leaves no private key on the disk (I1)" not grep -rq "PRIVATE KEY" "$token"
check "nor the PIN" not grep -rq "$pin" "$token"
for ca in server device idevid; do
    check "the $ca CA is self-signed and verifies" \
        openssl verify -x509_strict -CAfile "$token/ca/$ca.crt" "$token/ca/$ca.crt"
done
check "a wrong PIN is refused" not "$thimble" device enrol lamp --dir "$token" --passphrase-file "$scratch/wrong"
ports=(--port "$(free_port)" --user-port "$(free_port)" --recovery-port "$(free_port)" --bind 127.0.0.1)
check "a broker of it is proved" "$thimble" broker init "${in_token[@]}" "${ports[@]}"
check "device enrol signs in the token" "$thimble" device enrol lamp "${in_token[@]}"
check "the certificate verifies" openssl verify -x509_strict -purpose sslclient \
    -CAfile "$token/ca/device.crt" "$token/devices/lamp/device.crt"
check "user add" "$thimble" user add alice "${in_token[@]}"
check "the CRL is signed in it too" openssl crl -in "$token/broker/clients.crl" -noout -CAfile "$token/ca/device.crt"
check "its successor's key is asked for by name" refused 3 "label thimble-device.2 --id 740202" \
    "$thimble" ca rotate device "${in_token[@]}"
pkcs11-tool --module "$PKCS11_MODULE_PATH" --token-label authority --login --pin $pin --keypairgen --key-type EC:prime256v1 \
    --label thimble-device.2 --id 740202 >/dev/null 2>&1
check "ca rotate in the token" "$thimble" ca rotate device "${in_token[@]}"
check "then it issues by that key" "$thimble" device enrol later "${in_token[@]}"
check "and the certificate verifies" openssl verify -x509_strict -purpose sslclient \
    -CAfile "$token/ca/device.2.crt" "$token/devices/later/device.crt"
check "ca show tells where the keys are" sh -c "$thimble ca show --dir $token | grep -q 'pkcs11:token=authority;object=thimble-device'"
check "without the token's module nothing is signed" refused 3 "" env PKCS11_MODULE_PATH=/nowhere "$thimble" device enrol other "${in_token[@]}"
finish
