// Cross-entropy of one pixel with its gradient; and pseudo-labels of an image: threshold, share of confident pixels, weight of the loss.
import { cityscapesClasses } from '../../data/classes.ts';
import { confidencePicture, errorPicture, labelPicture, maskPicture } from '../../train/pictures.ts';
import { h } from '../dom.ts';
import { Pictures } from '../picture.ts';
import type { Section } from '../section.ts';
import { classesInWords, classLegend } from './colours.ts';
import { ask, newest } from './engine.ts';
import type { PixelEntropy, Teacher } from './entropy-gpu.ts';
import { Launches } from './launches.ts';
import { Facts, fixed, lesson, num, percent } from './lesson.ts';
import { formula, frac, gap, row, sub, sumOver, sup } from './math.ts';
import { HEIGHT, SCENES, sceneInWords, WIDTH } from './scenes.ts';
import { Settings } from './settings.ts';

const CLASSES = ['road', 'sidewalk', 'car', 'person', 'sky'] as const;

const score = (name: string, value: number) => ({
  label: `score of ${name}`,
  min: -8,
  max: 8,
  step: 0.1,
  value,
  show: (v: number) => fixed(v, 1),
});

const spec = {
  s0: score('road', 2),
  s1: score('sidewalk', 1),
  s2: score('car', 0),
  s3: score('person', -1),
  s4: score('sky', -2),
  label: { label: 'true class', of: CLASSES.map((name, i) => [String(i), name] as const) },
  scene: { label: 'scene', of: SCENES },
  noise: {
    label: 'noise on the scores',
    min: 0,
    max: 6,
    step: 0.1,
    value: 3,
    show: (v: number) => `σ ${fixed(v, 1)}`,
  },
  temperature: {
    label: 'temperature',
    min: 0.2,
    max: 4,
    step: 0.05,
    value: 1,
    show: (v: number) => fixed(v, 2),
  },
  threshold: {
    label: 'threshold',
    min: 0,
    max: 1,
    step: 0.001,
    value: 0.968,
    show: (v: number) => fixed(v, 3),
  },
} as const;

const SCORES = ['s0', 's1', 's2', 's3', 's4'] as const;

/** A number with a bar from the middle, or from the left where no value is below zero. */
class Bar {
  readonly element: HTMLElement;
  readonly #bar = h('i', { 'aria-hidden': 'true' });
  readonly #text = h('span', {});
  readonly #signed: boolean;

  constructor(signedValues: boolean) {
    this.#signed = signedValues;
    this.element = h(
      'div',
      { class: signedValues ? 'value-bar signed' : 'value-bar' },
      this.#bar,
      this.#text,
    );
  }

  /** @param value within -1 to 1 */
  show(value: number): void {
    const size = (this.#signed ? 50 : 100) * Math.min(Math.abs(value), 1);
    this.#bar.style.width = `${size}%`;
    this.#bar.style.left = this.#signed ? `${value < 0 ? 50 - size : 50}%` : '0';
    this.#bar.classList.toggle('below', value < 0);
    this.#text.textContent = this.#signed ? `${value > 0 ? '+' : ''}${fixed(value, 4)}` : fixed(value, 4);
  }
}

export async function mountEntropy(root: HTMLElement): Promise<Section> {
  let seen: Teacher | null = null;
  const settings = new Settings('entropy', spec, () => compute());
  const classes = cityscapesClasses;
  let [pixelBefore, teacherBefore] = ['', ''];
  const compute = newest<void>(root, async () => {
    const { label, scene, noise, temperature, threshold } = settings.values;
    const pixel = { scores: SCORES.map((name) => settings.values[name]), label: Number(label) };
    if (JSON.stringify(pixel) !== pixelBefore) {
      drawPixel(await ask('pixelEntropy', pixel), pixel.label);
      pixelBefore = JSON.stringify(pixel);
    }
    const request = { scene: Number(scene), noise, temperature, threshold };
    if (JSON.stringify(request) !== teacherBefore) {
      seen = await ask('teacher', request);
      drawTeacher(seen);
      teacherBefore = JSON.stringify(request);
    }
  });

  const probabilities = CLASSES.map(() => new Bar(false));
  const truth = CLASSES.map(() => h('td', { class: 'number' }));
  const gradients = CLASSES.map(() => new Bar(true));
  const outcome = new Facts('Cross-entropy of the pixel');
  const ofPixel = new Launches(['crossEntropy', 'crossEntropyGrad']);

  const name = (id: number) => classes[id]?.name ?? 'void';
  const pictures = new Pictures({
    width: WIDTH,
    height: HEIGHT,
    describe(x, y) {
      if (!seen) return '';
      const i = y * WIDTH + x;
      const { label, confidence, kept, probabilities } = seen.values;
      const row = probabilities.subarray(i * classes.length, (i + 1) * classes.length);
      const best = Array.from(row, (p, id) => ({ p, id }))
        .sort((a, b) => b.p - a.p)
        .slice(0, 3)
        .map(({ p, id }) => `${name(id)} ${fixed(p, 3)}`)
        .join(', ');
      const verdict = kept[i] ? 'counts' : 'does not count';
      return `(${x}, ${y}): the teacher says ${best}; confidence ${fixed(confidence[i], 3)} ${verdict} in q; pseudo-label ${name(label[i])}, truth ${name(seen.truth[i])}`;
    },
  });
  const image = pictures.add('Image');
  const label = pictures.add('Pseudo-label: the most probable class');
  const confidence = pictures.add('Confidence, 0 dark to 1 bright');
  const kept = pictures.add('Confident pixels are bright');
  const wrong = pictures.add('Where the pseudo-label is wrong: red');
  const legend = h('div', {});
  const numbers = new Facts('Pseudo-labels of the image');
  const ofImage = new Launches(['softmax', 'pseudoLabel', 'crossEntropy']);
  const exponential = (of: string) => sup('e', sub('x', of));

  const ready = lesson(root, {
    title: 'Cross-entropy and pseudo-labels',
    about:
      'A network gives every class of a pixel a score x. Softmax makes probabilities of them; the loss is how little the true class t ' +
      'gets. Its gradient pulls the scores by p − y: the true class up, all others down, by as much as they are wrong.',
    formulas: [
      [
        ...[sub('p', 'c'), '='],
        frac(exponential('c'), row(sumOver('k'), exponential('k'))),
        ...[gap(), 'L', '=', '−', 'ln', sub('p', 't'), gap()],
        frac(row('∂', 'L'), row('∂', sub('x', 'c'))),
        row('=', sub('p', 'c'), '−', sub('y', 'c')),
      ],
    ],
    stage: [
      h(
        'table',
        { class: 'scores' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ...['class', 'score x', 'probability p', 'y', 'gradient p − y'].map((text) =>
              h('th', { scope: 'col' }, text),
            ),
          ),
        ),
        h(
          'tbody',
          {},
          ...CLASSES.map((text, i) =>
            h(
              'tr',
              {},
              h('th', { scope: 'row' }, text),
              h('td', { class: 'bare' }, settings.control(SCORES[i])),
              h('td', {}, probabilities[i].element),
              truth[i],
              h('td', {}, gradients[i].element),
            ),
          ),
        ),
      ),
    ],
    bench: [settings.control('label'), outcome.element],
    below: [
      ofPixel.element,
      h(
        'header',
        { class: 'lesson next' },
        h(
          'div',
          {},
          h('h2', {}, 'Pseudo-labels'),
          h(
            'p',
            {},
            'Where nobody has labelled, a teacher’s most probable class stands for the truth. The share q of pixels of which it is ' +
              'sure weighs the loss of all of them. ',
            h('b', {}, 'The teacher here is made up: '),
            'the true class leads the others by the same score everywhere, and noise is added in soft spots. The student is made up ' +
              'in the same way, with noise of its own.',
          ),
        ),
        h(
          'div',
          { class: 'formulas' },
          formula(
            row('q', '='),
            frac('1', 'N'),
            sumOver('n'),
            row('[', sub('max', 'c'), sub('p', row('n', 'c')), '≥', 'τ', ']'),
            gap(),
            row(sub('L', 'u'), '='),
            row('λ', 'q'),
            frac('1', 'N'),
            sumOver('n'),
            row('−', 'ln', sub('s', row('n', 'ŷ'))),
          ),
        ),
      ),
      h(
        'div',
        { class: 'bench-beside' },
        h(
          'div',
          { class: 'stage' },
          h(
            'div',
            { class: 'pictures three' },
            ...[image, label, confidence, kept, wrong].map(({ figure }) => figure),
            legend,
          ),
          pictures.readout,
        ),
        h(
          'aside',
          { class: 'bench' },
          ...(['threshold', 'temperature', 'noise', 'scene'] as const).map((one) => settings.control(one)),
          numbers.element,
        ),
      ),
      ofImage.element,
    ],
  });

  function drawPixel({ values, ran }: PixelEntropy, right: number): void {
    CLASSES.forEach((_, c) => {
      probabilities[c].show(values.probabilities[c]);
      truth[c].textContent = c === right ? '1' : '0';
      gradients[c].show(values.gradient[c]);
    });
    outcome.show([
      ['probability of the true class', fixed(values.probabilities[right], 6)],
      ['cross-entropy L', fixed(values.loss[0], 6)],
      ['sum of the gradient', num(values.gradientSum[0], 2)],
    ]);
    ofPixel.show(ran);
  }

  function drawTeacher(now: Teacher): void {
    ready();
    const { values, truth } = now;
    image.draw(now.image, sceneInWords(settings.values.scene));
    label.draw(labelPicture(values.label, WIDTH, HEIGHT, classes), classesInWords(classes, values.label));
    confidence.draw(confidencePicture(values.confidence, WIDTH, HEIGHT));
    const q = values.q[0];
    kept.draw(maskPicture(values.kept, WIDTH, HEIGHT), percent(q));
    wrong.draw(
      errorPicture(values.label, truth, WIDTH, HEIGHT, classes),
      `${percent(1 - values.right[0])} of it`,
    );
    legend.replaceChildren(classLegend(classes, values.label));
    numbers.show([
      ['q, share of confident pixels', fixed(q, 4)],
      ['weight λ q, with λ = 1', fixed(q, 4)],
      ['mean cross-entropy of the student', fixed(values.loss[0], 4)],
      ['loss Lᵤ, their product', fixed(values.weighted[0], 4)],
      ['right, of all labelled pixels', percent(values.right[0])],
      ['right, of the confident ones', q > 0 ? percent(values.rightKept[0]) : 'there are none'],
    ]);
    ofImage.show(now.ran);
    pictures.refresh();
  }

  compute();
  return { shown: () => settings.read() };
}
