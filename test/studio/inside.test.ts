import type { Locator, Page } from 'playwright-core';
import { crop } from '../../src/data/augment.ts';
import { inverseDepth } from '../../src/data/paint.ts';
import { openStreet } from '../../src/data/street/index.ts';
import { equal, is, match, ok, suite } from '../suite.ts';
import { openStudio, type Studio, screenshot } from './studio.ts';

const test = suite('studio: look inside');

let studio: Studio;
let page: Page;
const width = 128;
const height = 64;
const street = openStreet({ width, height }).val;

test.before(async () => {
  studio = await openStudio();
  page = await studio.open('#tab=inside');
});
test.after(() => studio?.close());

const panel = (view: string): Locator => page.locator(`#panel-inside-${view}`);

/** Waits until the view has computed all that it was asked. */
const idle = (view: string) => page.waitForSelector(`#panel-inside-${view}[aria-busy=false]`);

async function open(view: string, title: string): Promise<void> {
  await page.getByRole('tab', { name: title }).click();
  await idle(view);
}

/** The value of a slider, as an input event sets it. */
async function slide(view: string, name: string, value: number): Promise<void> {
  await panel(view).getByRole('slider', { name, exact: true }).fill(String(value));
  await idle(view);
}

const numberOf = (text: string): number =>
  Number(
    text
      .replace('−', '-')
      .replace(/e−/, 'e-')
      .match(/[-+\d.e]+/)![0],
  );

/** A number of a table by the name of its row. */
const fact = async (view: string, row: string): Promise<number> => numberOf(await factText(view, row));
const factText = (view: string, row: string) =>
  panel(view)
    .getByRole('row')
    .filter({ has: page.getByRole('rowheader', { name: row, exact: true }) })
    .locator('td.number')
    .innerText();

const readout = (view: string) => panel(view).locator('.readout').first().innerText();
const loss = async () => numberOf(await panel('warp').getByRole('status', { name: 'loss' }).innerText());

/** Presses a key on a picture, once or several times. */
async function press(view: string, picture: string, ...keys: string[]): Promise<void> {
  await panel(view).getByRole('img', { name: picture }).focus();
  for (const key of keys) await page.keyboard.press(key);
  await idle(view);
}

test('warp: the right depth and pose have the least loss, and a pixel lands where geometry says', async () => {
  await idle('warp');
  const start = await loss();
  await panel('warp').getByRole('button', { name: 'No motion' }).click();
  await idle('warp');
  const still = await loss();
  await panel('warp').getByRole('button', { name: 'True depth and pose' }).click();
  await idle('warp');
  const right = await loss();
  ok(right < start && start < still, `${right}, ${start}, ${still}`);

  await press('warp', 'Target', 'ArrowRight', 'Shift+ArrowDown');
  match(await readout('warp'), '(41, 52): depth');
  const [target, source] = [await street.load(3), await street.load(4)];
  const { fx, fy, cx, cy } = street.intrinsics!;
  const z = target.depth!.data[52 * width + 41];
  const point = [((41 - cx) / fx) * z, ((52 - cy) / fy) * z, z];
  const world = [0, 1, 2].map(
    (i) => point.reduce((sum, v, j) => sum + target.pose![4 * i + j] * v, 0) + target.pose![4 * i + 3],
  );
  const seen = [0, 1, 2].map((j) =>
    world.reduce((sum, v, i) => sum + source.pose![4 * i + j] * (v - source.pose![4 * i + 3]), 0),
  );
  const lands = (await factText('warp', 'lands at p′')).match(/[\d.]+/g)!.map(Number);
  ok(Math.abs(lands[0] - (cx + (fx * seen[0]) / seen[2])) < 0.02, `${lands}`);
  ok(Math.abs(lands[1] - (cy + (fy * seen[1]) / seen[2])) < 0.02, `${lands}`);

  await slide('warp', 'depth factor', 2);
  ok((await loss()) > right);
  await slide('warp', 'depth factor', 0.5);
  ok((await loss()) > right);
});

test('warp: the picture is moved by dragging and by keys, and the slopes are those of the loss', async () => {
  const z = panel('warp').getByRole('slider', { name: 't z, ahead' });
  await panel('warp').getByRole('button', { name: 'No motion' }).click();
  await press('warp', 'Warp', ...Array(5).fill('ArrowUp'));
  is(await z.getAttribute('aria-valuetext'), '−0.10 m');
  const box = (await panel('warp').getByRole('img', { name: 'Warp' }).boundingBox())!;
  await page.mouse.move(box.x + 60, box.y + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + 100, box.y + 50, { steps: 4 });
  await page.mouse.up();
  await idle('warp');
  const x = panel('warp').getByRole('slider', { name: 't x, right' });
  const moved = numberOf((await x.getAttribute('aria-valuetext'))!);
  // 40 pixels of the screen, a fiftieth of a metre for each pixel of the picture.
  ok(Math.abs(moved + (0.02 * 40 * width) / box.width) < 0.02, `${moved}`);

  await panel('warp').getByRole('button', { name: 'No motion' }).click();
  await slide('warp', 't z, ahead', -0.4);
  for (const [name, at, place] of [
    ['depth factor', 0.6, 0],
    ['t z, ahead', -1.5, 3],
  ] as const) {
    const around = [];
    for (const by of [0.02, -0.02]) {
      await slide('warp', name, at + by);
      around.push(await loss());
    }
    await slide('warp', name, at);
    const slope = numberOf(await panel('warp').locator('output.slope').nth(place).innerText());
    // The loss is shown with four decimals.
    const difference = (around[0] - around[1]) / 0.04;
    ok(Math.abs(slope - difference) < 0.01, `${name}: ${slope}, by differences ${difference}`);
  }
});

test('a reload shows the same, and each view keeps what it was set to', async () => {
  // A value that the address has not had yet: it is written a moment later, with all that was set before.
  await slide('warp', 'depth factor', 0.67);
  const before = await loss();
  await page.waitForURL(/factor_0.67/);
  await page.reload();
  await idle('warp');
  is(await loss(), before);
  is(await panel('warp').getByRole('slider', { name: 'depth factor' }).inputValue(), '0.67');
  await page.getByRole('tab', { name: 'View warping' }).focus();
  await page.keyboard.press('ArrowRight');
  await idle('ssim');
  is(await page.evaluate(() => document.activeElement!.textContent), 'SSIM');
  match(page.url(), /view=ssim/);
  await page.keyboard.press('ArrowLeft');
  await idle('warp');
  is(await loss(), before);
  match(page.url(), 'factor_0.67');
  await screenshot(page, 'inside-warp');
});

test('SSIM: equal patches have 1; the statistics of a window give what the kernel says', async () => {
  await open('ssim', 'SSIM');
  for (const [name, value] of [
    ['brightness', 0.15],
    ['contrast', 0.6],
    ['noise', 0.05],
    ['blur', 1],
    ['shift', 2],
  ] as const) {
    await panel('ssim').getByRole('button', { name: 'Nothing' }).click();
    await idle('ssim');
    is(await factText('ssim', 'mean SSIM'), '1.0000');
    is(await factText('ssim', 'SSIM of the kernel'), '1.000000');
    await slide('ssim', name, value);
    ok((await fact('ssim', 'mean SSIM')) < 0.99, name);
    ok((await fact('ssim', 'difference')) < 1e-5, name);
  }
  await press('ssim', 'x:', 'ArrowDown', 'ArrowDown', 'Shift+ArrowLeft');
  match(await readout('ssim'), 'window around (16, 18)');
  const cells = await panel('ssim').getByRole('table', { name: 'window in x' }).locator('td').allInnerTexts();
  const mean = cells.reduce((sum, text) => sum + Number(text) / 9, 0);
  is(cells.length, 9);
  ok(
    Math.abs(
      mean -
        numberOf(
          await panel('ssim').locator('.facts').filter({ hasText: 'μx' }).locator('td').first().innerText(),
        ),
    ) < 1e-3,
  );
  await screenshot(page, 'inside-ssim');
});

test('DepthMix: the shares are those of the masks, and a larger margin keeps more of both', async () => {
  await open('mix', 'DepthMix');
  /** Of the first and of the second image, counted here. */
  const [first, second] = await Promise.all(
    [0, 4].map(async (scene) => {
      const disparity = inverseDepth((await street.load(8 * scene + 3)).depth!.data);
      const [low, high] = [Math.min(...disparity), Math.max(...disparity)];
      return disparity.map((d) => (d - low) / (high - low));
    }),
  );
  const keeps = (own: Float32Array, other: Float32Array, margin: number) =>
    (100 * own.filter((d, i) => d >= other[i] - margin).length) / own.length;
  const shares = [];
  for (const margin of [0.1, 0.03, 0]) {
    await slide('mix', 'margin', margin);
    const [a, b] = [await fact('mix', 'of the first'), await fact('mix', 'of the second')];
    ok(Math.abs(a - keeps(first, second, margin)) < 0.15, `${a} of the first at ${margin}`);
    ok(Math.abs(b - keeps(second, first, margin)) < 0.15, `${b} of the second at ${margin}`);
    // Every pixel is kept by one of them at least.
    ok(Math.abs(a + b - (await fact('mix', 'kept by both')) - 100) < 0.16);
    shares.push(a);
  }
  ok(shares[0] > shares[1] && shares[1] > shares[2], `${shares}`);
  await panel('mix').getByRole('img', { name: 'First image: a street' }).hover();
  match(
    await readout('mix'),
    /disparity [\d.]+ of the first [≥<] [\d.]+ of the second − 0\.000: .*wins.* Mixed label: \w/,
  );
  const label = await panel('mix').getByRole('list', { name: 'Classes in the picture' }).innerText();
  match(label, 'car');
  await panel('mix').getByRole('button', { name: 'Draw them again' }).click();
  await idle('mix');
  await page.waitForURL(/margin_0.*seed_1/);
  await screenshot(page, 'inside-mix');
});

test('cross-entropy: its gradient sums to zero, its value is that of the probability; a threshold decides q', async () => {
  await open('entropy', 'Cross-entropy');
  await slide('entropy', 'score of car', 3.5);
  await panel('entropy').getByLabel('true class').selectOption('sidewalk');
  await idle('entropy');
  ok(Math.abs(await fact('entropy', 'sum of the gradient')) <= 1e-6);
  const scores = [2, 1, 3.5, -1, -2];
  const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
  const found = await panel('entropy').locator('.value-bar').allInnerTexts();
  const expected = scores.flatMap((score, c) => {
    const p = Math.exp(score) / total;
    return [p, p - (c === 1 ? 1 : 0)];
  });
  found.forEach((text, i) => {
    ok(Math.abs(numberOf(text) - expected[i]) < 6e-5, `${text}, ${expected[i]}`);
  });
  ok(Math.abs((await fact('entropy', 'cross-entropy L')) + Math.log(expected[2])) < 2e-6);

  const q = async () => fact('entropy', 'q, share of confident pixels');
  const usual = await q();
  await slide('entropy', 'threshold', 0.999);
  ok((await q()) < usual);
  const student = await fact('entropy', 'mean cross-entropy of the student');
  ok(Math.abs((await fact('entropy', 'loss Lᵤ, their product')) - student * (await q())) < 2e-4);
  await slide('entropy', 'threshold', 0);
  is(await q(), 1);
  await slide('entropy', 'noise on the scores', 0);
  is(await factText('entropy', 'right, of all labelled pixels'), '100.0 %');
  await slide('entropy', 'noise on the scores', 3);
  await slide('entropy', 'threshold', 0.968);
  await screenshot(page, 'inside-entropy');
});

test('convolution: products, kernel, reference and the loop that is shown agree at every chosen pixel', async () => {
  await open('convolution', 'Convolution');
  const { image } = await street.load(3);
  const patch = crop(image, { x: 62, y: 18, width: 48, height: 32 });
  const grey = Float64Array.from(
    { length: 48 * 32 },
    (_, i) => (patch.data[3 * i] + patch.data[3 * i + 1] + patch.data[3 * i + 2]) / 765,
  );
  const text = await panel('convolution')
    .locator('.bench pre')
    .evaluate((pre) => pre.textContent);
  const names = ['x', 'w', 'ox', 'oy', 'stride', 'padding', 'dilation', 'width', 'height'];
  const loop = new Function(...names, text!);
  const view = 'convolution';
  async function compare(ox: number, oy: number): Promise<void> {
    const setting = async (name: string) =>
      Number(await panel(view).getByRole('slider', { name, exact: true }).inputValue());
    const w = await panel(view)
      .getByRole('spinbutton')
      .evaluateAll((all) => all.map((one) => (one as HTMLInputElement).valueAsNumber));
    const expected = loop(
      grey,
      w,
      ox,
      oy,
      await setting('stride'),
      await setting('padding'),
      await setting('dilation'),
      48,
      32,
    );
    for (const row of ['sum of the products', 'output of the kernel', 'reference, plain loops in f64'])
      ok(Math.abs((await fact(view, row)) - expected) < 1e-5, `${row} at (${ox}, ${oy}): ${expected}`);
    ok((await fact(view, 'difference')) < 1e-5);
  }
  await compare(20, 12);
  await press(view, 'Output', 'ArrowLeft', 'ArrowUp');
  await compare(19, 11);
  await panel(view).getByRole('button', { name: 'like a learnt one' }).click();
  await slide(view, 'stride', 2);
  await slide(view, 'padding', 3);
  await slide(view, 'dilation', 2);
  await compare(19, 11);
  await panel(view).getByRole('spinbutton', { name: 'weight in row 2, column 2' }).fill('4.5');
  await page.keyboard.press('Tab');
  await idle(view);
  await press(view, 'Output', ...Array(4).fill('Shift+ArrowLeft'), ...Array(4).fill('Shift+ArrowUp'));
  await compare(0, 0);
  match(await panel(view).getByRole('table', { name: 'input; (0) is outside' }).innerText(), '(0)');
  ok(
    await panel(view)
      .getByRole('img', { name: 'Output' })
      .getAttribute('aria-label')
      .then((said) => /25 by 17 pixels/.test(said!)),
  );

  await panel(view).getByText('conv2d variant naive').click();
  const marked = await panel(view).locator('.launches mark').allInnerTexts();
  equal(
    marked.map((line) => line.trim().split(' ')[0]),
    ['for', 'for', 'for', 'total'],
  );
  match(
    (await panel(view).locator('.launches pre').first().textContent())!,
    '@group(0) @binding(1) var<storage, read> x',
  );
  await screenshot(page, 'inside-convolution');
});

test('an address with nonsense in it says so, and the rest of it counts', async () => {
  const other = await studio.open(
    `#tab=inside&view=mix&look=${encodeURIComponent('margin_9 first_2 evil_1 <b>x</b>')}`,
  );
  await other.waitForSelector('#panel-inside-mix[aria-busy=false]');
  const notices = (await other.textContent('#notices'))!;
  for (const part of ["'margin_9'", "'evil_1'", "'<b>x</b>'"]) match(notices, part);
  is(await other.locator('#notices b').count(), 3);
  is(await other.getByRole('slider', { name: 'margin', exact: true }).inputValue(), '0.03');
  is(await other.getByRole('combobox', { name: 'first image', exact: true }).inputValue(), '2');
  await other.close();
});

test('a worker that cannot be had, or ends without an event, is told, and is started again', async () => {
  const other = await studio.browser.newPage();
  other.setDefaultTimeout(240_000);
  await other.route('**/worker.js*', (route) => route.abort());
  await other.goto(`${studio.url}#tab=inside&view=convolution`);
  await other.getByText('the worker ended').waitFor();
  await other.unroute('**/worker.js*');
  await other.getByRole('button', { name: 'Start it again' }).click();
  await other.getByText('output of the kernel').waitFor();
  is(await other.locator('#notices .notice').count(), 0);
  await other
    .workers()
    .find((one) => one.url().endsWith('worker.js#inside'))!
    .evaluate(() => close());
  await other.getByRole('slider').first().press('ArrowRight');
  await other.getByText('the worker ended without a word').waitFor();
  await other.getByRole('button', { name: 'Start it again' }).click();
  await other.locator('#panel-inside-convolution[aria-busy=false]').waitFor();
  is(await other.locator('#notices .notice').count(), 0);
  await other.close();
});

test('dark, and on a projector', async () => {
  await page.emulateMedia({ colorScheme: 'dark' });
  for (const [view, title] of [
    ['warp', 'View warping'],
    ['convolution', 'Convolution'],
  ]) {
    await open(view, title);
    await screenshot(page, `inside-${view}-dark`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1920, height: 1080 });
  await open('ssim', 'SSIM');
  await screenshot(page, 'inside-ssim-1920');
  for (const [view, title] of [
    ['warp', 'View warping'],
    ['mix', 'DepthMix'],
    ['entropy', 'Cross-entropy'],
  ]) {
    await open(view, title);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    is(wide, 1920, `${view} is wider than the page`);
  }
});

test('nothing was thrown and no rule of the policy broken', () => {
  equal(studio.faults, []);
});
