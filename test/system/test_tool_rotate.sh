# SPDX-License-Identifier: MIT
# thimble ca export and ca rotate: openssl judges the files, a real mosquitto who gets in at each step
# of an exchange of anchors (I6: two valid at once).
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME
port=$(free_port)
user_port=$(free_port)
recovery_port=$(free_port)
log=$scratch/log
verify() { openssl verify -x509_strict "$@"; }
as() { # NAME: publishes, with the files in DIR/NAME
    local kind=user at=$user_port
    [ -e "$1/device.crt" ] && kind=device at=$port
    timeout 10 mosquitto_pub -h 127.0.0.1 -p "$at" --cafile "$1/ca.crt" --cert "$1/$kind.crt" --key "$1/$kind.key" \
        -V mqttv5 -q 1 -t x/status -m y
}
recovers() { # DIR: by its birth certificate
    timeout 10 mosquitto_pub -h 127.0.0.1 -p "$recovery_port" --cafile "$1/ca.crt" --cert "$1/birth.crt" \
        --key "$1/birth.key" -V mqttv5 -q 1 -t x -m y
}
broker_start() {
    : >"$log"
    "$thimble" broker run >"$log" 2>&1 &
    broker=$!
    children+=("$broker")
    wait_for 10 grep -q "The broker is up" "$log"
}
broker_stop() { kill "$broker" && wait "$broker"; }
count_of() { grep -c -- "-----BEGIN $2-----" "$1"; }

check "before ca init there is nothing to export" refused 4 "no state directory" "$thimble" ca export
"$thimble" ca init --name Garden >/dev/null || exit 1
check "before broker init there are no lists to export" refused 4 "no revocation lists yet" "$thimble" ca export crl
"$thimble" broker init --no-proof --port "$port" --user-port "$user_port" --recovery-port "$recovery_port" \
    --host broker.example --host 127.0.0.1 --bind 127.0.0.1 >/dev/null &&
    "$thimble" device enrol lamp pump >/dev/null && "$thimble" user add alice --connections 2 >/dev/null || exit 1

# ---- export ----
check "ca export server writes the anchor to stdout" sh -c "$thimble ca export server | cmp - $home/ca/server.crt"
check "ca export writes anchors and lists to stdout, and no key" sh -c "
    $thimble ca export >$scratch/all && [ \"\$(grep -c 'BEGIN CERTIFICATE' $scratch/all)\" = 3 ] &&
    [ \"\$(grep -c 'BEGIN X509 CRL' $scratch/all)\" = 2 ] && ! grep -q 'PRIVATE' $scratch/all"
check "ca export --der is DER" sh -c "$thimble ca export device --der | openssl x509 -inform DER -noout -subject | grep -q 'Garden device CA'"
check "several in DER do not go to stdout" refused 2 "one object" "$thimble" ca export --der
check "ca export --to DIR" "$thimble" ca export --to "$scratch/out"
check "writes five files" test "$(cd "$scratch/out" && echo *)" = "clients.crl device.crt idevid.crt recovery.crl server.crt"
check "the same in DER" "$thimble" ca export --der --to "$scratch/der"
check "its list is a list" openssl crl -inform DER -in "$scratch/der/clients.crl" -noout -CAfile "$home/ca/device.crt"
check "private keys do not go to stdout" refused 2 "do not go to stdout" "$thimble" ca export --with-private-keys
check "they go to a directory when asked for by name" "$thimble" ca export device --with-private-keys --to "$scratch/keys"
check "for their owner alone" test 600 = "$(stat -c %a "$scratch/keys/device.key")"
check "and the log knows" sh -c "$thimble ca log | grep -q 'export keys'"
check "something else is refused" refused 2 "takes server, device" "$thimble" ca export devices
"$thimble" ca export --to "$scratch/out" --json >"$scratch/export.json"
check "ca export --json lists the files" json "$scratch/export.json" "json_array_length(d, '$.files') = 5"

# ---- the device CA: the successor issues at once ----
broker_start
cp "$home/ca/device.crt" "$scratch/device-old.crt"
check "before, the old certificates get in" as "$home/devices/lamp"
check "there is nothing to retire yet" refused 4 "no old device CA" "$thimble" ca rotate device --retire
check "only the server CA is switched" refused 2 "only the server CA" "$thimble" ca rotate device --switch
check "ca rotate device" "$thimble" ca rotate device
check "a second one is refused while it lasts" refused 5 "exchange is not over" "$thimble" ca rotate device
check "the old anchor's file is as it was" cmp "$home/ca/device.crt" "$scratch/device-old.crt"
check "the new one is self-signed, P-256, and may only issue leaves (T15)" sh -c "
    openssl verify -x509_strict -CAfile $home/ca/device.2.crt $home/ca/device.2.crt &&
    openssl x509 -in $home/ca/device.2.crt -noout -text | grep -q 'CA:TRUE, pathlen:0'"
check "with a subject of its own" sh -c "openssl x509 -in $home/ca/device.2.crt -noout -subject | grep -q 'Garden device CA 2'"
check "and a key of its own" not cmp "$home/ca/device.key" "$home/ca/device.2.key"
check "the broker's anchors are both" test 2 = "$(count_of "$home/broker/clients-ca.crt" CERTIFICATE)"
check "and there is a list of each" test 2 = "$(count_of "$home/broker/clients.crl" "X509 CRL")"
check "what is issued now is the new one's" "$thimble" device enrol new
check "openssl says so" verify -purpose sslclient -CAfile "$home/ca/device.2.crt" "$home/devices/new/device.crt"
check "and not the old one's" not verify -CAfile "$home/ca/device.crt" "$home/devices/new/device.crt"
check "with both lists checked" verify -crl_check -CAfile "$home/broker/clients-ca.crt" \
    -CRLfile "$home/broker/clients.crl" "$home/devices/new/device.crt" "$home/devices/lamp/device.crt"
for name in devices/new devices/lamp devices/pump users/alice; do
    check "the running broker lets $name in" wait_for 5 as "$home/$name"
done
check "what the old one issued is still revoked by it" "$thimble" device revoke pump --lists-only
sleep 0.5
check "and stays out" not as "$home/devices/pump"
check "openssl says so too" sh -c "openssl verify -crl_check -CAfile $home/broker/clients-ca.crt \
    -CRLfile $home/broker/clients.crl $home/devices/pump/device.crt 2>&1 | grep -q 'certificate revoked'"
check "--plan tells who is ready" sh -c "$thimble ca rotate device --plan >$scratch/plan &&
    grep -q '^  new  *device  *ready' $scratch/plan && grep -q '^  lamp  *device  *not yet' $scratch/plan &&
    grep -q '1 ready, 2 not yet' $scratch/plan"
"$thimble" ca rotate device --plan --json >"$scratch/plan.json"
check "as JSON too" json "$scratch/plan.json" "json_array_length(d, '$.clients') = 3"
check "--retire is refused while somebody would be locked out, and names them" \
    refused 3 "2 would be locked out.*lamp, alice" "$thimble" ca rotate device --retire
check "user add --replace gives new keys and keeps the role" "$thimble" user add alice --replace
check "for both connections" verify -purpose sslclient -CAfile "$home/ca/device.2.crt" "$home/users/alice/user.2.crt"
check "a role with it is refused" refused 2 "keeps role" "$thimble" user add alice --replace --role admin
check "nobody is replaced who is none" refused 4 "no user 'lamp' to replace" "$thimble" user add lamp --replace
check "device enrol --replace" "$thimble" device enrol lamp --replace
check "then --retire" "$thimble" ca rotate device --retire
check "leaves one anchor" cmp "$home/broker/clients-ca.crt" "$home/ca/device.2.crt"
check "and one list" test 1 = "$(count_of "$home/broker/clients.crl" "X509 CRL")"
for name in devices/lamp devices/new users/alice; do
    check "by which $name gets in" wait_for 5 as "$home/$name"
done
check "ca show lists what is trusted alone" sh -c "[ \"\$($thimble ca show --json | grep -o '\"authority\"' | wc -l)\" = 3 ]"

# ---- the IDevID CA ----
check "ca rotate idevid" "$thimble" ca rotate idevid
check "a birth certificate of the new one" "$thimble" device enrol born
check "is for life" sh -c "openssl asn1parse -in $home/devices/born/birth.crt | grep -q 99991231235959Z"
check "and verifies" verify -purpose sslclient -CAfile "$home/ca/idevid.2.crt" "$home/devices/born/birth.crt"
check "the recovery listener takes the new" wait_for 5 recovers "$home/devices/born"
check "and the old" recovers "$home/devices/lamp"
check "--retire with --force locks the old out" "$thimble" ca rotate idevid --retire --force
stays_out() { ! recovers "$1"; }
check "so it is" wait_for 5 stays_out "$home/devices/lamp"
broker_stop
broker_start
check "after a restart too" not recovers "$home/devices/lamp"
check "and the new one gets in" recovers "$home/devices/born"

# ---- the server CA: trusted first, then it signs, then the old one goes ----
cp -r "$home/devices/new" "$scratch/knows-old"
pin() { openssl x509 -in "$home/broker/server.crt" -noout -pubkey | sha256sum; }
before=$(pin)
certificate_before=$(sha256sum <"$home/broker/server.crt")
check "there is nothing to switch to yet" refused 4 "no next server CA" "$thimble" ca rotate server --switch
check "ca rotate server" "$thimble" ca rotate server
check "gives every device and user both anchors" test "2 2" = \
    "$(count_of "$home/devices/lamp/ca.crt" CERTIFICATE) $(count_of "$home/users/alice/ca.crt" CERTIFICATE)"
check "and leaves the broker's certificate" test "$certificate_before" = "$(sha256sum <"$home/broker/server.crt")"
check "who has both gets in" as "$home/devices/lamp"
check "who has the old one too" as "$scratch/knows-old"
cp "$scratch/knows-old/ca.crt" "$home/devices/new/ca.crt"
check "--switch is refused while somebody has not the new one" refused 3 "would not know the broker.*new" \
    "$thimble" ca rotate server --switch
check "--plan names it" sh -c "$thimble ca rotate server --plan | grep -q '^  new  *device  *not yet'"
cp "$home/devices/lamp/ca.crt" "$home/devices/new/ca.crt"
check "ca rotate server --switch" "$thimble" ca rotate server --switch
check "the certificate is the new CA's, by every name it had" verify -purpose sslserver -verify_hostname broker.example \
    -CAfile "$home/ca/server.2.crt" "$home/broker/server.crt"
check "and address" verify -purpose sslserver -verify_ip 127.0.0.1 -CAfile "$home/ca/server.2.crt" "$home/broker/server.crt"
check "it is no client's (T15)" not verify -purpose sslclient -CAfile "$home/ca/server.2.crt" "$home/broker/server.crt"
check "over the same key: pins hold" test "$before" = "$(pin)"
check "the running broker shows it without a restart" wait_for 5 as "$home/devices/lamp"
check "who knows the old anchor alone is out now" not as "$scratch/knows-old"
check "ca rotate server --retire" "$thimble" ca rotate server --retire
check "leaves one anchor with everybody" cmp "$home/devices/lamp/ca.crt" "$home/ca/server.2.crt"
check "by which they get in" as "$home/devices/lamp"
check "a third generation" "$thimble" ca rotate server
check "is not confused with the first" test -e "$home/ca/server.3.crt"
check "the log tells it all" sh -c "[ \"\$($thimble ca log | grep -c -e rotate -e switch -e retire)\" = 8 ]"
broker_stop
check "a broker of exchanged authorities is proved" "$thimble" broker prove
finish
