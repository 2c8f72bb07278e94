// SPDX-License-Identifier: MIT
// Which networks there are, and joining one.

function bars(rssi) {
    const strong = rssi >= -55 ? 4 : rssi >= -67 ? 3 : rssi >= -78 ? 2 : 1;
    return h('svg.bars', { viewBox: '0 0 16 16', 'aria-hidden': true }, [0, 1, 2, 3].map((i) =>
        h(i < strong ? 'rect' : 'rect.off', { x: i * 4, y: 11 - i * 3, width: 3, height: 4 + i * 3, rx: 1 })));
}
const strength = (rssi) => rssi >= -55 ? 'very good' : rssi >= -67 ? 'good' : rssi >= -78 ? 'weak' : 'very weak';

async function scan(list, choose) {
    fill(list, loading('Looking for networks …'));
    let found = await call('Wifi.Scan', { again: true });
    for (let i = 0; !found.done && i < 20 && list.isConnected; i++) {
        await wait(1000);
        found = await call('Wifi.Scan');
    }
    if (found.networks.length === 0)
        return fill(list, empty('No network found', 'Move the device nearer to the router; it needs the 2.4 GHz band.'));
    const joined = valueOf('wifi.sta.ssid');
    fill(list, h('ul.networks', null, found.networks.map(({ ssid, rssi }) => h('li', null,
        h('button', { type: 'button', click: () => choose(ssid) }, bars(rssi),
            h('span', null, h('strong', null, ssid), h('small', null, (ssid === joined ? 'chosen, ' : '') + strength(rssi) + ', ' + rssi + ' dBm')))))));
    say(plural(found.networks.length, 'network') + ' found', true);
}

async function joinNetwork(ssid, pass, place) {
    if (ssid === '')
        throw new Failure(400, 'Choose a network, or type its name.');
    if (pass !== '' && pass.length < 8)
        throw new Failure(400, 'A pass phrase has at least 8 characters.');
    const values = [['wifi.sta.ssid', ssid], ['wifi.sta.pass', pass]];
    await sendChanges(values);
    showBar();
    await loadSettings();
    fill(place, h('p.note.good', null, 'Saved: the device joins ', h('strong', null, ssid),
        ' when it goes to work. If the network refuses it, it comes back here and says so.'));
    say('Network saved');
}

views.wifi = {
    title: 'Wi-Fi',
    async render(root) {
        const place = trouble(), scanned = trouble(), list = h('div', { 'aria-live': 'off' }), done = h('div');
        const ssid = h('input', { id: 'ssid', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false' });
        const pass = h('input', { id: 'pass', type: 'password', autocomplete: 'new-password' });
        const eye = h('input', { type: 'checkbox', change: () => { pass.type = eye.checked ? 'text' : 'password'; } });
        const choose = (name) => { ssid.value = name; pass.value = ''; pass.focus(); };
        const go = h('button.main', null, 'Join');
        ssid.value = valueOf('wifi.sta.ssid');
        fill(root, h('section.card', null, h('div.head', null, h('h2', null, 'Networks nearby'), button('', 'Look again', scanned, () => scan(list, choose))), list, scanned),
            h('form.card', { novalidate: true, submit: (event) => { event.preventDefault(); busy(go, place, () => joinNetwork(ssid.value, pass.value, done)); } },
                h('h2', null, 'Join a network'), h('label', { for: 'ssid' }, 'Name of the network'), ssid,
                h('label', { for: 'pass' }, 'Pass phrase'), pass, h('label.check', null, eye, ' Show it'),
                h('p.help', null, (settingOf('wifi.sta.pass') || {}).set ? 'One is stored. It is sent encrypted, and never shown again.' : 'It is sent encrypted, and never shown again. Leave it empty for an open network.'),
                place, go, done));
        try {
            await scan(list, choose);
        } catch (error) {
            fill(list, empty('No list of networks', explain(error), ' You can type the name below.'));
        }
    },
};
