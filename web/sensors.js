// SPDX-License-Identifier: MIT
// What the sensors read now and a while back: small charts.

const KEPT = 90,
    EVERY_MS = 2000;
const readings = new Map();

function chart(values) {
    const known = values.filter((value) => value !== null),
        low = Math.min(...known),
        high = Math.max(...known);
    const y = (value) => (high === low ? 16 : 30 - (28 * (value - low)) / (high - low)),
        width = Math.max(30, values.length) - 1,
        x = (i) => ((width - values.length + 1 + i) * 120) / width;
    let line = '',
        pen = 'M',
        first = null,
        last = 0;
    values.forEach((value, i) => {
        if (value === null) {
            pen = 'M';
            return;
        }
        line += `${pen}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
        pen = 'L';
        first = first === null ? x(i) : first;
        last = x(i);
    });
    return h(
        'svg.chart',
        { viewBox: '0 0 120 32', preserveAspectRatio: 'none', 'aria-hidden': true },
        h('path.area', {
            d: known.length > 1 ? `${line}L${last.toFixed(1)} 32L${first.toFixed(1)} 32Z` : ''
        }),
        h('path.line', { d: line })
    );
}

function sensorCard(name, values) {
    const known = values.filter((value) => value !== null),
        now = values[values.length - 1];
    const low = Math.min(...known),
        high = Math.max(...known),
        time = span((Math.max(1, values.length - 1) * EVERY_MS) / 1000);
    const range =
        known.length === 0
            ? 'cannot be read'
            : low === high
              ? 'steady for ' + time
              : `${low} to ${high} in ${time}`;
    return h(
        'section.card.sensor',
        { 'aria-label': name },
        h('h2', name),
        h('p.value', now === null ? '–' : now),
        h('p.help', range),
        chart(values)
    );
}

function readSensors(found) {
    for (const [name, value] of Object.entries(found)) {
        const values = readings.get(name) || [];
        values.push(value === true ? 1 : value === false ? 0 : value);
        readings.set(name, values.slice(-KEPT));
    }
}

views.sensors = {
    title: 'Sensors',
    async render(root) {
        const grid = h('div.grid.fine');
        const update = async () => {
            readSensors(await call('Sensor.Read'));
            fill(
                grid,
                [...readings].map(([name, values]) => sensorCard(name, values))
            );
        };
        await update();
        fill(
            root,
            readings.size > 0
                ? grid
                : h(
                      'section.card',
                      empty(
                          'No sensors',
                          'This device measures nothing. Digital inputs are set up by ',
                          h('a', { href: '#/settings' }, 'inputs.pins'),
                          '.'
                      )
                  )
        );
        every(root, EVERY_MS, update);
    }
};
