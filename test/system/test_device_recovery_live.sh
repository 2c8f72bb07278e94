# SPDX-License-Identifier: MIT
# I7 against a real mosquitto and the agent: a device whose certificate has ended comes back by its birth
# certificate, over TLS 1.2 and 1.3; an expired revocation list makes nobody renew; a revoked device gets
# nothing; nobody gets a certificate in another's name. The authorities are as old as the certificates.
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1
sql() { sqlite3 -cmd ".timeout 5000" "$home/registry.db" "$1"; }
ago() { faketime -f "-$1d" "${@:2}"; }
issued() { sql "select count(*) from certificate where kind = 'ldevid' and common_name = '$1'"; }

# enrol_long_ago NAME: its operational certificate ended 20 days ago
enrol_long_ago() {
    local flash=$scratch/$1.flash
    "$device" --flash "$flash" --csr --name "$1" --out "$scratch/$1.request" &&
        ago 200 "$thimble" device enrol "$1" --request "$scratch/$1.request" --trust "$scratch/trust.bundle" --out "$scratch/$1.bundle" &&
        "$device" --flash "$flash" --bundle "$scratch/$1.bundle"
}

check "authorities of 300 days ago" ago 300 "$thimble" ca init --name Old
check "a broker" "$thimble" broker init --no-proof --port "$port" --user-port "$user_port" --recovery-port "$recovery_port" \
    --bind 127.0.0.1 --host localhost
"$thimble" user add agent >/dev/null && "$thimble" user add olga --role operator >/dev/null &&
    "$thimble" trust keygen >/dev/null && "$thimble" trust sign -o "$scratch/trust.bundle" >/dev/null
for name in lamp pump rose; do
    check "$name, whose certificate has ended" enrol_long_ago $name
done
check "one that is in force" "$thimble" device enrol other
check "the broker runs" start_broker
"$thimble" broker agent >"$scratch/agent.log" 2>&1 &
children+=("$!")
check "and the agent" wait_for 20 grep -q "answers devices" "$scratch/agent.log"
[ "$failures" = 0 ] || finish

back() { # NAME TLS
    run_device "$1" "$scratch/$1.flash" --tls "$2"
    check "$1: the broker refuses it as expired" says "$1" "has expired" 20
    check "$1: it turns to recovery" says "$1" "connected to the recovery listener" 30
    check "$1: a new certificate passes the trial" says "$1" "the new identity" 30
    check "$1: and it is connected" says "$1" "^connected$" 20
    check "$1: one was issued" test 2 = "$(issued "$1")"
    end_device TERM
}
back lamp bearssl
back pump openssl
run_device lamp "$scratch/lamp.flash" --tls openssl
check "afterwards it connects at once" says lamp "^connected$" 20
check "without recovery" not grep -q "recovery" "$scratch/lamp.out"
end_device TERM

# An expired list: mosquitto refuses everybody, and calls it an expired certificate. It must start with
# it: what it reads later stands beside the list it has. On the devices' listener alone, as the agent's
# connection, which stood when the list expired in earnest, would not have ended.
expired_list() {
    local dir=$scratch/ca
    mkdir -p "$dir" && : >"$dir/index.txt" && echo 01 >"$dir/crlnumber" &&
        printf '[ca]\ndefault_ca=x\n[x]\ndatabase=%s/index.txt\ncrlnumber=%s/crlnumber\ndefault_md=sha256\n' "$dir" "$dir" >"$dir/cnf" &&
        openssl ca -config "$dir/cnf" -gencrl -cert "$home/ca/device.crt" -keyfile "$home/ca/device.key" \
            -crl_lastupdate 20250101000000Z -crl_nextupdate 20250102000000Z -out "$home/broker/old.crl" &&
        sed -i "0,/clients.crl/s//old.crl/" "$home/broker/mosquitto.conf" && stop_broker && start_broker &&
        wait_for 20 grep -q "as agent" "$scratch/broker.log"
}
check "the broker's list expires" expired_list
run_device lamp "$scratch/lamp.flash" --tls bearssl
check "a device in force is refused" says lamp "has expired" 20
check "and learns that it is the broker" says lamp "our certificate is valid" 30
check "nothing was issued for it" test 2 = "$(issued lamp)"
sed -i "s/old.crl/clients.crl/" "$home/broker/mosquitto.conf"
stop_broker
check "the list is good again" start_broker
check "and the device is back" says lamp "^connected$" 60
end_device TERM

# Revoked: not even the recovery listener takes it.
check "a device that slept is revoked" "$thimble" device revoke rose
run_device rose "$scratch/rose.flash" --tls openssl
check "it tries recovery" says rose "in recovery" 20
check "and is refused there" says rose "our certificate is revoked" 30
check "it gets nothing" test 1 = "$(sql "select count(*) from certificate where principal = 'rose' and kind = 'ldevid'")"
end_device TERM

# By a birth certificate whose key is a file: in another's name, and of another's topic.
ask() { # FRAME [DEVICE]: the answer in $scratch/answer
    local files=$home/devices/other topic=${2:-other}
    timeout 15 mosquitto_rr -h localhost -p "$recovery_port" -V mqttv5 -q 1 --cafile "$files/ca.crt" --cert "$files/birth.crt" \
        --key "$files/birth.key" -t "recover/$topic/request" -e "recover/$topic/answer" -m "$1" -W 1 >"$scratch/answer" 2>/dev/null
}
openssl ecparam -name prime256v1 -genkey -noout -out "$scratch/k.key"
renewal() {
    echo "{\"id\":1,\"method\":\"Cert.Renew\",\"params\":{\"nonce\":\"n\",\"room\":2000,\"csr\":\"$(openssl req -new -key "$scratch/k.key" \
        -subj "/CN=$1" -outform DER | base64 -w0)\"}}"
}
digest=$(openssl x509 -in "$home/devices/other/device.crt" -outform DER | sha256sum | cut -c1-64)
checking() { echo "{\"id\":1,\"method\":\"Cert.Check\",\"params\":{\"nonce\":\"n\",\"sha256\":\"$1\"}}"; }
answered() { ask "$1" && json "$scratch/answer" "$2" || { cat "$scratch/answer"; return 1; }; }
check "its certificate is said to be in force" answered "$(checking "$digest")" "d ->> '\$.result.valid' = 1 and d ->> '\$.result.nonce' = 'n'"
check "another is not" answered "$(checking "$(printf '0%.0s' {1..64})")" "d ->> '\$.result.valid' = 0"
check "what is no digest is refused" answered "$(checking abc)" "d ->> '\$.error.code' = 422"
check "a request in another's name is refused" answered "$(renewal lamp)" "d ->> '\$.error.code' = 422"
check "one in its own is not" answered "$(renewal other)" "d ->> '\$.result.at' = 0"
check "no other method is known there" answered '{"id":1,"method":"Time.Get","params":{"nonce":"n"}}' "d ->> '\$.error.code' = 404"
check "of another's topic it hears nothing" not ask "$(renewal lamp)" lamp
check "the agent has said what it did" grep -q "recover lamp: its certificate is in force" "$scratch/agent.log"
stop_broker
finish
