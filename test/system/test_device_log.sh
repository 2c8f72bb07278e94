# SPDX-License-Identifier: MIT
# What a real device process says, read and followed by its owner through a real mosquitto; zones by
# the short way. F9.
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1
flash=$scratch/garden.flash
pins=$scratch/pins
check "a broker with its authorities" set_the_stage
"$thimble" user add vera --role viewer >/dev/null && "$thimble" user add ada --role admin --connections 2 >/dev/null || exit 1
check "the device is enrolled" enrol_device garden "$flash"
[ "$failures" = 0 ] || finish
check "three relays are wired" "$device" --flash "$flash" --set mode=mqtt --set zones.count=3 \
    --set zones.pins=5,4,14 --set zones.most_s=600 --set zones.start1='Mo 06:00 60'
run_device garden "$flash" --board "pins=$pins" --board clock=host
says garden '^connected'
zone() { timeout 30 "$thimble" zone "$@"; }
log() { timeout 30 "$thimble" log "$@"; }

# ---- thimble zone ----
check "a zone goes on by the short way" test "$(zone --as olga garden on 2 5m)" = "zone 2 is on for 5:00"
check "its relay is on" grep -q '^pin 04 out 0' "$pins"
zone --as vera garden >"$scratch/status"
check "the status is for people" grep -q '^  zone 2  on   [45]:[0-9][0-9]  *command$' "$scratch/status"
check "and tells the weekly starts" grep -q '1 weekly start, clock trusted; next: zone 1 at 20.*06:00:00Z; 0 missed' "$scratch/status"
zone --as vera --json garden status >"$scratch/status.json"
check "--json is one document" json "$scratch/status.json" "json_extract(d, '\$.zones[1].on') = 1"
check "another goes on" test "$(zone --as olga garden on 3 90)" = "zone 3 is on for 1:30"
check "one goes off" test "$(zone --as olga garden off 2)" = "zone 2 is off"
check "all go off" test "$(zone --as olga garden off all)" = "all zones are off"
check "and their relays are off" sh -c "grep -q '^pin 14 out 1' $pins && grep -q '^pin 04 out 1' $pins"
check "a viewer may not switch" refused 8 "role does not allow" "$thimble" zone --as vera garden off all
check "a zone's rule holds" refused 8 "(422)" "$thimble" zone --as olga garden on 1 601
for words in "on" "on 2" "on 9 5" "on 2 5x" "on 2 25h" "on 2 -5" "off" "off 0" "open 2" "status 2" "on 2 5 5"; do
    # shellcheck disable=SC2086
    check "'zone garden $words' is refused" refused 2 "zone" "$thimble" zone --as olga garden $words
done

# ---- thimble log ----
log --as olga garden >"$scratch/log"
check "the log is read, the oldest first" sh -c "grep -n . $scratch/log | grep -A99 'connected$' | grep -q 'zone 2 on for 300 s: command'"
check "each change of a zone is one line" test "$(grep -c 'zone 2 on for' "$scratch/log")" = 1
check "it tells who did what" grep -q '^20..-..-.. ..:..:..Z info  olga asks for Zone.On$' "$scratch/log"
check "and who was refused" grep -q 'warn  vera asks for Zone.Off, refused: ' "$scratch/log"
check "--level leaves out what is less important" sh -c "'$thimble' log --as olga garden --level warn >$scratch/warn && ! grep -q ' info ' $scratch/warn && grep -q ' warn ' $scratch/warn"
check "-n takes the newest lines" test "$(log --as olga garden -n 1 --level info | grep -c ' info \| warn ')" -le 2
log --as olga --json garden >"$scratch/log.json"
check "--json is an object a line" python3 -c 'import json, sys
for line in open(sys.argv[1]): assert json.loads(line)["event"] in ("line", "failure", "trial")' "$scratch/log.json"
check "a viewer may not read it" refused 8 "role does not allow" "$thimble" log --as vera garden
check "there is no such level" refused 2 "no level 'loud'" "$thimble" log --as olga garden --level loud
check "one device" refused 2 "one device" "$thimble" log --as olga

"$thimble" log --as ada garden --follow >"$scratch/follow" 2>"$scratch/follow.err" &
follower=$!
children+=("$follower")
wait_for 10 grep -q 'info  olga asks for Zone.Off' "$scratch/follow" # the answer; from here on it follows
zone --as olga garden on 1 2 >/dev/null
check "--follow goes on with what it says" wait_for 10 grep -q 'zone 1 off: lease' "$scratch/follow"
end_device TERM
run_device garden "$flash" --board "pins=$pins" --board clock=host
check "also of the next connection" wait_for 20 grep -q 'connected, version' "$scratch/follow"
check "questions are told where the level is debug" sh -c "timeout 60 '$thimble' config set --as ada garden log.level=debug >/dev/null &&
    timeout 30 '$thimble' call --as vera garden Zone.Status >/dev/null"
check "and followed" wait_for 10 grep -q 'debug vera asks for Zone.Status' "$scratch/follow"
kill -INT "$follower"
wait "$follower"
check "Ctrl-C ends it in good order" test $? = 0
end_device TERM
check "nobody answers for a device that is away" refused 27 "did not answer" "$thimble" log --as olga -W 1 garden
finish
