# SPDX-License-Identifier: MIT
# A device with an access point of its own: real DHCP clients get an address from it, dig finds it under every
# name, phones' probes lead to its page, its name is told on the local link; all of it in configuration mode
# alone. In network namespaces: the device in one, whoever joins in another. F3, F4, R10.
if [ "${1:-}" != within ]; then
    for own in "unshare -nm" "unshare -rnm"; do
        $own true 2>/dev/null && exec $own bash "$0" within
    done
    echo "skip: 29 checks, for want of network namespaces"
    exit 0
fi
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1
mount -t tmpfs none /run 2>/dev/null # isc-dhcp-client keeps files there
ip link set lo up
unshare -n sleep 600 & # the network of whoever joins
joining=$!
children+=("$joining")
join() { nsenter -t "$joining" -n "$@"; }
wait_for 5 sh -c "[ \"\$(readlink /proc/$joining/ns/net)\" != \"\$(readlink /proc/self/ns/net)\" ]"
ip link add ap0 type veth peer name sta0 && ip link set sta0 netns "$joining" && ip address add 192.168.4.1/24 dev ap0 &&
    ip link set ap0 up && join ip link set lo up && join ip link set sta0 up || exit 1
flash=$scratch/blank.flash
check "what it takes is said" refused 2 "wlan0=192.168.4.1" "$device" --flash "$flash" --access-point ap0
"$device" --flash "$flash" --access-point none0=192.168.4.1 >"$scratch/none.out" 2>&1 &
none=$!
children+=("$none")
check "an interface that is not there is named, and the device goes on" sh -c "
    for i in 1 2 3 4 5 6 7 8 9 10; do grep -q 'no access point on none0: No such device' $scratch/none.out && break; sleep 0.3; done
    grep -q 'next: ' $scratch/none.out && kill -0 $none"
kill "$none" && wait "$none" 2>/dev/null
run_device blank "$flash" --access-point ap0=192.168.4.1
check "a blank device opens its page there" says blank 'the page is at http://192.168.4.1:80/config'

# ---- DHCP ----
cat >"$scratch/lease" <<'EOP'
#!/bin/sh
env | grep '^new_\|^reason\|^ip=\|^router=\|^dns=\|^lease=\|^subnet=\|^interface=' >>"$LEASE_LOG"
EOP
chmod +x "$scratch/lease"
export LEASE_LOG=$scratch/lease.log
isc() { # further options
    : >"$LEASE_LOG"
    join timeout 20 dhclient -1 -4 -e "LEASE_LOG=$LEASE_LOG" -sf "$scratch/lease" -lf "$scratch/isc.leases" -pf "$scratch/isc.pid" \
        -cf "$scratch/isc.conf" "$@" sta0 >"$scratch/isc.out" 2>&1
}
cat >"$scratch/isc.conf" <<'EOP'
option captive-portal code 114 = text;
request subnet-mask, routers, domain-name-servers, captive-portal;
timeout 10;
EOP
check "isc-dhcp-client gets an address" isc
check "it is the first behind ours" grep -q '^new_ip_address=192.168.4.2$' "$LEASE_LOG"
check "with mask, way and names" sh -c "grep -q '^new_subnet_mask=255.255.255.0$' $LEASE_LOG &&
    grep -q '^new_routers=192.168.4.1$' $LEASE_LOG && grep -q '^new_domain_name_servers=192.168.4.1$' $LEASE_LOG"
check "for ten minutes" grep -q '^new_dhcp_lease_time=600$' "$LEASE_LOG"
check "and with the page's address (RFC 8910)" grep -q '^new_captive_portal="\?http://192.168.4.1/config' "$LEASE_LOG"
kill "$(cat "$scratch/isc.pid" 2>/dev/null)" 2>/dev/null
isc
check "the same address, when it comes back" grep -q '^new_ip_address=192.168.4.2$' "$LEASE_LOG"
kill "$(cat "$scratch/isc.pid" 2>/dev/null)" 2>/dev/null
udhcp() { # ADDRESS it must get, further options
    local address=$1
    shift
    : >"$LEASE_LOG"
    join timeout 20 udhcpc -i sta0 -n -q -t 5 -T 1 -s "$scratch/lease" "$@" >"$scratch/udhcp.out" 2>&1
    grep -q "^ip=$address$" "$LEASE_LOG"
}
join ip link set sta0 down && join ip link set sta0 address 02:00:00:00:00:07 && join ip link set sta0 up
check "udhcpc, another client, gets another one" udhcp 192.168.4.3
check "one that asks for its own" udhcp 192.168.4.7 -r 192.168.4.7 -x 0x3d:01020304050607
join ip address add 192.168.4.2/24 dev sta0

# ---- DNS ----
ask() { join timeout 10 dig +tries=1 +time=3 @192.168.4.1 "$@"; }
check "every name is the device" test "$(ask +short no.such.name.example)" = 192.168.4.1
check "with a short life" grep -q 'example\.[[:space:]]*10[[:space:]]*IN[[:space:]]*A[[:space:]]*192.168.4.1' <(ask example)
ask AAAA example.com >"$scratch/aaaa"
check "other types have no error and no answer" sh -c "grep -q 'status: NOERROR' $scratch/aaaa && grep -q 'ANSWER: 0' $scratch/aaaa"
check "other classes are refused" grep -q 'status: REFUSED' <(ask CH TXT version.bind)

# ---- phones ----
probe() { # HOST/PATH
    join timeout 10 python3 - "$1" <<'EOP'
import socket, sys
host, _, path = sys.argv[1].partition("/")
found = socket.create_connection(("192.168.4.1", 80), 5)
found.sendall(f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
answer = b""
while True:
    more = found.recv(4096)
    if not more:
        break
    answer += more
head = answer.split(b"\r\n\r\n")[0].decode()
assert head.startswith("HTTP/1.1 302 "), head
assert "location: http://192.168.4.1" in head.lower() and "/config" in head, head
EOP
}
probes() {
    local of count=0
    for of in $(sed -n '/^## Phones/,/^## Multicast/p' "$THIMBLE_SOURCE/docs/access-point.md" | grep '^| ' | grep -o '`[a-z0-9.-]*/[^`]*`' | tr -d '`'); do
        [ "$(ask +short "${of%%/*}")" = 192.168.4.1 ] && probe "$of" || { echo "$of"; return 1; }
        count=$((count + 1))
    done
    [ "$count" -ge 12 ]
}
check "every probe of a phone finds the device, and leads to its page" probes

# ---- multicast DNS ----
local_name() { join timeout 10 dig +tries=2 +time=2 -p 5353 @192.168.4.1 "$@"; }
join ip route add 224.0.0.0/4 dev sta0
check "its name is told on the local link" test "$(local_name +short thimble.local)" = 192.168.4.1
local_name PTR _thimble._tcp.local >"$scratch/service"
check "and its service, with everything of it" sh -c "grep -q 'PTR[[:space:]]*thimble._thimble._tcp.local' $scratch/service &&
    grep -q 'SRV[[:space:]]*0 0 80 thimble.local' $scratch/service && grep -q '\"path=/config\"' $scratch/service"
check "another name is not its own" test -z "$(local_name +short other.local | grep -v '^;')"
# Asks the group from PORT; prints where the answer came to (group or sender), its id, and its last four bytes.
multicast() { # PORT
    join timeout 10 python3 - "$1" <<'EOP'
import socket, struct, sys
port = int(sys.argv[1])
to = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
to.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
to.bind(("", port))
to.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack("4s4s", socket.inet_aton("224.0.0.251"), socket.inet_aton("192.168.4.2")))
to.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("192.168.4.2"))
to.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
to.setsockopt(socket.IPPROTO_IP, 8, 1) # IP_PKTINFO
to.settimeout(3)
to.sendto(b"\x12\x34\0\0\0\1\0\0\0\0\0\0\7thimble\5local\0\0\1\0\1", ("224.0.0.251", 5353))
answer, more, _, source = to.recvmsg(600, 100)
where = socket.inet_ntoa(more[0][2][8:12])
print("group" if where == "224.0.0.251" else "sender", answer[:2].hex(), socket.inet_ntoa(answer[-4:]), source[1])
EOP
}
check "asked in the group it answers in the group (RFC 6762 §6)" test "$(multicast 5353)" = "group 0000 192.168.4.1 5353"
check "a simple resolver is answered directly (§6.7)" test "$(multicast 0)" = "sender 1234 192.168.4.1 5353"

# ---- thimble device enrol by that name: the system's resolver there knows no multicast DNS ----
check "a broker with its authorities" set_the_stage
cat "$scratch/none.out" "$scratch/blank.out" | sed -n "s/^set-up code: //p" >"$scratch/blank.code"
join getent hosts thimble.local >/dev/null && echo "the system's resolver finds it by itself"
enrol_by() { join timeout 60 "$thimble" device enrol lamp "http://$1" --code-file "$scratch/blank.code" --stay; }
check "a name that nobody has is told within seconds" refused 10 "other.local has no address" enrol_by other.local
check "nothing was issued for it" not test -e "$home/devices/lamp"
check "its name is enough to enrol it" enrol_by thimble.local

# ---- any bytes ----
join timeout 20 python3 - <<'EOP'
import random, socket
random.seed(7)
to = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in (67, 53, 5353):
    for n in range(1000):
        to.sendto(random.randbytes(random.randrange(0, 600)), ("192.168.4.1", port))
EOP
check "it still answers after 3,000 packets of any bytes" test "$(ask +short still.there)" = 192.168.4.1

# ---- modes ----
listening() { ss -Hlun | grep -E ':(53|67|5353) '; }
check "three ports are open" test "$(listening | wc -l)" = 3
end_device TERM
rm -f "$flash"
check "the device is enrolled" enrol_device garden "$flash"
"$device" --flash "$flash" --set mode=mqtt >/dev/null
run_device garden "$flash" --access-point ap0=192.168.4.1
says garden '^connected'
check "in MQTT mode nothing listens (F3)" test -z "$(listening)"
end_device TERM
finish
