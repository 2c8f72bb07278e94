// SPDX-License-Identifier: MIT
// What scripts/demo-modes has Chromium do with the page: `set-up`, or `look` at what was kept.
// usage: demo.mjs set-up|look URL CODE
import { Browsers, thimble } from './world.mjs';

const [, , act, url, code] = process.argv;
const { SCRATCH: scratch } = process.env;
const browsers = new Browsers();
const tell = (text) => console.log('  page | ' + text);

async function edit(page, name, value) {
    await page.fill('#search', name);
    const field = page.locator(`[id="f-${name}"]`);
    if ((await field.getAttribute('role')) === 'switch') await field.setChecked(value === 'true');
    else await field.fill(value);
    tell(`${name} = ${value}`);
}
async function go(page, part) {
    await page.click(`#nav a:text-is("${part}")`);
    await page.locator('h1', { hasText: part }).waitFor();
}

async function setUp(page) {
    await go(page, 'Settings');
    await edit(page, 'zones.count', '2');
    await edit(page, 'zones.pins', '5,4');
    await edit(page, 'telemetry.interval_s', '30');
    await edit(page, 'legacy.enable', 'true');
    await edit(page, 'legacy.mac', '18:fe:34:00:00:01');
    await page.click('button:text-is("Review and save")');
    await page.click('dialog button:text-is("Save")');
    await page.click('dialog button:text-is("Restart now")');
    tell('saved, and restarted for what needs it');
    await page.locator('h1:text-is("Settings")').waitFor();
    await go(page, 'Credentials');
    await page.fill('#name', 'lamp');
    await page.click('button:text-is("Make the request")');
    const coming = page.waitForEvent('download');
    await page.click('button:text-is("Download the request")');
    await (await coming).saveAs(`${scratch}/lamp.request`);
    tell('a request for certificates, over keys that were made on the device');
    const words = [
        'device',
        'enrol',
        'lamp',
        '--request',
        `${scratch}/lamp.request`,
        '--out',
        `${scratch}/lamp.bundle`
    ];
    console.log(`  $ thimble device enrol lamp --request lamp.request --out lamp.bundle`);
    const answer = thimble(...words);
    if (!answer.ok) throw new Error(answer.said);
    await page.setInputFiles('#file', `${scratch}/lamp.bundle`);
    await page.click('button:text-is("Enrol")');
    await page.locator('h2', { hasText: 'Enrolled as lamp' }).waitFor();
    tell('enrolled as lamp');
    await go(page, 'Device');
    await page.click('button:text-is("Switch to MQTT mode")');
    await page.click('dialog button:text-is("Switch")');
    await page.locator('h1', { hasText: 'Switching' }).waitFor();
    tell('switching to MQTT mode');
}

async function look(page) {
    tell((await page.innerText('.facts')).split('\n').slice(0, 4).join(' '));
    await go(page, 'Settings');
    for (const [name, value] of [
        ['zones.count', '2'],
        ['zones.pins', '5,4'],
        ['telemetry.interval_s', '30']
    ]) {
        await page.fill('#search', name);
        const found = await page.inputValue(`[id="f-${name}"]`);
        tell(`${name} = ${found}`);
        if (found !== value) throw new Error(`${name} was ${value}`);
    }
}

await browsers.start();
try {
    const page = await browsers.open('phone', url);
    await page.fill('#code', code);
    await page.click('button:text-is("Open")');
    await page.locator('.steps').waitFor();
    tell('the code is proved; it was not sent');
    await (act === 'look' ? look : setUp)(page);
} catch (error) {
    console.log(`  page | ${error.message}`);
    process.exitCode = 1;
} finally {
    await browsers.stop();
}
