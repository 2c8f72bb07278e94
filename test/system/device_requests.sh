# SPDX-License-Identifier: MIT
# Part of test_device_list.sh: who may ask what, and what is refused.

# ---- each role's methods ----
# What a method needs is read from the device; who has less is refused whatever the method.
refused_below() {
    local method role name
    ask anna Rpc.List || return 1
    for method in $(of_answer "(select group_concat(value, ' ') from json_each(r))"); do
        ask vera Rpc.Describe "{\"name\":\"$method\"}" || return 1
        role=$(of_answer "json_extract(r, '\$.role')")
        for name in vera otto; do
            case $role:$name in
            admin:* | operator:vera) gives $name 403 "$method" || return 1 ;;
            viewer:* | operator:otto) ;;
            *) echo "$method is for '$role'"; return 1 ;;
            esac
        done
        echo "$method: $role"
    done
}
lists() { # CALLER HAS LACKS
    ask "$1" Rpc.List && [[ "$answer" == *"\"$2\""* && "$answer" != *"\"$3\""* ]]
}
check "what a role may not is refused to it (403)" refused_below
check "a viewer is told of what a viewer may" lists vera Zone.Status Zone.On
check "an operator of what an operator may" lists otto Zone.On Config.Set
check "an admin of all" lists anna Config.Set No.Such
check "a viewer reads sensors" gives vera 200 Sensor.Read
check "and zones" gives vera 200 Zone.Status
check "all three of them" result "json_array_length(r, '\$.zones') = 3"
check "and what the device is" gives vera 200 Sys.GetInfo
check "which is connected, so in MQTT mode" result "json_extract(r, '\$.mode') = 'mqtt'"
check "an operator reads settings" gives otto 200 Config.Get '{"key":"zones"}'
check "and failures" gives otto 200 Log.Tail '{"count":2}'
check "nobody reads a secret" gives anna 404 Config.Get '{"key":"mqtt.pass"}'
late_is_refused() {
    # shellcheck disable=SC2046
    timeout 20 mosquitto_rr $(as late) -q 1 -W 10 -e garden/to/late/rpc -t garden/from/late/rpc \
        -m "$(frame Zone.Status)" | grep -q '"code":403'
}
check "who is not in the trust set may nothing (403)" late_is_refused

# ---- what is no request ----
many() { printf "%*s" "$1" "" | tr ' ' "$2"; }
while IFS='|' read -r codes what text; do
    check "$what ($codes)" frame_gives otto "${codes/or/|}" "$text"
done <<FRAMES
404|a method nobody knows|{"id":1,"method":"No.Such"}
404|a method's name with an escape too much|{"id":1,"method":"Zone.On\\u0000"}
400|no method|{"id":1}
400|a method that is a number|{"id":1,"method":7}
400|parameters in a list|{"id":1,"method":"Zone.Off","params":[1]}
400|params and args|{"id":1,"method":"Zone.Off","params":{},"args":{}}
400|an id that is an object|{"id":{},"method":"Rpc.List"}
400|an id that is too long|{"id":"$(many 60 x)","method":"Rpc.List"}
400|no JSON|zone 1 on
400|half of it|{"id":1,"method":"Rpc.List"
400|more than one|{"id":1,"method":"Rpc.List"}{}
400|a comment|{"id":1,"method":"Rpc.List"} // please
400|a member that stands twice|{"id":1,"method":"Zone.On","params":{"zone":3,"zone":1,"seconds":5}}
400|deep nesting|{"id":1,"method":"Zone.Off","params":$(many 40 [)$(many 40 ])}
400|very deep nesting|$(many 1000 [)
400|invalid UTF-8|{"id":1,"method":"Rpc.Describe","params":{"name":"$(printf '\xc3\x28')"}}
400|half a surrogate pair|{"id":1,"method":"Rpc.Describe","params":{"name":"\\ud800"}}
422|a zone that is a string|{"id":1,"method":"Zone.On","params":{"zone":"1","seconds":5}}
422|a fraction|{"id":1,"method":"Zone.On","params":{"zone":1.5,"seconds":5}}
422|an exponent|{"id":1,"method":"Zone.On","params":{"zone":1,"seconds":1e2}}
422|a huge number|{"id":1,"method":"Zone.On","params":{"zone":1,"seconds":99999999999999999999999999}}
422|a number that wraps|{"id":1,"method":"Zone.On","params":{"zone":1,"seconds":4294967301}}
422|a negative one|{"id":1,"method":"Zone.On","params":{"zone":1,"seconds":-5}}
422|none|{"id":1,"method":"Zone.On","params":{"zone":1,"seconds":null}}
422|nothing of what is needed|{"id":1,"method":"Zone.On"}
422|a misspelt parameter|{"id":1,"method":"Zone.On","params":{"zone":1,"secnods":5}}
422|longer than the zone's rule|{"id":1,"method":"Zone.On","params":{"zone":1,"seconds":601}}
404|a zone that is not there|{"id":1,"method":"Zone.On","params":{"zone":7,"seconds":5}}
413|a frame of 1,100 bytes|{"id":1,"method":"Rpc.List","x":"$(many 1100 x)"}
400|a nonce that is too long|{"id":1,"method":"Zone.Off","nonce":"$(many 33 n)","params":{"zone":1}}
400|an answer to the neighbour|{"id":1,"src":"hut/to/otto","method":"Rpc.List"}
400|an answer to another user (F6)|{"id":1,"src":"garden/to/anna","method":"Rpc.List"}
400|an answer to a name that begins alike|{"id":1,"src":"garden/to/ottokar","method":"Rpc.List"}
408or409|an end that is over|{"id":1,"method":"Zone.On","expires":1000000000,"params":{"zone":1,"seconds":5}}
FRAMES
check "none of them opened anything" all_off
nobody_else() { ! grep -a '^garden/to/ottokar\|^hut/' "$scratch/watch"; }
check "nor was anybody else answered" nobody_else
silent() { # FRAME
    local before
    before=$(lines_to otto)
    say otto "$1"
    ask otto Rpc.List && [ "$(lines_to otto)" = $((before + 1)) ]
}
check "what asks for no answer gets none" silent '{"method":"Rpc.List"}'
check "nor does an answer" silent '{"id":1,"result":{}}'
once_gives() { # CODE mosquitto_pub's options...
    local before want=$1
    shift
    before=$(lines_to otto)
    once otto.3 -t garden/from/otto/rpc "$@" || return 1
    wait_for 10 more_to otto "$before" || return 1
    answer=$(tail -1 "$scratch/to.otto")
    [ "$(code)" = "$want" ] || { echo "$answer"; return 1; }
}
on1='{"id":1,"method":"Zone.On","params":{"zone":1,"seconds":60}}'
head -c 100000 /dev/zero >"$scratch/large"
connections=$(times)
check "100 KB are refused" once_gives 413 -f "$scratch/large"
check "a retained command is refused (F11)" once_gives 400 -r -m "$on1"
forget_it() { once_gives 400 -r -n; } # an empty one takes it from the broker; the device sees it, too
forget_it
check "a response topic that is another user's is refused (F6)" once_gives 400 \
    -D publish response-topic garden/to/anna/rpc -m '{"id":1,"method":"Rpc.List"}'
check "so is the neighbour's" once_gives 400 -D publish response-topic hut/status -m '{"id":1,"method":"Rpc.List"}'
check "one's own is taken" once_gives 200 -D publish response-topic garden/to/otto/x -D publish correlation-data abc \
    -m '{"id":1,"method":"Rpc.List"}'
check "correlation data that is too long is refused" once_gives 400 -D publish response-topic garden/to/otto/x \
    -D publish correlation-data "$(many 65 c)" -m '{"id":1,"method":"Rpc.List"}'
check "no topic but rpc is taken for a request" once otto.3 -t garden/from/otto/rpc/x -m "$on1"
check "all that cost no connection" test "$connections" = "$(times)"
check "and opened nothing" all_off

# ---- duplicates ----
nonce=$SRANDOM
twice="{\"id\":5,\"method\":\"Zone.On\",\"nonce\":\"$nonce\",\"params\":{\"zone\":3,\"seconds\":60}}"
check "a command acts" frame_gives otto 200 "$twice"
check "its relay is on" wait_for 3 pin 14 0
check "it is switched off" gives otto 200 Zone.Off '{"zone":3}'
check "the same nonce gets the same answer" frame_gives otto 200 "$twice"
check "as if it were on" result "json_extract(r, '\$.on')"
check "and does not act twice (F11)" pin 14 1
check "another caller's same nonce is another command" frame_gives anna 200 "$twice"
check "and acts" wait_for 3 pin 14 0
gives anna 200 Zone.Off '{"zone":3}' >/dev/null

# ---- flood ----
flood() { # COUNT
    local n
    for n in $(seq "$1"); do echo "{\"id\":$n,\"method\":\"Zone.Status\"}"; done >"$scratch/flood"
    # shellcheck disable=SC2046
    timeout 60 mosquitto_pub $(as vera.3) -q 1 -l -t garden/from/vera/rpc <"$scratch/flood"
}
flood_over() { ask anna Sys.GetInfo && [ "$(code)" = 200 ]; }
count=300
[ "${THIMBLE_TEST_MODE:-ci}" = full ] && count=3000
before=$(lines_to vera)
gives otto 200 Zone.On '{"zone":1,"seconds":3}' >/dev/null
opened=$(date +%s%N)
check "$count requests at once" flood "$count"
check "do not hold a zone open (R9)" wait_for 4 pin 5 1
check "nor keep others from being answered" wait_for 30 flood_over
all_counted() {
    ask anna Sys.GetInfo && lost=$(of_answer "json_extract(r, '\$.requests_lost')")
    got=$(($(lines_to vera) - before))
    [ $((got + lost)) -ge "$count" ]
}
wait_for 60 all_counted
echo "flood: $got answers, $lost requests that got none, $(tail -n +$((before + 1)) "$scratch/to.vera" | grep -c '"code":503') of them 503, closed after $((($(date +%s%N) - opened) / 1000000)) ms"
check "every one was answered, or is counted" test $((got + lost)) = "$count"
