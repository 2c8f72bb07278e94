// SPDX-License-Identifier: MIT
// The settings as the device describes them, and what of them was changed here.

let settings = [];
const changes = new Map();
const wrong = new Map();
const settingOf = (name) => settings.find((setting) => setting.name === name);
const valueOf = (name) => (settingOf(name) || {}).value || '';

async function loadSettings() {
    const all = [];
    for (let from = 0; from !== undefined;) {
        const part = await call('Config.Describe', { from });
        all.push(...part.settings);
        from = part.next;
    }
    settings = all;
}

function setChange(setting, value) {
    if (value === undefined || (!setting.secret && value === setting.value))
        changes.delete(setting.name);
    else changes.set(setting.name, value);
    wrong.delete(setting.name);
    showBar();
}

function forgetChanges() {
    changes.clear();
    wrong.clear();
    showBar();
}

const whole = /^(0|-?[1-9]\d*)$/;
const inRange = (text, { min = 0, max }) =>
    whole.test(text) && +text >= min && (max === undefined || +text <= max);
const address = /^((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(?!$)|$)){4}$/;

// What can be said without asking; the device has the last word.
function check(setting, value) {
    const { min = 0, max } = setting,
        bytes = utf8(value).length;
    switch (setting.type) {
        case 'number':
            return inRange(value, setting) ? '' : `A whole number from ${min} to ${max}.`;
        case 'numbers':
            return value === '' || value.split(',').every((one) => inRange(one, setting))
                ? ''
                : `Whole numbers from ${min} to ${max}, with commas between them and no blanks.`;
        case 'address':
            return value === '' || address.test(value)
                ? ''
                : 'An IPv4 address such as 192.168.1.20, or nothing.';
        default:
            if (max && bytes > max) return `At most ${max} bytes; this has ${bytes}.`;
            return bytes < min ? `At least ${min} bytes.` : '';
    }
}

function checkAll() {
    for (const [name, value] of changes) {
        const message = check(settingOf(name), value);
        if (message) wrong.set(name, message);
    }
    return wrong.size === 0;
}

// A request has at most 1,024 bytes.
function inParts(values) {
    const parts = [{}];
    for (const [name, value] of values) {
        const last = parts[parts.length - 1],
            more = { ...last, [name]: value };
        if (utf8(JSON.stringify(more)).length > 900) parts.push({ [name]: value });
        else parts[parts.length - 1] = more;
    }
    return parts;
}

// All of a request is taken or nothing, so a name that does not exist makes a test of it: whatever
// is said about the value is said first.
async function whichIsWrong(values) {
    for (const [name, value] of values) {
        try {
            await call('Config.Set', { config: { [name]: value, 'no.such': '' } });
        } catch (error) {
            if (!(error instanceof Failure) || error.code < 400) throw error;
            if (error.code !== 404) wrong.set(name, error.message);
        }
    }
}

// A change is tried before it holds, which takes a moment; the next one has to wait for it.
async function settled() {
    for (let i = 0; i < 40 && (await call('Sys.GetInfo')).trial; i++) await wait(250);
}

// Sends what was changed. A refused value is in `wrong` afterwards, by its name. A change of mode
// goes last: the device leaves with it.
async function sendChanges(values) {
    const ordered = [
        ...values.filter(([name]) => name !== 'mode'),
        ...values.filter(([name]) => name === 'mode')
    ];
    for (const config of inParts(ordered)) {
        try {
            await call('Config.Set', { config });
        } catch (error) {
            if (error.code === 422 || error.code === 403)
                await whichIsWrong(Object.entries(config));
            throw error;
        }
        Object.keys(config).forEach((name) => changes.delete(name));
        if (config.mode !== 'mqtt') await settled();
    }
}
