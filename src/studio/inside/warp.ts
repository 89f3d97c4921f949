// View warping: the depth of a frame and the motion to the next one are right when the warp looks like the frame.
import { magma } from '../../data/colormap.ts';
import { paint } from '../../data/paint.ts';
import { greyPicture, rgbPicture } from '../../train/pictures.ts';
import { button, h } from '../dom.ts';
import { Pictures } from '../picture.ts';
import type { Section } from '../section.ts';
import { SignedLegend, signedPicture, typicalSize } from './colours.ts';
import { ask, newest } from './engine.ts';
import { Launches } from './launches.ts';
import { Facts, fixed, lesson, Meter, num, signed } from './lesson.ts';
import { frac, row, sub, sumOver, sup, tall } from './math.ts';
import { HEIGHT, SCENES, sceneInWords, WIDTH } from './scenes.ts';
import { Settings } from './settings.ts';
import type { Pose, Warp } from './warp-gpu.ts';

const DEGREE = Math.PI / 180;
/** What a pixel of dragging is worth. */
const METRES = 0.02;
const DEGREES = 0.1;

/** Metres, drawn brightest: one scale for all depths, so that a factor shows. */
const NEAR = 4;

/** Without motion all that is left of the gradient is smaller, metres. */
const ROUNDING = 1e-9;

const MOTION = ['x', 'y', 'z'] as const;
const TURNS = ['rx', 'ry', 'rz'] as const;
const NAMES: Record<(typeof MOTION)[number] | (typeof TURNS)[number], string> = {
  x: 't x, right',
  y: 't y, down',
  z: 't z, ahead',
  rx: 'R about x',
  ry: 'R about y',
  rz: 'R about z',
};

const metres = (name: keyof typeof NAMES, most: number, value = 0) => ({
  label: NAMES[name],
  min: -most,
  max: most,
  step: 0.01,
  value,
  show: (v: number) => `${fixed(v, 2)} m`,
});
const degrees = (name: keyof typeof NAMES) => ({
  label: NAMES[name],
  min: -5,
  max: 5,
  step: 0.05,
  value: 0,
  show: (v: number) => `${fixed(v, 2)}°`,
});

const spec = {
  scene: { label: 'scene', of: SCENES },
  depth: {
    label: 'depth',
    of: [
      ['true', 'true × factor'],
      ['plane', 'a plane × factor'],
    ],
  },
  factor: {
    label: 'depth factor',
    min: 0.3,
    max: 3,
    step: 0.01,
    value: 1,
    show: (v: number) => `× ${fixed(v, 2)}`,
  },
  plane: { label: 'plane', min: 1, max: 100, step: 0.5, value: 10, show: (v: number) => `${fixed(v, 1)} m` },
  x: metres('x', 1),
  y: metres('y', 1),
  // Some motion: without it depth moves nothing, and its gradient is zero.
  z: metres('z', 2, -0.4),
  rx: degrees('rx'),
  ry: degrees('ry'),
  rz: degrees('rz'),
  px: { label: 'pixel x', min: 0, max: WIDTH - 1, step: 1, value: 40 },
  py: { label: 'pixel y', min: 0, max: HEIGHT - 1, step: 1, value: 44 },
} as const;

const transformed = (p: string) => sup(p, '′');

export async function mountWarp(root: HTMLElement): Promise<Section> {
  let seen: Warp | null = null;
  const settings = new Settings('warp', spec, () => change());
  const compute = newest<void>(root, async () => {
    const { scene, depth, factor, plane, x, y, z, rx, ry, rz } = settings.values;
    const pose: Pose = [rx * DEGREE, ry * DEGREE, rz * DEGREE, x, y, z];
    const kind = depth as 'true' | 'plane';
    seen = await ask('warp', { scene: Number(scene), depth: kind, factor, plane, pose });
    draw(seen);
  });

  const rgb = (values: ArrayLike<number>, i: number, scale = 1) =>
    [0, 1, 2].map((c) => fixed(values[3 * i + c] / scale, 2)).join(' ');
  /** Where a pixel of the target lies in the source, in its pixels. */
  const landing = ({ target: { width, height }, values: { grid } }: Warp, i: number) => ({
    x: ((grid[2 * i] + 1) / 2) * (width - 1),
    y: ((grid[2 * i + 1] + 1) / 2) * (height - 1),
  });
  const pictures = new Pictures({
    width: WIDTH,
    height: HEIGHT,
    describe(x, y) {
      if (!seen) return '';
      const { target, values } = seen;
      const i = y * target.width + x;
      const to = landing(seen, i);
      return (
        `(${x}, ${y}): depth ${fixed(values.depth[i], 2)} m, lands at (${fixed(to.x, 1)}, ${fixed(to.y, 1)}) of the source; ` +
        `error ${num(values.error[i])}; d loss / d depth ${signed(values.dDepth[i])} /m`
      );
    },
    onPixel: (px, py) => settings.set({ px, py }),
  });
  const fromSource = new Pictures({
    width: WIDTH,
    height: HEIGHT,
    describe: (x, y) =>
      seen ? `source pixel (${x}, ${y}): ${rgb(seen.source.data, y * seen.source.width + x, 255)}` : '',
  });
  const target = pictures.add('Target: a frame of the video');
  const source = fromSource.add('Source: the frame after it');
  const warped = pictures.add('Warp of the source: drag it', {
    onMove(dx, dy, shift) {
      const { x, z, rx, ry } = settings.values;
      if (shift) settings.set({ ry: ry - DEGREES * dx, rx: rx + DEGREES * dy });
      else settings.set({ x: x - METRES * dx, z: z + METRES * dy });
    },
  });
  const error = pictures.add('Photometric error, 0.5 is white');
  const depth = pictures.add('Depth in use: 4 m is bright, far dark');
  const gradient = pictures.add('Gradient: d loss / d depth');
  const legend = new SignedLegend();
  gradient.figure.append(legend.element);

  const loss = h('output', { class: 'big', 'aria-label': 'loss' });
  const meter = new Meter();
  const slopes = new Map([...TURNS, ...MOTION].map((name) => [name, h('output', { class: 'slope' })]));
  const factorSlope = h('output', { class: 'slope' });
  const ray = new Facts('The way of one pixel');
  const launches = new Launches([
    'poseMatrix',
    'pixelProjection',
    'viewSynthesis',
    'photometric',
    'photometricGrad',
    'viewSynthesisGrad',
    'poseMatrixGrad',
  ]);

  const truth = () => {
    const [rx, ry, rz, x, y, z] = seen!.truth;
    settings.set({
      ...{ depth: 'true', factor: 1, x, y, z },
      ...{ rx: rx / DEGREE, ry: ry / DEGREE, rz: rz / DEGREE },
    });
  };
  const right = button('True depth and pose', truth, { class: 'primary', disabled: true });
  const still = button('No motion', () => settings.set({ x: 0, y: 0, z: 0, rx: 0, ry: 0, rz: 0 }));
  const plane = settings.control('plane');
  const poseRow = (name: keyof typeof NAMES) => [settings.control(name), slopes.get(name)!];

  const ready = lesson(root, {
    title: 'View warping',
    about:
      'Each pixel p of the target goes to a point in space by its depth D, from there into the source camera by the pose (R, t), and ' +
      'takes the colour found there. Where depth and pose are right, the warp looks like the target: that is all that self-supervised ' +
      'depth learns from.',
    formulas: [
      [transformed('p'), '∼', 'K', '(', 'R', 'D', '(', 'p', ')', sup('K', '−1'), 'p', '+', 't', ')'],
      [
        row('L', '='),
        frac('1', 'N'),
        sumOver('p'),
        tall('('),
        row('0.85', frac(row('1', '−', 'SSIM'), '2'), '+', '0.15'),
        row('|', sub('I', 's'), '(', transformed('p'), ')', '−', sub('I', 't'), '(', 'p', ')', '|'),
        tall(')'),
      ],
    ],
    stage: [
      h(
        'div',
        { class: 'pictures three' },
        ...[target, source, warped, error, depth, gradient].map(({ figure }) => figure),
      ),
      pictures.readout,
      h('h3', {}, 'The way of one pixel'),
      ray.element,
      fromSource.readout,
    ],
    bench: [
      h('div', { class: 'loss' }, h('span', {}, 'loss L'), loss),
      meter.element,
      h('div', { class: 'actions' }, right, still),
      settings.control('scene'),
      settings.control('depth'),
      plane,
      h(
        'div',
        { class: 'sloped' },
        h('span', { class: 'note' }, 'setting'),
        h('span', { class: 'note slope' }, 'slope of L'),
        settings.control('factor'),
        factorSlope,
        ...MOTION.flatMap(poseRow),
        ...TURNS.flatMap(poseRow),
      ),
      h(
        'p',
        { class: 'note' },
        'R and t take points from the target’s camera into that of the source: who drives ahead has t z below 0. On the warp, ' +
          'dragging and arrow keys change t x and t z, with Shift the turns about x and y. On the other pictures a click or ' +
          'arrow keys choose a pixel, with Shift 8 further.',
      ),
    ],
    below: [launches.element],
  });

  function choose(now: Warp): void {
    const { px, py } = settings.values;
    pictures.moveTo(px, py);
    const i = py * now.target.width + px;
    const to = landing(now, i);
    const within = to.x >= -0.5 && to.y >= -0.5 && to.x < now.target.width && to.y < now.target.height;
    source.mark('cursor', within ? [to] : []);
    const { depth, points, error, warped } = now.values;
    ray.show([
      ['pixel p', `(${px}, ${py})`, 'chosen in the target'],
      ['depth D', `${fixed(depth[i], 3)} m`, 'along the viewing direction'],
      [
        'point D K⁻¹ p',
        `(${[0, 1, 2].map((c) => fixed(points[3 * i + c], 3)).join(', ')}) m`,
        'to the right, down, ahead of the target camera',
      ],
      [
        'lands at p′',
        `(${fixed(to.x, 2)}, ${fixed(to.y, 2)})`,
        'in pixels of the source; outside, the border is taken',
      ],
      ['colour in the target', rgb(now.target.data, i, 255), 'red, green, blue'],
      ['colour taken', rgb(warped, i), 'between four pixels of the source'],
      ['error', num(error[i]), 'of the 3x3 windows around it, and of its colour'],
    ]);
  }

  function draw(now: Warp): void {
    ready();
    right.disabled = false;
    const { width, height } = now.target;
    const { values } = now;
    const street = sceneInWords(settings.values.scene);
    target.draw(now.target, street);
    source.draw(now.source, street);
    warped.draw(rgbPicture(values.warped, width, height), `mean error ${num(values.loss[0])}`);
    error.draw(greyPicture(values.error, width, height, 0, 0.5), `on average ${num(values.loss[0])}`);
    depth.draw(
      paint(width, height, (i) => magma(NEAR / values.depth[i])),
      `${fixed(Math.min(...values.depth), 1)} m and more`,
    );
    const most = Math.max(typicalSize(values.dDepth), ROUNDING);
    gradient.draw(
      signedPicture(values.dDepth, width, height, most),
      'red where less depth lowers the loss, blue where more does',
    );
    legend.update(most, (v) => `${signed(v, 2)} /m`);
    loss.textContent = fixed(values.loss[0], 4);
    meter.show(values.loss[0], { true: now.right, 'no motion': now.still });
    factorSlope.textContent = signed(values.dFactor[0]);
    MOTION.forEach((name, i) => {
      slopes.get(name)!.textContent = `${signed(values.dTranslation[i])} /m`;
    });
    TURNS.forEach((name, i) => {
      slopes.get(name)!.textContent = `${signed(values.dRotation[i])} /rad`;
    });
    launches.show(now.ran);
    choose(now);
  }

  let before = '';
  /** Another pixel alone needs no kernel. */
  function change(): void {
    const { px: _, py: __, ...asked } = settings.values;
    plane.hidden = asked.depth !== 'plane';
    const now = JSON.stringify(asked);
    if (now !== before) compute();
    else if (seen) choose(seen);
    before = now;
  }
  change();
  return { shown: () => settings.read() };
}
