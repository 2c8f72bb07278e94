# SPDX-License-Identifier: MIT
# Part of test_device_list.sh: each forbidden action of users and devices. mosquitto denies in
# silence, so that what counts is what is delivered (F6).

# WHO TOPIC, a line each: none of it may reach anybody.
forbidden_publications() {
    local name
    for name in vera otto anna; do
        local other=otto
        [ $name = otto ] && other=anna
        for topic in "garden/from/$other/rpc" "garden/from/agent/rpc" "garden/to/$other/rpc" garden/status \
            garden/telemetry/Ain0 garden/zone/1 garden/log "garden/from/$name.2/rpc" homeassistant/status \
            homeassistant/device/garden/config recover/garden/request recover/garden/answer "$name/from/$other/rpc"; do
            echo "$name.3 $topic"
        done
    done
    for topic in garden/from/hut/rpc garden/from/otto/rpc garden/to/otto/rpc garden/status garden/telemetry/Ain0 \
        garden/zone/1 garden/log hut/from/otto/rpc hut/from/hut/rpc homeassistant/device/garden/config recover/garden/request \
        recover/hut/answer; do
        echo "hut $topic"
    done
}
act='{"id":"forged","method":"Zone.On","params":{"zone":3,"seconds":600}}'
try_all() { # those of one name, one after the other: a certificate is one connection
    local who topic
    while read -r who topic; do
        once "$who" -t "$topic" -m "$act" || true
        echo "$who $topic" >>"$scratch/tried.$1"
    done < <(forbidden_publications | grep "^$1[. ]")
}

# What may not be read: everything is asked for, the broker grants it, and must deliver none of it.
for name in vera otto anna; do listen "$name.3" "spy.$name" '#' 'garden/#' 'garden/from/#' 'garden/to/#' '+/log' 'recover/#'; done
listen hut spy.hut '#' 'garden/#' 'garden/from/#' 'garden/to/#' 'garden/zone/#' 'recover/#' 'homeassistant/#'
spies=("${children[@]: -4}")
for name in vera otto anna; do wait_for 5 grep -q '^garden/status' "$scratch/spy.$name"; done
was=$(times)
for name in $callers; do ask $name Zone.Status; done
on 1 1
check "while there is something to be overheard: answers, zones, a restart" gives anna 200 Sys.Reboot
start_again "$was"
for name in vera otto anna; do wait_for 10 grep -q '^garden/zone/1' "$scratch/spy.$name"; done
check "the keeper sees the requests" seen '^garden/from/otto/rpc'
overheard() { # NAME PATTERN: of that it saw nothing
    grep -- "$2" "$scratch/spy.$1" | head -3
    ! grep -q -- "$2" "$scratch/spy.$1"
}
check "a viewer sees status and zones" grep -q '^garden/zone/1' "$scratch/spy.vera"
check "but no log" overheard vera '^garden/log'
check "an operator sees the log" grep -q '^garden/log' "$scratch/spy.otto"
for name in vera otto anna; do
    check "$name reads no requests" overheard $name '^[^ ]*/from/'
    others=$(tr ' ' '\n' <<<"$callers agent adam" | grep -vx $name | paste -sd '|')
    check "nor answers to others, nor what is for the agent" overheard $name "^garden/to/\(${others//|/\\|}\)/"
done
check "the neighbour reads nothing of the device's" overheard hut '^garden/\|^homeassistant/\|^recover/'
for spy in "${spies[@]}"; do kill "$spy"; wait "$spy" 2>/dev/null; done

# What may not be written.
writers=()
for name in $callers hut; do
    try_all $name &
    writers+=("$!")
done
wait "${writers[@]}"
tried=$(cat "$scratch"/tried.* | wc -l)
ask otto Rpc.List # what was delivered was delivered before this
not_delivered() {
    ! grep -a '"forged"' "$scratch/watch"
}
check "$tried forbidden publications are delivered to nobody" not_delivered
check "as many as there are" test "$tried" = "$(forbidden_publications | wc -l)"
check "and none of them opened anything" all_off
allowed=$(frame Rpc.List | sed 's/"id":"[0-9]*"/"id":"allowed"/')
for name in vera otto anna; do once $name.3 -t "garden/from/$name/rpc" -m "$allowed"; done
allowed_ones() { [ "$(grep -ac '^garden/from/[a-z]*/rpc .*"allowed"' "$scratch/watch")" = 3 ] && [ "$(grep -ac '^garden/to/[a-z]*/rpc .*"allowed"' "$scratch/watch")" = 3 ]; }
check "what each may publish is delivered, and answered" wait_for 10 allowed_ones
