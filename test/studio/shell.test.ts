import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { equal, is, match, ok, suite } from '../suite.ts';
import { openStudio, type Studio, screenshot } from './studio.ts';

const test = suite('studio: page and server');

let studio: Studio;

test.before(async () => {
  studio = await openStudio();
});
test.after(() => studio?.close());

/** Status of a request as a foreign page could make it. */
const statusOf = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<number> =>
  new Promise((resolve, reject) => {
    const { port } = new URL(studio.url);
    const sent = request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    sent.on('error', reject);
    sent.end();
  });

test('the server answers this machine alone, by its own names, with its own files', async () => {
  const { port } = new URL(studio.url);
  is(await statusOf('/'), 200);
  is(await statusOf('/', { host: `localhost:${port}` }), 200);
  for (const host of ['attacker.example', `192.168.1.7:${port}`, '127.0.0.1.attacker.example'])
    is(await statusOf('/', { host }), 403, host);
  for (const path of [
    '/../package.json',
    '/%2e%2e/%2e%2e/package.json',
    '/..%2fpackage.json',
    '/%00',
    '/nothing.js',
    '/%',
  ])
    ok([400, 404].includes(await statusOf(path)), path);
  is(await statusOf('/', {}, 'POST'), 405);
});

test('every answer carries the policy that allows nothing but the page itself', async () => {
  const { headers } = await fetch(studio.url);
  const policy = headers.get('content-security-policy')!;
  match(policy, "default-src 'none'");
  ok(!policy.includes('unsafe'));
  is(headers.get('x-content-type-options'), 'nosniff');
  is(headers.get('access-control-allow-origin'), null);
});

test('all code of the page is at most 400 kB compressed', async () => {
  const sizes: Record<string, number> = {};
  for (const name of readdirSync(studio.folder))
    sizes[name] = gzipSync(readFileSync(join(studio.folder, name))).length;
  const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
  ok(total <= 400_000, `${total} bytes: ${JSON.stringify(sizes)}`);
});

test('tabs work by keyboard and are in the address', async () => {
  const page = await studio.open('#tab=measure');
  await page.waitForSelector('#panel-measure:not([hidden]) *');
  await page.focus('#tab-measure');
  await page.keyboard.press('ArrowLeft');
  await page.waitForSelector('#panel-inside:not([hidden]) *');
  is(await page.evaluate(() => document.activeElement!.id), 'tab-inside');
  match(page.url(), /tab=inside/);
  await page.close();
});

test('an address with nonsense in it says so, as text, and the page works', async () => {
  const hash = `#tab=${encodeURIComponent('<img src=x onerror=alert(1)>').slice(0, 60)}&evil=1&labels=${'9'.repeat(50)}`;
  const page = await studio.open(hash);
  await page.waitForSelector('#panel-train:not([hidden]) *');
  const notices = await page.textContent('#notices');
  match(notices!, "'evil'");
  match(notices!, "'labels' in the address has 50 characters");
  is(await page.locator('#notices img').count(), 0);
  await page.close();
});

test('without WebGPU the page says what is the matter and what to do', async () => {
  const page = await studio.browser.newPage();
  await page.addInitScript(() => {
    delete (Navigator.prototype as { gpu?: unknown }).gpu;
  });
  await page.goto(studio.url);
  await page.waitForSelector('.blocked');
  match((await page.textContent('.blocked'))!, 'no WebGPU');
  await screenshot(page, 'no-webgpu');
  await page.close();
});

test('in an insecure context the page says what to open', async () => {
  const page = await studio.browser.newPage();
  await page.addInitScript(() => {
    Object.defineProperty(globalThis, 'isSecureContext', { value: false });
  });
  await page.goto(studio.url);
  await page.waitForSelector('.blocked');
  match((await page.textContent('.blocked'))!, 'only to pages from https: or from this machine');
  await page.close();
});

test('a software adapter is announced', async () => {
  const page = await studio.open();
  await page.waitForSelector('#adapter .badge');
  match((await page.textContent('#adapter'))!, 'software');
  await page.close();
});

test('nothing was thrown and no rule of the policy broken', () => {
  equal(studio.faults, []);
});
