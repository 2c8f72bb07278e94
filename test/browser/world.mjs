// SPDX-License-Identifier: MIT
// A real thimble-device, real browsers in front of its page, and checks that are sentences.
import { spawn, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';

const { THIMBLE_BUILD: build, THIMBLE_PACKAGES: packages, SCRATCH: scratch } = process.env;
const require = createRequire(packages + '/');
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const SHOTS = process.env.THIMBLE_SHOTS || process.env.THIMBLE_TEST_MODE === 'full';
export const SIZES = { phone: { width: 360, height: 740 }, desk: { width: 1200, height: 800 } };
export const wait = (ms) => new Promise((done) => setTimeout(done, ms));
let checks = 0,
    failures = 0;

export function check(sentence, holds, found = '') {
    checks++;
    failures += holds ? 0 : 1;
    console.log(`${holds ? 'ok  ' : 'FAIL'} ${sentence}`);
    if (!holds) console.log(`       found: ${String(found).slice(0, 2000)}`);
}

// Until `holds` gives something; false when that took longer.
export async function until(holds, ms = 10000) {
    for (const end = Date.now() + ms; Date.now() < end; await wait(50)) {
        const found = await holds();
        if (found) return found;
    }
    return false;
}

export function freePort() {
    return new Promise((done) => {
        const server = net.createServer().listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => done(port));
        });
    });
}
export const listens = (port) =>
    new Promise((done) => {
        const socket = net.connect(port, '127.0.0.1', () => {
            socket.destroy();
            done(true);
        });
        socket.on('error', () => done(false));
    });

// ---- the device ----

export class Device {
    constructor(port, options = []) {
        Object.assign(this, {
            port,
            options,
            said: '',
            code: '',
            url: `http://127.0.0.1:${port}/`
        });
    }
    start() {
        this.said = '';
        this.process = spawn(`${build}/ports/thimble-device`, [
            '--flash',
            `${scratch}/page.flash`,
            '--http',
            `127.0.0.1:${this.port}`,
            ...this.options
        ]);
        for (const stream of [this.process.stdout, this.process.stderr])
            stream.on('data', (part) => {
                this.said += part;
            });
        return this.says(/the page is at http/);
    }
    async says(pattern, ms) {
        const found = await until(() => this.said.match(pattern), ms);
        const code = this.said.match(/((?:[0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4})/);
        this.code = code ? code[1] : this.code;
        return found;
    }
    stop(signal = 'SIGTERM') {
        return new Promise((done) => {
            this.process.once('exit', done);
            this.process.kill(signal);
        });
    }
}

export function thimble(...words) {
    const run = spawnSync(`${build}/tool/thimble`, words, { encoding: 'utf8' });
    return { ok: run.status === 0, said: run.stdout + run.stderr };
}

// ---- the browsers ----

// What a browser itself says when the device is away, which a page can't keep it from saying.
const AWAY = /net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|SOCKET_NOT_CONNECTED)/;

export class Browsers {
    async start() {
        this.browser = await chromium.launch({
            executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
            args: ['--no-sandbox', '--disable-gpu']
        });
        this.errors = [];
        this.sent = [];
        this.violations = [];
        this.tooWide = [];
        mkdirSync(`${build}/browser`, { recursive: true });
    }
    async open(size, url, { silent = true } = {}) {
        const context = await this.browser.newContext({
            viewport: SIZES[size],
            hasTouch: size === 'phone',
            acceptDownloads: true,
            locale: 'en-GB'
        });
        const page = await context.newPage();
        page.setDefaultTimeout(15000);
        page.on('request', (request) =>
            this.sent.push(request.url() + ' ' + (request.postData() || ''))
        );
        page.on('pageerror', (error) => this.errors.push(error.stack));
        page.on('console', (message) => {
            if (silent && message.type() === 'error' && !AWAY.test(message.text()))
                this.errors.push(message.text());
        });
        if (url) await page.goto(url);
        return page;
    }
    // axe over two of four looks; pictures of all four in full mode, or with THIMBLE_SHOTS=1.
    async look(page, name) {
        const before = page.viewportSize();
        for (const [size, scheme] of [
            ['phone', 'light'],
            ['phone', 'dark'],
            ['desk', 'light'],
            ['desk', 'dark']
        ]) {
            const judged = (size === 'phone') === (scheme === 'light');
            if (!judged && !SHOTS) continue;
            await page.setViewportSize(SIZES[size]);
            await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
            if (SHOTS)
                await page.screenshot({ path: `${build}/browser/${name}-${size}-${scheme}.png` });
            if (judged) await this.axe(page, `${name}, ${size}, ${scheme}`);
        }
        await page.emulateMedia({ colorScheme: 'light' });
        await page.setViewportSize({ width: 320, height: 600 });
        const wide = await page.evaluate('document.documentElement.scrollWidth');
        if (wide > 320) this.tooWide.push(`${name}: ${wide}`);
        await page.setViewportSize(before);
    }
    async axe(page, where) {
        if (!(await page.evaluate('"axe" in window'))) await page.evaluate(axe + ';0');
        const found = await page.evaluate("axe.run({ resultTypes: ['violations'] })");
        for (const { id, nodes } of found.violations)
            this.violations.push(
                `${where}: ${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`
            );
    }
    async stop() {
        await this.browser.close();
    }
}

export const put = (name, text) => {
    writeFileSync(`${scratch}/${name}`, text);
    return `${scratch}/${name}`;
};

export function finish() {
    console.log(`${checks} checks, ${failures} failed`);
    process.exitCode = failures === 0 && checks > 0 ? 0 : 1;
}
