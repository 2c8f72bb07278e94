# SPDX-License-Identifier: MIT
"""middle.py PORT-FILE ADDRESS SEED: a man in the middle of an enrolment over HTTP. Passes everything
on, but alters one byte of the body of the request or answer that the seed chooses."""
import http.client
import http.server
import random
import sys

port_file, address, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
chance = random.Random(seed)
# An enrolment is 2 + 2 + 14 exchanges or so; each is equally likely to be the one.
victim, answer_too = seed % 20, seed % 2
count = -1


def alter(body):
    at = chance.randrange(len(body))
    changed = bytearray(body)
    changed[at] ^= 1 << chance.randrange(7)
    return bytes(changed)


class Middle(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global count
        count += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if count == victim and not answer_too:
            body = alter(body)
        onwards = http.client.HTTPConnection(address, timeout=20)
        onwards.request("POST", self.path, body, {"Content-Type": "application/json"})
        answer = onwards.getresponse()
        text = answer.read()
        if count == victim and answer_too:
            text = alter(text)
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Middle)
with open(port_file, "w") as out:
    out.write(str(server.server_address[1]) + "\n")
server.serve_forever()
