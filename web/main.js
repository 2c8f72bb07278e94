// SPDX-License-Identifier: MIT
// Which part is shown, and when the page locks itself.

const IDLE_MS = 600000;
const ORDER = ['device', 'wifi', 'credentials', 'zones', 'sensors', 'settings', 'log'];
let current = '',
    usedAt = Date.now();

// As long as `root` is shown; not while nobody looks, and not before the last one is done.
function every(root, ms, work) {
    let running = false;
    const timer = setInterval(async () => {
        if (!root.isConnected) clearInterval(timer);
        if (!root.isConnected || running || document.hidden) return;
        running = true;
        await Promise.resolve()
            .then(work)
            .catch(() => {});
        running = false;
    }, ms);
}

function showTop() {
    document.body.className = '';
    fill(
        $('top'),
        logo(),
        h('p', h('strong', session.device || 'New device'), h('small', 'configuration mode')),
        h(
            'button.small',
            {
                type: 'button',
                click: () => {
                    farewell();
                    lock('left');
                }
            },
            'Lock'
        )
    );
    $('top').hidden = $('nav').hidden = false;
}

function showNav() {
    fill(
        $('nav'),
        h(
            'ul',
            ORDER.map((name) =>
                h(
                    'li',
                    h(
                        'a',
                        { href: '#/' + name, 'aria-current': name === current ? 'page' : null },
                        views[name].title
                    )
                )
            )
        )
    );
    seeWhere();
}
function seeWhere() {
    const here = $('nav').querySelector('[aria-current]');
    if (here) here.parentNode.parentNode.scrollLeft = here.offsetLeft - 60;
}

async function show(name) {
    current = name;
    showNav();
    document.title = views[name].title + ' – ' + (session.device || 'Thimble');
    const root = h('div', loading('Asking the device …'));
    const head = h('h1', { tabindex: -1 }, views[name].title);
    fill($('main'), head, root);
    head.focus({ preventScroll: true });
    scrollTo(0, 0);
    try {
        await views[name].render(root);
    } catch (error) {
        if (current === name && session.key)
            fill(
                root,
                h(
                    'section.card',
                    { role: 'alert' },
                    empty('That did not work', explain(error)),
                    h('button', { type: 'button', click: () => show(name) }, 'Try again')
                )
            );
    }
}
const wanted = () => (ORDER.includes(location.hash.slice(2)) ? location.hash.slice(2) : 'device');
const refresh = () => show(wanted());

async function begin() {
    usedAt = Date.now();
    await loadSettings();
    showTop();
    await refresh();
}

whenLost = (code) => lock(code);
whenAway = (is) =>
    setText(
        $('away'),
        is && session.keys && !$('nav').hidden ? 'The device does not answer. Trying again …' : ''
    );
addEventListener('hashchange', () => {
    if (session.key && current && location.hash !== '#main' && wanted() !== current) refresh();
});
addEventListener('beforeunload', (event) => {
    if (changes.size > 0) event.preventDefault();
});
addEventListener('resize', seeWhere);
addEventListener('pagehide', farewell);
addEventListener('pageshow', (event) => {
    if (event.persisted) lock('left');
});
['pointerdown', 'keydown', 'scroll'].forEach((name) =>
    addEventListener(
        name,
        () => {
            usedAt = Date.now();
        },
        { passive: true }
    )
);
setInterval(() => {
    if (session.key && current && Date.now() - usedAt > IDLE_MS) {
        farewell();
        lock('idle');
    }
}, 5000);
lock();
