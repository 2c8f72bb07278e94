# SPDX-License-Identifier: MIT
# thimble broker agent against a real mosquitto: what it answers, what it refuses, and what it looks
# after. Devices are mosquitto's own clients here (I5, F6, T15).
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1
sql() { sqlite3 -cmd ".timeout 5000" "$home/registry.db" "$1"; }

check "a broker with its authorities" set_the_stage
check "without the user there is no agent" refused 4 "no user 'agent'" "$thimble" broker agent
check "the user is made" "$thimble" user add agent
check "two devices are enrolled" "$thimble" device enrol lamp pump
[ "$failures" = 0 ] || finish

# It holds the device CA's key alone.
mkdir "$scratch/away"
mv "$home/ca/server.key" "$home/ca/idevid.key" "$home/update" "$scratch/away/"
agents=0
start_agent() { # options of `broker agent`; a prefix in $with
    agents=$((agents + 1))
    agent_out=$scratch/agent.$agents
    ${with:-} "$thimble" broker agent "$@" >"$agent_out" 2>&1 &
    agent=$!
    children+=("$agent")
    wait_for 20 grep -q "answers devices" "$agent_out"
}
end_agent() {
    kill "-${1:-TERM}" "$agent" 2>/dev/null
    wait "$agent" 2>/dev/null
}
agent_says() { wait_for "${2:-10}" grep -q -- "$1" "$agent_out" || { cat "$agent_out"; return 1; }; }

# as NAME program options...: with the certificate of that device.
as() {
    local files=$home/devices/$1 program=$2
    shift 2
    timeout 30 "$program" -h localhost -p "$port" -V mqttv5 --cafile "$files/ca.crt" --cert "$files/device.crt" \
        --key "$files/device.key" -q 1 "$@"
}
# ask NAME FRAME: the answer goes to $scratch/answer.
ask() {
    as "$1" mosquitto_rr -t "$1/to/agent/rpc" -e "$1/from/agent/rpc" -m "$2" -W 10 >"$scratch/answer" 2>"$scratch/rr.err" ||
        { cat "$scratch/rr.err"; return 1; }
}
says_of_answer() { json "$scratch/answer" "$1" || { cat "$scratch/answer"; return 1; }; }
# answered NAME FRAME CONDITION over d
answered() { ask "$1" "$2" && says_of_answer "$3"; }
refuses() { answered "$1" "$2" "json_extract(d, '\$.error.code') = $3 and json_extract(d, '\$.error.nonce') = 'n'"; }
# request NAME KEYFILE [SUBJECT]: a certificate request in base64
request() { openssl req -new -key "$2" -subj "/CN=${3:-$1}" -outform DER | base64 -w0; }
renewal() { echo "{\"id\":7,\"method\":\"Cert.Renew\",\"params\":{\"nonce\":\"n\",\"csr\":\"$1\",\"room\":${2:-2000}}}"; }
new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$scratch/$1.key"; }
# certificate FILE: out of the answer
certificate() {
    sqlite3 :memory: "select json_extract(cast(readfile('$scratch/answer') as text), '\$.result.data')" | base64 -d >"$scratch/$1.der" &&
        openssl x509 -inform DER -in "$scratch/$1.der" -out "$scratch/$1.crt"
}
issued() { sql "select count(*) from certificate where kind = 'ldevid' and common_name = '$1'"; }

check "it runs without the other authorities' keys" start_agent --per-device 60
check "it tells the time, with the nonce" answered lamp '{"id":1,"method":"Time.Get","params":{"nonce":"abc"}}' \
    "json_extract(d, '\$.result.nonce') = 'abc' and abs(json_extract(d, '\$.result.time_ms') / 1000 - strftime('%s')) < 30 and json_extract(d, '\$.id') = 1"
check "it proves a trial" answered lamp '{"id":"x","method":"Trial.Prove","params":{"nonce":"def"}}' \
    "json_extract(d, '\$.result.nonce') = 'def' and json_extract(d, '\$.id') = 'x'"
check "its log has a line for each" agent_says "time lamp: told"

# ---- renewal (I5) ----
new_key k1
csr=$(request lamp "$scratch/k1.key")
check "a new key gets a certificate" answered lamp "$(renewal "$csr")" "json_extract(d, '\$.result.at') = 0"
check "it is of the device CA" sh -c "$(declare -f certificate); scratch=$scratch; certificate c1; openssl verify -purpose sslclient -CAfile $home/ca/device.crt $scratch/c1.crt"
check "over that key" cmp <(openssl x509 -in "$scratch/c1.crt" -noout -pubkey) <(openssl pkey -in "$scratch/k1.key" -pubout)
check "in its name alone" test "$(openssl x509 -in "$scratch/c1.crt" -noout -subject -nameopt RFC2253)" = "subject=CN=lamp"
check "for 180 days" sh -c "openssl x509 -in $scratch/c1.crt -noout -checkend $((179 * 86400)) && ! openssl x509 -in $scratch/c1.crt -noout -checkend $((181 * 86400))"
check "the registry has it" test "$(issued lamp)" = 2
check "the same request gets the same one" answered lamp "$(renewal "$csr")" "json_extract(d, '\$.result.at') = 0"
certificate c2
check "with its serial" cmp "$scratch/c1.crt" "$scratch/c2.crt"
check "and so does another request over the same key" answered lamp "$(renewal "$(request lamp "$scratch/k1.key")")" \
    "json_extract(d, '\$.result.at') = 0"
check "no second serial was issued" test "$(issued lamp)" = 2
check "the broker takes it" timeout 20 mosquitto_pub -h localhost -p "$port" --cafile "$home/devices/lamp/ca.crt" --cert "$scratch/c1.crt" \
    --key "$scratch/k1.key" -t lamp/status -m renewed

# ---- who hears everything ----
cp "$scratch/away/server.key" "$home/ca/" && cp -r "$scratch/away/update" "$home/"
check "the keeper listens" "$thimble" user add keeper
rm -rf "$home/ca/server.key" "$home/update"
keeper=$home/users/keeper
mosquitto_sub -h localhost -p "$user_port" -V mqttv5 --cafile "$keeper/ca.crt" --cert "$keeper/user.crt" --key "$keeper/user.key" \
    -q 1 -t '#' -F '%r %t %p' >"$scratch/heard" 2>"$scratch/heard.err" &
children+=("$!")
check "and hears that the agent is there" wait_for 10 grep -q '^1 agent/status online' "$scratch/heard"

# In pieces: what a device with a small buffer asks for.
: >"$scratch/heard"
as lamp mosquitto_pub -t lamp/to/agent/rpc -m "$(renewal "$csr" 100)"
pieces() { grep -c "^0 lamp/from/agent/rpc .*\"data\"" "$scratch/heard"; }
size=$(wc -c <"$scratch/c1.der")
check "it comes in as many pieces as were asked for" wait_for 10 sh -c "[ \$(grep -c '^0 lamp/from/agent/rpc .*\"data\"' $scratch/heard) = $(((size + 99) / 100)) ]"
sed -n 's/^0 lamp.from.agent.rpc //p' "$scratch/heard" | while read -r frame; do
    sqlite3 :memory: "select json_extract('$frame', '\$.result.data')" | base64 -d
done >"$scratch/whole.der"
check "which make the certificate" cmp "$scratch/whole.der" "$scratch/c1.der"

# ---- what it refuses ----
new_key k2
check "a request in another device's name" refuses lamp "$(renewal "$(request pump "$scratch/k2.key")")" 422
openssl req -new -key "$scratch/k2.key" -subj "/CN=lamp" -outform DER -out "$scratch/bad.der"
printf '\001' | dd of="$scratch/bad.der" bs=1 seek=$(($(wc -c <"$scratch/bad.der") - 3)) conv=notrunc 2>/dev/null
check "one that does not prove the key (I2)" refuses lamp "$(renewal "$(base64 -w0 "$scratch/bad.der")")" 422
openssl req -new -sha1 -key "$scratch/k2.key" -subj "/CN=lamp" -outform DER -out "$scratch/sha1.der"
check "one that is signed over SHA-1 (T15)" refuses lamp "$(renewal "$(base64 -w0 "$scratch/sha1.der")")" 422
openssl genrsa -out "$scratch/rsa.key" 1024 2>/dev/null
check "a weak key (T15)" refuses lamp "$(renewal "$(request lamp "$scratch/rsa.key")")" 422
check "one that is none" refuses lamp "$(renewal "aGVsbG8=")" 422
check "one that is not base64" refuses lamp "$(renewal "a")" 422
check "the key of an older certificate" refuses lamp "$(renewal "$(request lamp "$home/devices/lamp/device.key")")" 409
check "another device's key" refuses lamp "$(renewal "$(request lamp "$home/devices/pump/device.key")")" 409
check "none of these was issued" test "$(issued lamp)" = 2
check "a method it does not have" refuses lamp '{"id":1,"method":"Sys.Reboot","params":{"nonce":"n"}}' 404
check "a frame without a nonce" answered lamp '{"id":1,"method":"Time.Get"}' "json_extract(d, '\$.error.code') = 400"
check "what is no JSON" answered lamp '{"id":1' "json_extract(d, '\$.error.code') = 400"
check "what is too large" answered lamp "{\"id\":1,\"method\":\"$(head -c 3000 /dev/zero | tr '\0' x)\"}" "json_extract(d, '\$.error.code') = 400"
: >"$scratch/heard"
as lamp mosquitto_pub -t lamp/to/agent/rpc -r -m '{"id":"kept","method":"Time.Get","params":{"nonce":"kept"}}'
as pump mosquitto_pub -t lamp/to/agent/rpc -m '{"id":"pump","method":"Time.Get","params":{"nonce":"forged"}}' >/dev/null 2>&1
check "it goes on" answered lamp '{"id":"fence","method":"Time.Get","params":{"nonce":"fence"}}' "json_extract(d, '\$.id') = 'fence'"
wait_for 5 grep -q '"nonce":"fence"' "$scratch/heard"
check "what another device writes is not heard (F6)" not grep -q '"nonce":"forged".*time_ms' "$scratch/heard"
as lamp mosquitto_pub -t lamp/to/agent/rpc -r -n

# ---- the registry is locked ----
sqlite3 -cmd ".timeout 5000" "$home/registry.db" "begin immediate" ".shell touch $scratch/locked; sleep 3" "rollback" &
wait_for 5 test -e "$scratch/locked"
new_key k4
csr=$(request lamp "$scratch/k4.key")
check "while another command holds the registry it says so" refuses lamp "$(renewal "$csr")" 503
check "and raises an alarm" wait_for 5 grep -q '^0 agent/log .*"what":"registry"' "$scratch/heard"
wait $!
check "afterwards it issues" answered lamp "$(renewal "$csr")" "json_extract(d, '\$.result.at') = 0"
check "and the alarm is over" wait_for 5 grep -q '^0 agent/log .*"alarm over","what":"registry"' "$scratch/heard"

# ---- one at a time ----
first=$agent
first_out=$agent_out
check "a second one takes over" start_agent --json --per-device 3
check "the first one ends" wait_for 10 grep -q "another agent has taken over" "$first_out"
wait "$first"
check "in good order" test $? = 0
sleep 1
check "the second one answers" answered lamp '{"id":1,"method":"Time.Get","params":{"nonce":"abc"}}' "json_extract(d, '\$.result.nonce') = 'abc'"
check "its log is JSON" wait_for 5 grep -q '^{"time":".*","act":"time","device":"lamp","text":"told"}$' "$agent_out"

# ---- how often ----
for i in 1 2 3 4; do
    as pump mosquitto_pub -t pump/to/agent/rpc -m "$(renewal aGVsbG8=)"
done
check "too many requests of one device are told so" wait_for 10 grep -q '^0 pump/from/agent/rpc .*"code":429' "$scratch/heard"
new_key k3
check "another device's renewal is not held up" answered lamp "$(renewal "$(request lamp "$scratch/k3.key")")" "json_extract(d, '\$.result.at') = 0"
end_agent
check "it says good-bye" wait_for 5 grep -q '^0 agent/status offline' "$scratch/heard"

# ---- killed at each step: asked again, the same key gets one certificate ----
calls=pwrite64,fdatasync,fsync,rename,ftruncate
killed_at() { # NUMBER: what it was when it was killed
    local traced
    new_key step
    csr=$(request lamp "$scratch/step.key")
    before=$(issued lamp)
    ASAN_OPTIONS=detect_leaks=0 with="" start_agent || return 1
    strace -f -qq -o /dev/null -p "$agent" -e trace=$calls -e inject=$calls:signal=KILL:when="$1" 2>"$scratch/strace.err" &
    traced=$!
    wait_for 5 grep -q "TracerPid:.[1-9]" "/proc/$agent/status" || { cat "$scratch/strace.err"; return 1; }
    as lamp mosquitto_pub -t lamp/to/agent/rpc -m "$(renewal "$csr")"
    wait_for 2 not kill -0 "$agent" && survived=0 || survived=1
    end_agent KILL
    wait "$traced" 2>/dev/null
    start_agent || return 1
    answered lamp "$(renewal "$csr")" "json_extract(d, '\$.result.at') = 0" || return 1
    end_agent
    [ "$(issued lamp)" = $((before + 1)) ] || { echo "$(issued lamp) issued, $before before"; return 1; }
    [ "$(sql "pragma integrity_check")" = ok ]
}
if strace -f -qq -o /dev/null true 2>/dev/null; then
    steps=0
    survived=0
    step=1
    stride=5
    [ "${THIMBLE_TEST_MODE:-ci}" = full ] && stride=1
    while [ $survived = 0 ] && [ $step -lt 40 ]; do
        check "killed at call $step that writes, it has issued one certificate or none (I5)" killed_at $step
        step=$((step + stride))
        steps=$((steps + 1))
    done
    check "the last one was not killed any more" test $survived = 1 -a $steps -gt 1
fi

# ---- the clock ----
sql "update setting set value = value - 400 * 86400 where name = 'agent.seen_s'"
check "a clock that has jumped by more than a year is not believed (C4)" start_agent
check "it says what to do" agent_says "begin with --clock-is-right"
check "it tells no time" refuses lamp '{"id":1,"method":"Time.Get","params":{"nonce":"n"}}' 503
new_key k5
check "and issues nothing" refuses lamp "$(renewal "$(request lamp "$scratch/k5.key")")" 503
check "but it proves trials, which need no time" answered lamp '{"id":2,"method":"Trial.Prove","params":{"nonce":"z"}}' "json_extract(d, '\$.result.nonce') = 'z'"
end_agent
check "told that it is right" start_agent --clock-is-right
check "it tells it" answered lamp '{"id":1,"method":"Time.Get","params":{"nonce":"n"}}' "json_extract(d, '\$.result.time_ms') > 0"
end_agent
check "from then on it is right" start_agent
check "without being told" answered lamp '{"id":1,"method":"Time.Get","params":{"nonce":"n"}}' "json_extract(d, '\$.result.time_ms') > 0"
end_agent

# ---- the revocation list ----
list_ends() { openssl crl -in "$home/broker/clients.crl" -noout -nextupdate; }
ends=$(list_ends)
agent_in_years() { timeout 20 faketime -f "+$1d" "$thimble" broker agent --clock-is-right "${@:2}" >"$scratch/later" 2>&1 & later=$!; children+=("$later"); }
check "a fresh list stays" test "$ends" = "$(list_ends)"
agent_in_years 2200
check "one past half of its life is renewed" wait_for 10 grep -q "crl: renewed, valid until 20[34]" "$scratch/later"
kill "$later"; wait "$later" 2>/dev/null
check "in its file" test "$ends" != "$(list_ends)"
check "and the broker has read it" wait_for 5 grep -q "Reloading config" "$scratch/broker.log"
agent_in_years 250
check "dates that come near are told" wait_for 10 grep -q "the certificate of user agent ends on" "$scratch/later"
kill "$later"; wait "$later" 2>/dev/null
sql "update setting set value = strftime('%s') where name = 'agent.seen_s'"

check "a list of the future, of a clock that was wrong" test "$(date -d "$(openssl crl -in "$home/broker/clients.crl" -noout -lastupdate | cut -d= -f2)" +%s)" -gt "$(date +%s)"
check "is replaced at once" start_agent
check "so that devices get in" answered lamp '{"id":1,"method":"Time.Get","params":{"nonce":"n"}}' "json_extract(d, '\$.result.time_ms') > 0"
end_agent

# ---- keys ----
mv "$home/ca/device.key" "$scratch/away/"
check "without the device CA's key it does not begin" refused 3 "device.key" "$thimble" broker agent
cp "$scratch/k1.key" "$home/ca/device.key"
check "nor with another key" refused 3 "is not the key of the device CA" "$thimble" broker agent
mv "$scratch/away/device.key" "$home/ca/"

# ---- a full disk ----
full=$scratch/full
mkdir "$full"
agent_on_a_full_disk() {
    unshare -m bash -c "mount -t tmpfs -o size=24m none $full && cp -a $home/. $full/ || exit 9
        $thimble broker agent --dir $full >$scratch/full.out 2>&1 & agent=\$!
        while [ ! -e $scratch/fill ]; do sleep 0.1; done
        cat /dev/zero >$full/zeros 2>/dev/null; touch $scratch/filled
        while [ ! -e $scratch/free ]; do sleep 0.1; done
        rm $full/zeros; touch $scratch/freed
        while [ ! -e $scratch/done ]; do sleep 0.1; done
        kill \$agent; wait \$agent" >/dev/null 2>&1 &
    full_pid=$!
    children+=("$full_pid")
}
if unshare -m true 2>/dev/null; then
    agent_on_a_full_disk
    check "an agent whose disk will be full" wait_for 20 grep -q "answers devices" "$scratch/full.out"
    touch "$scratch/fill"
    check "is full" wait_for 20 test -e "$scratch/filled"
    new_key k6
    csr=$(request lamp "$scratch/k6.key")
    check "it says that it cannot issue" answered lamp "$(renewal "$csr")" "json_extract(d, '\$.error.code') in (500, 503)"
    touch "$scratch/free"
    wait_for 5 test -e "$scratch/freed"
    check "with room again it issues" answered lamp "$(renewal "$csr")" "json_extract(d, '\$.result.at') = 0"
    touch "$scratch/done"
    wait "$full_pid"
fi

# ---- revoked ----
cp "$scratch/away/idevid.key" "$home/ca/"
check "it runs again" start_agent
as pump mosquitto_sub -t pump/from/agent/rpc -C 1 -W 20 >"$scratch/pump.out" 2>&1 &
sql "update principal set state = 'revoked' where name = 'pump'"
: >"$scratch/heard"
new_key k7
check "who is revoked in the registry gets nothing (I8)" refuses pump "$(renewal "$(request pump "$scratch/k7.key")")" 403
end_agent
check "its unit for systemd is written" "$thimble" broker agent --unit
check "with the keys it must not have out of its sight" grep -q 'InaccessiblePaths=.*ca/server.key' "$home/broker/agent.service"
finish
