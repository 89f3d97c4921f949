// Measures the studio in headless Chromium on the software adapter: first paint, first training step, input while training.
//   npx esbuild scripts/studio-figures.ts --bundle --platform=node --format=esm --packages=external --outfile=dist/studio-figures.mjs
//   node dist/studio-figures.mjs
import { openStudio } from '../test/studio/studio.ts';

const LOADS = 5;
const KEYS = 60;

/** In the page: the longest task of its thread, and for each input the time to the end of the next frame. Milliseconds. */
interface Watched {
  longest: number;
  inputs: number[];
}

const studio = await openStudio();
for (let k = 0; k < LOADS; k++) {
  const page = await studio.open();
  await page.locator('#panel-train button').first().waitFor();
  const paints = await page.evaluate(() => performance.getEntriesByType('paint').map((one) => one.startTime));
  console.log(`first paint: ${Math.min(...paints).toFixed(0)} ms`);
  await page.close();
}

const page = await studio.open();
await page.evaluate(() => {
  const watched: Watched = { longest: 0, inputs: [] };
  Object.assign(globalThis, { watched });
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) watched.longest = Math.max(watched.longest, duration);
  }).observe({ type: 'longtask', buffered: true });
  addEventListener(
    'input',
    ({ timeStamp }) => {
      requestAnimationFrame(() => {
        // A message after the frame's callbacks arrives when the frame has been made.
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => watched.inputs.push(performance.now() - timeStamp);
        port2.postMessage(0);
      });
    },
    true,
  );
});
const began = performance.now();
await page.getByRole('button', { name: 'Start', exact: true }).click();
await page.waitForFunction(() => /Step\s+[1-9]\d* of \d/.test(document.body.innerText));
console.log(`Start to the first step: ${((performance.now() - began) / 1000).toFixed(1)} s`);
for (let k = 0; k < KEYS; k++) {
  await page.getByLabel('Seed').focus();
  await page.keyboard.press(k % 2 ? 'Backspace' : '1');
  await page.waitForTimeout(400);
}
const { longest, inputs } = await page.evaluate(
  () => (globalThis as unknown as { watched: Watched }).watched,
);
inputs.sort((a, b) => a - b);
const share = (part: number) =>
  inputs[Math.min(inputs.length - 1, Math.floor(part * inputs.length))].toFixed(0);
console.log(
  `input, ${inputs.length} keys: median ${share(0.5)}, 95th percentile ${share(0.95)}, at most ${share(1)} ms`,
);
console.log(`longest task: ${longest.toFixed(0)} ms`);
await studio.close();
