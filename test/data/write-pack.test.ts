import type { FileSource } from '../../src/data/files.ts';
import { openFiles } from '../../src/data/open.ts';
import { openStreet } from '../../src/data/street/index.ts';
import { DataError, SPLIT_NAMES } from '../../src/data/types.ts';
import { writePack } from '../../src/data/write-pack.ts';
import { equal, is, ok, suite } from '../suite.ts';

const test = suite('write-pack');

/** A folder in memory. */
function memory() {
  const files = new Map<string, Uint8Array>();
  const source: FileSource = {
    root: 'memory',
    read: async (path) => {
      const bytes = files.get(path);
      if (!bytes) throw new DataError(`memory/${path}: no such file`);
      return bytes;
    },
    list: async (path) => [...files.keys()].filter((name) => name.startsWith(path)),
    exists: async (path) => [...files.keys()].some((name) => name === path || name.startsWith(`${path}/`)),
  };
  const save = (path: string, bytes: Uint8Array | string) => {
    files.set(path, typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes);
  };
  return { files, source, save };
}

test('a written street world, with a test split, reads back as the same data set', async () => {
  const generated = openStreet({
    width: 48,
    height: 32,
    snippets: { train: 2, val: 1, unlabelled: 1 },
    framesPerSnippet: 3,
  });
  const street = { ...generated, test: generated.val };
  const { files, source, save } = memory();
  const told: number[] = [];
  await writePack(street, save, (written, of) => {
    is(of, 15);
    told.push(written);
  });
  is(told.at(-1), 15);
  ok(
    ![...files.keys()].some((name) => name.startsWith('unlabelled/label')),
    'no labels where there are none',
  );
  const pack = await openFiles(source, 'pack:memory');
  is(`${pack.width}x${pack.height}`, '48x32');
  equal(
    pack.classes.map(({ name, color }) => ({ name, color })),
    street.classes.map(({ name, color }) => ({ name, color: [...color] })),
  );
  for (const name of SPLIT_NAMES) {
    const [from, to] = [street[name], pack[name]!];
    is(to.length, from.length);
    is(to.hasLabels, from.hasLabels);
    is(to.hasDepth, from.hasDepth);
    is(to.hasPoses, from.hasPoses);
    equal(to.intrinsics, from.intrinsics);
    for (let i = 0; i < from.length; i++) {
      equal(to.neighbours(i), from.neighbours(i), `${name} ${i}`);
      const [a, b] = [await from.load(i), await to.load(i)];
      equal(b.image, a.image);
      equal(b.label, a.label);
      equal(b.pose && [...b.pose], a.pose && [...a.pose]);
      a.depth?.data.forEach((metres, k) => {
        const stored = b.depth!.data[k];
        ok(
          metres > 255.9 ? stored === 0 : Math.abs(stored - metres) <= 1 / 512,
          `${metres} m came back as ${stored}`,
        );
      });
    }
  }
});

test('ids that no file can have, or two: every frame is there, under a name of its own', async () => {
  const generated = openStreet({ width: 48, height: 32, snippets: { train: 2, val: 1, unlabelled: 1 } });
  const ids = [
    '東京',
    '京都',
    'a b',
    'a.b',
    'A_B',
    '-q',
    '---',
    '[]',
    'x'.repeat(240),
    `${'x'.repeat(240)}y`,
  ];
  const { files, source, save } = memory();
  const title = 'Photos (no evaluation split: evaluated on its training frames)';
  await writePack(
    { ...generated, title, train: { ...generated.train, length: ids.length, id: (i) => ids[i] } },
    save,
  );
  const pack = await openFiles(source, 'pack:memory');
  is(pack.train.length, ids.length);
  is(new Set(ids.map((_, i) => pack.train.id(i).toLowerCase())).size, ids.length);
  is([...files.keys()].filter((name) => name.startsWith('train/image/')).length, ids.length);
  for (const i of ids.keys()) equal((await pack.train.load(i)).image, (await generated.train.load(i)).image);
  is(pack.title, 'Photos');
});
