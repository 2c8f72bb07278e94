# SPDX-License-Identifier: MIT
# Messages both ways between our link and mosquitto's own clients, over a real mosquitto: 3.1.1 and
# 5.0, plain, one-way and mutual TLS, BearSSL and OpenSSL, QoS 0 to 2, retained, will, properties,
# 10 MB.
. "$THIMBLE_SOURCE/test/system/mosquitto.sh" || exit 1
make_pki
start_broker || exit 1

# mosquitto_sub writes what it got to $scratch/$1.sub; it is subscribed when this returns.
listen() {
    local name=$1
    shift
    sub -d "$@" >"$scratch/$name.sub" 2>&1 &
    listener=$!
    children+=("$listener")
    wait_for 10 grep -q "SUBACK" "$scratch/$name.sub"
}
heard() { grep -c "^$2 " "$scratch/$1.sub" | grep -qx "$3"; }
in_order() { [ "$(grep -o "^$2 [0-9]* " "$scratch/$1.sub" | cut -d' ' -f2 | uniq)" = "$(seq "$3" "$4")" ]; }

each_qos_out() { # kind protocol name
    local qos
    listen "$3" -V mqttv311 -q 2 -t "out/$3/#" -C 60 -F '%t %p'
    # shellcheck disable=SC2046
    link "$3" $(over "$1") --protocol "$2" --clean up \
        pub "out/$3/0" 0 1 20 pub "out/$3/1" 1 1 20 pub "out/$3/2" 2 1 20 flush || return 1
    wait "$listener"
    for qos in 0 1 2; do
        heard "$3" "out/$3/$qos" 20 && in_order "$3" "out/$3/$qos" 1 20 || return 1
    done
}
each_qos_in() { # kind protocol name
    local qos
    # shellcheck disable=SC2046
    link_in_background "$3" $(over "$1") --protocol "$2" --clean up sub "in/$3/#" 2 expect 60
    wait_for 10 grep -q "step sub done" "$scratch/$3.out"
    for qos in 0 1 2; do
        seq -f '%g x' 1 20 | pub -V mqttv5 -t "in/$3/$qos" -q $qos -l || return 1
    done
    wait "$linked" || { tail -3 "$scratch/$3.out"; return 1; }
    for qos in 0 1 2; do
        grep "message in/$3/$qos qos=$qos " "$scratch/$3.out" >"$scratch/$3.$qos"
        [ "$(numbers "$scratch/$3.$qos")" = "$(seq 1 20)" ] || return 1
    done
}
for kind in $kinds; do
    for protocol in 4 5; do
        check "$kind, MQTT version $protocol: 20 messages of each QoS arrive at mosquitto_sub in order" \
            each_qos_out $kind $protocol "$kind-$protocol"
        check "$kind, MQTT version $protocol: 20 of each QoS from mosquitto_pub arrive here in order" \
            each_qos_in $kind $protocol "$kind-$protocol-in"
    done
done
check "the mutual listener knew us by our certificate" \
    grep -q "New client connected from .* as lamp (p.*, u'lamp')" "$log"

# ---- large ----
head -c 10000000 /dev/urandom >"$scratch/large"
python3 -c "import sys; sys.stdout.buffer.write(bytes(i % 251 for i in range(10000000)))" >"$scratch/pattern"
large_out() { # kind qos
    : >"$log"
    sub -q 2 -t "large/out" -C 1 -N >"$scratch/large.got" &
    local listener=$!
    wait_for 10 logged "Sending SUBACK"
    # shellcheck disable=SC2046
    link large $(over "$1") --clean up stream large/out "$2" 10000000 flush || return 1
    wait "$listener"
    cmp "$scratch/large.got" "$scratch/pattern"
}
large_in() { # kind qos
    # shellcheck disable=SC2046
    link_in_background large $(over "$1") --clean --save "$scratch/large.saved" up sub large/in 2 expect 1
    wait_for 10 grep -q "step sub done" "$scratch/large.out"
    pub -t large/in -q "$2" -f "$scratch/large" && wait "$linked" || return 1
    cmp "$scratch/large.saved" "$scratch/large"
}
for kind in plain bearssl-mutual openssl-mutual; do
    for qos in 0 1 2; do
        check "$kind: 10 MB leave at QoS $qos, byte for byte" large_out $kind $qos
        check "$kind: 10 MB come in at QoS $qos, byte for byte" large_in $kind $qos
    done
done

# ---- retained, will, properties ----
retained() { # protocol
    # shellcheck disable=SC2046
    link retained $(over plain) --protocol "$1" --clean up text "kept/$1" 1 "still here" "" "" flush || return 1
    sub -t "kept/$1" -C 1 -W 5 -F '%r %p' | grep -qx "1 still here" || return 1
    # shellcheck disable=SC2046
    link retained $(over plain) --protocol "$1" --clean up sub "kept/$1" 1 expect 1 || return 1
    said retained "message kept/$1 qos=1 retain=1 .*text=still here"
}
check "a retained message of 3.1.1 is kept, and comes back as retained" retained 4
check "a retained message of 5.0 is kept, and comes back as retained" retained 5

will() { # protocol
    listen "will$1" -q 1 -t "will/$1" -C 1 -F '%t %q %p'
    # shellcheck disable=SC2046
    link_in_background "willing$1" $(over bearssl) --protocol "$1" --clean --will "will/$1" gone 1 up sleep 20000
    wait_for 10 grep -q "step up done" "$scratch/willing$1.out"
    kill -KILL "$linked"
    wait "$listener"
    grep -qx "will/$1 1 gone" "$scratch/will$1.sub"
}
check "the will of a killed client is sent (3.1.1)" will 4
check "the will of a killed client is sent (5.0)" will 5
no_will() {
    listen nowill -q 1 -t "nowill" -W 2 -F '%t %p'
    # shellcheck disable=SC2046
    link nowilling $(over plain) --clean --will nowill gone 1 up || return 1
    wait "$listener"
    ! grep -q gone "$scratch/nowill.sub"
}
check "an orderly end sends no will" no_will

properties_out() {
    listen properties -V mqttv5 -q 1 -t properties/out -C 1 -F '%t %P'
    # shellcheck disable=SC2046
    link properties $(over plain) --clean up text properties/out 1 x colour "grün" flush || return 1
    wait "$listener"
    grep -qx "properties/out colour:grün" "$scratch/properties.sub"
}
properties_in() {
    # shellcheck disable=SC2046
    link_in_background properties $(over plain) --clean up sub properties/in 2 expect 1
    wait_for 10 grep -q "step sub done" "$scratch/properties.out"
    pub -V mqttv5 -t properties/in -q 2 -m x -D publish user-property size 12 \
        -D publish user-property size 13 && wait "$linked" || return 1
    said properties "message properties/in .* size=12 size=13 text=x"
}
check "user properties arrive at mosquitto_sub" properties_out
check "user properties of mosquitto_pub arrive here, twice the same name too" properties_in

finish
