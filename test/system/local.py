# SPDX-License-Identifier: MIT
"""The other end of docs/config-mode.md, written from that page alone: SHA-256 and nothing else."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import struct


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def hkdf(salt, secret, info, length):
    key, out, block, n = mac(salt or bytes(32), secret), b"", b"", 1
    while len(out) < length:
        block = mac(key, block, info, bytes([n]))
        out, n = out + block, n + 1
    return out[:length]


def crypt(key, number, data):
    out = b""
    for i in range(0, len(data), 32):
        block = mac(key, struct.pack(">II", number, i // 32))
        out += bytes(a ^ b for a, b in zip(data[i : i + 32], block))
    return out


def b64(data):
    return base64.b64encode(data).decode()


class Refused(Exception):
    def __init__(self, error):
        super().__init__(error["message"])
        self.code, self.wait = error["code"], error.get("wait", 0)


class Web:
    """POST /rpc; a connection each time."""

    def __init__(self, address):
        self.address = address

    def ask(self, method, path, body=None, **fields):
        connection = http.client.HTTPConnection(self.address, timeout=30)
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in fields.items()})
        answer = connection.getresponse()
        answer.text = answer.read()
        connection.close()
        return answer

    def frame(self, frame):
        answer = self.ask("POST", "/rpc", json.dumps(frame), Content_Type="application/json")
        if answer.status != 200:
            raise Refused({"code": answer.status, "message": answer.reason})
        return json.loads(answer.text)


class Session:
    def __init__(self, way, code, take=False):
        self.way, self.counter = way, 0
        nonce = os.urandom(16)
        params = {"kind": "page", "nonce": b64(nonce)}
        if take:
            params["take"] = True
        met = self.plain("Session.Open", params)
        name = met["device"].encode()
        self.number = met["session"]
        transcript = b"thimble session 1\0P" + struct.pack(">I", self.number) + nonce
        transcript += base64.b64decode(met["nonce"]) + bytes([len(name)]) + name
        page = hkdf(b"", code.encode(), b"thimble page 1", 32)
        keys = hkdf(hashlib.sha256(transcript).digest(), page, b"thimble session keys 1", 192)
        self.keys = [keys[i : i + 32] for i in range(0, 192, 32)]
        proved = self.plain("Session.Prove", {"session": self.number, "proof": b64(self.keys[0])})
        if base64.b64decode(proved["proof"]) != self.keys[1]:
            raise Refused({"code": 0, "message": "the device does not know the code"})

    def plain(self, method, params):
        answer = self.way.frame({"id": 1, "method": method, "params": params})
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["result"]

    def box(self, method, params):
        self.counter += 1
        frame = json.dumps({"id": 1, "method": method, "params": params}).encode()
        cipher = crypt(self.keys[2], self.counter, frame)
        tag = mac(self.keys[3], struct.pack(">I", self.counter), cipher)[:16]
        return {"session": self.number, "n": self.counter, "box": b64(cipher + tag)}

    def call(self, method, **params):
        answer = self.plain("Session.Call", self.box(method, params))
        box = base64.b64decode(answer["box"])
        cipher, tag = box[:-16], box[-16:]
        if mac(self.keys[5], struct.pack(">I", answer["n"]), cipher)[:16] != tag:
            raise Refused({"code": 0, "message": "the answer was altered"})
        frame = json.loads(crypt(self.keys[4], answer["n"], cipher))
        if "error" in frame:
            raise Refused(frame["error"])
        return frame["result"]
