// SPDX-License-Identifier: MIT
// What proves the set-up code and carries secrets: docs/config-mode.md. Browsers keep crypto.subtle
// for pages from https; this one comes from the device itself.

// The first 32 bits of the fractional parts of square and cube roots of the first primes are the
// constants of SHA-256 (FIPS 180-4), so they are computed.
const shaK = [],
    shaH = [];
for (let n = 2; shaK.length < 64; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) prime = prime && n % d > 0;
    const bits = (root) => ((root - Math.floor(root)) * 4294967296) | 0;
    if (prime && shaH.length < 8) shaH.push(bits(Math.sqrt(n)));
    if (prime) shaK.push(bits(Math.cbrt(n)));
}
const turn = (x, by) => (x >>> by) | (x << (32 - by));

function shaBlock(h, view, at, w) {
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(at + 4 * i);
    for (let i = 16; i < 64; i++) {
        const a = w[i - 15],
            b = w[i - 2];
        w[i] =
            w[i - 16] +
            (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) +
            w[i - 7] +
            (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10));
    }
    let [a, b, c, d, e, f, g, k] = h;
    for (let i = 0; i < 64; i++) {
        const choice = (e & f) ^ (~e & g),
            most = (a & b) ^ (a & c) ^ (b & c);
        const t = (k + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + choice + shaK[i] + w[i]) | 0;
        const u = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + most;
        k = g;
        g = f;
        f = e;
        e = (d + t) | 0;
        d = c;
        c = b;
        b = a;
        a = (t + u) | 0;
    }
    [a, b, c, d, e, f, g, k].forEach((x, i) => {
        h[i] = (h[i] + x) | 0;
    });
}

function sha256(bytes) {
    const padded = new Uint8Array(((bytes.length + 72) >> 6) * 64),
        view = new DataView(padded.buffer);
    const h = shaH.slice(),
        w = new Int32Array(64),
        out = new DataView(new ArrayBuffer(32));
    padded.set(bytes);
    padded[bytes.length] = 128;
    view.setUint32(padded.length - 4, bytes.length * 8);
    for (let at = 0; at < padded.length; at += 64) shaBlock(h, view, at, w);
    h.forEach((x, i) => out.setInt32(4 * i, x));
    return new Uint8Array(out.buffer);
}

const utf8 = (text) => new TextEncoder().encode(text);
const number4 = (n) => Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n);
function join(...parts) {
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
        whole.set(part, at);
        at += part.length;
    }
    return whole;
}

function hmac(key, ...parts) {
    const pad = (x) => new Uint8Array(64).fill(x).map((byte, i) => byte ^ key[i]);
    return sha256(join(pad(0x5c), sha256(join(pad(0x36), ...parts))));
}

// RFC 5869; keys here have at most 64 bytes.
function hkdf(salt, secret, info, length) {
    const key = hmac(salt, secret);
    let block = new Uint8Array(0),
        out = block;
    for (let i = 1; out.length < length; i++) {
        block = hmac(key, block, utf8(info), Uint8Array.of(i));
        out = join(out, block);
    }
    return out.slice(0, length);
}

const base64 = (bytes) => btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(''));
const unbase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
// null when it is none: whoever stands between may say anything.
function bytesOf(text) {
    try {
        return unbase64(text);
    } catch {
        return null;
    }
}
const same = (a, b) => a.length === b.length && a.reduce((sum, x, i) => sum | (x ^ b[i]), 0) === 0;

// What a person types, as the device knows it; null when it can't be a code.
function tidyCode(typed) {
    const code = typed.toUpperCase().replace(/[\s-]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1');
    return /^[0-9A-HJKMNP-TV-Z]{16}$/.test(code) ? code : null;
}
const pageKey = (code) => hkdf(new Uint8Array(0), utf8(code), 'thimble page 1', 32);

function sessionKeys(key, session, ours, theirs, device) {
    const name = utf8(device);
    const transcript = join(
        utf8('thimble session 1\0P'),
        number4(session),
        ours,
        theirs,
        Uint8Array.of(name.length),
        name
    );
    const keys = hkdf(sha256(transcript), key, 'thimble session keys 1', 192);
    return [0, 1, 2, 3, 4, 5].map((i) => keys.slice(32 * i, 32 * i + 32));
}

// XOR with the key stream of message n: there and back.
function cipher(key, n, bytes) {
    const out = bytes.slice();
    for (let at = 0; at < out.length; at += 32)
        hmac(key, number4(n), number4(at / 32)).forEach((x, i) => {
            if (at + i < out.length) out[at + i] ^= x;
        });
    return out;
}
const macOf = (key, n, bytes) => hmac(key, number4(n), bytes).slice(0, 16);

function seal(cipherKey, macKey, n, text) {
    const hidden = cipher(cipherKey, n, utf8(text));
    return base64(join(hidden, macOf(macKey, n, hidden)));
}

// null when anything was altered.
function unseal(cipherKey, macKey, n, box) {
    const bytes = bytesOf(box) || [],
        hidden = bytes.slice(0, -16);
    if (bytes.length < 16 || !same(macOf(macKey, n, hidden), bytes.slice(-16))) return null;
    return new TextDecoder().decode(cipher(cipherKey, n, hidden));
}
