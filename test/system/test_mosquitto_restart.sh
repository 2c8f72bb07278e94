# SPDX-License-Identifier: MIT
# What QoS 1 and 2 promise when the broker restarts or is killed under load, and when the client is
# killed. A killed mosquitto forgets what it had acknowledged: that is counted apart from what is ours.
. "$THIMBLE_SOURCE/test/system/mosquitto.sh" || exit 1
make_pki
start_broker || exit 1

judge() { python3 "$THIMBLE_SOURCE/test/system/judge.py" "$@"; }

# A publisher and a subscriber of ours, both with sessions that stay; the broker is stopped with
# SIGTERM and started again while messages flow.
restart_under_load() { # kind protocol qos messages
    local name=load-$1-$2-$3 publisher subscriber
    # shellcheck disable=SC2046
    link_in_background "$name-sub" $(over plain) --protocol "$2" --id "$name-sub" --limit 90 \
        --outbox "$scratch/$name-sub.box" up sub "$name" 2 expect "$4" sleep 500
    subscriber=$linked
    wait_for 10 grep -q "step sub done" "$scratch/$name-sub.out" || return 1
    # shellcheck disable=SC2046
    link_in_background "$name" $(over "$1") --protocol "$2" --id "$name" --limit 90 \
        --pace 4 up pub "$name" "$3" 1 "$4" flush
    publisher=$linked
    for _ in 1 2; do
        sleep 0.4
        stop_broker
        start_broker || return 1
        wait_for 20 back_again "$name" && wait_for 20 back_again "$name-sub" || return 1
    done
    wait "$publisher" || { tail -3 "$scratch/$name.out"; return 1; }
    wait "$subscriber" || { tail -3 "$scratch/$name-sub.out"; return 1; }
    [ "$(grep -c "^failed" "$scratch/$name.out")" -ge 2 ] || { echo "a restart was not noticed"; return 1; }
    judge restart "$3" "$scratch/$name.out" "$scratch/$name-sub.out"
}
# The last word about the connection is that it stands, with its session.
back_again() { grep -E '^(failed|connected)' "$scratch/$1.out" | tail -1 | grep -q "connected present=1"; }
for profile in "plain 4" "plain 5" "bearssl-mutual 4" "openssl-mutual 5"; do
    for qos in 1 2; do
        # shellcheck disable=SC2086
        check "${profile/ /, MQTT version }: the broker restarts twice under load, nothing of QoS $qos is lost, order is kept" \
            restart_under_load $profile $qos 8000
    done
done
full_after_restart() {
    grep "^tls" "$scratch/load-$1-1.out" >"$scratch/tls.lines"
    [ "$(wc -l <"$scratch/tls.lines")" -ge 3 ] && ! grep -q resumed=1 "$scratch/tls.lines"
}
check "after a restart of the broker TLS is full again (BearSSL)" full_after_restart bearssl-mutual-4
check "after a restart of the broker TLS is full again (OpenSSL)" full_after_restart openssl-mutual-5

# kill -9 of the broker. The publisher is held until the subscriber stands again, so that a message
# can only be missing because the broker forgot it.
kill_under_load() { # protocol qos messages
    local name=kill-$1-$2 publisher subscriber
    # shellcheck disable=SC2046
    link_in_background "$name-sub" $(over plain) --protocol "$1" --id "$name-sub" --limit 90 \
        up sub "$name" 2 sleep 60000
    subscriber=$linked
    wait_for 10 grep -q "step sub done" "$scratch/$name-sub.out" || return 1
    # shellcheck disable=SC2046
    link_in_background "$name" $(over plain) --protocol "$1" --id "$name" --limit 90 \
        --pace 10 up pub "$name" "$2" 1 "$3" flush
    publisher=$linked
    sleep 0.4
    kill_broker
    kill -STOP "$publisher"
    start_broker || return 1
    wait_for 20 sh -c "[ \$(grep -c '^subscribed' '$scratch/$name-sub.out') = 2 ]" || return 1
    kill -CONT "$publisher"
    wait "$publisher" || { tail -3 "$scratch/$name.out"; return 1; }
    sleep 1
    kill "$subscriber"
    judge kill "$2" "$scratch/$name.out" "$scratch/$name-sub.out" >"$scratch/$name.verdict"
    local verdict=$?
    echo "     $(cat "$scratch/$name.verdict")" >&3
    return $verdict
}
exec 3>&1
for protocol in 4 5; do
    for qos in 1 2; do
        check "MQTT version $protocol, QoS $qos: after kill -9 of the broker nothing is missing that it had not acknowledged" \
            kill_under_load $protocol $qos 10000
    done
done

renew_broker || exit 1

# kill -9 of the client, its outbox in a file. The broker lives.
client_killed() { # kind protocol qos messages
    local name=client-$1-$2-$3 subscriber next=1 kills=0
    : >"$scratch/$name.out"
    # shellcheck disable=SC2046
    link_in_background "$name-sub" $(over plain) --protocol "$2" --id "$name-sub" --clean --limit 90 \
        up sub "$name" 2 sleep 60000
    subscriber=$linked
    wait_for 10 grep -q "step sub done" "$scratch/$name-sub.out" || return 1
    while [ "$next" -le "$4" ]; do
        # shellcheck disable=SC2046
        link_in_background once $(over "$1") --protocol "$2" --id "$name" --limit 60 --pace 3 \
            --outbox "$scratch/$name.box" up pub "$name" "$3" "$next" "$4" flush
        sleep "0.$((RANDOM % 3))$((RANDOM % 9 + 1))"
        if kill -KILL "$linked" 2>/dev/null; then kills=$((kills + 1)); fi
        wait "$linked" 2>/dev/null
        cat "$scratch/once.out" >>"$scratch/$name.out"
        echo KILLED >>"$scratch/$name.out"
        next=$(($(grep '^taking' "$scratch/$name.out" | tail -1 | cut -d' ' -f2) + 1))
    done
    # shellcheck disable=SC2046
    link once $(over "$1") --protocol "$2" --id "$name" --outbox "$scratch/$name.box" up flush || return 1
    sleep 1
    kill "$subscriber"
    wait "$subscriber"
    [ "$kills" -ge 3 ] || { echo "only $kills kills"; return 1; }
    echo "     $kills kills" >&3
    judge client "$3" "$scratch/$name.out" "$scratch/$name-sub.out"
}
RANDOM=20261
for protocol in 4 5; do
    for qos in 1 2; do
        check "plain, MQTT version $protocol: the client is killed at random, nothing of QoS $qos that it took is lost$([ $qos = 2 ] && echo ' or comes twice')" \
            client_killed plain $protocol $qos 4000
    done
done
check "bearssl-mutual: the same at QoS 2" client_killed bearssl-mutual 5 2 3000

# kill -9 of a receiving client: QoS 2 identifiers are stored before delivery.
receiver_killed() { # protocol
    local name=receiver-$1 kills=0
    # shellcheck disable=SC2046
    link once $(over plain) --protocol "$1" --id "$name" --outbox "$scratch/$name.box" up sub "$name" 2 || return 1
    # shellcheck disable=SC2046
    link_in_background "$name-pub" $(over plain) --protocol "$1" --clean --limit 60 --pace 3 up pub "$name" 2 1 3000 flush
    : >"$scratch/$name.out"
    for _ in 1 2 3 4 5 6 7 8; do
        # shellcheck disable=SC2046
        link_in_background once $(over plain) --protocol "$1" --id "$name" --outbox "$scratch/$name.box" up sleep 20000
        sleep "0.0$((RANDOM % 9 + 1))"
        kill -KILL "$linked" && kills=$((kills + 1))
        wait "$linked" 2>/dev/null
        cat "$scratch/once.out" >>"$scratch/$name.out"
    done
    # shellcheck disable=SC2046
    link_in_background once $(over plain) --protocol "$1" --id "$name" --outbox "$scratch/$name.box" up sleep 3000
    wait "$linked"
    cat "$scratch/once.out" >>"$scratch/$name.out"
    judge receiver $kills 3000 "$scratch/$name.out"
}
check "a receiver killed at random gets no QoS 2 message twice (3.1.1)" receiver_killed 4
check "a receiver killed at random gets no QoS 2 message twice (5.0)" receiver_killed 5

finish
