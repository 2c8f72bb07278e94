# SPDX-License-Identifier: MIT
# The server CA's roll-over from its first step to its last with a real broker, an agent, a user and two
# devices that run all the while, each step rehearsed before it is done (I6, O16).
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1
check "a broker with its authorities" set_the_stage
check "the agent's user" "$thimble" user add agent
check "an admin" "$thimble" user add alice --role admin
for name in lamp pump; do
    check "$name is enrolled" enrol_device "$name" "$scratch/$name.flash"
    check "and put into MQTT mode" "$device" --flash "$scratch/$name.flash" --set mode=mqtt
done
[ "$failures" = 0 ] || finish
"$thimble" broker agent >"$scratch/agent.out" 2>&1 &
agent=$!
children+=("$agent")
check "the agent answers devices" wait_for 20 grep -q 'answers devices' "$scratch/agent.out"
run_device lamp "$scratch/lamp.flash"
lamp=$running
run_device pump "$scratch/pump.flash"
pump=$running
for name in lamp pump; do
    check "$name connects" says "$name" 'the new settings passed the trial' 20
done
[ "$failures" = 0 ] || finish

asked=
rotate() { "$thimble" ca rotate server "$@"; }
# planned NAME STATE, ...: what the rehearsal says of each.
planned() {
    rotate --plan $asked >"$scratch/plan" || return 1
    cat "$scratch/plan"
    while [ $# -gt 0 ]; do
        grep -qE "^  $1 +(device|user) +$2\$" "$scratch/plan" || { echo "not: $1 $2"; return 1; }
        shift 2
    done
}
sign() { "$thimble" trust sign -o "$scratch/$1" "${@:2}"; }
push() { "$thimble" trust push --as alice "$1" "$scratch/$2" -W 60; }
answers() { "$thimble" call --as alice "$1" Sys.GetInfo -W "${2:-2}"; }
fingerprint() { openssl x509 -in "$1" -outform DER | sha256sum | cut -d' ' -f1; }
# anchors NAME FILE...: it trusts these certificates and no other.
anchors() {
    local name=$1 list= file
    shift
    for file; do list="$list,\"$(fingerprint "$file")\""; done
    "$thimble" call --as alice "$name" Trust.Get >"$scratch/trust" && cat "$scratch/trust" &&
        grep -qF "\"anchors\":[${list#,}]" "$scratch/trust"
}
broker_again() { stop_broker; start_broker; }
old=$home/ca/server.crt
new=$home/ca/server.2.crt

# ---- a bundle whose only anchor is another's: signed by the right key, and still taken back ----
check "somebody else's authorities" "$thimble" ca init --dir "$scratch/other" --name Other
cp -r "$home/update" "$scratch/other/update"
check "a bundle with their anchor alone, signed with our key" sign wrong --dir "$scratch/other" \
    --broker "localhost:$port" --sequence 50
check "is tried, and taken back (I6)" refused 8 "took the bundle back" push lamp wrong
check "the device is there as before" wait_for 20 answers lamp
check "with the anchor it had" anchors lamp "$old"
"$thimble" log --as alice lamp >"$scratch/log.out" 2>&1
check "and its log has the reason" grep -qE 'trust.*(CA|anchor|issuer)' "$scratch/log.out"

# ---- the next anchor, told to one after the other ----
check "there is nothing to switch to yet" refused 4 "no next server CA" rotate --switch
check "the next server CA is made" rotate
before=$(fingerprint "$home/broker/server.crt")
check "no device is ready, as the rehearsal says" planned lamp 'not yet' pump 'not yet' alice ready
check "a bundle with both anchors is signed" sign both
end_pump() { kill "$pump"; wait "$pump" 2>/dev/null; }
end_pump
check "lamp gets it, and keeps it, though its number is below that of the one it took back" push lamp both
check "it trusts both (I6)" anchors lamp "$old" "$new"
check "pump is switched off and gets nothing" refused 27 "did not answer" \
    "$thimble" trust push --as alice pump "$scratch/both" -W 2
check "the rehearsal tells them apart" planned lamp ready pump 'not yet'
held=$home/devices/lamp/trust.bundle
mv "$held" "$scratch/held"
check "of a bundle that was pushed from elsewhere this directory knows nothing" planned lamp 'not yet'
asked="--ask --as olga"
check "the device itself does, and who is away is judged as before (--ask)" \
    planned lamp 'ready, it says' pump 'not yet' alice ready
mv "$scratch/held" "$held"
asked=
check "who asks must be said, where there are several users" refused 2 "who asks" rotate --plan --ask
check "without --plan nobody is asked" refused 2 "goes with --plan" rotate --ask
check "the switch is refused, and names who is not ready" refused 3 "1 would not know the broker.*pump" rotate --switch
check "the broker has the certificate it had" test "$before" = "$(fingerprint "$home/broker/server.crt")"
run_device pump "$scratch/pump.flash"
pump=$running
check "pump is switched on again" says pump '^connected' 20
cp "$scratch/both" "$home/devices/pump/trust.bundle"
check "this directory may be wrong about it" planned pump ready
asked="--ask --as olga"
check "its own word counts" wait_for 10 planned pump 'not yet, it says'
check "for the switch too" refused 3 "1 would not know the broker.*pump" rotate --switch --ask --as olga
asked=
check "pump gets the bundle" push pump both
check "all are ready" planned lamp ready pump ready alice ready agent ready olga ready
check "and the next step is said" grep -q 'Next: thimble ca rotate server --switch' "$scratch/plan"

# ---- the switch ----
cp "$home/broker/server.crt" "$scratch/old.crt"
"$thimble" ca rotate server --plan --ask --as olga --json >"$scratch/plan.json"
check "as JSON too" json "$scratch/plan.json" "(select count(*) from json_each(d, '\$.clients')
    where json_extract(value, '\$.ready') and json_extract(value, '\$.says')) = 2"
check "the switch, by what the devices say" rotate --switch --ask --as olga
check "the broker's certificate is of the new CA" openssl verify -CAfile "$new" "$home/broker/server.crt"
broker_again
for name in lamp pump; do
    check "$name comes back by itself, and answers" wait_for 30 answers "$name"
done
agent_connected() { [ "$(grep -c 'answers devices' "$scratch/agent.out")" -ge 2 ]; }
check "the agent, which has read its anchors before, comes back by itself too" wait_for 30 agent_connected
check "as it has read them again" grep -q 'anchors: others than were read at its start' "$scratch/agent.out"
check "and gives a certificate" "$thimble" device renew --as alice lamp
check "another user's tools work" "$thimble" call --as olga pump Rpc.List

# ---- the old anchor goes ----
check "the old CA is retired" rotate --retire
grep -q 'until they are given a bundle without' "$scratch/check.out"
check "and it is said that devices trust it still" test $? = 0
check "which they do" anchors lamp "$old" "$new"
check "a bundle without it is signed" sign last
for name in lamp pump; do
    check "$name gets it, and keeps it" push "$name" last
    check "and trusts the new one alone" anchors "$name" "$new"
done

# ---- what the old CA signed is nobody now ----
cp "$home/broker/server.crt" "$scratch/new.crt"
cp "$scratch/old.crt" "$home/broker/server.crt"
lines() { wc -l <"$scratch/$1.out"; }
later() { tail -n "+$(($2 + 1))" "$scratch/$1.out"; } # NAME LINES: what it has said behind them
lamp_lines=$(lines lamp) pump_lines=$(lines pump)
refuses() { later "$1" "$2" | grep -q '^trust: .*does not lead to a CA that we trust (issuer 1 "Test server CA",'; }
connected_since() { later "$1" "$2" | grep -q '^connected'; }
broker_again
check "lamp refuses a broker with a certificate of the old CA" wait_for 60 refuses lamp "$lamp_lines"
check "so does pump" wait_for 60 refuses pump "$pump_lines"
check "lamp has not connected to it" not connected_since lamp "$lamp_lines"
check "nor has pump" not connected_since pump "$pump_lines"
cp "$scratch/new.crt" "$home/broker/server.crt"
broker_again
for name in lamp pump; do
    check "with the new one $name is back by itself" wait_for 90 answers "$name"
done
stop_broker
check "without a broker nobody can be asked" refused 11 "nothing listens" rotate --plan --ask --as olga
finish
