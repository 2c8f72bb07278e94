// SPDX-License-Identifier: MIT
// A person sets a blank device up through its page: F1, F2, F3, F4, I1, I9. The device is the real one,
// the browser Chromium at the size of a phone and of a desk.
import { readFileSync } from 'node:fs';
import { Browsers, Device, check, finish, freePort, listens, put, thimble, until, wait } from './world.mjs';

const air = put('air', 'ssid=garden\npass=secret words\n');
const pins = put('pins', '');
const device = new Device(await freePort(), ['--board', `wifi=${air}`, '--board', `pins=${pins}`, '--board', 'clock=host']);
const browsers = new Browsers();
const SECRET = 'a-password-that-must-not-be-seen';

// ---- what a person does ----

const error = (page) => page.locator('.error:not(:empty)').first().textContent();
const heading = (page, text) => page.locator('h1', { hasText: text }).waitFor();
async function unlock(page, code = device.code) {
    await page.fill('#code', code);
    await page.click('button:text-is("Open")');
    await page.locator('#nav').waitFor();
    await until(async () => await page.locator('#main .loading').count() === 0);
}
async function unlockAnyhow(page) {
    await page.fill('#code', device.code);
    await page.click('button:text-is("Open")');
    await page.locator('#nav:visible, dialog').first().waitFor();
    if (await page.locator('dialog').count() > 0)
        await page.click('dialog button:text-is("Go on here")');
    await page.locator('#nav').waitFor();
}
async function go(page, part) {
    await page.click(`#nav a:text-is("${part}")`);
    await heading(page, part);
    await until(async () => await page.locator('#main .loading').count() === 0);
}
async function edit(page, name, value) {
    await page.fill('#search', name);
    const field = page.locator(`[id="f-${name}"]`);
    if (await field.evaluate((node) => node.tagName) === 'SELECT')
        await field.selectOption(value);
    else
        await field.fill(value);
    await field.blur();
    return field;
}
const said = (page, text) => page.locator('#said', { hasText: text }).waitFor({ state: 'attached' });

// ---- scenes ----

async function aWrongCode(page) {
    check('a captive portal leads to the page', page.url().endsWith('/config'), page.url());
    check('before the code it says what it is, and no more (F4)', !/version|0\.1|mac|mqtt/i.test(await page.innerText('body')), await page.innerText('body'));
    await browsers.look(page, '1-code');
    await page.click('button:text-is("Open")');
    check('no code is told so', /Type the code/.test(await error(page)), await error(page));
    await page.fill('#code', '0123-4567-89AB-CDE');
    await page.click('button:text-is("Open")');
    check('a code that is short is told so', /16 characters; this has 15/.test(await error(page)), await error(page));
    await page.fill('#code', '0123-4567-89AB-CDEU');
    await page.click('button:text-is("Open")');
    check('a character that no code has is told so', /no “U”/.test(await error(page)), await error(page));
    for (let i = 0; i < 5; i++) {
        await page.fill('#code', '0123-4567-89AB-CDE' + i);
        await page.click('button:text-is("Open")');
        await page.locator('button:text-is("Open"):not([aria-busy])').waitFor();
    }
    check('a wrong code is told so (F1)', /not the code of this device/.test(await error(page)), await error(page));
    await browsers.look(page, '2-wrong-code');
    await page.click('button:text-is("Open")');
    await page.locator('.error', { hasText: 'Too many wrong codes' }).waitFor();
    check('after too many it says how long to wait (F2)', await page.locator('button:text-is("Open")').isDisabled());
    await page.locator('.error', { hasText: 'You can try again now' }).waitFor();
    await page.locator('#code').fill('');
    await page.locator('#code').pressSequentially(device.code.replaceAll('-', '').toLowerCase());
    check('a code is brought into groups while it is typed', await page.inputValue('#code') === device.code, await page.inputValue('#code'));
    await page.keyboard.press('Enter');
    await page.locator('.steps').waitFor();
    check('the right code opens it', /none yet/.test(await page.innerText('.facts')), await page.innerText('#main'));
    await browsers.look(page, '3-device');
}

async function settingsAreSaved(page) {
    await go(page, 'Settings');
    await browsers.look(page, '4-settings');
    await page.fill('#search', 'nothing like this');
    check('a search that finds nothing says so', /Nothing is called/.test(await page.innerText('search')), await page.innerText('search'));
    const field = await edit(page, 'telemetry.interval_s', '0');
    const message = await page.locator('[id="f-telemetry.interval_s-e"]').textContent();
    check('a value out of range has its message at its field', message === 'A whole number from 1 to 86400.' &&
        await field.getAttribute('aria-invalid') === 'true', message);
    await browsers.look(page, '5-invalid');
    await edit(page, 'telemetry.interval_s', '30');
    await edit(page, 'sys.tz_spec', 'nonsense 3');
    await page.click('button:text-is("Review and save")');
    await page.click('dialog button:text-is("Save")');
    await until(async () => await page.locator('[id="f-sys.tz_spec-e"]').textContent());
    check('what only the device can judge has its message there as well', await page.locator('[id="f-sys.tz_spec"]').getAttribute('aria-invalid') === 'true',
        await page.innerText('#main'));
    await edit(page, 'sys.tz_spec', 'CET-1CEST,M3.5.0,M10.5.0/3');
    await edit(page, 'zones.count', '2');
    await edit(page, 'zones.pins', '5,4');
    await edit(page, 'mqtt.pass', SECRET);
    await page.click('button:text-is("Review and save")');
    await browsers.look(page, '6-review');
    const shown = await page.innerText('dialog');
    check('before saving, old and new stand side by side', /telemetry\.interval_s\s+was 60\s*→?\s*will be 30/.test(shown.replace(/\s+/g, ' ')), shown);
    check('a secret is not shown there (I1)', !shown.includes(SECRET) && /mqtt\.pass/.test(shown), shown);
    check('and it says when each takes effect', /takes effect at once/.test(shown) && /with the next connection/.test(shown), shown);
    await page.click('dialog button:text-is("Save")');
    await said(page, '5 changes saved');
    await page.reload();
    await unlock(page);
    await go(page, 'Settings');
    await page.fill('#search', 'telemetry.interval_s');
    check('after a reload they are there', await page.inputValue('[id="f-telemetry.interval_s"]') === '30');
    await page.fill('#search', 'mqtt.pass');
    check('a secret is never given out, only that it is set (I1)', await page.inputValue('[id="f-mqtt.pass"]') === '' &&
        /^set/.test(await page.getAttribute('[id="f-mqtt.pass"]', 'placeholder')));
    await edit(page, 'log.level', 'debug');
    await page.click('button:text-is("Discard")');
    check('changes can be discarded', await page.locator('#bar').isHidden() && await page.inputValue('[id="f-log.level"]') === 'info');
}

// More than one request holds, and what takes effect after a restart.
async function muchIsSaved(page) {
    const week = 'Mo 05:00 60; Tu 05:01 60; We 05:02 60; Th 05:03 60; Fr 05:04 60; Sa 05:05 60; Su 05:06 60';
    for (let n = 1; n <= 8; n++)
        await edit(page, `zones.start${n}`, week);
    await edit(page, 'sntp.server', 'a'.repeat(64));
    await edit(page, 'mqtt.user', 'u'.repeat(64));
    await edit(page, 'mqtt.client_id', 'c'.repeat(64));
    await edit(page, 'telemetry.alarms', 'host_load>9.50, host_temp>90.0, host_mem>99, Ain0<0, Ain1<0, Ain2<0, Ain3<0, Ain4<0, Ain5<0, Ain6<0, Ain7<0');
    await edit(page, 'wifi.sta.ip', '192.168.1.300');
    await page.click('button:text-is("Review and save")');
    check('what is wrong is gone to, and has the focus', await page.evaluate('document.activeElement.id') === 'f-wifi.sta.ip');
    await edit(page, 'wifi.sta.ip', '192.168.1.30');
    await edit(page, 'ha.caller', 'hass');
    await page.click('button:text-is("Review and save")');
    check('what needs a restart says so', /takes effect after a restart/.test(await page.innerText('dialog')), await page.innerText('dialog'));
    const orders = () => device.said.split('asks for Config.Set\n').length, before = orders();
    await page.click('dialog button:text-is("Save")');
    await page.locator('dialog h2:text-is("Saved")').waitFor();
    check('much is saved in parts', orders() - before === 2, orders() - before);
    await page.click('dialog button:text-is("Restart now")');
    await heading(page, 'Restarting');
    await heading(page, 'Settings');
    check('the page comes back by itself after the restart', /started by a restart/.test(device.said), device.said);
    for (const [name, value] of [['zones.start2', week], ['mqtt.client_id', 'c'.repeat(64)], ['wifi.sta.ip', '192.168.1.30']]) {
        await page.fill('#search', name);
        check(`${name} is as it was saved`, await page.inputValue(`[id="f-${name}"]`) === value, await page.inputValue(`[id="f-${name}"]`));
    }
    await edit(page, 'wifi.sta.ip', '');
    await edit(page, 'mqtt.client_id', '');
    await edit(page, 'mqtt.user', '');
    for (let n = 1; n <= 8; n++)
        await edit(page, `zones.start${n}`, '');
    await page.click('button:text-is("Review and save")');
    await page.click('dialog button:text-is("Save")');
    await page.locator('dialog h2:text-is("Saved")').waitFor();
    await page.click('dialog button:text-is("Back")');
}

async function zonesRun(page) {
    await go(page, 'Zones');
    const card = page.locator('.zone').first();
    await card.locator('input').fill('86401');
    await card.locator('button:text-is("On")').click();
    check('longer than a zone may run is refused with a reason', (await error(page)).length > 10, await error(page));
    await card.locator('input').fill('3');
    await card.locator('button:text-is("On")').click();
    await page.locator('.zone.on').waitFor();
    const since = Date.now();
    check('a zone goes on, and says for how long', /on, [23] s left/.test(await card.innerText()), await card.innerText());
    await browsers.look(page, '7-zones');
    await page.locator('.zone.on').waitFor({ state: 'detached' });
    check('and off by itself', Date.now() - since < 6500, Date.now() - since);
    await card.locator('input').fill('60');
    await card.locator('button:text-is("On")').click();
    await page.locator('.zone.on').waitFor();
    await card.locator('button:text-is("Off")').click();
    await page.locator('.zone.on').waitFor({ state: 'detached' });
    check('Off switches it off at once', /off/.test(await card.innerText()), await card.innerText());
}

async function wifiIsJoined(page) {
    await go(page, 'Wi-Fi');
    await page.locator('.networks button', { hasText: 'garden' }).click();
    check('a network that was chosen is filled in, and the pass phrase is next', await page.inputValue('#ssid') === 'garden' &&
        await page.evaluate('document.activeElement.id') === 'pass');
    await browsers.look(page, '8-wifi');
    await page.fill('#pass', 'short');
    await page.click('button:text-is("Join")');
    check('a pass phrase that is too short is told so', /at least 8/.test(await error(page)), await error(page));
    await page.fill('#pass', 'secret words');
    await page.click('button:text-is("Join")');
    await page.locator('.note.good', { hasText: 'garden' }).waitFor();
    check('the network is kept', true);
}

async function sensorsShow(page) {
    await go(page, 'Sensors');
    await page.locator('.sensor .line[d*="L"]').first().waitFor({ state: 'attached' });
    const names = await page.locator('.sensor h2').allInnerTexts();
    check('sensors are read and drawn', names.includes('host_load') && names.includes('Ain0'), names.join());
    await browsers.look(page, '9-sensors');
}

// A browser that is closed while it sends: the device has half a bundle, and nothing else.
async function halfABundle(page, bundle) {
    await page.click('button:text-is("Lock")');
    const other = await browsers.open('desk', device.url);
    await unlock(other);
    await go(other, 'Credentials');
    await other.setInputFiles('#file', bundle);
    let pieces = 0;
    await other.route('**/rpc', (route) => ++pieces <= 3 ? route.continue() : undefined); // no more goes out
    await other.click('button:text-is("Enrol")');
    await until(() => pieces > 3);
    await other.context().close();
    await unlockAnyhow(page);
    await go(page, 'Credentials');
    check('closed while it sends the bundle: not enrolled, and the request still counts', /A request is waiting/.test(await page.innerText('#main')),
        await page.innerText('#main'));
}

async function itIsEnrolled(page) {
    await go(page, 'Credentials');
    await page.fill('#name', 'Lamp!');
    await page.click('form button.main');
    check('a name that cannot be is told so', /1 to 32 of/.test(await error(page)), await error(page));
    await page.fill('#name', 'lamp');
    await page.click('button:text-is("Make the request")');
    await page.locator('.made').waitFor();
    await browsers.look(page, '10-request');
    const coming = page.waitForEvent('download');
    await page.click('button:text-is("Download the request")');
    const file = await coming;
    const request = put('lamp.request', '');
    await file.saveAs(request);
    check('the request comes as a file', file.suggestedFilename() === 'lamp.request' && readFileSync(request, 'utf8').includes('BEGIN THIMBLE ENROLMENT REQUEST'), file.suggestedFilename());
    const bundle = `${process.env.SCRATCH}/lamp.bundle`;
    const answer = thimble('device', 'enrol', 'lamp', '--request', request, '--out', bundle);
    check('the tool answers it', answer.ok, answer.said);
    await page.click('summary:text-is("Or paste its text")');
    for (const [text, told] of [['-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----', /private key.*not sent/],
        ['-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----', /certificate alone/], [readFileSync(request, 'utf8'), /That is the request/], ['', /Choose the file/]]) {
        await page.fill('#paste', text);
        await page.click('button:text-is("Enrol")');
        await until(async () => told.test(await error(page).catch(() => '')), 3000);
        check(`what is no bundle is told so: ${told}`, told.test(await error(page)), await error(page));
    }
    const altered = readFileSync(bundle, 'utf8').replace(/(-----BEGIN[^\n]*\n.{20})(.)/, (_, before, c) => before + (c === 'A' ? 'B' : 'A'));
    await page.fill('#paste', altered);
    await page.click('button:text-is("Enrol")');
    await until(async () => !/Choose/.test(await error(page).catch(() => 'Choose')), 8000);
    check('a bundle that was altered is refused, with a reason', (await error(page)).length > 10, await error(page));
    await halfABundle(page, bundle);
    await page.setInputFiles('#file', bundle);
    await page.click('button:text-is("Enrol")');
    await page.locator('h2', { hasText: 'Enrolled as lamp' }).waitFor();
    check('the bundle enrols it', true);
    await browsers.look(page, '11-enrolled');
}

async function itCannotConnect(page) {
    await go(page, 'Device');
    await page.click('button:text-is("Switch to MQTT mode")');
    await page.click('dialog button:text-is("Switch")');
    await heading(page, 'Switching to MQTT mode');
    await browsers.look(page, '12-leaving');
    check('in MQTT mode nothing listens (F3)', await until(async () => !await listens(device.port)));
    await page.locator('.note.bad').waitFor({ timeout: 60000 });
    check('without a broker it comes back and says why', /taken back/.test(await page.innerText('.note.bad')), await page.innerText('#main'));
    await page.click('a:text-is("What to do")');
    await page.locator('.log .remedy').first().waitFor();
    check('and what to do', /TCP_REFUSED/.test(await page.innerText('.log')), await page.innerText('.log'));
    await browsers.look(page, '13-failures');
}

async function itIsKilled(page) {
    await go(page, 'Zones');
    await device.stop('SIGKILL');
    await page.locator('#away', { hasText: 'does not answer' }).waitFor();
    await browsers.look(page, '17-away');
    check('a device that is gone is told so, and what was shown stays', await page.locator('.zone').count() === 2);
    check('it starts again', await device.start(), device.said);
    await page.locator('#away:empty').waitFor({ state: 'attached' });
    await go(page, 'Device');
    check('and the page goes on without the code', /Running for\s*\d{1,2} s/.test(await page.innerText('.facts')), await page.innerText('.facts'));
}

async function twoAtOnce(first) {
    const second = await browsers.open('desk', device.url);
    await second.fill('#code', device.code);
    await second.click('button:text-is("Open")');
    await second.locator('dialog', { hasText: 'Another browser' }).waitFor();
    await browsers.look(second, '14-two');
    await go(first, 'Device');
    check('while it asks, the first goes on', await first.locator('.facts').isVisible());
    await second.click('dialog button:text-is("Go on here")');
    await second.locator('.steps').waitFor();
    await first.click('#nav a:text-is("Settings")').catch(() => {});
    await first.click('#nav a:text-is("Failures")').catch(() => {});
    await first.locator('.note', { hasText: 'Somebody else' }).waitFor();
    check('after it the first is locked, and told', await first.locator('#nav').isHidden());
    await browsers.look(first, '15-locked');
    await second.context().close();
    const third = await browsers.open('phone', device.url);
    await unlockAnyhow(third);
    check('a browser that was closed in the middle is in nobody’s way', true);
    await third.click('button:text-is("Lock")');
    await third.context().close();
}

async function leftOpen() {
    const page = await browsers.open('desk');
    await page.clock.install();
    await page.goto(device.url);
    await unlock(page);
    await go(page, 'Sensors');
    await page.clock.runFor(590000);
    check('left open for less than ten minutes it stays', await page.locator('#nav').isVisible());
    await page.clock.runFor(30000);
    await page.locator('.note', { hasText: 'ten minutes' }).waitFor();
    check('left open for ten minutes it locks itself', await page.locator('#code').isVisible() && await page.locator('#nav').isHidden());
    await page.clock.resume();
    await unlock(page);
    check('and the device has ended that session too', true);
    await page.clock.fastForward('24:00:00');
    await page.locator('.note', { hasText: 'ten minutes' }).waitFor();
    check('woken after a day it is locked', await page.locator('#nav').isHidden());
    await unlockAnyhow(page);
    await page.click('button:text-is("Lock")');
    await page.context().close();
}

async function byKeyboard() {
    const page = await browsers.open('desk', device.url);
    const key = (name) => page.keyboard.press(name);
    const focused = () => page.evaluate(() => {
        const { activeElement: node } = document, style = getComputedStyle(node);
        return { text: node.textContent.trim().slice(0, 60), id: node.id || node.tagName, seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 };
    });
    const unseen = [];
    const tabTo = async (wanted) => {
        for (let i = 0; i < 80; i++) {
            await key('Tab');
            const at = await focused();
            if (!at.seen && at.id !== 'BODY') // between the last and the first
                unseen.push(at.text || at.id);
            if (at.text === wanted || at.id === wanted)
                return true;
        }
        return false;
    };
    await page.keyboard.type(device.code);
    await key('Enter');
    await page.locator('.steps').waitFor();
    check('by keyboard: the code', true);
    await page.keyboard.press('Shift+Tab');
    check('by keyboard: to the settings', await tabTo('Settings') || (await key('Control+Home'), await tabTo('Settings')));
    await key('Enter');
    await heading(page, 'Settings');
    check('by keyboard: to the search', await tabTo('search'));
    await page.keyboard.type('interval');
    check('by keyboard: to the field', await tabTo('f-telemetry.interval_s'));
    await key('Control+a');
    await page.keyboard.type('45');
    check('by keyboard: to the bar', await tabTo('Review and save'));
    await key('Enter');
    await page.locator('dialog').waitFor();
    await key('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    check('by keyboard: Escape closes the dialogue, and nothing is saved', await page.locator('#bar').isVisible() && (await focused()).text === 'Review and save', JSON.stringify(await focused()));
    await key('Enter');
    check('by keyboard: to Save', (await focused()).text === 'Save' || await tabTo('Save'));
    await key('Enter');
    await said(page, '1 change saved');
    check('by keyboard: what has the focus can be seen', unseen.length === 0, unseen.join(', '));
    await page.click('button:text-is("Lock")');
    await page.context().close();
}

// Somebody stands between and alters what the device says.
async function betweenThem() {
    const page = await browsers.open('phone', device.url);
    let alter = (text) => text;
    await page.route('**/rpc', async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, body: alter(await response.text(), route.request().postData()) });
    });
    const answers = [['no JSON', () => '<html>'], ['null', () => 'null'], ['no base64', (text) => text.replace(/"nonce":"./, '"nonce":"*')],
        ['a nonce that is short', (text) => text.replace(/"nonce":"..../, '"nonce":"')], ['a name that is none', (text) => text.replace(/"device":"[^"]*"/, '"device":{"a":1}')],
        ['another name', (text) => text.replace(/"device":"[^"]*"/, '"device":"other"')], ['another session', (text) => text.replace(/"session":/, '"session":1')],
        ['another proof', (text) => text.replace(/"proof":"(.)/, (_, c) => `"proof":"${c === 'A' ? 'B' : 'A'}`)]];
    for (const [what, how] of answers) {
        alter = how;
        await page.fill('#code', device.code);
        await page.click('button:text-is("Open")');
        await page.locator('button:text-is("Open"):not([aria-busy])').waitFor();
        const told = await error(page);
        check(`${what} opens nothing, and is told (F1)`, await page.locator('#nav').isHidden() && told.length > 20 && !/made a mistake/.test(told), told);
    }
    alter = (text) => text;
    await unlockAnyhow(page);
    alter = (text, sent) => sent.includes('Session.Call') ? text.replace(/"box":"(.)/, (_, c) => `"box":"${c === 'A' ? 'B' : 'A'}`) : text;
    await page.click('#nav a:text-is("Failures")');
    await page.locator('#main [role=alert]', { hasText: 'did not work' }).waitFor();
    check('an answer that was altered is not believed', /altered under way/.test(await page.innerText('#main')), await page.innerText('#main'));
    alter = (text) => text;
    await page.click('button:text-is("Try again")');
    await page.locator('#main .empty, #main .log').first().waitFor();
    await page.unrouteAll({ behavior: 'wait' });
    await page.click('button:text-is("Lock")');
    await page.context().close();
}

async function thePolicyHolds() {
    const page = await browsers.open('desk', device.url, { silent: false });
    const ran = await page.evaluate(async () => {
        const script = document.createElement('script');
        script.textContent = 'window.intruder = true';
        document.body.append(script);
        const image = await fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused');
        return [window.intruder === true, image];
    });
    check('a script that is not the page’s does not run, and it talks to nobody else', !ran[0] && ran[1] === 'refused', ran.join());
    await page.context().close();
}

async function itIsReset(page) {
    await page.goto(device.url);
    await unlock(page);
    await go(page, 'Device');
    await page.click('button:text-is("Factory reset …")');
    const erase = page.locator('dialog button:text-is("Erase")');
    check('a reset must be confirmed by typing the name', await erase.isDisabled());
    await page.fill('#word', 'lam');
    check('all of it', await erase.isDisabled());
    await page.fill('#word', 'lamp');
    await browsers.look(page, '16-reset');
    await erase.click();
    await page.locator('.note', { hasText: 'as new' }).waitFor({ timeout: 30000 });
    await unlock(page);
    const facts = await page.innerText('#main');
    check('afterwards it is blank (I9)', /none yet/.test(facts) && /no certificate yet/.test(facts) && /No Wi-Fi chosen/.test(facts), facts);
}

// ---- the course ----

await browsers.start();
check('a blank device opens its page', await device.start(), device.said);
check('and shows its code on the console', device.code !== '', device.said);
const page = await browsers.open('phone', device.url);
for (const scene of [aWrongCode, settingsAreSaved, muchIsSaved, zonesRun, wifiIsJoined, sensorsShow, itIsEnrolled, itCannotConnect, itIsKilled, twoAtOnce, leftOpen, byKeyboard, betweenThem, thePolicyHolds, itIsReset]) {
    const begin = Date.now();
    try {
        await scene(page);
    } catch (wrong) {
        check(`${scene.name} goes through`, false, wrong.stack);
        await page.screenshot({ path: `${process.env.THIMBLE_BUILD}/browser/failed-${scene.name}.png` }).catch(() => {});
        break; // the next scene begins where this one ends
    }
    console.log(`     ${scene.name}: ${Date.now() - begin} ms`);
}
const sent = browsers.sent.join('\n'), code = device.code.replaceAll('-', '');
check('the code was never sent (F1)', !sent.includes(code) && !sent.includes(device.code) && browsers.sent.length > 100);
check('nor a secret that anybody could read (I1)', !sent.includes(SECRET) && !sent.includes('secret words') && !/mqtt\.pass|Config\.Set/.test(sent));
check('the browser had nothing to complain of', browsers.errors.length === 0, browsers.errors.join('\n'));
check('every view fits on 320 pixels', browsers.tooWide.length === 0, browsers.tooWide.join('\n'));
check('axe found no violation', browsers.violations.length === 0, browsers.violations.join('\n'));
await browsers.stop();
await device.stop();
await wait(0);
finish();
