// SPDX-License-Identifier: MIT
// Every setting by the device's own schema, grouped, with its help.

const GROUPS = {
    device: 'Device',
    mode: 'Device',
    wifi: 'Wi-Fi',
    mqtt: 'Broker',
    mqtt1: 'Broker',
    sntp: 'Time',
    sys: 'Time',
    zones: 'Zones',
    telemetry: 'Telemetry',
    inputs: 'Inputs',
    log: 'Telemetry',
    legacy: 'Other programs',
    ha: 'Other programs',
    http: 'Other programs'
};
const groupOf = ({ name }) => GROUPS[name.split('.')[0]] || 'More';

function control(setting, props) {
    const value = changes.has(setting.name) ? changes.get(setting.name) : setting.value;
    if (setting.type === 'choice')
        return h(
            'select',
            props,
            setting.choices.map((choice) =>
                h('option', { value: choice, selected: choice === value }, choice)
            )
        );
    if (setting.type === 'bool') {
        const node = h('input', { ...props, type: 'checkbox', role: 'switch' });
        node.checked = value === 'true';
        return node;
    }
    const node = h('input', {
        ...props,
        autocomplete: setting.secret ? 'new-password' : 'off',
        autocapitalize: 'none',
        spellcheck: 'false',
        type: setting.secret ? 'password' : 'text',
        inputmode: setting.type === 'number' ? 'numeric' : null,
        placeholder: setting.secret
            ? setting.set
                ? 'set; type a new one to replace it'
                : 'not set'
            : null
    });
    node.value = value || '';
    return node;
}

function notes(setting) {
    return [
        setting.help,
        setting.default ? [' Normally ', h('code', setting.default), '.'] : null,
        setting.applies !== 'now' && ` ${APPLIES[setting.applies].replace('takes', 'Takes')}.`,
        setting.trust && ' It says whom the device trusts.'
    ];
}

function removeButton(setting, input, mark) {
    const click = () => {
        setChange(setting, '');
        input.value = '';
        mark();
    };
    return h(
        'button.small',
        { type: 'button', click },
        'Remove',
        h('span.hush', ' ' + setting.name)
    );
}

function read({ type, secret }, input) {
    if (type === 'bool') return String(input.checked);
    return secret && input.value === '' ? undefined : input.value;
}

function field(setting) {
    const { name, type } = setting,
        id = 'f-' + name;
    const error = h('p.error', { id: id + '-e', role: 'alert' });
    const input = control(setting, { id, 'aria-describedby': `${id}-h ${id}-e` });
    const mark = () => {
        const message = wrong.get(name) || '';
        row.classList.toggle('changed', changes.has(name));
        input.setAttribute('aria-invalid', message !== '');
        setText(error, message);
    };
    const row = h(
        type === 'bool' ? 'div.field.bool' : 'div.field',
        h('label', { for: id }, name),
        input,
        setting.secret && setting.set && removeButton(setting, input, mark),
        h('p.help', { id: id + '-h' }, notes(setting)),
        error
    );
    input.addEventListener('input', () => {
        setChange(setting, read(setting, input));
        mark();
    });
    input.addEventListener('change', () => {
        const message = changes.has(name) && check(setting, changes.get(name));
        if (message) wrong.set(name, message);
        mark();
    });
    mark();
    return Object.assign(row, { text: (name + ' ' + setting.help).toLowerCase() });
}

let searched = '';
function search(groups, typed, count) {
    searched = typed;
    const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    groups.forEach((group, i) => {
        const rows = [...group.querySelectorAll('.field')];
        rows.forEach((row) => {
            row.hidden = !words.every((word) => row.text.includes(word));
        });
        const here = rows.filter((row) => !row.hidden).length;
        found += here;
        group.hidden = here === 0;
        group.open = words.length > 0 || group.querySelector('.changed') !== null || i === 0;
    });
    setText(
        count,
        words.length === 0
            ? plural(found, 'setting')
            : found > 0
              ? plural(found, 'setting') + ' found'
              : `Nothing is called or does “${typed}”.`
    );
}

views.settings = {
    title: 'Settings',
    async render(root) {
        const names = [...new Set(settings.map(groupOf))];
        const groups = names.map((name) =>
            h(
                'details.card',
                h('summary', h('h2', name)),
                settings.filter((one) => groupOf(one) === name).map(field)
            )
        );
        const count = h('p.help', { role: 'status' });
        const box = h('input', {
            id: 'search',
            type: 'search',
            placeholder: 'server, password, zone …',
            autocomplete: 'off',
            spellcheck: 'false',
            input: () => search(groups, box.value, count)
        });
        fill(
            root,
            h('search', h('label', { for: 'search' }, 'Find a setting'), box, count),
            groups
        );
        box.value = searched;
        search(groups, searched, count);
    }
};
