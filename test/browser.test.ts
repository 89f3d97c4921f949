import jpeg from 'jpeg-js';
import type { Browser, Page } from 'playwright-core';
import { bundleForBrowser, launchBrowser, servePage } from './browser.ts';
import { computeBits, type computeBitsHere, samplesOf } from './browser-side.ts';
import { progressiveJpeg, quadrantJpeg, rawPng, turnedJpeg } from './data/fixtures.ts';
import { randoms, relativeError, testGpu } from './device.ts';
import { equal, is, ok, suite } from './suite.ts';

const test = suite('in a browser');

let browser: Browser;
let page: Page;
let server: Awaited<ReturnType<typeof servePage>>;
const complaints: string[] = [];

test.before(async () => {
  server = await servePage(await bundleForBrowser('test/browser-side.ts'));
  browser = await launchBrowser();
  page = await browser.newPage();
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(server.url);
});

test.after(async () => {
  await browser?.close();
  server?.close();
});

const bytes = (count: number, stream: number, below: number) =>
  Array.from(randoms(count, stream, 0, below), Math.floor);

const files: Record<string, Uint8Array> = {
  'JPEG of noise': new Uint8Array(
    jpeg.encode({ width: 21, height: 13, data: Uint8Array.from(bytes(21 * 13 * 4, 1, 256)) }, 80).data,
  ),
  'JPEG that EXIF calls turned': turnedJpeg(quadrantJpeg(16, 8)),
  'progressive JPEG': progressiveJpeg(),
  'palette PNG of 4 bits': rawPng({
    width: 7,
    height: 5,
    depth: 4,
    colourType: 3,
    samples: bytes(35, 2, 16),
    palette: bytes(48, 3, 256),
  }),
  '16-bit PNG': rawPng({ width: 6, height: 5, depth: 16, colourType: 0, samples: bytes(30, 4, 65536) }),
};

for (const [name, file] of Object.entries(files)) {
  test(`${name}: the same pixels as in Node`, async () => {
    const list = Array.from(file);
    const there = await page.evaluate(`page.samplesOf(${JSON.stringify(list)})`);
    const here = samplesOf(list);
    ok(here.decoded.length > 0 || here.rgb, 'nothing was decoded');
    equal(there, here);
  });
}

test('WebGPU on SwiftShader gives the bits that Node gives', async () => {
  const there = await page.evaluate<Awaited<ReturnType<typeof computeBitsHere>>>('page.computeBitsHere()');
  equal(complaints, []);
  equal(there.adapter, { vendor: 'google', architecture: 'swiftshader', software: true });
  const gpu = await testGpu();
  const here = await computeBits();
  for (const [name, bits] of Object.entries(here)) {
    if (gpu.adapter.software) {
      const differing = bits.filter((b, i) => b !== there.bits[name][i]).length;
      is(differing, 0, `${name}: ${differing} of ${bits.length} values differ`);
    } else {
      // Node has a GPU here, whose exp and sums may round otherwise.
      const floats = (list: number[]) => new Float32Array(Uint32Array.from(list).buffer);
      const error = relativeError(floats(there.bits[name]), floats(bits));
      ok(error < 1e-4, `${name}: relative error ${error}`);
    }
  }
});
