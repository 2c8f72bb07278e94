// SPDX-License-Identifier: MIT
// SAVE: what was and what will be, side by side, before anything is sent.

const shown = (text) => (text === '' || text === undefined ? h('i', 'nothing') : h('code', text));
const secretWas = (setting) => h('i', setting.set ? 'set' : 'not set');
const secretIs = (value) => h('i', value === '' ? 'removed' : 'a new one');
const APPLIES = {
    now: 'takes effect at once',
    reconnect: 'takes effect with the next connection',
    restart: 'takes effect after a restart'
};

function showBar() {
    const bar = $('bar'),
        count = changes.size,
        was = bar.hidden;
    bar.hidden = count === 0 || !session.key;
    if (bar.hidden) return;
    if (was)
        fill(
            bar,
            h('p', { id: 'count' }),
            h(
                'div.row',
                h('button.main', { type: 'button', click: review }, 'Review and save'),
                h('button', { type: 'button', click: discard }, 'Discard')
            )
        );
    setText($('count'), plural(count, 'change') + ' not saved');
    if (was) say(plural(count, 'change') + ' not saved', true);
}

function discard() {
    forgetChanges();
    refresh();
    say('Changes discarded');
}

function difference() {
    return h(
        'dl.difference',
        [...changes].map(([name, value]) => {
            const setting = settingOf(name);
            return h(
                'div',
                h('dt', name),
                h(
                    'dd',
                    h(
                        'span.was',
                        h('span.hush', 'was '),
                        setting.secret ? secretWas(setting) : shown(setting.value)
                    ),
                    h('span.to', { 'aria-hidden': true }, '→'),
                    h(
                        'span.will',
                        h('span.hush', 'will be '),
                        setting.secret ? secretIs(value) : shown(value)
                    ),
                    h('small', APPLIES[setting.applies])
                )
            );
        })
    );
}

async function review() {
    if (!checkAll()) return showWrong();
    const restarts = [...changes.keys()].some((name) => settingOf(name).applies === 'restart');
    const goes = changes.get('mode') === 'mqtt';
    const yes = await ask(
        'Save ' + plural(changes.size, 'change') + '?',
        () => [
            difference(),
            goes &&
                h(
                    'p.note',
                    'The device then leaves this page and connects to its broker. If it ' +
                        'cannot, it comes back here as it was.'
                ),
            restarts &&
                !goes &&
                h(
                    'p.note',
                    'Some of this takes effect after a restart. You can restart the device ' +
                        'when all is saved.'
                )
        ],
        'Save'
    );
    if (yes) await save(restarts, goes);
}

async function save(restarts, goes) {
    const values = [...changes];
    say('Saving …');
    try {
        await sendChanges(values);
    } catch (error) {
        showBar();
        if (wrong.size > 0) return showWrong();
        return ask('Not saved', () => h('p', explain(error)));
    }
    forgetChanges();
    if (goes) return leave();
    await loadSettings();
    refresh();
    say(plural(values.length, 'change') + ' saved');
    if (
        restarts &&
        (await ask(
            'Saved',
            () => h('p', 'Restart the device now, so that all of it takes effect?'),
            'Restart now'
        ))
    )
        await restart();
}

// Goes to the first field that is wrong, and tells.
function showWrong() {
    const [[name, message]] = wrong;
    location.hash = '/settings';
    show('settings');
    const input = $('f-' + name);
    if (input) {
        input.closest('details').open = true;
        input.focus();
    }
    say(name + ': ' + message);
}
