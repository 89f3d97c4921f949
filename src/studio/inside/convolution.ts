// One convolution: an output pixel, the window that it saw, the weights, their products and sum, and the loop that made it.
import { paint, type Rgb } from '../../data/paint.ts';
import { button, h } from '../dom.ts';
import { Pictures } from '../picture.ts';
import type { Section } from '../section.ts';
import { SignedLegend, signedPicture } from './colours.ts';
import type { Convolution } from './convolution-gpu.ts';
import { ask, newest } from './engine.ts';
import { code, Launches } from './launches.ts';
import { Facts, fixed, lesson, num } from './lesson.ts';
import { sumOver } from './math.ts';
import { Nine } from './nine.ts';
import { PATCH, SCENES } from './scenes.ts';
import { Settings } from './settings.ts';

const PRESETS: Record<string, readonly number[]> = {
  'Sobel x': [-1, 0, 1, -2, 0, 2, -1, 0, 1],
  'Sobel y': [-1, -2, -1, 0, 0, 0, 1, 2, 1],
  blur: [0.0625, 0.125, 0.0625, 0.125, 0.25, 0.125, 0.0625, 0.125, 0.0625],
  sharpen: [0, -1, 0, -1, 5, -1, 0, -1, 0],
  Laplace: [0, 1, 0, 1, -4, 1, 0, 1, 0],
  'like a learnt one': [0.31, -0.42, 0.12, 0.55, 0.08, -0.61, -0.17, 0.38, -0.23],
};

const weight = (i: number) => ({
  label: `weight in row ${Math.floor(i / 3) + 1}, column ${(i % 3) + 1}`,
  min: -9,
  max: 9,
  step: 0.01,
  value: PRESETS['Sobel x'][i],
});

const whole = (label: string, min: number, max: number, value: number) => ({
  label,
  min,
  max,
  step: 1,
  value,
});

const WEIGHTS = ['w0', 'w1', 'w2', 'w3', 'w4', 'w5', 'w6', 'w7', 'w8'] as const;

const spec = {
  scene: { label: 'scene', of: SCENES },
  ...(Object.fromEntries(WEIGHTS.map((name, i) => [name, weight(i)])) as Record<
    (typeof WEIGHTS)[number],
    ReturnType<typeof weight>
  >),
  stride: whole('stride', 1, 4, 1),
  padding: whole('padding', 0, 4, 1),
  dilation: whole('dilation', 1, 4, 1),
  ox: whole('output x', 0, PATCH.width + 8, 20),
  oy: whole('output y', 0, PATCH.height + 8, 12),
};

/** The loop of the kernel for one value of one channel, as a reader would write it; a test runs it. */
const PLAIN_LOOP = `let total = 0;
for (let ky = 0; ky < 3; ky++) {
  const iy = oy * stride - padding + ky * dilation;
  if (iy < 0 || iy >= height) continue; // zeros outside
  for (let kx = 0; kx < 3; kx++) {
    const ix = ox * stride - padding + kx * dilation;
    if (ix < 0 || ix >= width) continue;
    total += x[iy * width + ix] * w[ky * 3 + kx];
  }
}
return total;`;

const { width, height } = PATCH;
const isInside = (x: number, y: number) => x >= 0 && y >= 0 && x < width && y < height;

/** The patch among the zeros around it, which are hatched. */
const padded = (values: ArrayLike<number>, padding: number) =>
  paint(width + 2 * padding, height + 2 * padding, (_, drawnX, drawnY): Rgb => {
    const [x, y] = [drawnX - padding, drawnY - padding];
    if (!isInside(x, y)) return (x + y) % 2 === 0 ? [52, 66, 92] : [24, 32, 48];
    const grey = Math.round(255 * Math.min(Math.max(values[y * width + x], 0), 1));
    return [grey, grey, grey];
  });

export async function mountConvolution(root: HTMLElement): Promise<Section> {
  let seen: Convolution | null = null;
  let asked = { stride: 1, padding: 1, dilation: 1, weights: [] as number[] };
  const settings = new Settings('convolution', spec, () => change());
  const compute = newest<void>(root, async () => {
    const { scene, stride, padding, dilation } = settings.values;
    const weights = WEIGHTS.map((name) => settings.values[name]);
    const request = { scene: Number(scene), weights, stride, padding, dilation };
    seen = await ask('convolution', request);
    asked = request;
    draw(seen);
  });

  const inputs = new Pictures({
    width,
    height,
    describe(drawnX, drawnY) {
      const [x, y] = [drawnX - asked.padding, drawnY - asked.padding];
      if (!seen) return '';
      return isInside(x, y)
        ? `input (${x}, ${y}): ${fixed(seen.values.x[y * width + x], 4)}`
        : `outside, at (${x}, ${y}): 0`;
    },
  });
  const outputs = new Pictures({
    width,
    height,
    describe: (x, y) =>
      seen && x < seen.outWidth && y < seen.outHeight
        ? `output (${x}, ${y}): ${fixed(seen.values.y[y * seen.outWidth + x], 5)}`
        : '',
    onPixel: (ox, oy) => settings.set({ ox, oy }),
  });
  const input = inputs.add('Input: a patch of a frame, grey');
  const output = outputs.add('Output: click a pixel, or use the arrow keys');
  const legend = new SignedLegend();
  output.figure.append(legend.element, outputs.readout);
  input.figure.append(inputs.readout);

  const fields = WEIGHTS.map((name, i) => {
    const { label, min, max, step } = weight(i);
    const box = h('input', { type: 'number', min, max, step, 'aria-label': label });
    box.addEventListener('change', () => {
      if (Number.isFinite(box.valueAsNumber)) settings.set({ [name]: box.valueAsNumber });
      else box.value = String(settings.values[name]);
    });
    return box;
  });
  const taps = new Nine('input; (0) is outside');
  const weights = new Nine('weights w', fields);
  const total = h('output', { 'aria-label': 'sum' });
  const products = new Nine('products', [], h('span', {}, 'sum ', total));
  const outcome = new Facts('The output pixel');
  const launches = new Launches(['conv2d'], (line) => /for \(var (ky|kx|i) |total \+=/.test(line));

  const ready = lesson(root, {
    title: 'One convolution',
    about:
      'Each output pixel is the sum of the products of nine weights with a window of the input. Stride S moves the window by more than ' +
      'a pixel, padding P lets it reach beyond the border, dilation D pulls its pixels apart.',
    formulas: [
      [
        ...['y', '[', 'v', ',', 'u', ']', '=', sumOver('j,i')],
        ...['x', '[', 'v S − P + j D', ',', 'u S − P + i D', ']', 'w', '[', 'j', ',', 'i', ']'],
      ],
    ],
    stage: [
      h('div', { class: 'pictures two' }, input.figure, output.figure),
      h(
        'div',
        { class: 'side-by-side sum' },
        taps.element,
        h('span', { class: 'operator' }, '×'),
        weights.element,
        h('span', { class: 'operator' }, '='),
        products.element,
      ),
    ],
    bench: [
      h('span', { class: 'note' }, 'weights'),
      h(
        'div',
        { class: 'presets' },
        ...Object.entries(PRESETS).map(([name, values]) =>
          button(name, () =>
            settings.set(Object.fromEntries(WEIGHTS.map((weight, i) => [weight, values[i]]))),
          ),
        ),
      ),
      ...(['stride', 'padding', 'dilation', 'scene'] as const).map((one) => settings.control(one)),
      h('h3', {}, 'The output pixel'),
      outcome.element,
      h('h3', {}, 'The same in plain loops'),
      code(PLAIN_LOOP, (line) => /for |total \+=/.test(line)),
    ],
    below: [launches.element],
  });

  function choose(now: Convolution): void {
    const { stride, padding, dilation, weights: w } = asked;
    const ox = Math.min(settings.values.ox, now.outWidth - 1);
    const oy = Math.min(settings.values.oy, now.outHeight - 1);
    outputs.moveTo(ox, oy);
    const spots = [0, 1, 2].flatMap((j) =>
      [0, 1, 2].map((i) => ({
        x: ox * stride - padding + i * dilation,
        y: oy * stride - padding + j * dilation,
      })),
    );
    input.mark(
      'window',
      spots.map(({ x, y }) => ({ x: x + padding, y: y + padding })),
    );
    const values = spots.map(({ x, y }) => (isInside(x, y) ? now.values.x[y * width + x] : null));
    taps.show(values.map((value) => (value === null ? '(0)' : fixed(value, 4))));
    const each = values.map((value, i) => (value ?? 0) * w[i]);
    products.show(each.map((value) => fixed(value, 4)));
    const sum = each.reduce((a, b) => a + b, 0);
    const at = oy * now.outWidth + ox;
    const y = now.values.y[at];
    total.textContent = fixed(sum, 4);
    outcome.show([
      ['sum of the products', fixed(sum, 7)],
      ['output of the kernel', fixed(y, 7)],
      ['difference', num(Math.abs(sum - y), 2)],
      ['reference, plain loops in f64', fixed(now.reference[at], 7)],
      [`variant ${now.chosen}, whole output`, `${num(now.apart, 2)} apart`],
    ]);
  }

  function draw(now: Convolution): void {
    ready();
    const { values, outWidth, outHeight } = now;
    input.draw(padded(values.x, asked.padding), `${width} by ${height} pixels, and zeros around them`);
    const most = Math.max(...Array.from(values.y, Math.abs));
    output.draw(signedPicture(values.y, outWidth, outHeight, most), `${outWidth} by ${outHeight} pixels`);
    // Pixels of both pictures are of one size.
    output.frame.style.width = `${(100 * outWidth) / (width + 2 * asked.padding)}%`;
    legend.update(most, (v) => num(v, 2));
    launches.show(now.ran);
    choose(now);
  }

  let before = '';
  function change(): void {
    const { ox: _, oy: __, ...wanted } = settings.values;
    WEIGHTS.forEach((name, i) => {
      fields[i].value = String(settings.values[name]);
    });
    const now = JSON.stringify(wanted);
    if (now !== before) compute();
    else if (seen) choose(seen);
    before = now;
  }
  change();
  return { shown: () => settings.read() };
}
