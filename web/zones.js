// SPDX-License-Identifier: MIT
// Zones: on for a time, and how long they still are.

const TIMES = [
    [60, '1 min'],
    [300, '5 min'],
    [900, '15 min']
];
const seconds = {};

function zoneCard(number, place) {
    const state = h('p.state');
    const meter = h('progress', { max: 1, value: 0, 'aria-label': 'Time left of zone ' + number });
    const input = h('input', {
        id: 'z' + number,
        inputmode: 'numeric',
        autocomplete: 'off',
        change: () => keep(input.value)
    });
    const keep = (value) => {
        input.value = seconds[number] = value;
    };
    const off = button('', 'Off', place, () => order('Zone.Off', { zone: number }));
    const on = button('.main', 'On', place, () => {
        if (!/^[1-9]\d*$/.test(input.value))
            throw new Failure(400, `Zone ${number}: a whole number of seconds, from 1 on.`);
        return order('Zone.On', { zone: number, seconds: +input.value });
    });
    const times = TIMES.map(([time, name]) => {
        const label = `${name} for zone ${number}`;
        return h(
            'button.small',
            { type: 'button', 'aria-label': label, click: () => keep(time) },
            name
        );
    });
    input.value = seconds[number] || '60';
    const card = h(
        'section.card.zone',
        { 'aria-labelledby': 'zone' + number },
        h('div.head', h('h2', { id: 'zone' + number }, 'Zone ' + number), state),
        meter,
        h('label', { for: 'z' + number }, 'Seconds'),
        h('div.row', input, on, off),
        h('div.row.times', times)
    );
    return Object.assign(card, { zone: { state, meter, off, until: 0, from: 0 } });
}

async function order(method, params) {
    const done = await call(method, params);
    say(`Zone ${done.zone} is ${done.on ? 'on for ' + span(done.seconds) : 'off'}`);
    await showZones();
}
let showZones = async () => {};

function take(card, status) {
    const { zone } = card,
        until = Date.now() + status.seconds * 1000;
    if (!status.on || Math.abs(until - zone.until) > 1500)
        Object.assign(zone, {
            until: status.on ? until : 0,
            from: status.on ? Math.max(status.seconds, 1) : 0
        });
    zone.stuck = !status.on && status.actual;
    zone.off.disabled = !status.on;
    card.classList.toggle('on', status.on);
    draw(card);
}

function draw({ zone }) {
    const left = Math.max(0, (zone.until - Date.now()) / 1000);
    setText(
        zone.state,
        left > 0 ? 'on, ' + span(left) + ' left' : zone.stuck ? 'off, but the wire says on' : 'off'
    );
    zone.meter.hidden = left === 0;
    zone.meter.value = zone.from > 0 ? left / zone.from : 0;
}

views.zones = {
    title: 'Zones',
    async render(root) {
        const place = trouble(),
            next = h('p.help');
        let cards = null;
        showZones = async () => {
            const status = await call('Zone.Status').catch((error) => {
                if (error.code !== 409 && error.code !== 404) throw error;
                return { zones: [], why: error.message };
            });
            if (!cards || cards.length !== status.zones.length) {
                cards = status.zones.map(({ zone }) => zoneCard(zone, place));
                fill(
                    root,
                    cards.length === 0
                        ? h(
                              'section.card',
                              empty(
                                  'No zones',
                                  'Say how many there are, and on which pins, in the settings: ',
                                  h('a', { href: '#/settings' }, 'zones.count'),
                                  '.'
                              )
                          )
                        : [place, h('div.grid', cards), next]
                );
            }
            cards.forEach((card, i) => take(card, status.zones[i]));
            setText(
                next,
                status.fault ||
                    (status.next_time
                        ? `Next start by the clock: zone ${status.next_zone}, ` +
                          `${clock(status.next_time)}.`
                        : '')
            );
        };
        await showZones();
        every(root, 2000, showZones);
        every(root, 250, () => (cards || []).forEach(draw));
    }
};
