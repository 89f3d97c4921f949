import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { equal, is, match, not, ok, suite } from '../suite.ts';
import { openStudio, type Studio, screenshot } from './studio.ts';

const test = suite('studio: train', { timeoutMs: 600_000 });

/** Quick enough for a busy machine; a copy of the run is made at every tenth step. */
const RUN =
  '#recipe=supervised&preset=tiny&labels=4&seed=3&steps=400&set=pixels%3D4096&set=checkpointEvery%3D10';
const NAMES = [
  'Recipe',
  'Data',
  'Preset',
  'Seed',
  'Labelled images',
  'Steps',
  'Further settings, one a line',
];

/** What the tests put into the page. */
interface Broken {
  killWorker(): void;
  storageIsFull: boolean;
  /** Hides the page from its reader, or shows it. */
  hide(hidden: boolean): void;
  /** Who waits for a frame of the hidden page. */
  waiting: FrameRequestCallback[];
  /** Pictures put onto a canvas. */
  drawn: number;
  /** The steps of which workers told. */
  told: { step: number; terms: Record<string, number> }[];
}

let studio: Studio;
let page: Page;
let folder: string;
let checkpoint: string;
/** Of the first step, as the chart of the loss tells it. */
let firstLoss: string;

const press = (name: string) => page.getByRole('button', { name, exact: true }).click();
const status = () => page.locator('.controls').getByRole('status');
const lossChart = () => page.getByRole('img', { name: /^loss: / });
const formValues = () => Promise.all(NAMES.map((name) => page.getByLabel(name).inputValue()));

async function stepNow(): Promise<number> {
  return Number.parseInt(
    (await page.locator('.tile', { hasText: 'Step' }).first().locator('b').textContent())!,
    10,
  );
}

/** Waits until training has made so many steps. */
const reached = (step: number) =>
  page.waitForFunction(
    (wanted) => Number.parseInt(document.querySelector('.tile b')!.textContent!, 10) >= wanted,
    step,
  );

/** Waits until it stands still, and returns at which step. */
async function paused(): Promise<number> {
  await status().filter({ hasText: 'Paused after step' }).waitFor();
  const [, step] = /after step (\d+)/.exec((await status().textContent())!)!;
  return Number(step);
}

async function screenshots(name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const [width, height] of [
      [1920, 1080],
      [1280, 720],
    ]) {
      await page.setViewportSize({ width, height });
      await page.waitForTimeout(300); // charts follow the width in the next frames
      await screenshot(page, `train-${name}-${colorScheme}-${width}`);
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

test.before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'warpmix-train-page-'));
  studio = await openStudio();
  page = await studio.open();
  // Ways to break things, from the next load on.
  await page.addInitScript(() => {
    const own = window as unknown as Broken;
    const Real = window.Worker;
    window.Worker = class extends Real {
      constructor(...args: ConstructorParameters<typeof Worker>) {
        super(...args);
        this.addEventListener('message', ({ data }) => {
          if (data.event === 'step') own.told.push(data.detail);
        });
        own.killWorker = () => {
          this.terminate();
          this.dispatchEvent(new ErrorEvent('error', { message: 'out of memory' }));
        };
      }
    };
    own.storageIsFull = false;
    const { createWritable } = FileSystemFileHandle.prototype;
    FileSystemFileHandle.prototype.createWritable = function (...args) {
      if (own.storageIsFull) return Promise.reject(new DOMException('no room', 'QuotaExceededError'));
      return createWritable.apply(this, args);
    };
    // The headless browser shows every page. A hidden one has no frames: who asks for one waits until it is seen again.
    own.told = [];
    own.waiting = [];
    own.drawn = 0;
    const frame = window.requestAnimationFrame.bind(window);
    window.requestAnimationFrame = (draw) => (document.hidden ? own.waiting.push(draw) : frame(draw));
    // Long waits of a hidden page are short, so that what should not come of them is not waited for.
    const after = window.setTimeout.bind(window);
    Object.assign(window, {
      setTimeout: (act: () => void, ms?: number) => after(act, document.hidden ? Math.min(ms ?? 0, 300) : ms),
    });
    const { putImageData } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.putImageData = function (...args: unknown[]) {
      own.drawn += 1;
      return putImageData.apply(this, args as Parameters<typeof putImageData>);
    };
    own.hide = (hidden) => {
      Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
      Object.defineProperty(document, 'visibilityState', {
        value: hidden ? 'hidden' : 'visible',
        configurable: true,
      });
      document.dispatchEvent(new Event('visibilitychange'));
      if (!hidden) for (const draw of own.waiting.splice(0)) frame(draw);
    };
  });
});
test.after(async () => {
  await studio?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('a visitor finds a short run, and the whole of it one click away', async () => {
  await page.getByRole('form', { name: 'Run' }).waitFor();
  match(page.url(), 'recipe=three-ways&preset=tiny');
  is(await page.getByLabel('Steps').inputValue(), '40');
  await screenshots('idle');
  await press('The whole run');
  not.match(page.url(), 'steps');
  is(await page.getByLabel('Steps').getAttribute('placeholder'), '300');
});

test('an address with nonsense in it says so and leaves what makes sense', async () => {
  // By its full name: the same address with another hash would not be loaded again.
  await page.goto(`${studio.url}index.html#recipe=${encodeURIComponent('<b>depht</b>')}&labels=many&seed=7`);
  await page.getByRole('form', { name: 'Run' }).waitFor();
  const notices = (await page.textContent('#notices'))!;
  match(notices, "unknown recipe '<b>depht</b>'");
  match(notices, "labels 'many': expected a whole number, at least 0");
  is(await page.getByLabel('Seed').inputValue(), '7');
});

test('it trains twenty steps, pauses, makes one step, and goes on', async () => {
  await page.goto(studio.url + RUN);
  await page.reload();
  await press('Start');
  await reached(20);
  await press('Pause');
  const first = await paused();
  is(await stepNow(), first);
  await press('One step');
  await status()
    .filter({ hasText: `Paused after step ${first + 1} of 400.` })
    .waitFor();
  await press('Go on');
  await reached(first + 3);
  await press('Pause');
  ok((await paused()) >= first + 3);
  firstLoss = /^loss: ([\d.]+) at step 1,/.exec((await lossChart().getAttribute('aria-label'))!)![1];
});

test('hidden, it trains on and draws nothing; seen again, it says so, and its curves are whole', async () => {
  const hide = (hidden: boolean) =>
    page.evaluate((value) => (window as unknown as Broken).hide(value), hidden);
  const look = () =>
    page.evaluate(() => {
      const { waiting, drawn, told } = window as unknown as Broken;
      return {
        waiting: waiting.length,
        drawn,
        told,
        text: document.querySelector('.run-column')!.textContent,
      };
    });
  await press('Go on');
  await reached((await stepNow()) + 1);
  await hide(true);
  // Pictures that were asked for before come yet.
  await page.getByRole('button', { name: 'Draw now' }).waitFor();
  const before = await look();
  await page.waitForFunction(
    (steps) => (window as unknown as Broken).told.length >= steps,
    before.told.length + 20,
    { polling: 200 },
  );
  const after = await look();
  const [first, last] = [before.told.length, after.told.length];
  is(after.drawn, before.drawn, 'pictures drawn while hidden');
  is(after.text, before.text);
  // The curves and the numbers.
  is(after.waiting, 2);
  await hide(false);
  await page.getByText(/^While this page was hidden, training made \d\d+ steps\.$/).waitFor();
  await page.waitForFunction((drawn) => (window as unknown as Broken).drawn > drawn, after.drawn);
  await press('Pause');
  const end = await paused();
  const { told } = await look();
  is(told.at(-1)!.step, end);
  const area = lossChart().locator('.u-over');
  const { width, height } = (await area.boundingBox())!;
  for (const step of [first + 1, Math.round((first + last) / 2), last - 1]) {
    const x = ((step - 1) / (end - 1)) * width;
    await area.hover({ position: { x: Math.min(Math.max(x, 1), width - 1), y: height / 2 } });
    const [, value, at] = /^([\d.]+) at step (\d+)$/.exec(
      (await page.locator('.curve', { has: lossChart() }).locator('output').textContent())!,
    )!;
    ok(Math.abs(Number(at) - step) <= 1, `step ${at} where step ${step} belongs`);
    is(value, told.find((one) => one.step === Number(at))!.terms.loss.toPrecision(4));
  }
});

test('at rest it shows pictures and scores, whose pixels and classes have names', async () => {
  const prediction = page.getByRole('img', { name: /^prediction: / });
  await prediction.focus();
  const xAfter = async (key: string) => {
    await page.keyboard.press(key);
    const reading = (await page.locator('.readout').first().textContent())!;
    match(reading, /^x \d+, y \d+ · prediction: [a-z ]+ · truth: [a-z ]+$/);
    return Number(/\d+/.exec(reading)![0]);
  };
  const middle = await xAfter('ArrowRight');
  is(await xAfter('ArrowRight'), middle + 1);
  is(await xAfter('Shift+ArrowLeft'), middle - 7);
  await page.getByRole('img', { name: /^errors: / }).hover({ position: { x: 1, y: 1 } });
  match(
    (await page.locator('.readout').first().textContent())!,
    /^x 0, y 0 · errors: (right|wrong|void) · prediction: /,
  );
  match((await page.getByRole('list', { name: 'Classes' }).first().textContent())!, /road \d/);
  await page.getByRole('row', { name: /^road \d+\.\d % / }).waitFor();
  match((await page.locator('.headline').textContent())!, /\d % mIoU/);
  await page.getByLabel('Logarithmic').check();
  await screenshots('steps');
});

test('settings that cannot be leave the run alone and say what is wrong', async () => {
  const before = await stepNow();
  await page.getByLabel('Further settings').fill('pixel=4096');
  match((await page.textContent('.differs'))!, 'not those of this run');
  await press('One step');
  const error = page
    .getByRole('alert')
    .filter({ hasText: "unknown setting 'pixel'; the nearest is 'pixels'" });
  await error.waitFor();
  is(await stepNow(), before);
  await press('Take them back');
  is(await error.isVisible(), false);
  is(await page.getByLabel('Further settings').inputValue(), 'pixels=4096\ncheckpointEvery=10');
});

test('a folder without images says so beside the settings', async () => {
  writeFileSync(join(folder, 'notes.txt'), 'no images');
  await page.getByLabel('Folder of images').setInputFiles(folder);
  await press('Start anew');
  await page.getByRole('alert').filter({ hasText: 'warpmix-train-page-' }).waitFor();
  match((await page.textContent('.form-error'))!, /no images|image/);
  match(page.url(), 'data=folder%3Awarpmix-train-page-');
  await press('Take them back');
});

test('a folder that is dropped is taken as the data, a pack by its manifest', async () => {
  const pack = join(folder, 'my-pack');
  mkdirSync(pack);
  writeFileSync(join(pack, 'manifest.json'), '{}');
  const target = page.getByText('Drop a folder of images, a pack, or a checkpoint');
  const protocol = await page.context().newCDPSession(page);
  const data = { items: [], files: [pack], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver'] as const)
    await protocol.send('Input.dispatchDragEvent', { type, x: 600, y: 400, data });
  await target.waitFor();
  await protocol.send('Input.dispatchDragEvent', { type: 'drop', x: 600, y: 400, data });
  await page.getByText('my-pack: 1 file.').waitFor();
  is(await target.isVisible(), false);
  is(await page.getByLabel('Read as').inputValue(), 'pack');
  match(page.url(), 'data=pack%3Amy-pack');
  await press('Take them back');
});

test('a checkpoint is a file', async () => {
  const step = await stepNow();
  const downloading = page.waitForEvent('download');
  await press('Download checkpoint');
  const download = await downloading;
  match(download.suggestedFilename(), `step${step}.zip`);
  checkpoint = join(folder, 'run.zip');
  await download.saveAs(checkpoint);
});

test('the address brings back the form and the losses; the run before is offered', async () => {
  const before = await formValues();
  await page.reload();
  await page.getByRole('form', { name: 'Run' }).waitFor();
  is((await formValues()).join(), before.join());
  await page.getByRole('button', { name: /^Go on from step \d+$/ }).waitFor();
  await press('One step');
  await status().filter({ hasText: 'Paused after step 1 of 400.' }).waitFor();
  match((await lossChart().getAttribute('aria-label'))!, `loss: ${firstLoss} at step 1,`);
});

test('a checkpoint file goes on where it was', async () => {
  await page.getByLabel('Checkpoint file').setInputFiles(checkpoint);
  await status()
    .filter({ hasText: /Paused after step \d{2,} of/ })
    .waitFor();
  const step = await paused();
  ok(step > 20);
  match((await lossChart().getAttribute('aria-label'))!, `loss: ${firstLoss} at step 1,`);
  await press('One step');
  await status()
    .filter({ hasText: `Paused after step ${step + 1} of 400.` })
    .waitFor();
});

test('storage that is full is told once, and training goes on', async () => {
  await page.evaluate(() => {
    (window as unknown as { storageIsFull: boolean }).storageIsFull = true;
  });
  const before = await stepNow();
  await press('Go on');
  await reached(before + 12);
  const told = page.locator('.notice', { hasText: 'keeps no copy of the run (QuotaExceededError: no room)' });
  await told.waitFor();
  await press('Pause');
  await paused();
  is(await told.count(), 1);
  is(await told.getByRole('button', { name: 'Download checkpoint' }).count(), 1);
});

test('after the loss of its worker a run goes on from its newest copy', async () => {
  await page.evaluate(() => (window as unknown as { killWorker(): void }).killWorker());
  const notice = page.locator('.notice.error', { hasText: 'the worker ended: out of memory' });
  await notice.getByRole('button', { name: /^Download step \d+$/ }).waitFor();
  await notice.getByRole('button', { name: 'Start again' }).waitFor();
  ok(await lossChart().isVisible());
  const goOn = notice.getByRole('button', { name: /^Go on from step \d+$/ });
  const from = Number(/\d+/.exec((await goOn.textContent())!)![0]);
  ok(from >= 30);
  await screenshot(page, 'train-lost');
  await goOn.click();
  await reached(from + 2);
  is(await page.locator('.notice.error').count(), 0);
  match((await lossChart().getAttribute('aria-label'))!, `loss: ${firstLoss} at step 1,`);
});

test('a worker that ends without an event is missed all the same, while it trains and while it builds', async () => {
  const trains = status().filter({ hasText: /^Training: / });
  await trains.waitFor();
  await page
    .workers()
    .find((one) => one.url().endsWith('worker.js#train'))!
    .evaluate(() => close());
  const told = page.locator('.notice.error', { hasText: 'the worker ended without a word' });
  const goOn = page.getByRole('button', { name: /^Go on from step \d+$/ });
  await goOn.waitFor();
  is(await told.count(), 1);
  match((await status().textContent())!, /^The run ended after step \d+\.$/);
  ok(await lossChart().isVisible());
  const next = page.waitForEvent('worker');
  await goOn.click();
  await (await next).evaluate(() => close());
  await told.nth(1).waitFor();
  await goOn.click();
  await trains.waitFor();
  match((await lossChart().getAttribute('aria-label'))!, `loss: ${firstLoss} at step 1,`);
});

test('a recipe across domains runs on built-in data by one choice, and the address repeats it', async () => {
  const settings = [
    'pixels=4096',
    'depth.steps=1',
    'model.encoder.widths=[4,4,8,8,8]',
    'model.decoder.widths=[4,4,4,8,8]',
  ];
  const set = settings.map((one) => `&set=${encodeURIComponent(one)}`).join('');
  const hash = `#recipe=three-ways&preset=tiny&labels=4&seed=3&steps=1${set}`;
  await page.goto(studio.url + hash);
  await page.reload();
  await page.getByLabel('Recipe').selectOption('three-ways-da');
  is(await page.getByLabel('Data').inputValue(), 'street:night');
  await page.getByText('Source: street:clean. Target: the data below.').waitFor();
  const run = async () => {
    await press('Start');
    await status().filter({ hasText: 'Done: 2 steps.' }).waitFor();
    return page
      .locator('.curve [role=img]')
      .evaluateAll((all) => all.map((one) => one.getAttribute('aria-label')));
  };
  const curves = await run();
  ok(
    curves.some((curve) => /^sourceLoss|^source/.test(curve!)),
    curves.join('\n'),
  );
  match((await page.locator('.about').textContent())!, /labelled images of/);
  await page.reload();
  equal(await run(), curves);
  const command = (await page.locator('.command code').textContent())!;
  for (const part of ['train three-ways-da', '--data street:night', '--set source=street:clean'])
    match(command, part);
  await page.getByLabel('Recipe').selectOption('supervised');
  is(await page.getByLabel('Data').inputValue(), 'street');
  not.match(await page.getByLabel('Further settings').inputValue(), 'source');
});

test('nothing was thrown and no rule of the policy broken', () => {
  is(studio.faults.join('\n'), '');
});
