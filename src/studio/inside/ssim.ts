// SSIM: a patch, what was done to it, and the statistics of one window of both.
import { confidencePicture, greyPicture } from '../../train/pictures.ts';
import { button, h } from '../dom.ts';
import { Pictures } from '../picture.ts';
import type { Section } from '../section.ts';
import { ask, newest } from './engine.ts';
import { Launches } from './launches.ts';
import { Facts, fixed, lesson, num, signed } from './lesson.ts';
import { frac, gap, row, sub, subsup } from './math.ts';
import { Nine } from './nine.ts';
import { PATCH, SCENES } from './scenes.ts';
import { Settings } from './settings.ts';
import type { Ssim } from './ssim-gpu.ts';

const plain = { brightness: 0, contrast: 1, noise: 0, blur: 0, shift: 0 };

const spec = {
  scene: { label: 'scene', of: SCENES },
  brightness: {
    label: 'brightness',
    min: -0.3,
    max: 0.3,
    step: 0.01,
    value: 0.1,
    show: (v: number) => signed(v, 2),
  },
  contrast: {
    label: 'contrast',
    min: 0.2,
    max: 2,
    step: 0.01,
    value: 1,
    show: (v: number) => `× ${fixed(v, 2)}`,
  },
  noise: { label: 'noise', min: 0, max: 0.2, step: 0.005, value: 0, show: (v: number) => `σ ${fixed(v, 3)}` },
  blur: {
    label: 'blur',
    min: 0,
    max: 3,
    step: 0.1,
    value: 0,
    show: (v: number) => `σ ${fixed(v, 1)} px`,
  },
  shift: { label: 'shift', min: -4, max: 4, step: 1, value: 0, show: (v: number) => `${fixed(v, 0)} px` },
  px: { label: 'pixel x', min: 0, max: PATCH.width - 1, step: 1, value: 24 },
  py: { label: 'pixel y', min: 0, max: PATCH.height - 1, step: 1, value: 16 },
} as const;

export async function mountSsim(root: HTMLElement): Promise<Section> {
  let seen: Ssim | null = null;
  const settings = new Settings('ssim', spec, () => change());
  const { width, height } = PATCH;
  const compute = newest<void>(root, async () => {
    const { scene, brightness, contrast, noise, blur, shift } = settings.values;
    seen = await ask('ssim', { scene: Number(scene), brightness, contrast, noise, blur, shift });
    draw(seen);
  });

  const pictures = new Pictures({
    width,
    height,
    describe(x, y) {
      if (!seen) return '';
      const { values } = seen;
      const i = y * width + x;
      return `window around (${x}, ${y}): x ${fixed(values.x[i], 3)}, y ${fixed(values.y[i], 3)}, SSIM ${fixed(1 - 2 * values.error[i], 4)}, loss ${fixed(values.error[i], 4)}`;
    },
    onPixel: (px, py) => settings.set({ px, py }),
  });
  const x = pictures.add('x: a patch of a frame, grey');
  const y = pictures.add('y: the same after the settings');
  const error = pictures.add('Loss (1 − SSIM) / 2, 0 dark to 1 bright');
  const [windowX, windowY] = [new Nine('window in x'), new Nine('window in y')];
  const [statistics, outcome, whole] = [
    new Facts('Statistics of the window'),
    new Facts('SSIM of the window'),
    new Facts('The whole patch'),
  ];
  const launches = new Launches(['ssim']);
  const slider = (name: keyof typeof plain) => settings.control(name);
  const m = (of: string) => sub('μ', of);
  const squared = (base: string, of: string) => subsup(base, of, '2');

  const ready = lesson(root, {
    title: 'Structural similarity',
    about:
      'SSIM compares windows of 3x3 pixels by their means, their variances and their covariance. It is 1 for equal windows. Half of ' +
      'what it lacks to 1 is the loss.',
    formulas: [
      [
        row('SSIM', '='),
        frac(
          row(
            '(',
            '2',
            m('x'),
            m('y'),
            '+',
            sub('C', '1'),
            ')',
            '(',
            '2',
            sub('σ', 'xy'),
            '+',
            sub('C', '2'),
            ')',
          ),
          row(
            ...['(', squared('μ', 'x'), '+', squared('μ', 'y'), '+', sub('C', '1'), ')'],
            ...['(', squared('σ', 'x'), '+', squared('σ', 'y'), '+', sub('C', '2'), ')'],
          ),
        ),
        gap(),
        row('loss', '='),
        frac(row('1', '−', 'SSIM'), '2'),
      ],
    ],
    stage: [
      h('div', { class: 'pictures three' }, x.figure, y.figure, error.figure),
      pictures.readout,
      h('div', { class: 'side-by-side' }, windowX.element, windowY.element, statistics.element),
    ],
    bench: [
      h('h3', { class: 'first' }, 'What is done to y'),
      settings.control('scene'),
      ...(['brightness', 'contrast', 'noise', 'blur', 'shift'] as const).map(slider),
      h(
        'div',
        { class: 'actions' },
        button('Nothing: y is x', () => settings.set(plain), { class: 'primary' }),
      ),
      h('h3', {}, 'SSIM of the window'),
      outcome.element,
      h('h3', {}, 'The whole patch'),
      whole.element,
      h('p', { class: 'note' }, 'Click or arrow keys choose a window, with Shift 8 pixels away.'),
    ],
    below: [launches.element],
  });

  function choose(now: Ssim): void {
    const { px, py } = settings.values;
    pictures.moveTo(px, py);
    for (const one of [x, y, error]) one.mark('window', [{ x: px - 1, y: py - 1, width: 3, height: 3 }]);
    const i = py * width + px;
    const of = (name: keyof Ssim['values']) => now.values[name][i];
    windowX.showGrey(now.values.windowsX.subarray(9 * i, 9 * i + 9));
    windowY.showGrey(now.values.windowsY.subarray(9 * i, 9 * i + 9));
    const [mx, my, vx, vy, cov] = [of('meanX'), of('meanY'), of('varX'), of('varY'), of('cov')];
    const [n1, n2] = [2 * mx * my + now.c1, 2 * cov + now.c2];
    const [d1, d2] = [mx * mx + my * my + now.c1, vx + vy + now.c2];
    const byHand = (n1 * n2) / (d1 * d2);
    const symbol = (name: string, below: string) => h('span', {}, name, h('sub', {}, below));
    const square = (name: string, below: string) => h('span', {}, symbol(name, below), h('sup', {}, '2'));
    statistics.show([
      [symbol('μ', 'x'), num(mx, 4)],
      [symbol('μ', 'y'), num(my, 4)],
      [square('σ', 'x'), num(vx, 4)],
      [square('σ', 'y'), num(vy, 4)],
      [symbol('σ', 'xy'), num(cov, 4)],
      [symbol('C', '1'), num(now.c1, 1)],
      [symbol('C', '2'), num(now.c2, 1)],
    ]);
    outcome.show([
      ['means alike', `${num(n1)} / ${num(d1)} = ${fixed(n1 / d1, 4)}`],
      ['structure alike', `${num(n2)} / ${num(d2)} = ${fixed(n2 / d2, 4)}`],
      ['their product', fixed(byHand, 6)],
      ['SSIM of the kernel', fixed(1 - 2 * of('error'), 6)],
      ['difference', num(Math.abs(byHand - 1 + 2 * of('error')), 2)],
      ['loss', fixed(of('error'), 6)],
    ]);
  }

  function draw(now: Ssim): void {
    ready();
    const { values } = now;
    x.draw(greyPicture(values.x, width, height, 0, 1));
    y.draw(greyPicture(values.y, width, height, 0, 1));
    const meanError = values.meanError[0];
    error.draw(confidencePicture(values.error, width, height), `on average ${num(meanError)}`);
    whole.show([
      ['mean SSIM', fixed(1 - 2 * meanError, 4)],
      ['mean loss', fixed(meanError, 4)],
      ['mean |x − y|', fixed(values.meanAbs[0], 4)],
    ]);
    launches.show(now.ran);
    choose(now);
  }

  let before = '';
  function change(): void {
    const { px: _, py: __, ...asked } = settings.values;
    const now = JSON.stringify(asked);
    if (now !== before) compute();
    else if (seen) choose(seen);
    before = now;
  }
  change();
  return { shown: () => settings.read() };
}
