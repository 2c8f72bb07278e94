# SPDX-License-Identifier: MIT
# The session by itself against a real mosquitto: each version, each QoS, both directions.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
port=$(free_port)
printf 'listener %s 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 20\n' "$port" >"$scratch/broker.conf"
mosquitto -c "$scratch/broker.conf" >"$scratch/broker.log" 2>&1 &
children+=($!)
wait_for 10 grep -q 'running' "$scratch/broker.log"
live=$THIMBLE_BUILD/test/mqtt_live
check "3.1.1: 500 messages at each QoS go out and come back in order" "$live" "$port" 4 500
check "5.0: 500 messages at each QoS go out and come back in order" "$live" "$port" 5 500
finish
