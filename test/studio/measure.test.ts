// The section "Measure": the table of kernels on this adapter, one kernel, and edited WGSL that is wrong in every way.
import { getIndentation } from '@codemirror/language';
import { EditorState } from '@codemirror/state';
import { highlightTree, tagHighlighter, tags } from '@lezer/highlight';
import type { Page } from 'playwright-core';
import { checkLaunches } from '../../src/cli/kernel-launches.ts';
import { kernelList } from '../../src/cli/kernel-list.ts';
import type { Kernel } from '../../src/gpu/kernel.ts';
import { canRun, shaderCode } from '../../src/gpu/kernel.ts';
import type { DispatchTime } from '../../src/gpu/profile.ts';
import { findClock, quantumOf, type Timed, time } from '../../src/studio/measure/clock.ts';
import { changedLines } from '../../src/studio/measure/editor.ts';
import { countLoops, STOPPED } from '../../src/studio/measure/guard.ts';
import { tooLong } from '../../src/studio/measure/long.ts';
import { wgsl } from '../../src/studio/measure/wgsl-language.ts';
import { testGpu } from '../device.ts';
import { equal, is, match, ok, suite } from '../suite.ts';
import { openStudio, type Studio, screenshot } from './studio.ts';

const test = suite('studio: measure');

let studio: Studio;
let page: Page;

test.before(async () => {
  studio = await openStudio();
  page = await studio.open('#tab=measure');
});
test.after(() => studio?.close());

/** A device whose dispatches take `ns` each by a clock of `quantum`. */
function clocked(ns: number, quantum: number | null) {
  let asked = 0;
  let now = 0;
  const device: Timed = {
    async profile(work) {
      if (quantum === null) return null;
      asked = 0;
      await work();
      const tick = () => (Math.floor(now / quantum) * quantum) / 1e6;
      return Array.from({ length: asked }, () => {
        const start = tick();
        now += ns;
        return { start, ms: tick() - start } as DispatchTime;
      });
    },
    async sync() {
      const until = performance.now() + (asked * ns) / 1e6;
      while (performance.now() < until);
      asked = 0;
    },
  };
  return {
    device,
    dispatch: () => {
      asked += 1;
    },
  };
}

test('timestamps of 65,536 ns are found out, and a dispatch repeated for 50 of these', async () => {
  is(quantumOf([0.131072, 0, 0.196608]), 65536);
  is(quantumOf([0.0101, 0.02, 0.0707]), 100);
  const { device, dispatch } = clocked(7000, 65536);
  const clock = await findClock(device, () => {
    for (let k = 0; k < 40; k++) dispatch();
  });
  equal(clock, { kind: 'timestamps', quantum: 65536 });
  const [{ ms, repeats }] = await time(device, clock, [dispatch]);
  ok(repeats * 0.007 >= 50 * 0.065536 * 0.98, `${repeats} dispatches`);
  ok(Math.abs(ms - 0.007) < 0.02 * 0.007, `${ms} ms`);
});

test('without timestamps batches are timed by the wall; exact timestamps need no batches', async () => {
  const slow = clocked(100_000, null);
  const wall = await findClock(slow.device, slow.dispatch);
  equal(wall, { kind: 'wall', quantum: 0 });
  const [batch] = await time(slow.device, wall, [slow.dispatch]);
  ok(batch.repeats > 1 && batch.ms >= 0.1, JSON.stringify(batch));
  const exact = clocked(7013, 1);
  const [single] = await time(exact.device, { kind: 'timestamps', quantum: 1 }, [exact.dispatch]);
  is(single.repeats, 1);
});

test('loops of every kernel can be counted: the text compiles, barriers and all, on the same lines', async () => {
  const { device } = await testGpu();
  const launches = await checkLaunches();
  const faults: string[] = [];
  for (const { kernel } of kernelList) {
    for (const variant of kernel.variants.filter(({ needs }) => !needs)) {
      const launch = launches.find((one) => one.kernel === kernel && canRun(variant, one.params))!;
      const text = shaderCode(kernel, variant, launch.params);
      const code = countLoops(text, kernel.bindings.length + 1);
      const lines = (wgsl: string) => wgsl.split('\n').length;
      if (lines(code) !== lines(text) + 2) faults.push(`${kernel.name}/${variant.name}: lines have moved`);
      device.pushErrorScope('validation');
      const module = device.createShaderModule({ code });
      if (await device.popErrorScope())
        faults.push(
          `${kernel.name}/${variant.name}: ${(await module.getCompilationInfo()).messages[0]?.message}`,
        );
    }
  }
  equal(faults, []);
  const body = 'for (;;) { /* loop { */ while a < b { } } // for (';
  is(countLoops(body, 3).match(/> 65536u/g)?.length, 2);
});

test('an endless loop inside an endless loop ends as soon as one alone', async () => {
  const gpu = await testGpu();
  const endless = (body: string) => ({
    name: 'endless',
    summary: '',
    formula: '',
    source: '',
    bindings: [
      { name: 'turns', type: 'u32', access: 'write' },
      { name: STOPPED, type: 'u32', access: 'update' },
    ],
    params: {},
    variants: [
      {
        name: 'counted',
        summary: '',
        whole: true,
        applies: () => true,
        code: () =>
          countLoops(
            `@group(0) @binding(1) var<storage, read_write> turns: array<u32>;
@compute @workgroup_size(1) fn main() { var q = 0u; ${body} turns[0] = q; }`,
            2,
          ),
        workgroups: () => 1,
      },
    ],
    cost: () => ({ flops: 1, bytes: 4 }),
    reference: () => {},
  });
  const once = 'loop { q += 1u; if (q == 0u) { break; } }';
  for (const body of [
    once,
    `loop { ${once} if (q == 1u) { break; } }`,
    `while (q < 4000000000u) { ${once} }`,
  ]) {
    const [turns, stopped] = [gpu.alloc(1, 'u32'), gpu.alloc(1, 'u32')];
    gpu.write(stopped, [0]);
    gpu.run(endless(body) as unknown as Kernel, {}, { turns, [STOPPED]: stopped });
    equal([(await gpu.read(turns))[0], (await gpu.read(stopped))[0]], [65536, 1], body);
    for (const one of [turns, stopped]) gpu.free(one);
  }
});

test('a dispatch is too long from 250 ms on, at a twentieth of the limit that bounds it', () => {
  const limits = { gflops: 2, gbps: 10 };
  // At the limits 12.5 ms.
  const [flops, bytes] = [25e6, 125e6];
  equal(
    [
      tooLong({ flops, bytes: 1 }, limits),
      tooLong({ flops: 1, bytes }, limits),
      tooLong({ flops: 1.04 * flops, bytes: 1 }, limits),
      tooLong({ flops: 1, bytes: 1.04 * bytes }, limits),
    ].map((ms) => ms && Math.round(ms)),
    [null, null, 260, 260],
  );
});

test('changed lines', () => {
  const text = 'a\nb\nc\nd';
  is(changedLines(text, text), 0);
  is(changedLines(text, 'a\nB\nc\nd'), 1);
  is(changedLines(text, 'a\nb\nnew\nnewer\nc\nd'), 2);
  is(changedLines(text, 'a\nd'), 2);
  is(changedLines(text, ''), 4);
});

test('WGSL has its colours: comments that nest, numbers of every form, types, keywords', () => {
  const text =
    '@compute fn f(a: vec3f, ifs: f32) /* a /* b\n */ c */ {\n let x = 0x1.8p-3f + .5e+1h - 3i; // if\n}';
  const kinds = ['comment', 'number', 'typeName', 'keyword', 'attributeName'] as const;
  const seen: Record<string, string[]> = {};
  highlightTree(
    wgsl.parser.parse(text),
    tagHighlighter(kinds.map((kind) => ({ tag: tags[kind], class: kind }))),
    (from, to, kind) => {
      seen[kind] = [...(seen[kind] ?? []), text.slice(from, to)];
    },
  );
  equal(seen, {
    attributeName: ['@compute'],
    keyword: ['fn', 'let'],
    typeName: ['vec3f', 'f32'],
    comment: ['/* a /* b', ' */ c */', '// if'],
    number: ['0x1.8p-3f', '.5e+1h', '3i'],
  });
});

test('a new line of WGSL is indented by the brackets around it', () => {
  const doc = 'fn f() {\nif (a) {\n\n}\n}';
  const state = EditorState.create({ doc, extensions: wgsl });
  const indents = [2, 3, 4, 5].map((line) => getIndentation(state, state.doc.line(line).from));
  equal(indents, [2, 4, 2, 0]);
});

const names = () => page.locator('.kernels tbody tr:visible th').allInnerTexts();
const cellsOf = (name: string) =>
  page
    .getByRole('row')
    .filter({ has: page.getByRole('button', { name, exact: true }) })
    .getByRole('cell')
    .allInnerTexts();

test('the table lists every kernel, sorted and filtered as asked', async () => {
  await page.getByRole('button', { name: 'conv2d', exact: true }).waitFor();
  const all = kernelList.map(({ kernel }) => kernel.name).sort((a, b) => a.localeCompare(b));
  equal(await names(), all);
  await page.getByRole('button', { name: 'Kernel', exact: true }).press('Enter');
  equal(await names(), [...all].reverse());
  is(await page.getByRole('columnheader', { name: 'Kernel' }).getAttribute('aria-sort'), 'descending');
  await page.locator('.kernels tbody td:nth-child(4)', { hasText: /^\d/ }).first().waitFor();
  await page.getByRole('button', { name: 'Launches' }).click();
  const counts = (await page.locator('.kernels tbody td:nth-child(4)').allInnerTexts()).map((text) =>
    text === 'none' ? 0 : Number(text),
  );
  ok(counts[0] > 50 && counts.every((count, i) => i === 0 || count <= counts[i - 1]), counts.join());
  await screenshot(page, 'measure-table-light');
  await page.getByLabel('Family').selectOption('elementwise');
  await page.getByLabel('Filter').fill('sigmoid');
  equal((await names()).sort(), ['sigmoid', 'sigmoidGrad', 'softplusGrad']);
  match(page.url(), 'filter=sigmoid');
  match(page.url(), 'family=elementwise');
});

test('Start measures the rows that are shown: time, rate, share, error, gradients, after the limits', async () => {
  await page.getByRole('button', { name: 'Start' }).click();
  await page.getByRole('button', { name: 'Stop' }).waitFor();
  await page.getByRole('button', { name: 'Start' }).waitFor();
  const limits = await page.getByRole('group', { name: 'Limits of this adapter' }).innerText();
  match(limits, /[\d.]+ [GT]FLOP\/s measured/);
  match(limits, /[\d.]+ [MGT]B\/s measured/);
  match(limits, /Empty dispatch\s+[\d.]+ (µs|ms) measured/);
  for (const name of ['sigmoid', 'sigmoidGrad', 'softplusGrad']) {
    const [, , launches, time, rate, share, error, gradient] = await cellsOf(name);
    is(launches === 'none', name === 'softplusGrad', launches);
    match(time, /^[\d.]+ (µs|ms|s)$/);
    match(rate, /^[\d.]+ [kMGT]?(FLOP|B)\/s$/);
    match(share, /^[\d.]+ %$/);
    ok(/^✓ /.test(error) && Number(error.slice(2)) < 5e-4, error);
    match(gradient, /^✓ (\d+) of \1 cases$/);
  }
  await page.emulateMedia({ colorScheme: 'dark' });
  await screenshot(page, 'measure-table-dark');
  await page.emulateMedia({ colorScheme: 'light' });
});

const entry = kernelList.find(({ kernel }) => kernel.name === 'sigmoid')!.kernel;
const [chosen] = entry.variants;
const original = shaderCode(entry, chosen, { n: 64, a: 0, b: 0 });
const STORE = 'y[i] = f(x[i]);';
const storeLine = original.split('\n').findIndex((line) => line.includes(STORE)) + 1;

const result = () => page.getByRole('status', { name: 'Result of the run' });
const text = () => page.getByRole('textbox', { name: 'WGSL of sigmoid' });

/** Puts `line` in the place of the one that stores the result. */
async function edit(line: string): Promise<void> {
  await text().focus();
  await page.keyboard.press('Control+End');
  for (let k = original.split('\n').length; k > storeLine; k--) await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Home');
  await page.keyboard.press('Shift+End');
  await page.keyboard.insertText(line);
}

/** Runs the text. @returns what the page says of it */
async function run(): Promise<string> {
  const before = await result().evaluateHandle((box) => box.firstChild);
  await page.keyboard.press('Control+Enter');
  await page.waitForFunction((old) => !old?.isConnected, before);
  await page.getByRole('button', { name: 'Run', exact: true, disabled: false }).waitFor();
  return result().innerText();
}

test('a kernel opens by its name: variants measured, WGSL, launch, bindings', async () => {
  await page.getByRole('button', { name: 'sigmoid', exact: true }).click();
  match(page.url(), /kernel=sigmoid/);
  for (const name of ['vec4-run *', 'vec4', 'scalar']) {
    const row = page.getByRole('row').filter({ has: page.getByRole('button', { name, exact: true }) });
    await row.getByText('✓').waitFor();
    match(await row.innerText(), /\d+ × 1\s+[\d.]+ (µs|ms)/);
  }
  const numbers = await page.getByRole('region', { name: 'Numbers' }).innerText();
  match(numbers, 'runs by the rule');
  match(numbers, /step of \S+, preset tiny; \d+ like this a step/);
  match(numbers, /x\s+\d+ f32\s+read/);
  ok(storeLine > 10, `'${STORE}' is not where this test looks for it`);
  match(await page.getByRole('region', { name: 'WGSL' }).innerText(), 'unchanged');
});

test('the compiler is heard at the right line', async () => {
  await edit('y[i] = f(nope[i]);');
  const said = await run();
  match(said, `line ${storeLine}, column 14 error: unresolved value 'nope'`);
  match(said, 'nothing ran');
  is(await page.locator('.cm-lintRange-error').innerText(), 'nope');
  match(await page.getByRole('region', { name: 'WGSL' }).innerText(), '1 line changed');
  await page.emulateMedia({ colorScheme: 'dark' });
  await screenshot(page, 'measure-kernel-dark');
  await page.emulateMedia({ colorScheme: 'light' });
});

test('a wrong result fails against the reference', async () => {
  await edit('y[i] = f(x[i]) + T(1.0);');
  const said = await run();
  match(said, /✗ error against the reference [\d.]+e[-+]\d+, at \d sizes? of warpmix check: fails/);
  match(said, /✗ difference from the unedited kernel/);
});

test('an endless loop is stopped, and the text kept', async () => {
  await edit('var k = x[i]; loop { if (k.x > 1e9) { break; } k = f(k); } y[i] = k;');
  const said = await run();
  match(said, /✗ Stopped: a loop turned more than 65,536 times/);
  ok(!said.includes('ratio'), said);
  match(await text().innerText(), 'if (k.x > 1e9)');
});

test('a worker that does not answer is replaced: told, text kept, the next run is right', async () => {
  await edit('y[i] = f(x[i]) * T(1.0);');
  const worker = page.workers().find((one) => one.url().endsWith('worker.js#measure'))!;
  worker
    .evaluate(() => {
      for (;;);
    })
    .catch(() => {});
  match(await run(), 'did not come back');
  match(await page.locator('#notices').innerText(), 'did not come back in time');
  match(await text().innerText(), '* T(1.0);');
  const said = await run();
  match(said, /✓ error against the reference [\d.]+e-\d+, at \d sizes? of warpmix check: within/);
  match(said, /✓ difference from the unedited kernel/);
  match(said, /[\d.]+ (µs|ms) edited, [\d.]+ (µs|ms) as it was: ratio [\d.]+ measured/);
  await page.getByRole('button', { name: 'Put away' }).click();
  await screenshot(page, 'measure-kernel-light');
});

test('a reload opens the same kernel and variant; an unknown one is told', async () => {
  await page.getByRole('button', { name: 'scalar', exact: true }).click();
  await page.reload();
  await page.getByText('WGSL of sigmoid/scalar, as compiled').waitFor();
  is(await page.getByRole('button', { name: 'scalar', exact: true }).getAttribute('aria-pressed'), 'true');
  match(await text().innerText(), 'array<f32>');
  await page.getByRole('button', { name: '← All kernels' }).click();
  is(await page.evaluate(() => document.activeElement!.textContent), 'sigmoid');
  equal((await names()).length, 3);
  await page.evaluate(() => {
    location.hash = '#tab=measure&kernel=sigmoit';
  });
  await page.getByText("the address names the kernel 'sigmoit'").waitFor();
  await page.getByRole('button', { name: 'conv2d', exact: true }).waitFor();
});

/** Put before the worker's code: no timestamps, and devices that can be reached. */
const WITHOUT_TIMESTAMPS = `
const has = GPUSupportedFeatures.prototype.has;
GPUSupportedFeatures.prototype.has = function (name) { return name !== 'timestamp-query' && has.call(this, name); };
const request = GPUAdapter.prototype.requestDevice;
GPUAdapter.prototype.requestDevice = async function (wanted) {
  const device = await request.call(this, wanted);
  (globalThis.devices ??= []).push(device);
  return device;
};`;

test('without timestamps batches are timed by the wall, and it says so; a lost device is told, the text kept', async () => {
  const page = await studio.browser.newPage({ viewport: { width: 1280, height: 720 } });
  page.setDefaultTimeout(240_000);
  await page.route('**/worker.js*', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: WITHOUT_TIMESTAMPS + (await response.text()) });
  });
  await page.goto(`${studio.url}#tab=measure&kernel=sigmoid`);
  const row = page
    .getByRole('row')
    .filter({ has: page.getByRole('button', { name: 'scalar', exact: true }) });
  await row.getByText('✓').waitFor();
  match(await row.innerText(), /[\d.]+ (µs|ms)\s/);
  match(
    await page.getByRole('group', { name: 'Limits of this adapter' }).innerText(),
    'no timestamps here: wall-clock',
  );
  await page.getByRole('textbox', { name: 'WGSL of sigmoid' }).focus();
  await page.keyboard.press('Control+End');
  await page.keyboard.insertText('// mine');
  const worker = page.workers().find((one) => one.url().endsWith('worker.js#measure'))!;
  await worker.evaluate(() => {
    for (const device of (globalThis as unknown as { devices: GPUDevice[] }).devices) device.destroy();
  });
  await page.keyboard.press('Control+Enter');
  await page.getByText('It did not come back').waitFor();
  match(await page.locator('#notices').innerText(), 'The GPU device was lost while the edited code ran.');
  match(await page.getByRole('textbox', { name: 'WGSL of sigmoid' }).innerText(), '// mine');
  await page.close();
});

/** Put before the worker's code: what it tells of the adapter's limits is a millionth of what it measured. */
const SLOW_ADAPTER = `
const post = globalThis.postMessage.bind(globalThis);
globalThis.postMessage = (message, ...rest) => {
  const { value } = message;
  const slow = value?.gflops && value.clock && { ...value, gflops: value.gflops / 1e6, gbps: value.gbps / 1e6 };
  post(slow ? { ...message, value: slow } : message, ...rest);
};`;

test('a dispatch that is estimated to take long is skipped, and says so; the box runs it too', async () => {
  const page = await studio.browser.newPage({ viewport: { width: 1280, height: 720 } });
  page.setDefaultTimeout(240_000);
  await page.route('**/worker.js*', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: SLOW_ADAPTER + (await response.text()) });
  });
  await page.goto(`${studio.url}#tab=measure&kernel=sigmoid`);
  const scalar = page
    .getByRole('row')
    .filter({ has: page.getByRole('button', { name: 'scalar', exact: true }) });
  const SKIPPED = /skipped, about [\d.,]+ (ms|s)/;
  await scalar.getByText(SKIPPED).waitFor();
  const result = page.getByRole('status', { name: 'Result of the run' });
  /** Runs the text. @returns what the page says of it */
  const run = async (): Promise<string> => {
    await page.getByRole('button', { name: 'Run', exact: true, disabled: false }).click();
    await result.getByText('against the reference').waitFor();
    return result.innerText();
  };
  const skipped = await run();
  match(
    skipped,
    /At this launch it did not run: about [\d.,]+ (ms|s) in one dispatch, modelled\s+and a GPU watchdog may end it\. The box 'run it too' allows it\./,
  );
  match(skipped, /✓ error against the reference [\d.]+e-\d+, at \d sizes? of warpmix check/);
  ok(!skipped.includes('ratio') && !skipped.includes('unedited'), skipped);

  const box = page.getByRole('checkbox', { name: 'run it too' });
  is(await box.isChecked(), false);
  await box.check();
  const ran = await run();
  ok(!ran.includes('did not run'), ran);
  match(ran, /✓ difference from the unedited kernel .*, at this launch/);
  match(ran, /as it was: ratio [\d.]+ measured/);

  // The table skips by the same rule.
  await box.uncheck();
  await page.getByRole('button', { name: '← All kernels' }).click();
  await page.getByLabel('Filter').fill('sigmoid');
  await page.getByLabel('Family').selectOption('elementwise');
  const row = page
    .getByRole('row')
    .filter({ has: page.getByRole('button', { name: 'sigmoid', exact: true }) });
  const timed = async () => {
    await page.getByRole('button', { name: 'Start' }).click();
    await page.getByRole('button', { name: 'Stop' }).waitFor();
    await page.getByRole('button', { name: 'Start' }).waitFor();
    return (await row.getByRole('cell').allInnerTexts())[3];
  };
  match(await timed(), SKIPPED);
  await box.check();
  match(await timed(), /^[\d.]+ (µs|ms|s)$/);
  await page.close();
});

test('nothing was thrown and no rule of the policy broken', () => {
  equal(studio.faults, []);
});
