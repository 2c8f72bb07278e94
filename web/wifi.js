// SPDX-License-Identifier: MIT
// Which networks there are, and joining one.

function bars(rssi) {
    const strong = rssi >= -55 ? 4 : rssi >= -67 ? 3 : rssi >= -78 ? 2 : 1;
    return h(
        'svg.bars',
        { viewBox: '0 0 16 16', 'aria-hidden': true },
        [0, 1, 2, 3].map((i) =>
            h(i < strong ? 'rect' : 'rect.off', {
                x: i * 4,
                y: 11 - i * 3,
                width: 3,
                height: 4 + i * 3,
                rx: 1
            })
        )
    );
}
const strength = (rssi) =>
    rssi >= -55 ? 'very good' : rssi >= -67 ? 'good' : rssi >= -78 ? 'weak' : 'very weak';

function networkRow({ ssid, rssi }, choose) {
    const chosen = ssid === valueOf('wifi.sta.ssid') ? 'chosen, ' : '';
    const about = h('small', chosen, strength(rssi), `, ${rssi} dBm`);
    const name = h('span', h('strong', ssid), about);
    return h('li', h('button', { type: 'button', click: () => choose(ssid) }, bars(rssi), name));
}

async function scan(list, choose) {
    fill(list, loading('Looking for networks …'));
    let found = await call('Wifi.Scan', { again: true });
    for (let i = 0; !found.done && i < 20 && list.isConnected; i++) {
        await wait(1000);
        found = await call('Wifi.Scan');
    }
    const { networks } = found;
    const none = 'Move the device nearer to the router; it needs the 2.4 GHz band.';
    fill(
        list,
        networks.length === 0
            ? empty('No network found', none)
            : h(
                  'ul.networks',
                  networks.map((network) => networkRow(network, choose))
              )
    );
    say(plural(networks.length, 'network') + ' found', true);
}

async function joinNetwork(ssid, pass, place) {
    if (ssid === '') throw new Failure(400, 'Choose a network, or type its name.');
    if (pass !== '' && pass.length < 8)
        throw new Failure(400, 'A pass phrase has at least 8 characters.');
    const values = [
        ['wifi.sta.ssid', ssid],
        ['wifi.sta.pass', pass]
    ];
    await sendChanges(values);
    showBar();
    await loadSettings();
    fill(
        place,
        h(
            'p.note.good',
            'Saved: the device joins ',
            h('strong', ssid),
            ' when it goes to work. If the network refuses it, it comes back here and says so.'
        )
    );
    say('Network saved');
}

function joinForm(ssid, pass) {
    const place = trouble(),
        done = h('div'),
        go = h('button.main', 'Join');
    const eye = h('input', {
        type: 'checkbox',
        change: () => {
            pass.type = eye.checked ? 'text' : 'password';
        }
    });
    const { set } = settingOf('wifi.sta.pass') || {};
    return form(
        '.card',
        go,
        place,
        () => joinNetwork(ssid.value, pass.value, done),
        h('h2', 'Join a network'),
        h('label', { for: 'ssid' }, 'Name of the network'),
        ssid,
        h('label', { for: 'pass' }, 'Pass phrase'),
        pass,
        h('label.check', eye, ' Show it'),
        h(
            'p.help',
            set && 'One is stored. ',
            'It is sent encrypted, and never shown again. ',
            !set && 'Leave it empty for an open network.'
        ),
        place,
        go,
        done
    );
}

views.wifi = {
    title: 'Wi-Fi',
    async render(root) {
        const scanned = trouble(),
            list = h('div', { 'aria-live': 'off' });
        const ssid = line('ssid');
        const pass = h('input', { id: 'pass', type: 'password', autocomplete: 'new-password' });
        const choose = (name) => {
            ssid.value = name;
            pass.value = '';
            pass.focus();
        };
        const again = button('', 'Look again', scanned, () => scan(list, choose));
        ssid.value = valueOf('wifi.sta.ssid');
        fill(
            root,
            h('section.card', h('div.head', h('h2', 'Networks nearby'), again), list, scanned),
            joinForm(ssid, pass)
        );
        try {
            await scan(list, choose);
        } catch (error) {
            fill(
                list,
                empty('No list of networks', explain(error), ' You can type the name below.')
            );
        }
    }
};
