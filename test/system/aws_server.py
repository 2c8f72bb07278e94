# SPDX-License-Identifier: MIT
"""What port 443 of AWS IoT Core asks of a client: SNI, ALPN, a certificate, then MQTT 5. Prints what it
saw of each connection, one line each. usage: aws_server.py NAME CERTIFICATE KEY CLIENT-CA CONNECTIONS"""
import socket
import ssl
import sys

name, certificate, key, client_ca, connections = sys.argv[1:]
seen = {}


def on_name(connection, sni, _context):
    seen["sni"] = sni
    if sni != name:
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    return None


def exactly(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def packet(connection):
    kind, shift, length = exactly(connection, 1)[0], 0, 0
    while True:
        byte = exactly(connection, 1)[0]
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return kind, exactly(connection, length)


def text(body, at):
    end = at + 2 + int.from_bytes(body[at:at + 2], "big")
    return body[at + 2:end].decode(), end


def serve(connection):
    seen["alpn"] = connection.selected_alpn_protocol()
    seen["peer"] = dict(x[0] for x in connection.getpeercert()["subject"])["commonName"]
    if seen["alpn"] != "x-amzn-mqtt-ca":
        return
    kind, body = packet(connection)
    assert kind == 0x10 and body[:7] == b"\x00\x04MQTT\x05", body
    seen["id"] = text(body, 10 + 1 + body[10])[0]  # behind the properties, which are short
    connection.sendall(b"\x20\x03\x00\x00\x00")
    while True:
        kind, body = packet(connection)
        if kind & 0xF6 == 0x32:
            topic, at = text(body, 0)
            seen["topic"] = topic
            connection.sendall(b"\x40\x02" + body[at:at + 2])
        elif kind == 0xE0:
            return


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
context.load_verify_locations(client_ca)
context.verify_mode = ssl.CERT_REQUIRED
context.set_alpn_protocols(["x-amzn-mqtt-ca", "x-amzn-http-ca"])
context.sni_callback = on_name
listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1], flush=True)
for _ in range(int(connections)):
    plain, _ = listener.accept()
    plain.settimeout(10)
    seen.clear()
    try:
        with context.wrap_socket(plain, server_side=True) as connection:
            serve(connection)
    except (OSError, EOFError) as error:
        seen["error"] = type(error).__name__
    print(*(f"{key}={value}" for key, value in sorted(seen.items())), flush=True)
