// The page without a mouse: every control can be reached with Tab, is seen to have the focus, and does its work with keys.
import type { Page } from 'playwright-core';
import { equal, is, match, ok, suite } from '../suite.ts';
import { openStudio, type Studio } from './studio.ts';

const test = suite('studio: keyboard');

/** More Tabs than any section has controls: where so many lead nowhere, one of them holds the focus. */
const MOST = 400;

let studio: Studio;
let page: Page;

test.before(async () => {
  studio = await openStudio();
});
test.after(() => studio?.close());

/** Presses Tab once around the page. @returns how many controls had the focus, and what is wrong, in words */
async function around(): Promise<{ visited: number; faults: string[] }> {
  await page.evaluate(() => {
    const own = window as unknown as { seen: Set<Element> };
    own.seen = new Set();
    (document.activeElement as HTMLElement).blur();
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute('tabindex');
  });
  const faults: string[] = [];
  for (let k = 0; ; k++) {
    if (k === MOST) throw new Error(`after ${MOST} Tabs still in the page`);
    await page.keyboard.press('Tab');
    const found = await page.evaluate(async () => {
      const at = document.activeElement!;
      if (at === document.body) return null;
      (window as unknown as { seen: Set<Element> }).seen.add(at);
      const inner = at.shadowRoot?.activeElement ?? at;
      // The editor draws its outline around all of it.
      const rings = [inner, inner.closest('.cm-editor')].filter((one) => one !== null);
      const isSeen = () => rings.some((one) => getComputedStyle(one).outlineStyle !== 'none');
      if (!isSeen()) await new Promise((later) => setTimeout(later, 200)); // it follows the focus in a task of its own
      return isSeen() ? '' : `${at.outerHTML.slice(0, 120)}: no outline`;
    });
    if (found === null) break;
    if (found !== '') faults.push(found);
  }
  const missed = await page.evaluate(() => {
    const { seen } = window as unknown as { seen: Set<Element> };
    const controls = document.querySelectorAll<HTMLElement>(
      'button, input, select, textarea, summary, a[href], [tabindex="0"]',
    );
    return [...controls]
      .filter((one) => one.checkVisibility() && one.tabIndex >= 0 && !(one as HTMLButtonElement).disabled)
      .filter((one) => {
        // Of radio buttons the chosen one stands for all.
        const { type, name } = one as HTMLInputElement;
        const group = type === 'radio' ? document.querySelectorAll(`input[name="${name}"]`) : [one];
        return ![...group].some((member) => seen.has(member));
      })
      .map((one) => `${one.outerHTML.slice(0, 120)}: not reached`);
  });
  const visited = await page.evaluate(() => (window as unknown as { seen: Set<Element> }).seen.size);
  return { visited, faults: [...faults, ...missed] };
}

/** Presses Tab until the control of that name has the focus. */
async function tabTo(name: string): Promise<void> {
  for (let k = 0; k < MOST; k++) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const { activeElement } = document;
      return activeElement?.getAttribute('aria-label') ?? activeElement?.textContent;
    });
    if (at === name) return;
  }
  throw new Error(`no '${name}' within ${MOST} Tabs`);
}

test('a run is started, and its pictures are read, by keys alone', async () => {
  page = await studio.open(
    '#recipe=supervised&preset=tiny&labels=4&seed=3&steps=4&set=pixels%3D4096&set=checkpointEvery%3D100',
  );
  await page.getByRole('form', { name: 'Run' }).waitFor();
  await tabTo('One step');
  await page.keyboard.press('Enter');
  await page.getByText('Paused after step 1 of 4.').waitFor();
  await page.getByRole('img', { name: /^prediction: / }).waitFor();
  const { visited, faults } = await around();
  ok(faults.length === 0, faults.join('\n'));
  ok(visited > 20, `${visited} controls`);
});

for (const view of ['warp', 'ssim', 'mix', 'entropy', 'convolution', 'tape'])
  test(`Look inside, ${view}: every control is reached`, async () => {
    await page.close();
    page = await studio.open(`#tab=inside&view=${view}`);
    // Controls come with the first numbers.
    const settled =
      view === 'tape'
        ? page.getByText('The first step from start values')
        : page.locator(`#panel-inside-${view}[aria-busy=false]:not(:has(.waiting))`);
    await settled.waitFor();
    const { visited, faults } = await around();
    ok(faults.length === 0, faults.join('\n'));
    ok(visited > 5, `${visited} controls`);
  });

test('Measure: a kernel is opened, edited, left and closed by keys', async () => {
  await page.close();
  page = await studio.open('#tab=measure&filter=sigmoid');
  await page.getByRole('group', { name: 'Limits of this adapter' }).getByText('measured').nth(2).waitFor();
  await page.getByRole('button', { name: 'sigmoid', exact: true }).waitFor();
  const { faults: inTable } = await around();
  ok(inTable.length === 0, inTable.join('\n'));
  await tabTo('sigmoid');
  await page.keyboard.press('Enter');
  const text = page.getByRole('textbox', { name: 'WGSL of sigmoid' });
  await text.waitFor();
  for (const variant of ['vec4', 'scalar'])
    await page
      .getByRole('row')
      .filter({ has: page.getByRole('button', { name: variant }) })
      .getByText('✓')
      .first()
      .waitFor();
  const { faults } = await around();
  ok(faults.length === 0, faults.join('\n'));
  await text.focus();
  await page.keyboard.press('Control+End');
  await page.keyboard.type('// mine');
  match(await text.innerText(), '// mine');
  await page.keyboard.press('Tab');
  is(await text.evaluate((one) => one.contains((one.getRootNode() as ShadowRoot).activeElement)), false);
  await tabTo('← All kernels');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'sigmoidGrad', exact: true }).waitFor();
});

test('nothing was thrown', () => {
  equal(studio.faults, []);
});
