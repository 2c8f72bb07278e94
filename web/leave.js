// SPDX-License-Identifier: MIT
// While the device is elsewhere: it restarts, or tries to live without this page.

function waiting(title, ...text) {
    current = '';
    $('nav').hidden = true;
    document.title = title;
    const state = h('p.loading', { role: 'status' }, 'Waiting for the device …');
    fill(
        $('main'),
        h(
            'section.card.gate',
            h('h1', { tabindex: -1 }, title),
            text.map((one) => h('p', one)),
            state
        )
    );
    $('main').querySelector('h1').focus();
    return state;
}

// Asks until the key proves again; false when it no longer does, or nothing comes for so long. As
// long as the old session is there it is told that somebody has one.
async function comesBack(seconds, silent = () => {}) {
    const from = Date.now();
    let gone = 0;
    for (await wait(1200); gone < seconds && session.key; gone = (Date.now() - from) / 1000) {
        try {
            await open(session.key);
            return true;
        } catch (error) {
            if (error.code === 401) return false;
        }
        silent(gone);
        await wait(1000);
    }
    return false;
}

async function away(title, text, why) {
    waiting(title, text);
    const back = await comesBack(90);
    if (back && !why) {
        await begin();
        return say('The device is back');
    }
    if (back) farewell();
    lock(why || 401);
}

async function leave() {
    const state = waiting(
        'Switching to MQTT mode',
        'The device now joins its network and connects to its broker.',
        'If it cannot, it comes back here under its old settings, and says why.'
    );
    const silent = (gone) =>
        setText(
            state,
            gone < 60
                ? 'Waiting to see whether it comes back …'
                : 'It has not come back for a minute: most likely it is connected. You can ' +
                      'close this page.'
        );
    if (await comesBack(600, silent)) {
        await begin();
        return say('The device came back: it could not connect');
    }
    wipe();
    fill(
        state.parentNode,
        h('h1', 'The device is at work'),
        h(
            'p',
            'It has not come back here, so it is connected to its broker. You can close this page.'
        ),
        h(
            'p',
            'To have the page again, set its mode to ',
            h('code', 'config'),
            ' from there, or press its button.'
        ),
        h('a.button', { href: location.pathname }, 'Try to open the page again')
    );
}
