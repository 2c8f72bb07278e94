# SPDX-License-Identifier: MIT
# The npm package mongoose-os-rpc, unmodified, asks a real device through a real mosquitto: device D/from/op,
# source D/to/op, over the loopback listener with passwords. The package appends its port twice, so that port
# 1883 alone works: broker, device and client have a network of their own here. F6, I8.
if [ "${1:-}" != within ]; then
    packages=$THIMBLE_BUILD/npm-mongoose-os-rpc
    if [ ! -d "$packages/node_modules/mongoose-os-rpc" ]; then
        mkdir -p "$packages"
        cp "$THIMBLE_SOURCE"/test/mongoose-os-rpc/package*.json "$packages" && cd "$packages" &&
            npm ci --no-audit --no-fund --ignore-scripts >npm.log 2>&1 || { cat npm.log; echo "FAIL npm brings mongoose-os-rpc"; exit 1; }
    fi
    for own in "unshare -n" "unshare -rn"; do
        $own ip link set lo up 2>/dev/null && exec $own bash "$0" within
    done
    echo "skip: 28 checks, for want of network namespaces"
    exit 0
fi
ip link set lo up || exit 1
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1
export NODE_PATH=$THIMBLE_BUILD/npm-mongoose-os-rpc/node_modules NODE_NO_WARNINGS=1
flash=$scratch/garden.flash
check "a broker with a listener for passwords" set_the_stage --plaintext-loopback 1883
check "people with passwords" sh -c "'$thimble' broker password op --role operator --to $scratch/op.password >/dev/null &&
    '$thimble' broker password guest --role viewer --to $scratch/guest.password >/dev/null"
check "the device is enrolled" enrol_device garden "$flash"
[ "$failures" = 0 ] || finish
"$device" --flash "$flash" --set mode=mqtt --set zones.count=2 --set zones.pins=5,4 >"$scratch/set.out" 2>&1
check "relays are wired" test $? = 0
run_device garden "$flash" --board "pins=$scratch/pins"
says garden 'passed the trial' 20
ask() { # CALLER, then a line a request on standard input
    timeout 40 node "$THIMBLE_SOURCE/test/mongoose-os-rpc/call.cjs" garden "$1" "$scratch/$1.password" >"$scratch/$1.out" 2>&1
}
line() { sed -n "$2p" "$scratch/$1.out"; }
ask op <<'EOP'
Sys.GetInfo
Zone.On {"zone":2,"seconds":60}
Zone.Status
Zone.Off {"zone":2}
Config.Get {"key":"telemetry"}
Config.Set {"config":{"telemetry":{"interval_s":9}}}
No.Such
Zone.On {"zone":"2","seconds":60}
EOP
cat "$scratch/op.out"
check "a result comes back" grep -q '^result {"id":"garden","product":"thimble"' <(line op 1)
check "a command acts" test "$(line op 2)" = 'result {"zone":2,"on":true,"seconds":60}'
check "and is seen" grep -q '"zone":2,"on":true' <(line op 3)
check "and is taken back" test "$(line op 4)" = 'result {"zone":2,"on":false,"seconds":0}'
check "settings are read" grep -q '^result {"telemetry":{"interval_s":60' <(line op 5)
check "an operator may not set them" grep -q '^error 403 ' <(line op 6)
check "errors keep code and message" grep -q '^error 404 no such method' <(line op 7)
check "types are held to" grep -q '^error 422 ' <(line op 8)
ask guest <<'EOP'
Sys.GetInfo
Zone.On {"zone":2,"seconds":60}
EOP
check "a viewer looks" grep -q '^result ' <(line guest 1)
check "and switches nothing" grep -q '^error 403 ' <(line guest 2)
echo wrong >"$scratch/nobody.password"
PATIENCE_MS=3000 ask nobody </dev/null
check "nobody without a password" grep -q '^no connection, ' "$scratch/nobody.out"
end_device TERM

# ---- over HTTP, in configuration mode: the set-up code as Basic authorisation of the address (legacy.enable) ----
page_of() { sed -n 's|^the page is at http://\(.*\)/config$|\1|p' "$scratch/garden.out"; }
serve() { # legacy.enable
    "$device" --flash "$flash" --set mode=config --set "legacy.enable=$1" >/dev/null
    run_device garden "$flash" --board "pins=$scratch/pins" --http 127.0.0.1:0
    says garden '^the page is at' && page=$(page_of)
}
post() { # ADDRESS, then a line a request on standard input
    timeout 40 node "$THIMBLE_SOURCE/test/mongoose-os-rpc/http.cjs" "http://$1/rpc" >"$scratch/http.out" 2>&1
    cat "$scratch/http.out"
}
check "a page without the older front" serve false
code=$(sed -n 's/^set-up code: //p' "$scratch/set.out")
check "its code" test ${#code} = 19
post "x:$code@$page" <<<'Sys.GetInfo'
check "it takes no code in clear text" grep -q '^error 401 prove the set-up code first' "$scratch/http.out"
end_device TERM
check "a page with it" serve true
post "x:$code@$page" <<'EOP'
Sys.GetInfo
Config.Set {"config":{"telemetry":{"interval_s":9}}}
Zone.Status
Config.Set {"config":{"mqtt":{"server":"evil.example"}}}
Sys.FactoryReset
No.Such
EOP
check "a result comes back" grep -q '^result {"id":"garden","product":"thimble"' <(line http 1)
check "a setting is taken" test "$(line http 2)" = 'result {"trial":true}'
check "and more is answered" grep -q '"zone":2,"on":false' <(line http 3)
check "trust needs a session" grep -q '^error 403 whom the device trusts' <(line http 4)
check "so does erasing" grep -q '^error 403 ' <(line http 5)
check "errors keep code and message" grep -q '^error 404 no such method' <(line http 6)
post "$page" <<<'Sys.GetInfo'
check "without a code nothing" grep -q '^error 401 ' "$scratch/http.out"
for _ in 1 2 3 4 5; do echo Sys.GetInfo; done | post "x:0000-0000-0000-0000@$page"
check "with a wrong one nothing" test "$(grep -c '^error 401 the set-up code is wrong' "$scratch/http.out")" = 5
post "x:$code@$page" <<<'Sys.GetInfo'
check "wrong codes make it wait (F2)" grep -q '^error 429 ' "$scratch/http.out"
check "and are told (F9)" test "$(grep -c 'refused: the set-up code is wrong$' "$scratch/garden.out")" = 5
finish
