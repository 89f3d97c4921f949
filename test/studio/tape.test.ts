import type { Page } from 'playwright-core';
import { equal, is, match, ok, suite } from '../suite.ts';
import { openStudio, type Studio, screenshot } from './studio.ts';

const test = suite('studio: tape of a training step');

let studio: Studio;
let page: Page;

test.before(async () => {
  studio = await openStudio();
  page = await studio.open('#tab=inside&view=tape');
  await grid().waitFor();
});
test.after(() => studio?.close());

const grid = () => page.getByRole('treegrid');
const row = (name: string | RegExp) => grid().getByRole('row', { name }).first();
const panel = () => page.getByRole('region', { name: 'Details' });

interface Row {
  level: number;
  isOp: boolean;
  hidden: boolean;
  label: string;
  /** As they are exactly, by column. */
  values: Record<string, number>;
  /** As they are shown. */
  texts: Record<string, string>;
}

/** All rows, folded ones too; the last is the total, of level 0. */
const rows = (): Promise<Row[]> =>
  grid().evaluate((table) =>
    [...table.querySelectorAll<HTMLTableRowElement>('tbody tr, tfoot tr')].map((tr) => {
      const cells = [...tr.querySelectorAll<HTMLElement>('[data-column]')];
      return {
        level: Number(tr.getAttribute('aria-level')),
        isOp: tr.classList.contains('tape-op'),
        hidden: tr.hidden === true,
        label: tr.querySelector('b')?.textContent ?? tr.cells[0].textContent!,
        values: Object.fromEntries(
          cells
            .filter((cell) => cell.dataset.value)
            .map((cell) => [cell.dataset.column!, Number(cell.dataset.value)]),
        ),
        texts: Object.fromEntries(cells.map((cell) => [cell.dataset.column!, cell.textContent!])),
      };
    }),
  );

/** A shown number in its unit, and the most that rounding may have taken from it. */
function parsed(text: string): { value: number; within: number } {
  const [, digits, unit] = /^([\d.]+) ?(\w*)$/.exec(text)!;
  const scale = { KiB: 2 ** 10, MiB: 2 ** 20 }[unit] ?? 1;
  const decimals = digits.split('.')[1]?.length ?? 0;
  return { value: Number(digits) * scale, within: 0.501 * scale * 10 ** -decimals };
}

test('a step of `supervised` is recorded when the view is first shown, folded by module', async () => {
  const seen = (await rows()).filter(({ hidden, level }) => !hidden && level > 0);
  equal(
    seen.filter(({ isOp }) => !isOp).map(({ level, label }) => [level, label]),
    [
      [1, 'Forward and backward'],
      [2, 'segmentation'],
      [3, 'encoder'],
      [3, 'decoder'],
      [1, 'After the gradient'],
    ],
  );
  match((await page.getByRole('status').allTextContents()).join(), /first step from start values: \d+ ops/);
  await screenshot(page, 'tape');
});

test('what a row says is the sum of the rows below it', async () => {
  const all = await rows();
  const total = all.pop()!;
  const below = (at: number) => {
    const end = all.findIndex((r, k) => k > at && r.level <= all[at].level);
    return all.slice(at + 1, end < 0 ? all.length : end).filter((r) => r.level === all[at].level + 1);
  };
  const timed = total.values.forward !== undefined;
  const columns = ['ops', 'bytes', 'kept', ...(timed ? ['forward', 'backward'] : [])];
  const near = (a: number, b: number) => Math.abs(a - b) <= 1e-9 * Math.max(a, b);
  let sums = 0;
  const check = (whole: Row, parts: readonly Row[]) => {
    for (const column of columns) {
      const sum = parts.reduce((to, r) => to + (r.values[column] ?? 0), 0);
      ok(
        near(whole.values[column] ?? 0, sum),
        `${whole.label}: ${column} is ${whole.values[column]}, below are ${sum}`,
      );
      sums += 1;
    }
  };
  check(
    total,
    all.filter(({ level }) => level === 1),
  );
  all.forEach((r, at) => {
    if (!r.isOp) check(r, below(at));
  });
  ok(sums > 40 * columns.length);
  is(total.values.ops, all.filter(({ isOp }) => isOp).length);
  for (const { label, values, texts } of [total, ...all]) {
    for (const column of columns) {
      if (texts[column] === '–' || texts[column] === '') continue;
      const { value, within } = parsed(texts[column]);
      ok(Math.abs(value - values[column]) <= within, `${label}: '${texts[column]}' for ${values[column]}`);
    }
  }
  const norm = await panel()
    .getByRole('row', { name: 'gradientNorm' })
    .getByRole('cell')
    .last()
    .textContent();
  ok(Math.abs(total.values.parameters - Number(norm)) < 1e-4 * Number(norm), 'gradients of all parameters');
});

test('it works by keyboard: unfold, walk, open an op, close it', async () => {
  await row('Forward and backward').focus();
  for (let k = 0; k < 2; k++) await page.keyboard.press('ArrowDown');
  const encoder = row('encoder');
  is(await encoder.evaluate((tr) => tr === document.activeElement), true);
  await page.keyboard.press('ArrowRight');
  is(await encoder.getAttribute('aria-expanded'), 'true');
  ok(await row('layer1.0').isVisible());
  await page.keyboard.press('ArrowLeft');
  is(await encoder.getAttribute('aria-expanded'), 'false');
  ok(!(await row('layer1.0').isVisible()));
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  match((await panel().getByRole('heading', { level: 2 }).textContent())!, '#1affine');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  match((await panel().getByRole('heading', { level: 2 }).textContent())!, '#2conv2d');
  match(page.url(), /op=2/);
  await page.keyboard.press('Escape');
  match((await panel().getByRole('heading', { level: 2 }).textContent())!, "Step 1 of 'supervised'");
  ok(!page.url().includes('op='));
  is(await page.evaluate(() => document.activeElement!.getAttribute('aria-level')), '5');
});

test('an op shows shapes, makers, gradient norms, launches and a picture', async () => {
  await row('layer1.0').click();
  await row('layer1.0').press('ArrowDown');
  await page.keyboard.press('ArrowRight');
  await row(/^4 ?conv2d/).click();
  const cells = async (table: number) =>
    panel().getByRole('table').nth(table).locator('tbody tr').allInnerTexts();
  const split = (lines: readonly string[]) =>
    lines.map((line) => line.split('\t').map((text) => text.trim()));
  equal(split(await cells(0)), [['2×16×32×16 f32', '64.0 KiB']]);
  equal(split(await cells(1)), [
    ['2×32×64×16 f32', '256 KiB', '#3 batchNorm'],
    ['3×3×16×16 f32', '9.0 KiB', 'segmentation/encoder.layer1.0.conv1.weight'],
  ]);
  const [[name, value, gradient]] = split(await cells(2));
  is(name, 'weight');
  ok(Number(value) > 0 && Number(gradient) > 0, `${value}, ${gradient}`);
  const reached = await panel().getByRole('definition').last().textContent();
  ok(Number(reached) > 0, reached!);
  equal(split(await cells(3)), [['2×16×32×16 f32', '64.0 KiB', '#5 batchNorm']]);
  const link = panel().getByRole('link', { name: 'conv2dWeightGrad' });
  is(await link.getAttribute('href'), '#tab=measure&kernel=conv2dWeightGrad');

  const picture = panel().getByRole('img', {
    name: /Output of conv2d, op 4. First image, channel 1 of 16, as grey/,
  });
  await picture.waitFor();
  const shades = () =>
    picture.evaluate((canvas: HTMLCanvasElement) => {
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      return [canvas.width, canvas.height, data.filter((_, i) => i % 4 === 0).join()] as const;
    });
  const [width, height, first] = await shades();
  equal([width, height], [32, 16]);
  ok(first.split(',').includes('0') && first.split(',').includes('255'), 'from black to white');
  await panel().getByRole('combobox', { name: 'Channel' }).selectOption({ value: '2' });
  await panel()
    .getByRole('img', { name: /channel 3 of 16/ })
    .waitFor();

  await panel().getByRole('button', { name: '#3 batchNorm' }).click();
  match((await panel().getByRole('heading', { level: 2 }).textContent())!, '#3batchNorm');
  is(await row(/^3 ?batchNorm/).getAttribute('aria-selected'), 'true');
  await panel().getByText('segmentation/encoder.bn1.running_mean').waitFor();
});

test('columns of one pass; light and dark', async () => {
  await page.getByRole('radio', { name: 'backward' }).check();
  ok(!(await page.getByRole('columnheader', { name: 'Forward, ms' }).isVisible()));
  ok(await page.getByRole('columnheader', { name: 'Backward, ms' }).isVisible());
  match(page.url(), /pass=backward/);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await screenshot(page, `tape-op-${colorScheme}`);
  }
});

test('a reload of the address shows the same op of the same step', async () => {
  const before = await panel().innerText();
  const was = await rows();
  await page.reload();
  await grid().waitFor();
  is(await row(/^3 ?batchNorm/).getAttribute('aria-selected'), 'true');
  ok(await row(/^3 ?batchNorm/).isVisible());
  ok(!(await page.getByRole('columnheader', { name: 'Forward, ms' }).isVisible()));
  await panel()
    .getByRole('img', { name: /channel 1 of 16/ })
    .waitFor();
  const untimed = (text: string) => text.replace(/^\d+\.\d{1,3}$/gm, 'ms').replace(/\t\d+\.\d+/g, '\tms');
  is(untimed(await panel().innerText()), untimed(before));
  const now = await rows();
  equal(
    now.map(({ values: { bytes, gradient } }) => [bytes, gradient]),
    was.map(({ values: { bytes, gradient } }) => [bytes, gradient]),
  );
});

test('an address with nonsense in it says so', async () => {
  await page.evaluate(() => {
    location.hash = '#tab=inside&view=tape&step=supervised&tape=tiny&op=9999';
  });
  await page.getByText(/the address names op 9999; this tape has 1 to \d+\./).waitFor();
  await page.evaluate(() => {
    location.hash = '#tab=inside&view=tape&step=magic&tape=tiny';
  });
  await page
    .getByText("the address names the recipe 'magic'; the tape has supervised, depth, three-ways.")
    .waitFor();
});

test('nothing was thrown and no rule of the policy broken', () => {
  equal(studio.faults, []);
});

test('recording can be stopped, and a worker that cannot start is told of; the tape stays', async () => {
  await page.getByRole('button', { name: 'Record a step' }).click();
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByText('Stopped before the step was recorded.').waitFor();
  await page.route('**/worker.js*', (route) => route.abort());
  await page.getByRole('button', { name: 'Record a step' }).click();
  await page.getByText(/Error: the worker ended: .*worker.js#inside cannot be loaded/).waitFor();
  ok(await page.getByRole('button', { name: 'Record again' }).isVisible());
  ok(await grid().isVisible());
});
