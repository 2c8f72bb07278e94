# SPDX-License-Identifier: MIT
# Revocation and replacement: thimble's lists judged by openssl, its rights by what a real mosquitto
# delivers (I8); and what a full disk leaves behind. test_tool_revoke_attack.sh has the attacker.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME
port=$(free_port)
user_port=$(free_port)
recovery_port=$(free_port)
log=$scratch/log

# in_force NAME FILE AUTHORITY CRL: the certificate verifies and is not revoked.
in_force() {
    openssl verify -crl_check -purpose sslclient -CAfile "$home/ca/$3.crt" -CRLfile "$home/broker/$4.crl" \
        "$home/$1/$2.crt"
}
is_revoked() { in_force "$@" 2>&1 | grep -q "certificate revoked"; }
# as NAME pub|sub arguments...
as() {
    local name=$1 verb=$2 kind=user at=$user_port
    shift 2
    [ -d "$home/devices/$name" ] && kind=device at=$port
    timeout 10 mosquitto_"$verb" -h 127.0.0.1 -p "$at" --cafile "$home/${kind}s/$name/ca.crt" \
        --cert "$home/${kind}s/$name/$kind.crt" --key "$home/${kind}s/$name/$kind.key" -V mqttv5 "$@" 2>&1
}
listen_as() {
    local name=$1
    shift
    : >"$scratch/$name.got"
    as "$name" sub -v -d "$@" >"$scratch/$name.got" &
    children+=("$!")
    wait_for 5 grep -q SUBACK "$scratch/$name.got"
}
got() { wait_for 3 grep -q -- "$2" "$scratch/$1.got"; }
gets_in() { as "$1" pub -t "$1/status" -m x -q 1; }

"$thimble" ca init >/dev/null && "$thimble" broker init --no-proof --port "$port" --user-port "$user_port" \
    --recovery-port "$recovery_port" --bind 127.0.0.1 >/dev/null &&
    "$thimble" device enrol lamp pump >/dev/null && "$thimble" user add rita --role admin >/dev/null &&
    "$thimble" user add olga --connections 2 >/dev/null || exit 1
"$thimble" broker run >"$log" 2>&1 &
broker=$!
children+=("$broker")
wait_for 10 grep -q "The broker is up" "$log"

# ---- devices ----
check "device show lists both certificates" sh -c \
    "[ \"\$($thimble device show lamp | grep -c -e '(ldevid)' -e '(idevid)')\" = 2 ]"
check "before, they are in force" in_force devices/lamp device device clients
check "the birth certificate too" in_force devices/lamp birth idevid recovery
listen_as lamp -t 'lamp/from/#'
as rita pub -t lamp/from/rita/rpc -m first -q 1
check "and requests arrive" got lamp "rpc first"
check "device revoke" "$thimble" device revoke lamp
check "puts the certificate on the list" is_revoked devices/lamp device device clients
check "and the birth certificate on the other" is_revoked devices/lamp birth idevid recovery
check "others stay in force" in_force devices/pump device device clients
check "the running broker reads the lists" wait_for 5 grep -q "Reloading config" "$log"
check "the connection that stood has ended (I8)" wait_for 10 grep -q "Client lamp already connected, closing old\|Client lamp disconnected" "$log"
as rita pub -t lamp/from/rita/rpc -m second -q 1
as rita pub -t lamp/from/rita/rpc -m third -q 1
check "and hears nothing any more" not grep -q second "$scratch/lamp.got"
check "a new one is refused" not gets_in lamp
check "by TLS" grep -q "alert certificate revoked\|certificate verify failed" "$log"
check "another device is let in" gets_in pump
check "revoked again, it stays so" "$thimble" device revoke lamp
"$thimble" device revoke lamp --json >"$scratch/revoke.json"
check "--json has the steps, and all within ten seconds (I8)" json "$scratch/revoke.json" "d ->> '\$.locked_out' and
    d ->> '\$.ms' < 10000 and json_array_length(d, '\$.steps') = 8"
check "of the eviction nothing is left in the ACL" not grep -q keeper.revoke "$home/broker/acl"
check "nor a certificate in force" test 0 = "$(sqlite3 "$home/registry.db" \
    "select count(*) from certificate where revoked_s is null and (common_name like '%.revoke%' or common_name like 'lamp%')")"
"$thimble" device show lamp --json >"$scratch/lamp.json"
check "device show --json tells it" json "$scratch/lamp.json" "d ->> '\$.state' = 'revoked' and
    (select count(*) from json_each(d, '\$.certificates') where value ->> 'revoked' > 0) = 2"
check "its name is not free" refused 5 "was given to a device" "$thimble" device enrol lamp
check "nor to be had by a user" refused 5 "was given to a device" "$thimble" user add lamp
check "a device that is none cannot be revoked" refused 4 "there is no device 'lomp'" "$thimble" device revoke lomp
check "a user is none" refused 4 "there is no device 'rita'" "$thimble" device revoke rita

# ---- what is said when it cannot be shown ----
check "a command that reloads and fails is said" refused 1 "failed" "$thimble" device revoke lamp --reload-command false
free=$(free_port)
cp "$home/broker/mosquitto.conf" "$scratch/conf"
sed -i "s/^listener $port/listener $free/" "$home/broker/mosquitto.conf"
check "a broker that does not answer is said, and what holds" refused 9 "no certificate\|nothing is issued" "$thimble" device revoke lamp
check "and what does not" grep -q "not shown to be locked out" "$scratch/refused.err"
cp "$scratch/conf" "$home/broker/mosquitto.conf"
check "--lists-only asks nobody" "$thimble" device revoke lamp --lists-only

# ---- replacement ----
old=$(sha256sum <"$home/devices/lamp/device.key")
check "device enrol --replace gives the name out again" "$thimble" device enrol lamp --replace
check "with another key" not test "$old" = "$(sha256sum <"$home/devices/lamp/device.key")"
check "and a certificate in force" in_force devices/lamp device device clients
check "by which it gets in" wait_for 5 gets_in lamp
cp -r "$home/devices/pump" "$home/devices/pump-before"
check "--replace of one in force" "$thimble" device enrol pump --replace
check "revokes what it had" is_revoked devices/pump-before device device clients
rm -r "$home/devices/pump-before"
replaced() {
    local i name=pump
    for i in $(seq 1 20); do
        timeout -s KILL "$(printf '0.%03d' "$i")" "$thimble" device enrol "$name" --replace >/dev/null 2>&1
        "$thimble" device enrol "$name" --replace >"$scratch/out" 2>&1 || { cat "$scratch/out"; return 1; }
        in_force devices/pump device device clients && in_force devices/pump birth idevid recovery || return 1
        [ "$(sqlite3 "$home/registry.db" "select count(*) from certificate where principal = 'pump' and revoked_s is null")" = 2 ] ||
            return 1
    done
}
check "--replace, killed at 20 moments, then run again" replaced

# ---- users ----
check "user revoke" "$thimble" user revoke olga
check "revokes each connection's certificate" is_revoked users/olga user device clients
check "the second one's too" is_revoked users/olga user.2 device clients
check "and takes the rights away" not grep -q "+/to/olga" "$home/broker/acl"
check "denied is what the patterns would give (F6)" grep -qx "topic deny olga.2/#" "$home/broker/acl"
"$thimble" user list --json >"$scratch/users.json"
check "user list tells it" json "$scratch/users.json" "d ->> '\$.users[0].state' = 'revoked'"

# ---- dates and log ----
check "nothing ends within 60 days" sh -c "$thimble device list --expiring 60d | grep -q 'None ends'"
check "all within 200" sh -c "[ \"\$($thimble device list --expiring 200 | grep -c active)\" = 2 ]"
check "days are days" refused 2 "takes days" "$thimble" device list --expiring soon
check "ca log tells what was done" sh -c "$thimble ca log | grep -q 'revoke  *olga' && $thimble ca log -n 1 | grep -q olga"
"$thimble" ca log --json >"$scratch/log.json"
check "also as JSON" json "$scratch/log.json" "json_array_length(d, '\$.events') > 10"

# ---- a disk that is full: writes beyond so many KiB fail, none is signalled ----
full() { # KIB command...
    local kib=$1
    shift
    (trap '' XFSZ; ulimit -f "$kib"; exec "$@")
}
disk() {
    local kib name state said
    for kib in 0 1 4 16 64 100; do
        name=full$kib
        said=$(full "$kib" "$thimble" device enrol "$name" 2>&1) # through a pipe: a file would be full, too
        state=$?
        [ "$state" = 0 ] || grep -q "next: " <<<"$said" || { echo "$kib: $said"; return 1; }
        "$thimble" device enrol "$name" >"$scratch/again.out" 2>&1
        case $? in 0 | 5) ;; *) cat "$scratch/again.out"; return 1 ;; esac
        in_force "devices/$name" device device clients && in_force "devices/$name" birth idevid recovery || return 1
        openssl crl -in "$home/broker/clients.crl" -noout || return 1
    done
}
check "a full disk is said, leaves old or new, and the next run finishes" disk
check "the registry is whole" test ok = "$(sqlite3 "$home/registry.db" 'pragma integrity_check')"
finish
