// SPDX-License-Identifier: MIT
// Enrolment: a request goes out, a bundle comes back. The device makes its keys; none is ever asked
// for here.

const REQUEST = 'THIMBLE ENROLMENT REQUEST',
    BUNDLE = 'THIMBLE ENROLMENT BUNDLE';
const pem = (label, text) =>
    `-----BEGIN ${label}-----\n${text.match(/.{1,64}/g).join('\n')}\n-----END ${label}-----\n`;
let request = null;

// The bytes of a bundle, out of whatever was pasted.
function bundleOf(text) {
    if (/PRIVATE KEY/.test(text))
        throw new Failure(
            400,
            'That is a private key. It belongs nowhere but where it was made: the device has ' +
                'its own, and this was not sent.'
        );
    const found = text.match(
        new RegExp(`-----BEGIN ${BUNDLE}-----([A-Za-z0-9+/=\\s]+)-----END ${BUNDLE}-----`)
    );
    if (found) return unbase64(found[1].replace(/\s/g, ''));
    if (text.includes(REQUEST))
        throw new Failure(
            400,
            'That is the request. The bundle is what thimble device enrol answers to it.'
        );
    if (/BEGIN CERTIFICATE/.test(text))
        throw new Failure(
            400,
            'A certificate alone is not enough: the bundle also says whom the device trusts. ' +
                'thimble device enrol makes it.'
        );
    throw new Failure(
        400,
        text.trim() === ''
            ? 'Choose the file, or paste its text.'
            : 'There is no enrolment bundle in that.'
    );
}

async function putBundle(bytes, meter) {
    let answer = {};
    meter.hidden = false;
    for (let offset = 0; offset < bytes.length; offset += 189) {
        answer = await call('Enrol.Put', {
            total: bytes.length,
            offset,
            data: base64(bytes.slice(offset, offset + 189))
        });
        meter.value = (offset + 189) / bytes.length;
    }
    return answer.enrolled;
}

const WAITS =
    'A request is waiting for its answer. If you make a new one, the answer to the old one ' +
    'is refused.';
const BAD_NAME = 'A name has 1 to 32 of a–z, 0–9, - and _, and begins with a letter or digit.';

async function makeRequest(name, out, waits) {
    if (!/^[a-z0-9][a-z0-9_-]{0,31}$/.test(name)) throw new Failure(400, BAD_NAME);
    const made = await call('Enrol.Request', { name });
    request = { name, text: pem(REQUEST, made.request) };
    fill(out, requestShown());
    if (waits) waits.remove();
    say('The request is ready');
}

function requestCard(status) {
    const place = trouble(),
        out = h('div');
    const name = line('name', { maxlength: 32, 'aria-describedby': 'namehelp' });
    const waits = status.requested && !request && h('p.note', WAITS);
    const again = request || status.requested;
    const go = h(
        request ? 'button' : 'button.main',
        again ? 'Make a new request' : 'Make the request'
    );
    name.value = (request || status).name || '';
    if (request) fill(out, requestShown());
    return form(
        '.card',
        go,
        place,
        () => makeRequest(name.value, out, waits),
        h('h2', '1. Ask for certificates'),
        h(
            'p',
            'The device makes its own keys and asks for certificates over them. ',
            'The keys never leave it.'
        ),
        waits,
        h('label', { for: 'name' }, 'Name of the device'),
        name,
        h(
            'p.help',
            { id: 'namehelp' },
            'It is its certificate, its client id and the first level of its topics.'
        ),
        place,
        go,
        out
    );
}

const requestShown = () =>
    h(
        'div.made',
        h('p', 'Download the request, and have it answered where your authorities are:'),
        h(
            'pre',
            { tabindex: 0, 'aria-label': 'Command' },
            `thimble device enrol ${request.name} --request ${request.name}.request --out ` +
                `${request.name}.bundle`
        ),
        h(
            'button.main',
            { type: 'button', click: () => download(request.name + '.request', request.text) },
            'Download the request'
        ),
        h(
            'details',
            h('summary', 'Or copy its text'),
            h(
                'textarea',
                { readonly: true, rows: 6, 'aria-label': 'Text of the request' },
                request.text
            )
        )
    );

function bundleCard() {
    const place = trouble(),
        meter = h('progress', {
            max: 1,
            value: 0,
            hidden: true,
            'aria-label': 'How much was sent'
        });
    const file = h('input', { id: 'file', type: 'file', accept: '.bundle,.pem,.txt' });
    const text = h('textarea', { id: 'paste', rows: 4, spellcheck: 'false', autocomplete: 'off' });
    const go = button('.main', 'Enrol', place, async () => {
        const bytes = bundleOf(file.files[0] ? await file.files[0].text() : text.value);
        try {
            await putBundle(bytes, meter);
        } finally {
            meter.hidden = true;
        }
        request = null;
        refresh();
        say('Enrolled');
    });
    return h(
        'section.card',
        h('h2', '2. Bring the answer'),
        h('label', { for: 'file' }, 'Bundle'),
        file,
        h(
            'details',
            h('summary', 'Or paste its text'),
            h('label', { for: 'paste' }, 'Text of the bundle'),
            text
        ),
        h('p.help', 'It holds certificates and whom to trust. Nothing in it is secret.'),
        place,
        meter,
        go
    );
}

views.credentials = {
    title: 'Credentials',
    async render(root) {
        const status = await call('Enrol.Status');
        if (!status.enrolled) return fill(root, requestCard(status), bundleCard());
        fill(
            root,
            h(
                'section.card',
                h('h2', 'Enrolled as ' + status.name),
                h(
                    'p',
                    'The device has its certificate and knows whom to trust. It renews the ' +
                        'certificate by itself, over MQTT.'
                ),
                h(
                    'p',
                    'Another bundle is taken only after a ',
                    h('a', { href: '#/device' }, 'factory reset'),
                    '.'
                ),
                h('a.button', { href: '#/device' }, 'Go on with the set-up')
            )
        );
    }
};
