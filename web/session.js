// SPDX-License-Identifier: MIT
// The session of docs/config-mode.md. The page key stays in memory as long as the page is in use,
// the code itself no longer than it takes to derive that key.

class Failure extends Error {
    constructor(code, message, wait) {
        super(message);
        this.code = code;
        this.wait = wait;
    }
}
const AWAY = 0,
    ALTERED = -1,
    STRANGE = 'That was no answer of a Thimble.';
const session = { key: null, device: '' };
let queue = Promise.resolve();
let whenLost = () => {};
let whenAway = () => {};

async function post(method, params) {
    const stop = new AbortController(),
        timer = setTimeout(() => stop.abort(), 12000);
    let answer;
    try {
        const got = await fetch('/rpc', {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            cache: 'no-store',
            body: JSON.stringify({ id: 1, method, params }),
            signal: stop.signal
        });
        answer = await got.json().catch(() => null);
    } catch {
        whenAway(true);
        throw new Failure(
            AWAY,
            'The device does not answer. Is it on, and are you still in its network?'
        );
    } finally {
        clearTimeout(timer);
    }
    whenAway(false);
    const { error, result } = answer || {};
    if (error || !result)
        throw error && error.message
            ? new Failure(error.code, error.message, error.wait)
            : new Failure(400, STRANGE);
    return result;
}

// Proves `key`; session.keys is there then. The device proves itself as well.
async function open(key, take) {
    const ours = crypto.getRandomValues(new Uint8Array(16));
    const start = await post('Session.Open', {
        kind: 'page',
        nonce: base64(ours),
        ...(take && { take })
    });
    const theirs = bytesOf(start.nonce);
    if (
        !theirs ||
        theirs.length !== 16 ||
        typeof start.device !== 'string' ||
        start.device.length > 32
    )
        throw new Failure(ALTERED, STRANGE);
    const keys = sessionKeys(key, start.session, ours, theirs, start.device);
    const proved = await post('Session.Prove', { session: start.session, proof: base64(keys[0]) });
    if (!same(keys[1], bytesOf(proved.proof) || []))
        throw new Failure(
            ALTERED,
            'What answers here does not know the code. It is not your device, or somebody ' +
                'stands between: do not go on.'
        );
    Object.assign(session, { key, keys, id: start.session, n: 0, device: start.device });
}

// A page that was left a moment ago may still be saying so.
async function openPatiently(key, take) {
    try {
        await open(key, take);
    } catch (error) {
        if (error.code !== 409) throw error;
        await wait(800);
        await open(key, take);
    }
}

function wipe() {
    [session.key, ...(session.keys || [])].forEach((key) => key && key.fill(0));
    session.key = session.keys = null;
}

async function carry(frame) {
    const n = ++session.n,
        { keys } = session;
    const answer = await post('Session.Call', {
        session: session.id,
        n,
        box: seal(keys[2], keys[3], n, JSON.stringify(frame))
    });
    const text = answer.n === n ? unseal(keys[4], keys[5], n, answer.box) : null;
    if (text === null)
        throw new Failure(ALTERED, 'The answer was altered under way, and is not believed.');
    return JSON.parse(text);
}

async function callNow(method, params) {
    if (!session.key) throw new Failure(401, 'The page is locked.');
    const frame = { id: 1, method, params };
    let answer;
    try {
        answer = await carry(frame);
    } catch (error) {
        if (error.code !== 401) throw error;
        // It ended there and not here: nothing was done, and the key proves it again, once.
        answer = await open(session.key)
            .then(() => carry(frame))
            .catch((again) => {
                if (again.code === 401 || again.code === 409) whenLost(again.code);
                throw again;
            });
    }
    if (answer.error) throw new Failure(answer.error.code, answer.error.message);
    return answer.result;
}

// One after the other: the device serves one connection, and counts.
function call(method, params = {}) {
    const result = queue.then(() => callNow(method, params));
    queue = result.catch(() => {});
    return result;
}

// For a page that is going away: nobody waits for the answer.
function farewell() {
    if (!session.keys) return;
    const n = ++session.n,
        { keys } = session;
    const box = seal(keys[2], keys[3], n, JSON.stringify({ id: 1, method: 'Session.End' }));
    fetch('/rpc', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        keepalive: true,
        body: JSON.stringify({
            id: 1,
            method: 'Session.Call',
            params: { session: session.id, n, box }
        })
    }).catch(() => {});
    wipe();
}
