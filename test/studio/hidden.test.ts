import { is, ok, suite } from '../suite.ts';
import { openStudio } from './studio.ts';

const test = suite('studio: a hidden tab', { timeoutMs: 600_000 });

test('training goes on in its worker while nothing is drawn, and the page says so when it is seen again', async () => {
  const studio = await openStudio();
  try {
    const page = await studio.open();
    await page.addInitScript(() => {
      const told = { count: 0 };
      const Real = window.Worker;
      window.Worker = class extends Real {
        constructor(...args: ConstructorParameters<typeof Worker>) {
          super(...args);
          this.addEventListener('message', () => {
            told.count += 1;
          });
        }
      };
      Object.assign(window, { told });
    });
    await page.goto(
      `${studio.url}#recipe=supervised&preset=tiny&labels=4&seed=3&steps=4000&set=pixels%3D4096`,
    );
    await page.reload();
    const step = async () => Number.parseInt((await page.locator('.tile b').first().textContent())!, 10);
    const reached = (wanted: number) =>
      page.waitForFunction(
        (least) => Number.parseInt(document.querySelector('.tile b')!.textContent!, 10) >= least,
        wanted,
        { polling: 100 },
      );
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await reached(2);

    // Headless Chromium hides no tab, so the page is told that it is hidden, and gets no frames to draw in.
    await page.evaluate(() => {
      const held: FrameRequestCallback[] = [];
      const draw = window.requestAnimationFrame;
      window.requestAnimationFrame = (work) => held.push(work);
      const tell = (hidden: boolean) => {
        Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      };
      Object.assign(window, {
        showAgain: () => {
          window.requestAnimationFrame = draw;
          for (const work of held) draw(work);
          tell(false);
        },
      });
      tell(true);
    });
    const drawn = await step();
    // The worker tells of every step.
    await page.waitForFunction(
      (before) => (window as unknown as { told: { count: number } }).told.count >= before + 10,
      await page.evaluate(() => (window as unknown as { told: { count: number } }).told.count),
      { polling: 100 },
    );
    is(await step(), drawn, 'something was drawn');
    await page.evaluate(() => (window as unknown as { showAgain(): void }).showAgain());
    const hint = page.getByText(/^Trained on while hidden: \d+ steps\.$/);
    await hint.waitFor();
    const [, steps] = /(\d+) steps/.exec((await hint.textContent())!)!;
    ok(Number(steps) > 0);
    await reached(drawn + Number(steps));
    is(studio.faults.join('\n'), '');
  } finally {
    await studio.close();
  }
});
