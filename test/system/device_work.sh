# SPDX-License-Identifier: MIT
# Part of test_device_list.sh: zones, sensors and settings through everything that goes wrong.
on() { gives otto 200 Zone.On "{\"zone\":$1,\"seconds\":$2}"; }

on3='{"id":3,"method":"Zone.On","params":{"zone":3,"seconds":60}}'

# ---- zones ----
check "a zone is switched on" on 1 3
check "its relay is on" wait_for 2 pin 5 0
check "and off when its time is over (R9)" wait_for 6 pin 5 1
lease_told() { grep -a '^garden/zone/1' "$scratch/watch" | tail -1 | grep -q '"on":false.*"seconds":0,"cause":"lease"'; }
check "which is told" wait_for 5 lease_told
on 1 2 && on 1 60
sleep 2.5
check "a longer time replaces a shorter one" pin 5 0
check "another of its group is switched on" on 2 60
check "then it is off" wait_for 2 pin 5 1
check "and the other on" pin 4 0
check "off at once when asked" gives otto 200 Zone.Off '{"zone":2}'
check "it is off" wait_for 2 pin 4 1

# ---- sensors ----
analog 3 777
check "an analog input that moves is told at once" wait_for 8 seen '^garden/telemetry/Ain3 {"value":777[,}]'
check "and can be asked for" gives vera 200 Sensor.Read
check "with the same value" result "json_extract(r, '\$.Ain3') = 777"

# ---- Home Assistant ----
timeout 20 "$thimble" sub --as ha -t 'homeassistant/#' -C 1 --retained-only >"$scratch/discovery"
found() { sqlite3 :memory: "select json_extract(cast(readfile('$scratch/discovery') as text), '\$.components.garden_zone2.$1')" | tr -d '\n'; }
check "Home Assistant finds it" test "$(found platform)" = valve
found payload_open >"$scratch/open"
"$thimble" pub --as ha -t "$(found command_topic)" -f "$scratch/open"
check "its command opens the valve" wait_for 5 pin 4 0
check "for as long as it may be" gives vera 200 Zone.Status
check "and no longer" result "json_extract(r, '\$.zones[1].seconds') between 590 and 600"
gives otto 200 Zone.Off '{"zone":2}' >/dev/null

# ---- hang, crash, reset, power (R9) ----
was=$(times)
check "a zone is on" on 1 2
check "when the loop hangs" hang
check "it goes off on time" wait_for 4 pin 5 1
hang_over "$was"
check "the device is there again" gives anna 200 Sys.GetInfo
was=$(times)
check "a zone is on" on 1 600
check "when the program crashes" crash
check "it is off" wait_for 5 pin 5 1
check "the device comes back" start_again "$was"
check "and reports it" wait_for 20 seen '"event":"crash"\|"started":"\(crash\|power on\)"'
was=$(times)
check "a zone is on" on 1 600
check "when a restart is asked for" gives anna 200 Sys.Reboot
say otto "$(frame Zone.On '{"zone":3,"seconds":600}')" # in mid-reset
check "it is off" wait_for 10 pin 5 1
check "the device restarts" start_again "$was"
check "and the command that came before it opened nothing for long" wait_for 5 pin 14 1
check "a zone is on" on 1 600
power_cut
[ "$machine" = lx106 ] || check "when the power goes, it is off" wait_for 3 pin 5 1
once otto.3 -t garden/from/otto/rpc -m "$on1"
check "while it is away nobody answers" refused 27 "status is 'offline'" "$thimble" call -W 2 --as adam garden Zone.On '{"zone":2,"seconds":60}'
once otto.3 -t garden/from/otto/rpc -r -m "$on3"
check "with the power back" start_machine
sleep 1
check "what was sent meanwhile does not act, nor what was kept by the broker (F11)" all_off
forget_it

# ---- the broker is away ----
check "a zone is on" on 1 3
check "and another for long" on 3 60
was=$(times)
close_callers
stop_broker
check "when the broker goes away; it is off on time" wait_for 6 pin 5 1
check "the other stays on for its time" pin 14 0
analog 5 333
sleep 2
analog 5 666
sleep 2
start_broker
check "the device comes back by itself" wait_for $((30 * slow)) connected_times $((was + 1))
open_callers
on_then() { ask otto Zone.Status && result "json_extract(r, '\$.zones[2].on')"; }
check "and says what is on" on_then
gives otto 200 Zone.Off '{"zone":3}' >/dev/null
both() { seen '^garden/telemetry/Ain5 {"value":333[,}]' && seen '^garden/telemetry/Ain5 {"value":666[,}]'; }
check "what it measured meanwhile is told with its age" wait_for 10 both
check "each of it" seen '^garden/telemetry/Ain5 {"value":333,.*"\(age_s\|time\)":'

# ---- settings on trial ----
# prove CALLER: answers the device's question who is there, as programs must that change settings.
prove() {
    local line id nonce
    wait_for $((20 * slow)) grep -q Trial.Prove "$scratch/to.$1" || return 1
    line=$(grep Trial.Prove "$scratch/to.$1" | tail -1)
    line=${line#* }
    id=$(sqlite3 :memory: "select json_extract('$line', '\$.id')")
    nonce=$(sqlite3 :memory: "select json_extract('$line', '\$.params.nonce')")
    say "$1" "{\"id\":$id,\"src\":\"garden/to/$1\",\"result\":{\"nonce\":\"$nonce\"}}"
}
value_is() { ask otto Config.Get "{\"key\":\"$1\"}" && result "json_extract(r, '\$.$1') = $2"; }
trial_ended() { ask otto Sys.GetInfo && result "json_extract(r, '\$.trial') is null and json_extract(r, '\$.last_trial.kept') = $1"; }
check "a change of settings is tried" gives anna 200 Config.Set '{"config":{"mqtt":{"keep_alive":47}}}'
check "its author is asked, and answers" prove anna
check "it is kept" wait_for 20 trial_ended 1
check "and holds" value_is mqtt.keep_alive 47
check "an operator may change nothing" gives otto 403 Config.Set '{"config":{"mqtt":{"keep_alive":48}}}'
check "all of a change is taken or none" gives anna 422 Config.Set '{"config":{"mqtt":{"keep_alive":50},"log":{"level":"loud"}}}'
check "so nothing changed" value_is mqtt.keep_alive 47
check "whom it trusts changes not so (I6)" gives anna 403 Config.Set '{"config":{"mqtt":{"server":"evil.example"}}}'
check "nor does what nobody knows" gives anna 404 Config.Set '{"config":{"no":{"such":1}}}'

# Trust that cuts it off comes in pieces, is tried, and is taken back (I6).
push() { timeout 120 "$thimble" trust push --as adam -W 90 garden "$scratch/$1"; }
sign() { "$thimble" trust sign -o "$scratch/$1" "${@:2}" >/dev/null; }
check "a bundle whose broker is not there is signed" sign away --broker "$broker_host:$(free_port)"
check "it is tried and taken back (I6)" refused 8 "took the bundle back" push away
taken_back() { grep -a '"event":"trial"' "$scratch/watch" | tail -1 | grep -q '"component":"trust","kept":false'; }
check "which is reported" wait_for 10 taken_back
check "one with the right broker is signed" sign right --broker "$broker_host:$port"
check "and kept" push right
check "with it, users are known" gives vera 200 Zone.Status

if [ "${THIMBLE_TEST_MODE:-ci}" = full ]; then
    check "a change that nobody proves is tried" gives anna 200 Config.Set '{"config":{"mqtt":{"keep_alive":49}}}'
    check "a second change has to wait" wait_for 20 gives anna 409 Config.Set '{"config":{"mqtt":{"keep_alive":51}}}'
    check "it is taken back: its author does not answer" wait_for $((150 + 20 * slow)) trial_ended 0
    check "and holds no more" value_is mqtt.keep_alive 47
fi
