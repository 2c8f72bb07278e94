// SPDX-License-Identifier: MIT
// What the device is, what is still to be done, and what ends its present life.

const CLOCKS = { none: 'not set', hint: 'from time servers', trusted: 'trusted' };
const views = {};

const fact = (name, ...value) => h('div', h('dt', name), h('dd', value));

function facts(info) {
    return h(
        'dl.facts',
        fact('Name', info.id || 'none yet'),
        fact('Address', location.host),
        fact('Mode', info.mode === 'config' ? 'configuration' : info.mode),
        fact('Version', info.product + ' ' + info.version + ', hardware ' + info.hardware),
        fact('Clock', info.time ? clock(info.time) + ', ' : '', CLOCKS[info.clock] || info.clock),
        fact('Running for', span(info.uptime), ', after ', info.started),
        info.crashes > 0 && fact('Crashes in a row', info.crashes)
    );
}

function lastTrial({ last_trial: last, trial }) {
    if (trial) return h('p.note', 'Being tried now: ' + trial + '.');
    if (!last || last.kept) return null;
    return h(
        'p.note.bad',
        h('strong', 'The last change of ' + last.component + ' was taken back: '),
        last.reason + '. ',
        h('a', { href: '#/log' }, 'What to do')
    );
}

function step(done, title, text, ...action) {
    return h(
        done ? 'li.done' : 'li',
        h('div', h('h3', title, h('span.hush', done ? ' (done)' : ' (to do)')), h('p', text)),
        action
    );
}

function steps(info, enrolment, place) {
    const ssid = valueOf('wifi.sta.ssid');
    const go = button(enrolment.enrolled ? '.main' : '', 'Switch to MQTT mode', place, switchMode);
    go.disabled = !enrolment.enrolled;
    return h(
        'ol.steps',
        step(
            ssid !== '',
            'Network',
            ssid
                ? h('span', 'Joins ', h('strong', ssid), '.')
                : 'No Wi-Fi chosen. Not needed with a cable.',
            h('a.button', { href: '#/wifi' }, ssid ? 'Change' : 'Choose')
        ),
        step(
            enrolment.enrolled,
            'Credentials',
            enrolment.enrolled
                ? h('span', 'Enrolled as ', h('strong', enrolment.name), '.')
                : enrolment.requested
                  ? 'It has made its key and waits for the answer.'
                  : 'It has no certificate yet.',
            h('a.button', { href: '#/credentials' }, enrolment.enrolled ? 'Look' : 'Enrol')
        ),
        step(
            false,
            'Go to work',
            enrolment.enrolled
                ? 'It connects to its broker, and closes this page.'
                : 'Possible once it is enrolled.',
            go
        )
    );
}

async function switchMode() {
    if (changes.size > 0) throw new Failure(409, 'Save or discard your changes first.');
    const yes = await ask(
        'Switch to MQTT mode?',
        () =>
            h(
                'p',
                'The device leaves this page and connects to its broker. If it cannot, it ' +
                    'comes back here and says why.'
            ),
        'Switch'
    );
    if (!yes) return;
    await call('Mode.Set', { mode: 'mqtt' });
    await leave();
}

// The name must be typed: a reset is the one thing here that can't be taken back.
function confirmReset(word, erase) {
    return (go) => {
        go.disabled = true;
        const typed = h('input', {
            id: 'word',
            autocomplete: 'off',
            autocapitalize: 'none',
            spellcheck: 'false',
            input: () => {
                go.disabled = typed.value.trim() !== word;
            }
        });
        return h(
            'div',
            h(
                'p',
                'This erases its certificate and key, its settings and passwords, and whom ' +
                    'it trusts. The birth key stays.'
            ),
            h(
                'label.check',
                erase,
                ' Decommission: erase the birth key and the set-up code as well'
            ),
            h('label', { for: 'word' }, 'Type ', h('strong', word), ' to go on'),
            typed
        );
    };
}

async function reset(info) {
    const erase = h('input', { type: 'checkbox' });
    if (!(await ask('Factory reset?', confirmReset(info.id || 'reset', erase), 'Erase', true)))
        return;
    await call('Sys.FactoryReset', { decommission: erase.checked });
    await away('Erasing', 'The device erases itself and restarts.', 'reset');
}

async function restart() {
    await call('Sys.Reboot');
    await away('Restarting', 'The device restarts; this page goes on by itself.');
}

views.device = {
    title: 'Device',
    async render(root) {
        const [info, enrolment] = [await call('Sys.GetInfo'), await call('Enrol.Status')];
        const place = trouble(),
            other = trouble();
        session.device = info.id;
        showTop();
        fill(
            root,
            lastTrial(info),
            h('section.card', h('h2', 'Set-up'), steps(info, enrolment, place), place),
            h('section.card', h('h2', 'What it is'), facts(info)),
            h(
                'section.card',
                h('h2', 'Restart and reset'),
                h('p', 'A restart loses nothing. A factory reset makes the device as new.'),
                h(
                    'div.row',
                    button('', 'Restart', other, restart),
                    button('.danger', 'Factory reset …', other, () => reset(info))
                ),
                other
            )
        );
    }
};
