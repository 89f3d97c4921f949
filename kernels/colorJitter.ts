// Colour jitter: brightness, contrast, saturation and hue of images, in an order that is drawn with the factors. Each of them is one step
//
//     y = clamp(a x + b m + c grey(x), 0, 1), its hue turned by d
//
// with grey(x) = 0.2989 r + 0.587 g + 0.114 b of the pixel, and m the mean grey of the whole image as it is by then:
//
//     brightness by f   (a, b, c, d) = (f, 0, 0, 0)
//     contrast by f                    (f, 1 - f, 0, 0)
//     saturation by f                  (f, 0, 1 - f, 0)
//     hue by d turns                   (1, 0, 0, d)
//     nothing                          (1, 0, 0, 0)
//
// The turn is in HSV: max and min of r, g and b stay, and with them value and saturation. It costs more than the others, so seven rows have
// it at one place: three before it, its own, three after it, in which (1, 0, 0, 0) fills up.
//
// Only contrast looks beyond its pixel. So one kernel goes through the steps before it, seven rows of their own, and gives each pixel's grey;
// their mean is taken by `reduceSum`, and the second kernel goes through all steps from the start: each by itself would read and write the
// images once more.
import * as shader from '../shaders/colorJitter.wgsl.ts';
import { groupsFor, type Kernel, type Numbers, type Variant } from '../src/gpu/kernel.ts';

const SOURCE = 'torchvision, transforms/_functional_tensor.py';

/** Image i of `images` takes the steps of sample i mod `samples`; x is [images,pixels,3], steps [samples,7,4]. */
export type ColorJitterParams = Record<'images' | 'pixels' | 'samples', number>;

const params = { images: 'u32', pixels: 'u32', samples: 'u32' } as const;

const read = (name: string) => ({ name, type: 'f32', access: 'read' }) as const;

/** Pixels that one invocation walks on a CPU adapter. */
const RUN = 32;

const variants = (code: (vector: boolean) => string, vec4: readonly string[]): Variant<ColorJitterParams>[] =>
  [
    {
      name: 'four-run',
      lanes: 4,
      run: RUN / 4,
      summary: `four pixels at a time, up to ${RUN} per invocation: for software adapters`,
    },
    { name: 'four', lanes: 4, run: 1, summary: 'four pixels per invocation, which are three vectors' },
    { name: 'pixel', lanes: 1, run: 1, summary: 'one pixel per invocation, any number of them' },
  ].map(({ name, lanes, run, summary }) => ({
    name,
    summary,
    applies: ({ pixels }, { software }) => (run === 1 || software) && pixels % lanes === 0,
    vec4: lanes === 4 ? ['x', 'y', ...vec4] : vec4,
    code: () => code(lanes === 4),
    constants: () => ({ RUN: run }),
    workgroups: ({ images, pixels }) => groupsFor(images * Math.ceil(pixels / lanes / run)),
  }));

const clamp = (v: number) => Math.min(1, Math.max(0, v));
const grey = ([r, g, b]: readonly number[]) => 0.2989 * r + 0.587 * g + 0.114 * b;

function turned([r, g, b]: readonly number[], turns: number): number[] {
  const value = Math.max(r, g, b);
  const chroma = value - Math.min(r, g, b);
  if (chroma === 0) return [r, g, b];
  // In sixths of a turn; red is 0, green 2, blue 4.
  let hue = (r - g) / chroma + 4;
  if (value === r) hue = (g - b) / chroma;
  else if (value === g) hue = (b - r) / chroma + 2;
  return [0, 2, 4].map((own) => {
    const away = hue + 6 * turns - own;
    return value - chroma * clamp(Math.abs(away - 6 * Math.round(away / 6)) - 1);
  });
}

const TURN = 3;

function stepped(x: number[], [a, b, c, d]: Numbers, place: number, level: number): number[] {
  if (place === TURN) return turned(x, d);
  const other = b * level + c * grey(x);
  return x.map((v) => clamp(a * v + other));
}

/** Calls `visit` for every pixel: its place, its image, its colour, and the steps of its sample. */
function eachPixel(
  p: ColorJitterParams,
  { x, steps }: Record<string, Numbers>,
  visit: (k: number, image: number, x: number[], steps: Numbers[]) => void,
): void {
  for (let image = 0; image < p.images; image++) {
    const own = Array.from({ length: 7 }, (_, place) => {
      const at = 4 * (7 * (image % p.samples) + place);
      return steps.subarray(at, at + 4);
    });
    for (let i = 0; i < p.pixels; i++) {
      const k = image * p.pixels + i;
      visit(k, image, [x[3 * k], x[3 * k + 1], x[3 * k + 2]], own);
    }
  }
}

export const greyBeforeContrast: Kernel<ColorJitterParams> = {
  name: 'greyBeforeContrast',
  summary: 'grey of each pixel after the steps of a colour jitter that come before contrast',
  formula: 'y = grey(steps of x)',
  source: SOURCE,
  bindings: [read('x'), read('steps'), { name: 'y', type: 'f32', access: 'write' }],
  params,
  variants: variants(shader.greyBeforeContrast, ['steps']),
  cost: (p) => ({ flops: 80 * p.images * p.pixels, bytes: 16 * p.images * p.pixels }),
  reference: (p, buffers) => {
    eachPixel(p, buffers, (k, _, x, steps) => {
      buffers.y[k] = grey(steps.reduce((color, step, place) => stepped(color, step, place, 0), x));
    });
  },
};

export const colorJitter: Kernel<ColorJitterParams> = {
  name: 'colorJitter',
  summary: 'the steps of a colour jitter, of every pixel',
  formula: 'y = steps of x, contrast with level[image]',
  source: SOURCE,
  bindings: [read('x'), read('steps'), read('level'), { name: 'y', type: 'f32', access: 'write' }],
  params,
  variants: variants(shader.colorJitter, ['steps']),
  cost: (p) => ({ flops: 80 * p.images * p.pixels, bytes: 24 * p.images * p.pixels }),
  reference: (p, buffers) => {
    const { level, y } = buffers;
    eachPixel(p, buffers, (k, image, x, steps) => {
      const color = steps.reduce((now, step, place) => stepped(now, step, place, level[image]), x);
      for (let i = 0; i < 3; i++) y[3 * k + i] = color[i];
    });
  },
};
