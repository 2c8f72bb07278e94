# SPDX-License-Identifier: MIT
# thimble trust push to a real device: what it takes, what it refuses, what it takes back, and how
# keys are rolled (I6, O16, F6).
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1
flash=$scratch/lamp.flash
check "a broker with its authorities" set_the_stage
"$thimble" user add alice --role admin >/dev/null
check "a device is enrolled" enrol_device lamp "$flash"
check "and put into MQTT mode" "$device" --flash "$flash" --set mode=mqtt
[ "$failures" = 0 ] || finish
run_device lamp "$flash"
check "it connects" says lamp '^connected'
sleep 2 # its mode is kept
push() { "$thimble" trust push --as "${2:-alice}" lamp "$scratch/$1" -W "${3:-60}"; }

"$thimble" user add bob --role viewer >/dev/null
"$thimble" trust sign -o "$scratch/two" >/dev/null
check "a bundle that is not whole is not even sent" sh -c "head -c 700 $scratch/two >$scratch/half;
    $thimble trust push --as alice lamp $scratch/half 2>&1 | grep -q 'no whole trust bundle'"
check "an operator may not push (F6)" refused 8 "refuses the bundle.*403" push two olga
check "nor may who is not in its trust set yet" refused 8 "403" push two bob
check "an admin may, and it is kept" push two
check "now bob is known" "$thimble" call --as bob lamp Rpc.List
check "the same once more is old" refused 8 "not newer" push two
python3 - "$scratch/two" "$scratch/bent" <<'EOF'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[-1] ^= 1
open(sys.argv[2], "wb").write(data)
EOF
check "one with a bit altered is refused" refused 8 "refuses the bundle" push bent
check "so is one for another product" sh -c "$thimble trust sign --product kettle -o $scratch/kettle >/dev/null"
check "which is refused as such" refused 8 "another product" push kettle
"$thimble" trust sign --broker "localhost:$(free_port)" -o "$scratch/away" >/dev/null
check "one under which it cannot connect is taken back (I6)" refused 8 "took the bundle back" push away
check "and it is there again" "$thimble" call --as alice -W 30 lamp Sys.GetInfo

# A key is rolled in two steps (O16).
"$thimble" trust keygen next >/dev/null
"$thimble" trust sign --key "$home/update/next.key" -o "$scratch/early" >/dev/null 2>&1
check "a key the device does not know is refused" refused 8 "does not take" push early
"$thimble" trust sign -o "$scratch/both" >/dev/null
check "a bundle that brings it is kept" push both
"$thimble" trust sign --key "$home/update/next.key" --without main -o "$scratch/new" >/dev/null
check "then it signs alone" push new
"$thimble" trust sign -o "$scratch/old" >/dev/null 2>&1
check "and the old one no more" refused 8 "does not take" push old
end_device TERM
check "a device that is not there is told of" refused 27 "did not answer within 3 s" push old alice 3
finish
