// SPDX-License-Identifier: MIT
// What happens to a page and its device afterwards: F1, F3, I9.
import { device, browsers, error, heading, unlock, unlockAnyhow, go, said } from './hands.mjs';
import { check, listens, until } from './world.mjs';

export async function itCannotConnect(page) {
    await go(page, 'Device');
    await page.click('button:text-is("Switch to MQTT mode")');
    await page.click('dialog button:text-is("Switch")');
    await heading(page, 'Switching to MQTT mode');
    check(
        'in MQTT mode nothing listens (F3)',
        await until(async () => !(await listens(device.port)))
    );
    await browsers.look(page, '12-leaving');
    await page.locator('.note.bad').waitFor({ timeout: 60000 });
    check(
        'without a broker it comes back and says why',
        /taken back/.test(await page.innerText('.note.bad')),
        await page.innerText('#main')
    );
    await page.click('a:text-is("What to do")');
    await page.locator('.log .remedy').first().waitFor();
    check(
        'and what to do',
        /TCP_REFUSED/.test(await page.innerText('.log')),
        await page.innerText('.log')
    );
    await browsers.look(page, '13-failures');
}

export async function itIsKilled(page) {
    await go(page, 'Zones');
    await device.stop('SIGKILL');
    await page.locator('#away', { hasText: 'does not answer' }).waitFor();
    await browsers.look(page, '17-away');
    check(
        'a device that is gone is told so, and what was shown stays',
        (await page.locator('.zone').count()) === 2
    );
    check('it starts again', await device.start(), device.said);
    await page.locator('#away:empty').waitFor({ state: 'attached' });
    await go(page, 'Device');
    check(
        'and the page goes on without the code',
        /Running for\s*\d{1,2} s/.test(await page.innerText('.facts')),
        await page.innerText('.facts')
    );
}

export async function twoAtOnce(first) {
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

export async function leftOpen() {
    const page = await browsers.open('desk');
    await page.clock.install();
    await page.goto(device.url);
    await unlock(page);
    await go(page, 'Sensors');
    await page.clock.runFor(590000);
    check('left open for less than ten minutes it stays', await page.locator('#nav').isVisible());
    await page.clock.runFor(30000);
    await page.locator('.note', { hasText: 'ten minutes' }).waitFor();
    check(
        'left open for ten minutes it locks itself',
        (await page.locator('#code').isVisible()) && (await page.locator('#nav').isHidden())
    );
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

export async function byKeyboard() {
    const page = await browsers.open('desk', device.url);
    const key = (name) => page.keyboard.press(name);
    const focused = () =>
        page.evaluate(() => {
            const { activeElement: node } = document,
                style = getComputedStyle(node);
            return {
                text: node.textContent.trim().slice(0, 60),
                id: node.id || node.tagName,
                seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2
            };
        });
    const unseen = [];
    const tabTo = async (wanted) => {
        for (let i = 0; i < 80; i++) {
            await key('Tab');
            const at = await focused();
            if (!at.seen && at.id !== 'BODY')
                // between the last and the first
                unseen.push(at.text || at.id);
            if (at.text === wanted || at.id === wanted) return true;
        }
        return false;
    };
    await page.keyboard.type(device.code);
    await key('Enter');
    await page.locator('.steps').waitFor();
    check('by keyboard: the code', true);
    await page.keyboard.press('Shift+Tab');
    check(
        'by keyboard: to the settings',
        (await tabTo('Settings')) || (await key('Control+Home'), await tabTo('Settings'))
    );
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
    check(
        'by keyboard: Escape closes the dialogue, and nothing is saved',
        (await page.locator('#bar').isVisible()) && (await focused()).text === 'Review and save',
        JSON.stringify(await focused())
    );
    await key('Enter');
    check('by keyboard: to Save', (await focused()).text === 'Save' || (await tabTo('Save')));
    await key('Enter');
    await said(page, '1 change saved');
    check('by keyboard: what has the focus can be seen', unseen.length === 0, unseen.join(', '));
    await page.click('button:text-is("Lock")');
    await page.context().close();
}

export async function betweenThem() {
    const page = await browsers.open('phone', device.url);
    let alter = (text) => text;
    await page.route('**/rpc', async (route) => {
        const response = await route.fetch();
        await route.fulfill({
            response,
            body: alter(await response.text(), route.request().postData())
        });
    });
    const answers = [
        ['no JSON', () => '<html>'],
        ['null', () => 'null'],
        ['no base64', (text) => text.replace(/"nonce":"./, '"nonce":"*')],
        ['a nonce that is short', (text) => text.replace(/"nonce":"..../, '"nonce":"')],
        ['a name that is none', (text) => text.replace(/"device":"[^"]*"/, '"device":{"a":1}')],
        ['another name', (text) => text.replace(/"device":"[^"]*"/, '"device":"other"')],
        ['another session', (text) => text.replace(/"session":/, '"session":1')],
        [
            'another proof',
            (text) => text.replace(/"proof":"(.)/, (_, c) => `"proof":"${c === 'A' ? 'B' : 'A'}`)
        ]
    ];
    for (const [what, how] of answers) {
        alter = how;
        await page.fill('#code', device.code);
        await page.click('button:text-is("Open")');
        await page.locator('button:text-is("Open"):not([aria-busy])').waitFor();
        const told = await error(page);
        check(
            `${what} opens nothing, and is told (F1)`,
            (await page.locator('#nav').isHidden()) &&
                told.length > 20 &&
                !/made a mistake/.test(told),
            told
        );
    }
    alter = (text) => text;
    await unlockAnyhow(page);
    alter = (text, sent) =>
        sent.includes('Session.Call')
            ? text.replace(/"box":"(.)/, (_, c) => `"box":"${c === 'A' ? 'B' : 'A'}`)
            : text;
    await page.click('#nav a:text-is("Failures")');
    await page.locator('#main [role=alert]', { hasText: 'did not work' }).waitFor();
    check(
        'an answer that was altered is not believed',
        /altered under way/.test(await page.innerText('#main')),
        await page.innerText('#main')
    );
    alter = (text) => text;
    await page.click('button:text-is("Try again")');
    await page.locator('#main .empty, #main .log').first().waitFor();
    await page.unrouteAll({ behavior: 'wait' });
    await page.click('button:text-is("Lock")');
    await page.context().close();
}

export async function thePolicyHolds() {
    const page = await browsers.open('desk', device.url, { silent: false });
    const ran = await page.evaluate(async () => {
        const script = document.createElement('script');
        script.textContent = 'window.intruder = true';
        document.body.append(script);
        const image = await fetch('http://127.0.0.1:9/').then(
            () => 'sent',
            () => 'refused'
        );
        return [window.intruder === true, image];
    });
    check(
        'a script that is not the page’s does not run, and it talks to nobody else',
        !ran[0] && ran[1] === 'refused',
        ran.join()
    );
    await page.context().close();
}

export async function itIsReset(page) {
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
    check(
        'afterwards it is blank (I9)',
        /none yet/.test(facts) && /no certificate yet/.test(facts) && /No Wi-Fi chosen/.test(facts),
        facts
    );
}
