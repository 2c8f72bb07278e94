// SPDX-License-Identifier: MIT
// Making elements, and telling the person what happens.

const $ = (id) => document.getElementById(id);
const drawn = new Set(['svg', 'path', 'rect']);

// h('button.main', { click: f, type: 'button' }, 'Save'): text goes in as text, never as HTML.
function h(spec, ...rest) {
    const props = rest[0] && rest[0].constructor === Object ? rest.shift() : {};
    const [tag, ...classes] = spec.split('.');
    const node = drawn.has(tag)
        ? document.createElementNS('http://www.w3.org/2000/svg', tag)
        : document.createElement(tag);
    if (classes.length > 0) node.setAttribute('class', classes.join(' '));
    for (const [name, value] of Object.entries(props)) {
        if (typeof value === 'function') node.addEventListener(name, value);
        else if (value !== false && value !== undefined && value !== null)
            node.setAttribute(name, value === true ? '' : value);
    }
    node.append(
        ...rest.flat(9).filter((kid) => kid !== undefined && kid !== null && kid !== false)
    );
    return node;
}
const fill = (node, ...kids) => node.replaceChildren(...kids.flat(9).filter(Boolean));

// Only where it has changed: a screen reader says again what is put in again.
function setText(node, text) {
    if (node.textContent !== text) node.textContent = text;
}

let saidTimer;
function say(text, unseen) {
    clearTimeout(saidTimer);
    $('said').className = unseen ? 'hush' : '';
    $('said').textContent = text;
    saidTimer = setTimeout(() => {
        $('said').textContent = '';
    }, 4000);
}

const explain = (error) => {
    if (!(error instanceof Failure)) console.error(error);
    return error instanceof Failure ? error.message : 'The page made a mistake: ' + error.message;
};

// A button that is busy until its work is done; what goes wrong is said in `place`.
function button(spec, label, place, work) {
    const node = h(
        'button' + spec,
        { type: 'button', click: () => busy(node, place, work) },
        label
    );
    return node;
}

async function busy(node, place, work) {
    if (node.getAttribute('aria-busy')) return;
    node.setAttribute('aria-busy', 'true');
    setText(place, '');
    try {
        await work();
    } catch (error) {
        setText(place, explain(error));
    }
    node.removeAttribute('aria-busy');
}
// A form whose button `go` is busy meanwhile, however it was sent.
function form(spec, go, place, work, ...kids) {
    const submit = (event) => {
        event.preventDefault();
        busy(go, place, work);
    };
    return h('form' + spec, { novalidate: true, submit }, kids);
}

// A line for what is no prose.
const line = (id, props) =>
    h('input', { id, autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', ...props });
const trouble = () => h('p.error', { role: 'alert' });
const loading = (what) => h('p.loading', what);
const empty = (head, ...text) => h('div.empty', h('p', h('strong', head)), h('p', text));

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const plural = (n, one, many) => n + ' ' + (n === 1 ? one : many || one + 's');

function span(seconds) {
    const units = [
        [86400, 'd'],
        [3600, 'h'],
        [60, 'min'],
        [1, 's']
    ];
    const at = Math.max(
        0,
        units.findIndex(([size]) => seconds >= size)
    );
    if (seconds < 60) return Math.ceil(seconds) + ' s';
    const [size, name] = units[at],
        [small, smaller] = units[at + 1];
    const rest = Math.floor((seconds % size) / small);
    return Math.floor(seconds / size) + ' ' + name + (rest > 0 ? ' ' + rest + ' ' + smaller : '');
}
const clock = (seconds) =>
    new Date(seconds * 1000).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });

function download(name, text) {
    const url = URL.createObjectURL(new Blob([text], { type: 'application/x-pem-file' }));
    h('a', { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// Asks first, in a dialogue; true when the person says yes. Without `yes` it only tells.
function ask(title, content, yes, danger) {
    return new Promise((done) => {
        const go = yes && h(danger ? 'button.danger' : 'button.main', { value: 'yes' }, yes);
        const box = h(
            'dialog',
            { 'aria-labelledby': 'ask' },
            h(
                'form',
                { method: 'dialog' },
                h('h2', { id: 'ask' }, title),
                content(go),
                h('div.row', go, h('button', { value: 'no' }, yes ? 'Back' : 'Close'))
            )
        );
        box.addEventListener('close', () => {
            box.remove();
            done(box.returnValue === 'yes');
        });
        document.body.append(box);
        box.showModal();
    });
}
