// SPDX-License-Identifier: MIT
// The device, the browsers, and what a person does with them.
import { Browsers, Device, freePort, put, until } from './world.mjs';

const air = put('air', 'ssid=garden\npass=secret words\n');
const pins = put('pins', '');
const board = ['--board', `wifi=${air}`, '--board', `pins=${pins}`, '--board', 'clock=host'];
export const device = new Device(await freePort(), board);
export const browsers = new Browsers();
export const SECRET = 'a-password-that-must-not-be-seen';

export const error = (page) => page.locator('.error:not(:empty)').first().textContent();
export const heading = (page, text) => page.locator('h1', { hasText: text }).waitFor();
export async function unlock(page, code = device.code) {
    await page.fill('#code', code);
    await page.click('button:text-is("Open")');
    await page.locator('#nav').waitFor();
    await until(async () => (await page.locator('#main .loading').count()) === 0);
}
export async function unlockAnyhow(page) {
    await page.fill('#code', device.code);
    await page.click('button:text-is("Open")');
    await page.locator('#nav:visible, dialog').first().waitFor();
    if ((await page.locator('dialog').count()) > 0)
        await page.click('dialog button:text-is("Go on here")');
    await page.locator('#nav').waitFor();
}
export async function go(page, part) {
    await page.click(`#nav a:text-is("${part}")`);
    await heading(page, part);
    await until(async () => (await page.locator('#main .loading').count()) === 0);
}
export async function edit(page, name, value) {
    await page.fill('#search', name);
    const field = page.locator(`[id="f-${name}"]`);
    if ((await field.evaluate((node) => node.tagName)) === 'SELECT')
        await field.selectOption(value);
    else await field.fill(value);
    await field.blur();
    return field;
}
export const said = (page, text) =>
    page.locator('#said', { hasText: text }).waitFor({ state: 'attached' });
