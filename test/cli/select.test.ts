// Choosing images as a user meets it: from a depth run to a list, and from the list to a training.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodePng } from '../../src/data/codecs.ts';
import { streetPack } from '../data/fixtures.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { warpmix } from './spawn.ts';

const test = suite('select');

const SMALL = [
  ...['--set', 'pixels=6144'],
  ...['--set', 'model.encoder.widths=[4,4,8,8,8]'],
  ...['--set', 'model.decoder.widths=[4,4,4,8,8]'],
  ...['--set', 'selection.first=2'],
];

test('select writes a list with reasons, a sheet and a page; train takes the list, or its first few', async () => {
  const data = await streetPack();
  const [depth, out] = [join(data.root, 'depth'), join(data.root, 'chosen')];
  const spec = `pack:${data.root}`;
  try {
    const trained = await warpmix([
      'train',
      'depth',
      '--data',
      spec,
      '--steps',
      '1',
      '--out',
      depth,
      ...SMALL,
    ]);
    is(trained.code, 0, trained.stderr);
    const command = ['select', '--run', depth, '--data', spec, '--budget', '5'];
    const chosen = await warpmix([...command, '--steps', '1', '--out', out, '--json']);
    is(chosen.code, 0, chosen.stderr);
    const list = JSON.parse(chosen.stdout);
    equal(JSON.parse(readFileSync(join(out, 'selection.json'), 'utf8')), list);
    equal([list.data, list.method, list.seed], [spec, 'both', 0]);
    const { images } = list as {
      images: {
        id: string;
        stage: number;
        distance: number | null;
        uncertainty: number | null;
        nearest: string;
      }[];
    };
    equal(
      images.map(({ stage }) => stage),
      [2, 2, 4, 4, 5],
    );
    is(images[0].distance, null);
    ok(images.slice(1).every(({ distance }) => distance! > 0));
    ok(images.slice(2).every(({ uncertainty }) => uncertainty! > 0));
    is(images[1].nearest, images[0].id);
    const sheet = decodePng(readFileSync(join(out, 'selection.png')), 'selection.png');
    // Five images of 96 x 64 side by side, each above its disparity, 8 pixels apart.
    equal([sheet.width, sheet.height], [5 * 96 + 4 * 8, 2 * 64 + 2]);
    const page = readFileSync(join(out, 'selection.html'), 'utf8');
    ok(images.every(({ id }) => page.includes(id)) && page.includes('from the nearest chosen before'));

    const run = join(data.root, 'run');
    const train = ['train', 'supervised', '--data', spec, '--steps', '1', ...SMALL];
    const listed = ['--labels-file', join(out, 'selection.json')];
    const used = await warpmix([...train, ...listed, '--labels', '3', '--out', run]);
    is(used.code, 0, used.stderr);
    const config = JSON.parse(readFileSync(join(run, 'config.json'), 'utf8'));
    equal(
      config.labelIds,
      images.map(({ id }) => id),
    );
    ok(readFileSync(join(run, 'report.html'), 'utf8').includes('from 3 labelled images alone'));

    const many = await warpmix([...train, ...listed, '--labels', '6']);
    is(many.code, 4, many.stderr);
    ok(/--labels 6, but labelIds names 5/.test(many.stderr), many.stderr);
    writeFileSync(
      join(out, 'other.json'),
      JSON.stringify({ images: [{ id: images[0].id }, { id: 'nowhere' }] }),
    );
    const unknown = await warpmix([...train, '--labels-file', join(out, 'other.json')]);
    is(unknown.code, 4, unknown.stderr);
    ok(/'nowhere', which is none of the 12 training frames/.test(unknown.stderr), unknown.stderr);
    writeFileSync(join(out, 'empty.json'), '{}');
    const empty = await warpmix([...train, '--labels-file', join(out, 'empty.json')]);
    is(empty.code, 4, empty.stderr);
    ok(/empty\.json: expected \{ "images"/.test(empty.stderr), empty.stderr);

    const without = await warpmix(['select', '--run', run, '--budget', '2']);
    is(without.code, 4, without.stderr);
    ok(/holds no depth network.*--by random or entropy/.test(without.stderr), without.stderr);
    const random = await warpmix(['select', '--run', run, '--budget', '2', '--by', 'random', '--json']);
    is(random.code, 0, random.stderr);
    is(JSON.parse(random.stdout).images.length, 2);
    ok(existsSync(join(run, 'selection-random-2', 'selection.json')), 'in the run by default');
    const all = await warpmix(['select', '--run', depth, '--budget', '13']);
    is(all.code, 4, all.stderr);
    ok(/--budget 13, but there are 12/.test(all.stderr), all.stderr);
  } finally {
    data.remove();
  }
});

const usage: [string[], RegExp][] = [
  [['select', '--run', 'x', '--budget', '2', '--by', 'diverse'], /--by 'diverse'.*did you mean diversity/],
  [['select', '--run', 'x', '--budget', '0'], /--budget '0'/],
  [['train', 'three-ways', '--set', 'method.selection=both'], /method\.selection=both.*--labels N/],
  [['train', 'supervised', '--set', 'method.selection=both', '--labels', '3'], /supervised.*--labels-file/],
  [['train', 'three-ways', '--set', 'method.selection=boths'], /"boths".*nearest is 'both'/],
];
for (const [args, message] of usage) {
  test(`${args.join(' ')}: exit 2`, async () => {
    const { code, stderr } = await warpmix(args);
    is(code, 2, stderr);
    ok(message.test(stderr), stderr);
  });
}
