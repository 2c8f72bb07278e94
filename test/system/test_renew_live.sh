# SPDX-License-Identifier: MIT
# Renewal with a real broker, a real agent and thimble-device: by itself, at will, in waves, while the
# agent or the broker is away, and killed at any moment (I5, I11).
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1
mode=${THIMBLE_TEST_MODE:-ci}
sql() { sqlite3 -cmd ".timeout 5000" "$home/registry.db" "$1"; }
start_agent() {
    agent_out=$scratch/agent.out
    "$thimble" broker agent --per-device 1000 "$@" >>"$agent_out" 2>&1 &
    agent=$!
    children+=("$agent")
    wait_for 20 grep -q "answers devices" "$agent_out"
}
end_agent() {
    kill "-${1:-TERM}" "$agent" 2>/dev/null
    wait "$agent" 2>/dev/null
    : >"$agent_out"
}
certificate() { "$thimble" call --as olga "$1" Cert.Get >"$scratch/$1.cert" 2>/dev/null && sed -n 's/.*"serial":"\([0-9a-f]*\)".*/\1/p' "$scratch/$1.cert"; }
issued() { sql "select count(*) from certificate where kind = 'ldevid' and common_name = '$1'"; }

check "a broker with its authorities" set_the_stage
check "and the agent's user" "$thimble" user add agent
check "and an admin" "$thimble" user add ada --role admin
# Enrolled through files, as a production run does it: keys are made on each device.
mkdir "$scratch/run"
enrol_many() { # NAME...
    local name
    for name; do
        "$device" --flash "$scratch/$name.flash" --csr --name "$name" >"$scratch/run/$name.request" || return 1
    done
    "$thimble" device enrol --manifest "$scratch/run" >/dev/null || return 1
    for name; do
        "$device" --flash "$scratch/$name.flash" --bundle "$scratch/run/$name.bundle" >/dev/null &&
            "$device" --flash "$scratch/$name.flash" --set mode=mqtt >/dev/null || return 1
    done
}
check "a device is enrolled" enrol_many lamp
check "the agent gives certificates for half a minute" start_agent --valid 30s
run_device lamp "$scratch/lamp.flash"
check "it connects" says lamp 'the new settings passed the trial' 20
[ "$failures" = 0 ] || finish

# ---- at will ----
check "it renews when it is told to" sh -c "$thimble device renew --as olga lamp >$scratch/renew.out"
check "the new serial and its end are shown" grep -qE '^lamp +renewed +[0-9a-f]{32}, until 20' "$scratch/renew.out"
check "the serial is the device's own" grep -q "$(certificate lamp)" "$scratch/renew.out"
check "and the registry's" grep -q "$(sql "select serial from certificate where common_name = 'lamp' order by issued_s desc, rowid desc limit 1")" "$scratch/renew.out"
check "it was tried before" says lamp 'the new identity passed the trial'
check "the list shows when it ends" sh -c "$thimble device list | grep -q '^lamp .*20..-..-..'"

# ---- by itself ----
serial=$(certificate lamp)
check "at half of its life it renews by itself (I5)" wait_for 60 sh -c "[ \$(sqlite3 $home/registry.db \"select count(*) from certificate where kind = 'ldevid' and common_name = 'lamp'\") -ge 3 ]"
other_serial() { local now; now=$(certificate lamp) && [ -n "$now" ] && [ "$now" != "$serial" ]; }
check "and uses the new one" wait_for 20 other_serial
end_agent
start_agent
check "from now on they live for half a year" "$thimble" device renew --as olga lamp
end_agent
check "without an agent there is no end of it" sh -c "$thimble device renew --as olga lamp -W 4; [ \$? = 8 ]"
check "and the device keeps asking" sh -c "$thimble call --as olga lamp Cert.Get | grep -q '\"state\":\"asking\"'"
start_agent
check "with one it goes on" "$thimble" device renew --as olga lamp
end_device TERM
[ "$mode" = full ] && check "who is away is told" refused 27 "none of them is connected" "$thimble" device renew --as olga lamp
check "nobody to renew is an error" refused 2 "needs a name" "$thimble" device renew --as olga

# ---- killed at any moment ----
RANDOM=11
count=3
[ "$mode" = full ] && count=100
for i in $(seq $count); do
    run_device lamp "$scratch/lamp.flash"
    says lamp '^connected' 20
    timeout 5 "$thimble" call --as olga lamp Cert.Renew >/dev/null 2>&1
    sleep "0.$(printf %03d $((RANDOM % 400)))"
    end_device KILL
done
run_device lamp "$scratch/lamp.flash"
check "killed $count times in a renewal, it connects" says lamp '^connected' 60
check "and renews" "$thimble" device renew --as olga lamp
end_device TERM

# ---- a fleet, in waves, while the broker restarts ----
fleet=12
[ "$mode" = full ] && fleet=50
names=()
for i in $(seq $fleet); do names+=("d$i"); done
rm "$scratch/run"/*
check "$fleet devices are enrolled" enrol_many "${names[@]}"
fleet_pids=()
for name in "${names[@]}"; do
    "$device" --flash "$scratch/$name.flash" >"$scratch/$name.out" 2>&1 &
    children+=("$!")
    fleet_pids+=("$!")
done
all_say() { local name; for name in "${names[@]}"; do grep -q "$1" "$scratch/$name.out" || return 1; done; }
check "they connect" wait_for 120 all_say 'the new settings passed the trial'
"$thimble" device renew --as olga "${names[@]}" --waves 2 --pause 1 -W 180 --json >"$scratch/fleet.json" 2>"$scratch/fleet.err" &
renewing=$!
children+=("$renewing")
for i in 1 2 3; do
    sleep 1
    stop_broker
    sleep 0.5
    start_broker
done
wait "$renewing"
check "all of them are renewed while the broker restarts three times" test $? = 0
cat "$scratch/fleet.err"
renewed_in_json() { json "$scratch/fleet.json" "(select count(*) from json_each(d, '\$.devices') where json_extract(value, '\$.result') = 'renewed') = $fleet"; }
check "each says so" renewed_in_json

twice() { sql "select count(*) from (select common_name from certificate where kind = 'ldevid' and common_name like 'd%' group by common_name having count(*) = 2)"; }
check "each has one new certificate, and none a third" test "$(twice)" = "$fleet"
check "each is on it" sh -c "[ \$($thimble device list --json | grep -o '\"state\":\"active\"' | wc -l) = $((fleet + 1)) ]"
kept() { grep -l 'the new identity passed the trial' "$scratch"/d*.out | wc -l; }
check "each by a trial of its own (I11)" test "$(kept)" = "$fleet"

# ---- a wave that fails is the last ----
sql "update principal set state = 'revoked' where name = 'd1'"
"$thimble" device renew --as olga "${names[@]}" --waves 4 --pause 0 -W 30 --json >"$scratch/waves.json" 2>/dev/null
check "a wave in which one is refused is the last" test $? = 8
check "the others are not begun" json "$scratch/waves.json" "json_extract(d, '\$.waves') = 1 and
    (select count(*) from json_each(d, '\$.devices') where json_extract(value, '\$.result') = 'not begun') = $((fleet - (fleet + 3) / 4))"
check "the reason is the agent's" json "$scratch/waves.json" "d like '%refuses a new certificate%'"
check "the agent's log has the line" grep -q 'Cert.Renew d1: refused (403): the device is revoked' "$agent_out"

# ---- a new server CA: who would be locked out (I6) ----
check "a next server CA is made" "$thimble" ca rotate server
plan_says() { "$thimble" ca rotate server --plan >"$scratch/plan"; grep -qE "^ *$1 +device +$2" "$scratch/plan" || { cat "$scratch/plan"; return 1; }; }
check "no device has it yet" plan_says d2 "not yet"
check "the switch is refused, and what to do is said" refused 3 "would not know the broker any more" "$thimble" ca rotate server --switch
check "a bundle with both anchors is signed" "$thimble" trust sign -o "$scratch/both.bundle"
check "a device gets it, and keeps it" "$thimble" trust push --as ada d2 "$scratch/both.bundle"
check "it has both" sh -c "$thimble call --as olga d2 Trust.Get | grep -qE '\"anchors\":\[\"[0-9a-f]{64}\",\"[0-9a-f]{64}\"\]'"
check "it is ready then" plan_says d2 ready
check "the others are not" plan_says d3 "not yet"
check "and the switch is still refused" refused 3 "would not know the broker any more" "$thimble" ca rotate server --switch
for pid in "${fleet_pids[@]}"; do kill "$pid"; wait "$pid" 2>/dev/null; done
end_agent
finish
