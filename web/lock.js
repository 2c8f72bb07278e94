// SPDX-License-Identifier: MIT
// The first thing to be seen: asking for the set-up code.

const LOCKED = {
    idle: 'Locked, because nobody has used this page for ten minutes.',
    401: 'The session is over. The device has restarted, or its code is another one now.',
    409: 'Somebody else uses this device’s page now, so this one is locked.',
    left: 'Locked. You can close this page.',
    reset: 'The device is as new. Its set-up code stays the same, unless you had it erased.'
};

function codeTrouble(typed) {
    const kept = typed.replace(/[\s-]/g, '');
    const odd = [...kept.toUpperCase()].find((c) => !/[0-9A-Z]/.test(c) || c === 'U');
    if (kept === '') return 'Type the code first.';
    if (odd) return `There is no “${odd}” in a code.`;
    return `A code has 16 characters; this has ${kept.length}.`;
}

// Groups of four, as on the label; not while something is changed in the middle.
function group(input) {
    if (input.selectionStart !== input.value.length) return;
    const kept = input.value.toUpperCase().replace(/[\s-]/g, '');
    input.value = (kept.match(/.{1,4}/g) || []).join('-');
}

async function hold(go, place, seconds) {
    const until = Date.now() + seconds * 1000;
    go.disabled = true;
    for (
        let left = seconds;
        left > 0 && go.isConnected;
        left = Math.ceil((until - Date.now()) / 1000)
    ) {
        setText(place, `Too many wrong codes. The next try is possible in ${span(left)}.`);
        await wait(500);
    }
    go.disabled = false;
    setText(place, go.isConnected ? 'You can try again now.' : '');
}

async function enter(form, take) {
    const { input, go, place } = form,
        code = tidyCode(input.value);
    input.setAttribute('aria-invalid', !code);
    if (!code) {
        input.focus();
        throw new Failure(400, codeTrouble(input.value));
    }
    const key = pageKey(code);
    try {
        await openPatiently(key, take);
    } catch (error) {
        key.fill(0);
        if (error.code === 429) return hold(go, place, error.wait || 2);
        if (error.code === 409) return offerTake(form);
        if (error.code !== 401) throw error;
        input.setAttribute('aria-invalid', true);
        input.select();
        throw new Failure(
            401,
            'That is not the code of this device. Compare it with the label: 8 and B, 5 and ' +
                'S look alike.'
        );
    }
    input.value = '';
    await begin();
}

async function offerTake(form) {
    if (
        await ask(
            'Somebody else is here',
            () => h('p', 'Another browser has this page open. If you go on, it is locked there.'),
            'Go on here'
        )
    )
        await enter(form, true);
}

function codeForm(why) {
    const place = trouble(),
        go = h('button.main', 'Open');
    const input = line('code', {
        autocapitalize: 'characters',
        maxlength: 40,
        placeholder: 'XXXX-XXXX-XXXX-XXXX',
        'aria-describedby': 'codehelp',
        input: () => group(input)
    });
    return form(
        '.card.gate',
        go,
        place,
        () => enter({ input, go, place }),
        logo(),
        h('h1', 'Set up your Thimble'),
        why && h('p.note', { role: 'status' }, LOCKED[why]),
        h('label', { for: 'code' }, 'Set-up code'),
        input,
        h(
            'p.help',
            { id: 'codehelp' },
            'Sixteen characters, on the device’s label or its console. ',
            'They prove that you may, and are never sent.'
        ),
        place,
        go
    );
}

function lock(why) {
    wipe();
    forgetChanges();
    settings = [];
    request = null;
    readings.clear();
    current = '';
    $('top').hidden = $('nav').hidden = true;
    document.body.className = 'locked';
    document.title = 'Thimble: set-up code';
    fill($('main'), codeForm(why));
    $('code').focus();
}
// A thimble with its dimples.
const THIMBLE =
    'M3 14l1-8a4 4 0 0 1 8 0l1 8z' + 'M5.6 6.2h.1M8 6.2h.1M10.4 6.2h.1M5.4 9h.1M8 9h.1M10.6 9h.1';
const logo = () =>
    h('svg.logo', { viewBox: '0 0 16 16', 'aria-hidden': true }, h('path', { d: THIMBLE }));
