# SPDX-License-Identifier: MIT
# A user of several connections: thimble locks a free one, and when all are in use it says so instead of
# taking another's place; a real mosquitto tells who came.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME
"$thimble" ca init >/dev/null && "$thimble" broker init --no-proof --port "$(free_port)" --user-port "$(free_port)" \
    --recovery-port "$(free_port)" --bind 127.0.0.1 --host 127.0.0.1 >/dev/null &&
    "$thimble" user add alice --connections 3 --role admin >/dev/null && "$thimble" user add bob >/dev/null &&
    "$thimble" device enrol lamp >/dev/null || exit 1
log=$scratch/log
"$thimble" broker run >"$log" 2>&1 &
children+=("$!")
wait_for 10 grep -q "The broker is up" "$log"

listen() { # USER NUMBER: a subscriber; its process id is in $listener
    "$thimble" sub --as "$1" -t 'lamp/status' -v >"$scratch/$1.$2" 2>"$scratch/$1.$2.err" &
    listener=$!
    children+=("$listener")
}
came() { grep -qE "New client connected from .* as $1 " "$log"; }
listen alice 1
first=$listener
check "the first connection is alice" wait_for 5 came alice
listen alice 2
check "the second, at the same time, alice.2" wait_for 5 came 'alice\.2'
listen alice 3
check "the third alice.3" wait_for 5 came 'alice\.3'
check "a fourth is refused with the way out" refused 4 "every connection of 'alice' is in use" \
    "$thimble" pub --as alice -t lamp/from/alice/rpc -m x
check "nobody lost its place" sh -c "! grep -q 'already connected' $log"
check "a handshake alone takes no connection" "$thimble" tls --as alice 127.0.0.1:"$(sqlite3 "$home/registry.db" "select value from setting where name = 'broker.user_port'")"
wait_for 5 "$thimble" pub --as lamp -t lamp/status -m on -r
heard() { [ "$(cat "$scratch"/alice.[123] | grep -c '^lamp/status on')" = 3 ]; }
check "each has the rights of alice" wait_for 5 heard
kill "$first" && wait "$first" 2>/dev/null
check "when one ends its connection is free again" "$thimble" pub --as alice -t lamp/from/alice/rpc -m x
check "by the name it had" test 2 = "$(grep -cE 'New client connected from .* as alice ' "$log")"
last=${children[-1]}
kill -KILL "$last" && wait "$last" 2>/dev/null
check "a process that was killed holds none" "$thimble" pub --as alice -t lamp/from/alice/rpc -m x
listen bob 1
check "a user of one connection has one" wait_for 5 came bob
check "and no second" refused 4 "the one connection of 'bob' is in use" "$thimble" sub --as bob -t 'lamp/status'
check "with certificate and key named there is no lock" "$thimble" tls --as bob --cert "$home/users/bob/user.crt" \
    --key "$home/users/bob/user.key" 127.0.0.1:"$(sqlite3 "$home/registry.db" "select value from setting where name = 'broker.user_port'")"
finish
