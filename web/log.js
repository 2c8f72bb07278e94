// SPDX-License-Identifier: MIT
// What went wrong lately, and what to do about it.

const EVENTS = { failure: 'Failure', crash: 'Crash', trial: 'Change' };

// "layer: what was found; what to do (4 times)"
function item(entry) {
    const text = entry.text.replace(/ \(\d+ times\)$/, '').replace(/^\d{4}-\d\d-\d\d \S+ /, ''),
        cut = text.indexOf('; ');
    const found = cut < 0 ? text : text.slice(0, cut),
        remedy = cut < 0 ? '' : text.slice(cut + 2);
    return h(
        'li.card.bad',
        h(
            'p.kind',
            h('span.chip', EVENTS[entry.event] || entry.event),
            entry.count > 1 && ` ${entry.count} times`,
            entry.time && ` · ${clock(entry.time)}`
        ),
        h('p', found),
        remedy && h('p.remedy', h('strong', 'What to do: '), remedy + '.'),
        entry.error && h('p.help', h('code', entry.error))
    );
}

views.log = {
    title: 'Failures',
    async render(root) {
        const entries = (await call('Log.Tail')).filter((entry) => !entry.kept);
        fill(
            root,
            entries.length > 0
                ? h('ul.log', entries.map(item))
                : h(
                      'section.card',
                      empty(
                          'Nothing went wrong',
                          'Failures, crashes and changes that were taken back stand here, ' +
                              'each with what to do.'
                      )
                  )
        );
    }
};
