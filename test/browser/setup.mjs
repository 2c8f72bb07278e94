// SPDX-License-Identifier: MIT
// From blank to enrolled: F1, F2, F4, I1.
import { readFileSync } from 'node:fs';
import {
    device,
    browsers,
    SECRET,
    error,
    heading,
    unlock,
    unlockAnyhow,
    go,
    edit,
    said
} from './hands.mjs';
import { check, put, thimble, until } from './world.mjs';

export async function aWrongCode(page) {
    check('a captive portal leads to the page', page.url().endsWith('/config'), page.url());
    check(
        'before the code it says what it is, and no more (F4)',
        !/version|0\.1|mac|mqtt/i.test(await page.innerText('body')),
        await page.innerText('body')
    );
    await browsers.look(page, '1-code');
    await page.click('button:text-is("Open")');
    check('no code is told so', /Type the code/.test(await error(page)), await error(page));
    await page.fill('#code', '0123-4567-89AB-CDE');
    await page.click('button:text-is("Open")');
    check(
        'a code that is short is told so',
        /16 characters; this has 15/.test(await error(page)),
        await error(page)
    );
    await page.fill('#code', '0123-4567-89AB-CDEU');
    await page.click('button:text-is("Open")');
    check(
        'a character that no code has is told so',
        /no “U”/.test(await error(page)),
        await error(page)
    );
    for (let i = 0; i < 5; i++) {
        await page.fill('#code', '0123-4567-89AB-CDE' + i);
        await page.click('button:text-is("Open")');
        await page.locator('button:text-is("Open"):not([aria-busy])').waitFor();
    }
    check(
        'a wrong code is told so (F1)',
        /not the code of this device/.test(await error(page)),
        await error(page)
    );
    await browsers.look(page, '2-wrong-code');
    await page.click('button:text-is("Open")');
    await page.locator('.error', { hasText: 'Too many wrong codes' }).waitFor();
    check(
        'after too many it says how long to wait (F2)',
        await page.locator('button:text-is("Open")').isDisabled()
    );
    await page.locator('.error', { hasText: 'You can try again now' }).waitFor();
    await page.locator('#code').fill('');
    await page.locator('#code').pressSequentially(device.code.replaceAll('-', '').toLowerCase());
    check(
        'a code is brought into groups while it is typed',
        (await page.inputValue('#code')) === device.code,
        await page.inputValue('#code')
    );
    await page.keyboard.press('Enter');
    await page.locator('.steps').waitFor();
    check(
        'the right code opens it',
        /none yet/.test(await page.innerText('.facts')),
        await page.innerText('#main')
    );
    await browsers.look(page, '3-device');
}

export async function settingsAreSaved(page) {
    await go(page, 'Settings');
    await browsers.look(page, '4-settings');
    await page.fill('#search', 'nothing like this');
    check(
        'a search that finds nothing says so',
        /Nothing is called/.test(await page.innerText('search')),
        await page.innerText('search')
    );
    const field = await edit(page, 'telemetry.interval_s', '0');
    const message = await page.locator('[id="f-telemetry.interval_s-e"]').textContent();
    check(
        'a value out of range has its message at its field',
        message === 'A whole number from 1 to 86400.' &&
            (await field.getAttribute('aria-invalid')) === 'true',
        message
    );
    await browsers.look(page, '5-invalid');
    await edit(page, 'telemetry.interval_s', '30');
    await edit(page, 'sys.tz_spec', 'nonsense 3');
    await page.click('button:text-is("Review and save")');
    await page.click('dialog button:text-is("Save")');
    await until(async () => await page.locator('[id="f-sys.tz_spec-e"]').textContent());
    check(
        'what only the device can judge has its message there as well',
        (await page.locator('[id="f-sys.tz_spec"]').getAttribute('aria-invalid')) === 'true',
        await page.innerText('#main')
    );
    await edit(page, 'sys.tz_spec', 'CET-1CEST,M3.5.0,M10.5.0/3');
    await edit(page, 'zones.count', '2');
    await edit(page, 'zones.pins', '5,4');
    await edit(page, 'mqtt.pass', SECRET);
    await page.click('button:text-is("Review and save")');
    await browsers.look(page, '6-review');
    const shown = await page.innerText('dialog');
    check(
        'before saving, old and new stand side by side',
        /telemetry\.interval_s\s+was 60\s*→?\s*will be 30/.test(shown.replace(/\s+/g, ' ')),
        shown
    );
    check(
        'a secret is not shown there (I1)',
        !shown.includes(SECRET) && /mqtt\.pass/.test(shown),
        shown
    );
    check(
        'and it says when each takes effect',
        /takes effect at once/.test(shown) && /with the next connection/.test(shown),
        shown
    );
    await page.click('dialog button:text-is("Save")');
    await said(page, '5 changes saved');
    await page.reload();
    await unlock(page);
    await go(page, 'Settings');
    await page.fill('#search', 'telemetry.interval_s');
    check(
        'after a reload they are there',
        (await page.inputValue('[id="f-telemetry.interval_s"]')) === '30'
    );
    await page.fill('#search', 'mqtt.pass');
    check(
        'a secret is never given out, only that it is set (I1)',
        (await page.inputValue('[id="f-mqtt.pass"]')) === '' &&
            /^set/.test(await page.getAttribute('[id="f-mqtt.pass"]', 'placeholder'))
    );
    await edit(page, 'log.level', 'debug');
    await page.click('button:text-is("Discard")');
    check(
        'changes can be discarded',
        (await page.locator('#bar').isHidden()) &&
            (await page.inputValue('[id="f-log.level"]')) === 'info'
    );
}

export async function muchIsSaved(page) {
    const week =
        'Mo 05:00 60; Tu 05:01 60; We 05:02 60; Th 05:03 60; Fr 05:04 60; Sa 05:05 60; Su 05:06 60';
    for (let n = 1; n <= 8; n++) await edit(page, `zones.start${n}`, week);
    await edit(page, 'sntp.server', 'a'.repeat(64));
    await edit(page, 'mqtt.user', 'u'.repeat(64));
    await edit(page, 'mqtt.client_id', 'c'.repeat(64));
    await edit(
        page,
        'telemetry.alarms',
        'host_load>9.50, host_temp>90.0, host_mem>99, Ain0<0, Ain1<0, Ain2<0, Ain3<0, ' +
            'Ain4<0, Ain5<0, Ain6<0, Ain7<0'
    );
    await edit(page, 'wifi.sta.ip', '192.168.1.300');
    await page.click('button:text-is("Review and save")');
    check(
        'what is wrong is gone to, and has the focus',
        (await page.evaluate('document.activeElement.id')) === 'f-wifi.sta.ip'
    );
    await edit(page, 'wifi.sta.ip', '192.168.1.30');
    await edit(page, 'ha.caller', 'hass');
    await page.click('button:text-is("Review and save")');
    check(
        'what needs a restart says so',
        /takes effect after a restart/.test(await page.innerText('dialog')),
        await page.innerText('dialog')
    );
    const orders = () => device.said.split('asks for Config.Set\n').length,
        before = orders();
    await page.click('dialog button:text-is("Save")');
    await page.locator('dialog h2:text-is("Saved")').waitFor();
    check('much is saved in parts', orders() - before === 2, orders() - before);
    await page.click('dialog button:text-is("Restart now")');
    await heading(page, 'Restarting');
    await heading(page, 'Settings');
    check(
        'the page comes back by itself after the restart',
        /started by a restart/.test(device.said),
        device.said
    );
    for (const [name, value] of [
        ['zones.start2', week],
        ['mqtt.client_id', 'c'.repeat(64)],
        ['wifi.sta.ip', '192.168.1.30']
    ]) {
        await page.fill('#search', name);
        check(
            `${name} is as it was saved`,
            (await page.inputValue(`[id="f-${name}"]`)) === value,
            await page.inputValue(`[id="f-${name}"]`)
        );
    }
    await edit(page, 'wifi.sta.ip', '');
    await edit(page, 'mqtt.client_id', '');
    await edit(page, 'mqtt.user', '');
    for (let n = 1; n <= 8; n++) await edit(page, `zones.start${n}`, '');
    await page.click('button:text-is("Review and save")');
    await page.click('dialog button:text-is("Save")');
    await page.locator('dialog h2:text-is("Saved")').waitFor();
    await page.click('dialog button:text-is("Back")');
}

export async function zonesRun(page) {
    await go(page, 'Zones');
    const card = page.locator('.zone').first();
    await card.locator('input').fill('86401');
    await card.locator('button:text-is("On")').click();
    check(
        'longer than a zone may run is refused with a reason',
        (await error(page)).length > 10,
        await error(page)
    );
    await card.locator('input').fill('3');
    await card.locator('button:text-is("On")').click();
    await page.locator('.zone.on').waitFor();
    const since = Date.now();
    check(
        'a zone goes on, and says for how long',
        /on, [1-3] s left/.test(await card.innerText()),
        await card.innerText()
    );
    await browsers.look(page, '7-zones');
    await page.locator('.zone.on').waitFor({ state: 'detached' });
    check('and off by itself', Date.now() - since < 10000, Date.now() - since);
    await card.locator('input').fill('60');
    await card.locator('button:text-is("On")').click();
    await page.locator('.zone.on').waitFor();
    await card.locator('button:text-is("Off")').click();
    await page.locator('.zone.on').waitFor({ state: 'detached' });
    check(
        'Off switches it off at once',
        /off/.test(await card.innerText()),
        await card.innerText()
    );
}

export async function wifiIsJoined(page) {
    await go(page, 'Wi-Fi');
    await page.locator('.networks button', { hasText: 'garden' }).click();
    check(
        'a network that was chosen is filled in, and the pass phrase is next',
        (await page.inputValue('#ssid')) === 'garden' &&
            (await page.evaluate('document.activeElement.id')) === 'pass'
    );
    await browsers.look(page, '8-wifi');
    await page.fill('#pass', 'short');
    await page.click('button:text-is("Join")');
    check(
        'a pass phrase that is too short is told so',
        /at least 8/.test(await error(page)),
        await error(page)
    );
    await page.fill('#pass', 'secret words');
    await page.click('button:text-is("Join")');
    await page.locator('.note.good', { hasText: 'garden' }).waitFor();
    check('the network is kept', true);
}

export async function sensorsShow(page) {
    await go(page, 'Sensors');
    await page.locator('.sensor .line[d*="L"]').first().waitFor({ state: 'attached' });
    const names = await page.locator('.sensor h2').allInnerTexts();
    check(
        'sensors are read and drawn',
        names.includes('host_load') && names.includes('Ain0'),
        names.join()
    );
    await browsers.look(page, '9-sensors');
}

async function halfABundle(page, bundle) {
    await page.click('button:text-is("Lock")');
    const other = await browsers.open('desk', device.url);
    await unlock(other);
    await go(other, 'Credentials');
    await other.setInputFiles('#file', bundle);
    let pieces = 0;
    // No more than three go out.
    await other.route('**/rpc', (route) => (++pieces <= 3 ? route.continue() : undefined));
    await other.click('button:text-is("Enrol")');
    await until(() => pieces > 3);
    await other.context().close();
    await unlockAnyhow(page);
    await go(page, 'Credentials');
    check(
        'closed while it sends the bundle: not enrolled, and the request still counts',
        /A request is waiting/.test(await page.innerText('#main')),
        await page.innerText('#main')
    );
}

export async function itIsEnrolled(page) {
    await go(page, 'Credentials');
    await page.fill('#name', 'Lamp!');
    await page.click('form button.main');
    check(
        'a name that cannot be is told so',
        /1 to 32 of/.test(await error(page)),
        await error(page)
    );
    await page.fill('#name', 'lamp');
    await page.click('button:text-is("Make the request")');
    await page.locator('.made').waitFor();
    await browsers.look(page, '10-request');
    const coming = page.waitForEvent('download');
    await page.click('button:text-is("Download the request")');
    const file = await coming;
    const request = put('lamp.request', '');
    await file.saveAs(request);
    check(
        'the request comes as a file',
        file.suggestedFilename() === 'lamp.request' &&
            readFileSync(request, 'utf8').includes('BEGIN THIMBLE ENROLMENT REQUEST'),
        file.suggestedFilename()
    );
    const bundle = `${process.env.SCRATCH}/lamp.bundle`;
    const answer = thimble('device', 'enrol', 'lamp', '--request', request, '--out', bundle);
    check('the tool answers it', answer.ok, answer.said);
    await page.click('summary:text-is("Or paste its text")');
    for (const [text, told] of [
        ['-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----', /private key.*not sent/],
        ['-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----', /certificate alone/],
        [readFileSync(request, 'utf8'), /That is the request/],
        ['', /Choose the file/]
    ]) {
        await page.fill('#paste', text);
        await page.click('button:text-is("Enrol")');
        await until(async () => told.test(await error(page).catch(() => '')), 3000);
        check(
            `what is no bundle is told so: ${told}`,
            told.test(await error(page)),
            await error(page)
        );
    }
    const altered = readFileSync(bundle, 'utf8').replace(
        /(-----BEGIN[^\n]*\n.{20})(.)/,
        (_, before, c) => before + (c === 'A' ? 'B' : 'A')
    );
    await page.fill('#paste', altered);
    await page.click('button:text-is("Enrol")');
    await until(async () => !/Choose/.test(await error(page).catch(() => 'Choose')), 8000);
    check(
        'a bundle that was altered is refused, with a reason',
        (await error(page)).length > 10,
        await error(page)
    );
    await halfABundle(page, bundle);
    await page.setInputFiles('#file', bundle);
    await page.click('button:text-is("Enrol")');
    await page.locator('h2', { hasText: 'Enrolled as lamp' }).waitFor();
    check('the bundle enrols it', true);
    await browsers.look(page, '11-enrolled');
}
