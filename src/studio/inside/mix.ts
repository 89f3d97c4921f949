// DepthMix: two frames, what is nearer stays in front; and the masks of ClassMix and CutMix for comparison.
import { cityscapesClasses } from '../../data/classes.ts';
import { greyPicture, labelPicture, maskPicture, rgbPicture } from '../../train/pictures.ts';
import { button, h } from '../dom.ts';
import { Pictures } from '../picture.ts';
import type { Section } from '../section.ts';
import { classesInWords, classLegend } from './colours.ts';
import { ask, newest } from './engine.ts';
import { Launches } from './launches.ts';
import { Facts, fixed, lesson, percent } from './lesson.ts';
import { frac, row, sub } from './math.ts';
import type { Mixed } from './mix-gpu.ts';
import { HEIGHT, SCENES, sceneInWords, WIDTH } from './scenes.ts';
import { Settings } from './settings.ts';

const spec = {
  first: { label: 'first image', of: SCENES },
  second: { label: 'second image', of: [SCENES[4], ...SCENES.filter((_, i) => i !== 4)] },
  margin: { label: 'margin', min: 0, max: 0.5, step: 0.005, value: 0.03, show: (v: number) => fixed(v, 3) },
  seed: { label: 'draw', min: 0, max: 99, step: 1, value: 0 },
} as const;

const PIXELS = WIDTH * HEIGHT;

export async function mountMix(root: HTMLElement): Promise<Section> {
  let seen: Mixed | null = null;
  let marginSeen = 0;
  const settings = new Settings('mix', spec, () => compute());
  const compute = newest<void>(root, async () => {
    const { first, second, margin, seed } = settings.values;
    seen = await ask('mix', { first: Number(first), second: Number(second), margin, seed });
    marginSeen = margin;
    draw(seen);
  });

  const className = (id: number) => cityscapesClasses[id]?.name ?? 'void';
  const pictures = new Pictures({
    width: WIDTH,
    height: HEIGHT,
    describe(x, y) {
      if (!seen) return '';
      const { disparity, mask, label } = seen.values;
      const i = y * WIDTH + x;
      const [a, b] = [disparity[i], disparity[PIXELS + i]];
      const margin = fixed(marginSeen, 3);
      const sign = mask[i] ? '≥' : '<';
      const winner = !mask[i]
        ? 'the second wins'
        : mask[PIXELS + i]
          ? 'neither wins, both keep their pixel'
          : 'the first wins';
      return `(${x}, ${y}): disparity ${fixed(a, 3)} of the first ${sign} ${fixed(b, 3)} of the second − ${margin}: ${winner}. Mixed label: ${className(label[i])}`;
    },
  });
  const add = (title: string) => pictures.add(title);
  const images = [add('First image'), add('Second image')];
  const disparities = [add('Its disparity, 0 to 1'), add('Its disparity, 0 to 1')];
  const masks = [add('Its mask: bright stays'), add('Its mask: bright stays')];
  const mixtures = [add('Mixture of the first'), add('Mixture of the second')];
  const label = add('Label of the first mixture');
  const classMix = add('ClassMix: half the classes stay');
  const cutMix = add('CutMix: a box is taken');
  const legend = h('div', {});
  const shares = new Facts('Share of pixels');
  const others = new Facts('The other masks');
  const launches = new Launches(['depthMixMask', 'mixByMask', 'pseudoLabel']);
  const hat = (of: string) => sub('d̂', of);

  const ready = lesson(root, {
    title: 'DepthMix',
    about:
      'A pixel of the first image stays where it is nearer than that of the second, or farther by no more than the margin; elsewhere ' +
      'the second shows. So what is mixed in stands before or behind things as it would. Each image has a mask of its own: where both ' +
      'are equally far, both keep their pixel, so the masks are no complements.',
    formulas: [
      [
        ...[sub('M', 'i'), '(', 'p', ')', '=', '['],
        ...[hat('i'), '(', 'p', ')', '≥', hat('j'), '(', 'p', ')', '−', 'm', ']'],
      ],
      [
        sub('x', 'mix'),
        row(
          '=',
          sub('M', 'i'),
          '⊙',
          sub('x', 'i'),
          '+',
          '(',
          '1',
          '−',
          sub('M', 'i'),
          ')',
          '⊙',
          sub('x', 'j'),
        ),
      ],
      [row('d̂', '='), frac(row('d', '−', 'min', 'd'), row('max', 'd', '−', 'min', 'd'))],
    ],
    stage: [
      h(
        'div',
        { class: 'pictures four' },
        ...[images[0], disparities[0], masks[0], mixtures[0]].map(({ figure }) => figure),
        ...[images[1], disparities[1], masks[1], mixtures[1]].map(({ figure }) => figure),
      ),
      pictures.readout,
      h('div', { class: 'pictures four' }, label.figure, classMix.figure, cutMix.figure, legend),
    ],
    bench: [
      settings.control('margin'),
      settings.control('first'),
      settings.control('second'),
      h('h3', {}, 'Pixels that stay'),
      shares.element,
      h('h3', {}, 'The other masks, on the first'),
      others.element,
      h(
        'div',
        { class: 'actions' },
        button('Draw them again', () => settings.set({ seed: (settings.values.seed + 1) % 100 })),
      ),
      h(
        'p',
        { class: 'note' },
        'Disparity and labels are the true ones of the street world, in place of a depth network and a teacher.',
      ),
    ],
    below: [launches.element],
  });

  function draw(now: Mixed): void {
    ready();
    const { values } = now;
    const half = (all: Mixed['values']['mask'], image: number, channels = 1) =>
      all.subarray(image * channels * PIXELS, (image + 1) * channels * PIXELS);
    const rgb = (all: Mixed['values']['mask'], image: number) =>
      rgbPicture(half(all, image, 3), WIDTH, HEIGHT);
    ['first', 'second'].forEach((name, i) => {
      images[i].draw(rgb(values.images, i), sceneInWords(i ? settings.values.second : settings.values.first));
      disparities[i].draw(
        greyPicture(half(values.disparity, i), WIDTH, HEIGHT, 0, 1),
        `of the ${name} image, near is bright`,
      );
      masks[i].draw(
        maskPicture(half(values.mask, i), WIDTH, HEIGHT),
        `of the ${name} image, ${percent(values.share[i])} stay`,
      );
      mixtures[i].draw(rgb(values.mixed, i), `${percent(values.share[i])} of its own pixels`);
    });
    const labels = half(values.label, 0);
    label.draw(
      labelPicture(labels, WIDTH, HEIGHT, cityscapesClasses),
      classesInWords(cityscapesClasses, labels),
    );
    legend.replaceChildren(classLegend(cityscapesClasses, labels));
    classMix.draw(rgb(values.classMixed, 0), `${percent(values.classShare[0])} of its own pixels`);
    cutMix.draw(rgb(values.cutMixed, 0), `${percent(values.cutShare[0])} of its own pixels`);
    shares.show([
      ['of the first', percent(values.share[0])],
      ['of the second', percent(values.share[1])],
      ['kept by both', percent(values.both[0])],
    ]);
    others.show([
      ['ClassMix', percent(values.classShare[0])],
      ['CutMix', percent(values.cutShare[0])],
    ]);
    launches.show(now.ran);
    pictures.refresh();
  }

  compute();
  return { shown: () => settings.read() };
}
