import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import {
  allFrames,
  type FrameRef,
  labelledBatch,
  samplesHere,
  useSamples,
  videoBatch,
  videoFrames,
} from '../../src/data/batch.ts';
import { camvidClasses, cityscapesClasses } from '../../src/data/classes.ts';
import { Loaders } from '../../src/data/loaders.ts';
import { openDataset } from '../../src/data/open.ts';
import { classMap, relabelled } from '../../src/data/relabel.ts';
import { openStreet } from '../../src/data/street/index.ts';
import type { Split } from '../../src/data/types.ts';
import { equal, is, match, ok, suite } from '../suite.ts';
import { messageOf, streetPack } from './fixtures.ts';

const test = suite('loaders');

const SIZE = { width: 96, height: 32 };
const loaders = new Loaders(4, pathToFileURL('dist/loader-thread.mjs'));
const pack = await streetPack();
test.after(async () => {
  await loaders.end();
  pack.remove();
});

/** The refs with a note of every frame that this thread loads. */
function watched(refs: readonly FrameRef[]): { refs: FrameRef[]; loaded: number[] } {
  const loaded: number[] = [];
  const splits = new Map(
    refs.map(({ split }) => {
      const load = (index: number) => {
        loaded.push(index);
        return split.load(index);
      };
      return [split, Object.assign(Object.create(split), { load })];
    }),
  );
  return { refs: refs.map(({ split, index }) => ({ split: splits.get(split), index })), loaded };
}

async function threaded<T>(work: () => Promise<T>): Promise<T> {
  useSamples(loaders);
  try {
    return await work();
  } finally {
    useSamples(samplesHere);
  }
}

const augment = { recolour: true, crop: true };

test('threads make the batches that this thread makes: street, files, relabelled, twice', async () => {
  const street = await openDataset('street:night', SIZE);
  const files = await openDataset(`pack:${pack.root}`, SIZE);
  const mapped = relabelled(street.train, classMap(cityscapesClasses, camvidClasses)!);
  for (const split of [street.train, files.train, mapped]) {
    const { refs, loaded } = watched(videoFrames(allFrames(split)).slice(0, 5));
    for (const crop of [false, true]) {
      for (const step of [0, 1, 1]) {
        const how = { seed: 3, step, flip: true, crop, labelled: (ref: FrameRef) => ref !== refs[1] };
        const alone = [
          await labelledBatch(refs, how),
          await videoBatch(refs, { seed: 3, step, augment: { recolour: true, crop } }),
          await videoBatch(refs, { seed: 3, step, augment: null }),
        ];
        ok(loaded.length > 0);
        loaded.length = 0;
        const shared = await threaded(() =>
          Promise.all([
            labelledBatch(refs, how),
            videoBatch(refs, { seed: 3, step, augment: { recolour: true, crop } }),
            videoBatch(refs, { seed: 3, step, augment: null }),
          ]),
        );
        for (const [i, batch] of shared.entries())
          ok(isDeepStrictEqual(batch, alone[i]), `batch ${i}, crop ${crop}, step ${step}`);
        equal(loaded, [], 'threads loaded');
      }
    }
  }
  const labels = async (split: Split) =>
    (
      await labelledBatch([{ split, index: 1 }], {
        seed: 0,
        step: 0,
        flip: false,
        crop: false,
        labelled: () => true,
      })
    ).labels;
  ok(!isDeepStrictEqual(await labels(mapped), await labels(street.train)));
});

test('frames that only this thread knows are loaded here', async () => {
  const { train } = openStreet({ ...SIZE, snippets: { train: 1, val: 1, unlabelled: 1 } });
  is(train.origin, undefined);
  const { refs, loaded } = watched(videoFrames(allFrames(train)).slice(0, 1));
  const shared = await threaded(() => videoBatch(refs, { seed: 0, step: 0, augment }));
  ok(isDeepStrictEqual(shared, await videoBatch(refs, { seed: 0, step: 0, augment })));
  equal(loaded, [0, 1, 2, 0, 1, 2]);
});

test('a broken file is a DataError in the same words, and the thread goes on', async () => {
  const broken = await streetPack();
  try {
    const { train } = await openDataset(`pack:${broken.root}`, SIZE);
    const name = `${train.id(0)}.png`;
    truncateSync(join(broken.root, 'train/image', name), 200);
    const one = (index: number) => () =>
      labelledBatch([{ split: train, index }], {
        seed: 0,
        step: 0,
        flip: true,
        crop: false,
        labelled: () => true,
      });
    const alone = await messageOf(one(0));
    match(alone, name);
    is(await threaded(() => messageOf(one(0))), alone);
    ok(isDeepStrictEqual(await threaded(one(1)), await one(1)()));
  } finally {
    broken.remove();
  }
});

test('frames that another thread finds elsewhere are refused: the folder has changed', async () => {
  const { train } = await openDataset(`pack:${pack.root}`, SIZE);
  const ask = (index: number, id: string) => () =>
    loaders.video(
      { split: Object.assign(Object.create(train), { id: () => id }), index },
      { seed: 0, step: 0, sample: 0, augment },
    );
  match(
    await messageOf(ask(1, 'street-0042')),
    new RegExp(`changed while it was in use: frame 1 of train was street-0042 and is ${train.id(1)}`),
  );
  match(await messageOf(ask(999, 'street-0999')), /frame 999 of train was street-0999 and is missing/);
});

for (const [what, work, why] of [
  ['dies', '() => process.exit(3)', /exit code 3/],
  // An array that was given away before.
  ['replies what cannot be read', '() => { reply(); reply(); }', /Unable to deserialize/],
] as const) {
  test(`a thread that ${what} refuses what it was asked, and what it is asked later`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'warpmix-loaders-'));
    const file = join(folder, 'thread.mjs');
    writeFileSync(
      file,
      `import { parentPort } from 'node:worker_threads';
      const data = new Uint8Array(16);
      const reply = () => parentPort.postMessage({ id: -1, sample: data }, [data.buffer]);
      parentPort.on('message', ${work});`,
    );
    const broken = new Loaders(2, pathToFileURL(file));
    const { train } = await openDataset('street', SIZE);
    const ref = { split: train, index: 1 };
    const ask = () => broken.video(ref, { seed: 0, step: 0, sample: 0, augment });
    for (let k = 0; k < 2; k++) {
      const message = await messageOf(ask, 'Error');
      match(message, /^a thread that loads data ended \(.*\)\. .*--resume auto$/);
      match(message, why);
    }
    await broken.end();
    rmSync(folder, { recursive: true, force: true });
  });
}
