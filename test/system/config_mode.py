# SPDX-License-Identifier: MIT
"""config_mode.py ADDRESS CODE [SEED REQUESTS CONNECTIONS OWN-ADDRESS]: what a device in configuration mode answers, right or wrong."""
import base64
import http.client
import random
import socket
import sys
import threading
import time

from local import Refused, Session, Web

address, code = sys.argv[1], sys.argv[2].replace("-", "")
host, port = address.split(":")
# Of a small board: fewer requests and connections; it lies behind a port of ours.
seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
requests = int(sys.argv[4]) if len(sys.argv) > 4 else 10000
connections = int(sys.argv[5]) if len(sys.argv) > 5 else 5
# A board of two connections drops a third one's SYN, which the emulator repeats after seconds.
patience = 5 if connections > 1 else 20
own_address = sys.argv[6] if len(sys.argv) > 6 else address
web = Web(address)
failures = 0


def check(what, good):
    global failures
    failures += not good
    print(("ok   " if good else "FAIL ") + what, flush=True)


def refused(what, number, do):
    try:
        do()
        check(what + ": it was not refused", False)
    except Refused as error:
        check(what, error.code == number)
        return error


def raw(data, wait=5):
    with socket.create_connection((host, int(port)), timeout=wait) as wire:
        wire.sendall(data)
        got = b""
        try:
            while chunk := wire.recv(4096):
                got += chunk
        except (socket.timeout, ConnectionError):
            pass
        return got


def json_post(**fields):
    return web.ask("POST", "/rpc", '{"id":1,"method":"Sys.GetInfo"}', **fields)


# ---- F5: who is asked, and by whom ----
JSON = "application/json"
for own in (address, "192.168.4.1", "[::1]:80", "localhost", "thimble.local", "THIMBLE.local:99"):
    check(f"Host {own} is ours", json_post(Content_Type=JSON, Host=own).status == 200)
for other in ("evil.example", "1.2.3.4.evil.example", "thimble.local.evil.example", "localhost.x",
              "300.1.1.1", "0x7f.1", "other.local"):
    check(f"Host {other} is not (F5)", json_post(Content_Type=JSON, Host=other).status == 421)
for origin, status in ((f"http://{address}", 200), ("http://evil.example", 403), ("null", 403),
                       (f"https://{address}", 403), ("http://127.0.0.1:1", 403),
                       (f"http://{address}.evil.example", 403)):
    check(f"Origin {origin}: {status} (F5)",
          json_post(Content_Type=JSON, Origin=origin).status == status)
for site, status in (("same-origin", 200), ("none", 200), ("cross-site", 403), ("same-site", 403)):
    check(f"Sec-Fetch-Site {site}: {status}",
          json_post(Content_Type=JSON, Sec_Fetch_Site=site).status == status)
for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""):
    check(f"a form of type '{kind}' is refused (F5)", json_post(Content_Type=kind).status == 415)
check("an OPTIONS of another site gets no leave",
      web.ask("OPTIONS", "/rpc", Origin="http://evil.example").status == 404)

# ---- paths ----
for path in ("/", "/generate_204", "/hotspot-detect.html", "/config/", "/rpc"):
    answer = web.ask("GET", path)
    check(f"GET {path} leads to the page",
          answer.status == 302 and answer.getheader("Location") == "/config")
answer = web.ask("GET", "/generate_204", Host="connectivitycheck.example")
check("a captive portal's question leads to our address",
      answer.status == 302 and answer.getheader("Location") == f"http://{own_address}/config")
check("POST elsewhere is nothing", web.ask("POST", "/config", "{}", Content_Type=JSON).status == 404)

# ---- F1 F4: before the code is proved ----
for method in ("Sys.GetInfo", "Config.Get", "Config.Set", "Mode.Set", "Rpc.List", "Zone.On",
               "Enrol.Request", "Sys.FactoryReset", "Wifi.Scan", "Session.End", "nonsense"):
    answer = web.ask("POST", "/rpc/" + method, "{}", Content_Type=JSON)
    check(f"{method} needs the code (F1)", answer.status == 401 and len(answer.text) < 100)
refused("a wrong code", 401, lambda: Session(web, "0123456789ABCDEF"))

# ---- a session ----
me = Session(web, code)
info = me.call("Sys.GetInfo")
check("whoever has the code is told", info["mode"] == "config" and info["product"] == "thimble")
settings, at = [], 0
while at is not None:
    part = me.call("Config.Describe", **{"from": at})
    settings += part["settings"]
    at = part.get("next")
by_name = {s["name"]: s for s in settings}
check("every setting is described, with help",
      len(by_name) == len(settings) > 40 and all(s["help"] for s in settings))
check("choices are a list", by_name["mode"]["choices"] == ["config", "mqtt"])
check("ranges stand", by_name["mqtt.keep_alive"]["min"] == 5)
check("changes are taken at once in configuration mode",
      me.call("Config.Set", config={"mqtt.server": "broker.example:8883", "wifi.sta.ssid": "home",
                                    "wifi.sta.pass": "geheim und lang"}) == {"trial": True})
time.sleep(1)
check("and kept", me.call("Config.Get", key="wifi.sta")["wifi"]["sta"]["ssid"] == "home")
check("settings of trust as well, here", "broker.example" in str(me.call("Config.Get", key="mqtt")))
everything = str([me.call("Config.Describe", **{"from": n}) for n in range(0, 50, 5)])
check("a secret is never given out (I1)", "geheim" not in everything and code not in everything)
refused("a setting nobody knows", 404, lambda: me.call("Config.Set", config={"no.such": "1"}))
refused("a value out of range", 422, lambda: me.call("Config.Set", config={"mqtt.keep_alive": "1"}))
refused("no such method", 404, lambda: me.call("No.Such"))
check("Rpc.List names what is only for the spot", "Enrol.Put" in me.call("Rpc.List"))
check("it asks for certificates", len(base64.b64decode(
    me.call("Enrol.Request", name="lamp")["request"])) > 500)
refused("under a name that can be none", 422, lambda: me.call("Enrol.Request", name="La/mp"))
refused("a bundle that is none", 422, lambda: me.call("Enrol.Put", total=9, offset=0,
                                                     data=base64.b64encode(b"123456789").decode()))

# ---- two at once ----
refused("a second browser is told", 409, lambda: Session(web, code))
second = Session(web, code, take=True)
check("and takes over by the code", second.call("Sys.GetInfo")["mode"] == "config")
refused("the first one's is over", 401, lambda: me.call("Sys.GetInfo"))
box = second.box("Sys.GetInfo", {})
second.plain("Session.Call", box)
refused("a request counts once (F11)", 400, lambda: second.plain("Session.Call", box))

# ---- hostile clients ----
slow = socket.create_connection((host, int(port)))
slow.sendall(b"P")
begin = time.time()
check("a client of a byte a second does not keep others away",
      second.call("Sys.GetInfo")["mode"] == "config" and time.time() - begin < patience + 1)
slow.close()
idle = [socket.create_connection((host, int(port))) for _ in range(connections)]
begin = time.time()
check("nor do connections that say nothing",
      second.call("Sys.GetInfo")["mode"] == "config" and time.time() - begin < patience)
for wire in idle:
    wire.close()
gone = socket.create_connection((host, int(port)))
gone.sendall(b"POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")
gone.close()
check("a browser that is closed in the middle", second.call("Sys.GetInfo")["mode"] == "config")
big = b"POST /rpc HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: " % (
    address.encode())
check("a body that has no room is refused", b" 413 " in raw(big + b"70000\r\n\r\n" + b"x" * 99))
check("two bodies in one are refused", b" 400 " in raw(big + b"5\r\nContent-Length: 6\r\n\r\n{}"))
three = b"GET /a HTTP/1.1\r\nHost: %s\r\n\r\n" % address.encode() * 3
check("requests one behind the other are all answered", raw(three, 1).count(b" 302 ") == 3)

chance = random.Random(seed)
for i in range(requests // 10):  # ten a connection
    data = b""
    for _ in range(10):
        one = bytearray(chance.choice((
            b"GET /config HTTP/1.1\r\nHost: %s\r\n\r\n" % address.encode(),
            b"POST /rpc/Session.Open HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
            b"Content-Length: 52\r\n\r\n"
            b'{"kind":"page","nonce":"AAAAAAAAAAAAAAAAAAAAAA=="}  ' % address.encode())))
        for _ in range(chance.choice((0, 0, 1, 3))):
            one[chance.randrange(len(one))] = chance.randrange(256)
        data += one
    wire = socket.create_connection((host, int(port)))
    try:
        wire.sendall(data)
        if i % 50 == 0:
            wire.settimeout(0.2)
            wire.recv(100)
    except (socket.timeout, ConnectionError):
        pass
    wire.close()
check(f"{requests} random requests (seed {seed}) have done no harm",
      second.call("Sys.GetInfo")["mode"] == "config")
check("a session is ended", second.call("Session.End") is True)
refused("then", 401, lambda: second.call("Sys.GetInfo"))
print(f"{failures} failed")
sys.exit(failures > 0)
