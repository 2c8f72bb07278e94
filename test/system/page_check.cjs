// SPDX-License-Identifier: MIT
// The built page against its policy, and web/crypto.js against the vectors of docs/config-mode.md and
// against Node's cryptography. usage: page_check.cjs BUILT-FOLDER SOURCE-FOLDER
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const { spawnSync } = require('child_process');
const [, , built, source] = process.argv;

const page = fs.readFileSync(`${built}/page.html`, 'utf8');
const lines = [
    ...fs.readFileSync(`${built}/page.c`, 'latin1').matchAll(/^    "(.*)\\r\\n"$/gm)
].map((line) => line[1]);
const policy = lines.find((line) => line.startsWith('Content-Security-Policy: ')).slice(25);
assert(lines.join('\r\n').length + 2 <= 400, 'the fields are longer than thimble/page.h says');
const digest = (text) => `'sha256-${crypto.createHash('sha256').update(text).digest('base64')}'`;
const between = (tag) => {
    const found = [...page.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, 'g'))];
    assert.strictEqual(found.length, 1, `one ${tag}`);
    return found[0][1];
};
assert(policy.includes(`script-src ${digest(between('script'))};`), 'the script is another one');
assert(policy.includes(`style-src ${digest(between('style'))};`), 'the style is another one');
assert(policy.startsWith("default-src 'none';"));

// As a module, a name that two files have would be an error; inside a function the last one would win.
fs.writeFileSync(`${built}/names.mjs`, between('script').split('\n').slice(1, -2).join('\n'));
const parsed = spawnSync(process.execPath, ['--check', `${built}/names.mjs`]);
assert.strictEqual(parsed.status, 0, parsed.stderr.toString());

const ours = new Function(`${fs.readFileSync(`${source}/web/crypto.js`, 'utf8')}
    ;return { sha256, hmac, hkdf, base64, unbase64, tidyCode, pageKey, sessionKeys, seal, unseal }`)();
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const document = fs.readFileSync(`${source}/docs/config-mode.md`, 'utf8');
const row = (name) => document.match(new RegExp(`\\| ${name} \\| \`([^\`]*)\``))[1];
const box = (name) =>
    document.match(new RegExp(`${name} 1, \`([^\`]*)\`:\\s*\`\`\`\\s*(\\S+)`)).slice(1);
const count = (from) => Uint8Array.from({ length: 16 }, (_, i) => from + i);

for (let length = 0; length <= 200; length++) {
    const bytes = crypto.randomBytes(length),
        key = crypto.randomBytes(32);
    assert.strictEqual(
        hex(ours.sha256(bytes)),
        crypto.createHash('sha256').update(bytes).digest('hex')
    );
    assert.strictEqual(
        hex(ours.hmac(key, bytes)),
        crypto.createHmac('sha256', key).update(bytes).digest('hex')
    );
    assert.strictEqual(
        hex(ours.hkdf(key, bytes, 'info', 70)),
        hex(crypto.hkdfSync('sha256', bytes, key, 'info', 70))
    );
}
const key = ours.pageKey(ours.tidyCode('o123-4567 89ab-cdef'));
assert.strictEqual(hex(key), row('page key'));
const keys = ours.sessionKeys(key, 7, count(0x10), count(0x20), 'lamp');
[
    'client proof',
    'device proof',
    'request cipher',
    'request mac',
    'answer cipher',
    'answer mac'
].forEach((name, i) => assert.strictEqual(hex(keys[i]), row(name), name));
const [request, sealed] = box('Request'),
    [answer, told] = box('Answer');
assert.strictEqual(ours.seal(keys[2], keys[3], 1, request), sealed);
assert.strictEqual(ours.unseal(keys[4], keys[5], 1, told), answer);
assert.strictEqual(ours.unseal(keys[4], keys[5], 2, told), null, 'another n');
const bytes = ours.unbase64(told);
bytes.forEach((byte, at) => {
    const altered = Uint8Array.from(bytes);
    altered[at] ^= 1;
    assert.strictEqual(
        ours.unseal(keys[4], keys[5], 1, ours.base64(altered)),
        null,
        `byte ${at} altered`
    );
});
assert.strictEqual(ours.unseal(keys[4], keys[5], 1, ''), null);
for (const wrong of [
    '',
    '0123456789ABCDE',
    '0123456789ABCDEFG',
    '0123456789ABCDEU',
    'ÄÖÜ3456789ABCDEF',
    '0123456789ABCDE\0'
])
    assert.strictEqual(ours.tidyCode(wrong), null);
assert.strictEqual(ours.tidyCode(' il0o 4567-89ab-CDEF'), '1100456789ABCDEF');
