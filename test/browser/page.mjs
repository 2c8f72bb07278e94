// SPDX-License-Identifier: MIT
// A person sets a blank device up through its page: F1, F2, F3, F4, I1, I9. The device is the real
// one, the browser Chromium at the size of a phone and of a desk. Each scene begins where the one
// before it ended.
import { SECRET, browsers, device } from './hands.mjs';
import * as setup from './setup.mjs';
import * as life from './life.mjs';
import { check, finish } from './world.mjs';

const scenes = [
    setup.aWrongCode,
    setup.settingsAreSaved,
    setup.muchIsSaved,
    setup.zonesRun,
    setup.wifiIsJoined,
    setup.sensorsShow,
    setup.itIsEnrolled,
    life.itCannotConnect,
    life.itIsKilled,
    life.twoAtOnce,
    life.leftOpen,
    life.byKeyboard,
    life.betweenThem,
    life.thePolicyHolds,
    life.itIsReset
];

await browsers.start();
check('a blank device opens its page', await device.start(), device.said);
check('and shows its code on the console', device.code !== '', device.said);
const page = await browsers.open('phone', device.url);
for (const scene of scenes) {
    const begin = Date.now();
    try {
        await scene(page);
    } catch (wrong) {
        check(`${scene.name} goes through`, false, wrong.stack);
        await page
            .screenshot({ path: `${process.env.THIMBLE_BUILD}/browser/failed-${scene.name}.png` })
            .catch(() => {});
        break; // the next scene begins where this one ends
    }
    console.log(`     ${scene.name}: ${Date.now() - begin} ms`);
}
const sent = browsers.sent.join('\n'),
    code = device.code.replaceAll('-', '');
check(
    'the code was never sent (F1)',
    !sent.includes(code) && !sent.includes(device.code) && browsers.sent.length > 100
);
check(
    'nor a secret that anybody could read (I1)',
    !sent.includes(SECRET) && !sent.includes('secret words') && !/mqtt\.pass|Config\.Set/.test(sent)
);
check(
    'the browser had nothing to complain of',
    browsers.errors.length === 0,
    browsers.errors.join('\n')
);
check('every view fits on 320 pixels', browsers.tooWide.length === 0, browsers.tooWide.join('\n'));
check('axe found no violation', browsers.violations.length === 0, browsers.violations.join('\n'));
await browsers.stop();
await device.stop();
finish();
