// SPDX-License-Identifier: MIT
// Node's own parser beside src/http. Ours may refuse what Node takes; what ours takes, Node takes
// too, and reads the same in it: how many requests, their targets, fields and bodies.
'use strict';
const http = require('http');
const { Duplex } = require('stream');
const { spawnSync } = require('child_process');
const cases = require('./http_cases.cjs');

// What was said where ours takes what Node refuses, and why that is right.
const allowed = [
    [
        /\r\nConnection: .*Upgrade\r\nUpgrade: /,
        'Node stops reading there; a server may ignore an upgrade, and goes on in HTTP/1.1 (RFC 9110 §7.8)'
    ],
    [
        /\r\nProxy-Connection: close\r\n/,
        'no field of HTTP: Connection says that a connection ends (RFC 9112 §9.3)'
    ],
    [
        /\r\nContent-Length: \d+\t\r\n/,
        'a tab behind a value is white space as a blank is (RFC 9110 §5.5)'
    ]
];

const hex = (text) => Buffer.from(text || '', 'latin1').toString('hex');
const server = http.createServer({ connectionsCheckingInterval: 3600000 });

server.on('request', (request, answer) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
        const { headers } = request;
        if (request.complete)
            request.socket.requests.push({
                method: request.method,
                target: hex(request.url),
                host: hex(headers.host),
                cookie: hex(headers.cookie),
                origin: hex(headers.origin),
                type: hex(headers['content-type']),
                body: Buffer.concat(parts).toString('hex')
            });
        answer.writeHead(204);
        answer.end();
    });
    request.on('error', () => {});
});
server.on('clientError', (error, socket) => {
    socket.refused = error.code; // and no more: what came whole before it is still to be told of
});

const later = () => new Promise((done) => setImmediate(done));

async function node(said) {
    const socket = new Duplex({
        allowHalfOpen: true,
        read() {},
        write(bytes, encoding, done) {
            done();
        }
    });
    socket.setTimeout = socket.setNoDelay = socket.setKeepAlive = () => socket;
    socket.requests = [];
    socket.on('error', () => {});
    server.emit('connection', socket);
    socket.push(said);
    for (let i = 0; i < 40; i++) await later();
    socket.push(null);
    for (let i = 0; i < 4; i++) await later();
    socket.destroy();
    return socket;
}

function ours(judge) {
    const input = Buffer.concat(
        cases.flatMap(([, said]) => {
            const head = Buffer.alloc(4);
            head.writeUInt32LE(said.length);
            return [head, said];
        })
    );
    const run = spawnSync(judge, [], { input, maxBuffer: 1 << 28 });
    if (run.status !== 0) {
        console.log(`the judge ended with ${run.status}: ${run.stderr}`);
        process.exit(1);
    }
    return run.stdout
        .toString()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
}

function compare(mine, theirs) {
    const wrong = [];
    mine.requests.forEach((request, n) => {
        const other = theirs.requests[n];
        if (!other) {
            wrong.push(`request ${n} is taken, and Node says ${theirs.refused || 'nothing'}`);
            return;
        }
        for (const key of Object.keys(request)) {
            if (request[key] !== other[key])
                wrong.push(`request ${n}: ${key} ${request[key]}, Node ${other[key]}`);
        }
    });
    return wrong;
}

async function main() {
    const verdicts = ours(process.argv[2]);
    const used = new Set();
    let [failed, taken, both, stricter] = [0, 0, 0, 0];
    for (let at = 0; at < cases.length; at += 500) {
        const batch = await Promise.all(cases.slice(at, at + 500).map(([, said]) => node(said)));
        batch.forEach((theirs, n) => {
            const [name, said] = cases[at + n],
                mine = verdicts[at + n];
            taken += mine.requests.length;
            both += mine.refused !== 0 && theirs.refused !== undefined ? 1 : 0;
            stricter += mine.requests.length < theirs.requests.length ? 1 : 0;
            const wrong = compare(mine, theirs);
            const excuse =
                wrong.length > 0 &&
                allowed.find(([pattern]) => pattern.test(said.toString('latin1')));
            if (excuse) {
                used.add(excuse);
            } else if (wrong.length > 0) {
                failed++;
                if (failed <= 40)
                    console.log(
                        `FAIL ${name}: ${wrong.join('; ')}\n     ${JSON.stringify(said.toString('latin1')).slice(0, 200)}`
                    );
            }
        });
    }
    for (const excuse of allowed.filter((one) => !used.has(one))) {
        failed++;
        console.log(`FAIL nothing differs any more where ${excuse[0]} was allowed`);
    }
    console.log(
        `${cases.length} connections: ${taken} requests taken by both alike, ${both} refused by both, ` +
            `${stricter} where Node takes more, ${used.size} kinds of difference allowed, ${failed} failed`
    );
    process.exit(failed === 0 && verdicts.length === cases.length ? 0 : 1);
}
main();
