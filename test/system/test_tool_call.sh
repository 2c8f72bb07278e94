# SPDX-License-Identifier: MIT
# thimble call against a real mosquitto and a responder made of mosquitto's own clients: answers,
# refusals, silence, a broker that denies.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME
port=$(free_port)
user_port=$(free_port)
"$thimble" ca init --name Test >/dev/null && "$thimble" broker init --no-proof --recovery-port 0 \
    --port "$port" --user-port "$user_port" --bind 127.0.0.1 --host localhost >/dev/null &&
    "$thimble" device enrol garden >/dev/null && "$thimble" user add olga --role operator >/dev/null || exit 1
"$thimble" broker run >"$scratch/broker.log" 2>&1 &
children+=("$!")
wait_for 10 grep -q "The broker is up" "$scratch/broker.log" || exit 1

own=$home/devices/garden
mosquitto=(-h localhost -p "$port" --cafile "$home/ca/server.crt" --cert "$own/device.crt" --key "$own/device.key")
# The device's side: one name is one connection, so it listens for a frame, then answers, in turns;
# its session waits for it at the broker, as neither of them cleans it. What came is kept for looking at.
answer() {
    local id
    id=$(sqlite3 :memory: "select json_extract('$1', '\$.id')")
    case $(sqlite3 :memory: "select json_extract('$1', '\$.method')") in
    Good) echo "{\"id\":\"$id\",\"src\":\"garden\",\"dst\":\"olga\",\"result\":{\"zone\":2,\"on\":true}}" ;;
    Bad) echo "{\"id\":\"$id\",\"src\":\"garden\",\"error\":{\"code\":403,\"message\":\"not you\"}}" ;;
    Other) echo '{"id":"0","result":1}' ;;
    esac
}
respond() {
    local line text
    while line=$(timeout 100 mosquitto_sub "${mosquitto[@]}" -c -i garden -q 1 -C 1 -v -t 'garden/from/+/rpc'); do
        echo "$line" >>"$scratch/asked"
        text=$(answer "${line#* }")
        [ -z "$text" ] || mosquitto_pub "${mosquitto[@]}" -c -i garden -q 1 -t garden/to/olga/rpc -m "$text"
    done
}
# The session exists before anybody asks.
mosquitto_sub "${mosquitto[@]}" -c -i garden -q 1 -E -t 'garden/from/+/rpc' || exit 1
: >"$scratch/asked"
respond 2>"$scratch/respond.err" &
children+=("$!")

call() { timeout 30 "$thimble" call "$@"; }
check "an answer is printed" test "$(call garden Good '{"zone":2}')" = '{"zone":2,"on":true}'
check "the request names caller, nonce and parameters" grep -q \
    '^garden/from/olga/rpc {"id":"[0-9a-f]*","src":"garden/to/olga","method":"Good","nonce":"[0-9a-f]\{32\}","params":{"zone":2}}$' \
    "$scratch/asked"
call --json garden Good >"$scratch/json"
check "--json prints the whole frame" json "$scratch/json" "json_extract(d, '\$.result.zone') = 2"
check "a refusal has its own exit code and a next step" refused 8 "not you (403)" "$thimble" call garden Bad
check "silence ends when the time is over" refused 27 "did not answer within 2 s" "$thimble" call -W 2 garden Silent
check "an answer to another request is none" refused 27 "did not answer" "$thimble" call -W 2 garden Other
check "parameters must be an object" refused 2 "not a JSON object" "$thimble" call garden Good '[1]'
check "parameters must be JSON" refused 2 "from character 10 on" "$thimble" call garden Good '{"zone":02}'
check "a method is needed" refused 2 "needs a device and a method" "$thimble" call garden
"$thimble" user add emil --role viewer >/dev/null
check "of two users one must be named" refused 2 "who asks" "$thimble" call garden Good
check "an unknown user is told so" refused 4 "nobody" "$thimble" call --as nobody garden Good
finish
