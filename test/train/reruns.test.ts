import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { latestCheckpoint, readCheckpoint } from '../../src/train/checkpoint.ts';
import { type Config, presets } from '../../src/train/config.ts';
import { InterruptedError, readGroups, restore, trainPlan } from '../../src/train/loop.ts';
import type { Plan } from '../../src/train/plan.ts';
import {
  depthRecipe,
  supervisedRecipe,
  threeWaysDaRecipe,
  threeWaysRecipe,
} from '../../src/train/recipes.ts';
import { RunFolder } from '../../src/train/run-folder.ts';
import { streetPack } from '../data/fixtures.ts';
import { testGpu } from '../device.ts';
import { equal, is, not, ok, suite } from '../suite.ts';

const test = suite('reruns');

const config: Config = {
  ...structuredClone(presets.tiny),
  pixels: 4096,
  labels: 4,
  seed: 3,
  checkpointEvery: 1,
  model: {
    encoder: { widths: [4, 4, 8, 8, 8], blocks: [1, 1, 1, 1], block: 'basic', stem: 'conv3' },
    decoder: { widths: [4, 4, 4, 8, 8], norm: true },
    pose: { sees: 'images' as const, width: 4, scale: 0.1 },
    scales: [0, 1],
    scores: [0, 3],
  },
};
config.depth.steps = 2;
config.segmentation.steps = 3;

interface Trained {
  log: string;
  /** Bytes of every tensor of the last checkpoint. */
  state: Record<string, string>;
}

/** Trains in a folder; `stopAfter` interrupts as Ctrl-C does, a second call goes on. */
async function trainIn(
  dir: string,
  settings: Config,
  stopAfter = Number.POSITIVE_INFINITY,
  recipe = threeWaysRecipe,
  ahead = false,
): Promise<Trained> {
  const gpu = await testGpu();
  const plan = await recipe(settings);
  const run = RunFolder.create(dir, settings, { resume: true });
  const { found } = latestCheckpoint(dir);
  let start = 0;
  if (found) {
    const checkpoint = readCheckpoint(found.path);
    restore(plan, checkpoint);
    run.rewind(checkpoint.step);
    start = checkpoint.step;
  }
  let steps = start;
  try {
    await trainPlan(plan, gpu, run, start, {
      checkpointEvery: settings.checkpointEvery,
      onStep: (report) => {
        steps = report.step;
      },
      interrupted: () => (steps >= stopAfter ? 130 : null),
      ahead,
    });
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
  }
  run.close();
  const { groups } = readCheckpoint(latestCheckpoint(dir).found!.path);
  const state: Record<string, string> = {};
  for (const [group, tensors] of Object.entries(groups)) {
    for (const [name, { data }] of Object.entries(tensors)) {
      state[`${group}/${name}`] = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString(
        'base64',
      );
    }
  }
  return { log: readFileSync(join(dir, 'log.jsonl'), 'utf8'), state };
}

test('same seed: the same bits in every tensor and log line; resumed: the same; another seed: others', async () => {
  const home = mkdtempSync(join(tmpdir(), 'warpmix-reruns-'));
  try {
    const first = await trainIn(join(home, 'a'), config);
    const second = await trainIn(join(home, 'b'), config);
    equal(second.log, first.log);
    equal(second.state, first.state);
    ok(first.log.trim().split('\n').length === 5, `five steps, log: ${first.log}`);

    await trainIn(join(home, 'c'), config, 1); // stops inside the first phase,
    await trainIn(join(home, 'c'), config, 3); // then inside the second
    const resumed = await trainIn(join(home, 'c'), config);
    equal(resumed.log, first.log);
    equal(resumed.state, first.state);

    const other = await trainIn(join(home, 'd'), { ...config, seed: 4 });
    not.equal(other.log, first.log);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});

test('steps submitted ahead of the losses of the ones before: the same bits; interrupted, the step under way is finished and saved', async () => {
  const home = mkdtempSync(join(tmpdir(), 'warpmix-ahead-'));
  const settings = structuredClone({ ...config, checkpointEvery: 4 });
  settings.depth.steps = 5;
  settings.segmentation.steps = 6;
  const train = (name: string, stopAfter: number, ahead: boolean) =>
    trainIn(join(home, name), settings, stopAfter, threeWaysRecipe, ahead);
  try {
    const waited = await train('a', 99, false);
    equal(await train('b', 99, true), waited);
    // Step 4 is saved by itself, so nothing is under way after it.
    for (const [name, told, saved] of [
      ['c', 2, 3],
      ['d', 4, 4],
    ] as const) {
      await train(name, told, true);
      is(latestCheckpoint(join(home, name)).found!.step, saved, `told of step ${told}`);
      equal(await train(name, 99, true), waited);
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});

test('a run that chooses its images resumes inside the choice with the same images and bits', async () => {
  const home = mkdtempSync(join(tmpdir(), 'warpmix-choice-'));
  const data = await streetPack();
  const settings: Config = { ...structuredClone(config), data: `pack:${data.root}`, labels: 5 };
  settings.method.selection = 'both';
  settings.selection = { ...settings.selection, first: 2, steps: 2 };
  // Steps: 2 of depth, 2 and 4 of students, 3 of segmentation.
  try {
    const whole = await trainIn(join(home, 'a'), settings);
    ok(whole.log.trim().split('\n').length === 11, whole.log);
    for (const stop of [5, 10]) await trainIn(join(home, 'b'), settings, stop);
    const resumed = await trainIn(join(home, 'b'), settings);
    equal(resumed.log, whole.log);
    equal(resumed.state, whole.state);
  } finally {
    data.remove();
    rmSync(home, { recursive: true, force: true });
  }
});

test('across domains: the same bits again, and after an interruption, when the source images are matched anew', async () => {
  const home = mkdtempSync(join(tmpdir(), 'warpmix-domains-'));
  const settings: Config = { ...structuredClone(config), data: 'street:night', source: 'street', labels: 0 };
  const train = (name: string, stopAfter?: number) =>
    trainIn(join(home, name), settings, stopAfter, threeWaysDaRecipe);
  try {
    const first = await train('a');
    equal(await train('b'), first);
    await train('c', 4);
    equal(await train('c'), first);
    ok(first.log.trim().split('\n').length === 5, first.log);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});

test('from the depth network of an earlier run: the bits of one run; that folder is not needed to resume', async () => {
  const home = mkdtempSync(join(tmpdir(), 'warpmix-depth-from-'));
  const earlier = join(home, 'a');
  const settings: Config = { ...config, depth: { ...config.depth, from: earlier } };
  const learned = ({ state }: Trained) =>
    Object.entries(state).filter(([name]) => /^(depth|segmentation|teacher|optimizer)\//.test(name));
  try {
    const whole = await trainIn(earlier, config);
    const again = await trainIn(join(home, 'b'), settings);
    ok(again.log.trim().split('\n').length === 3, `three steps, log: ${again.log}`);
    ok(learned(whole).length > 100, `${learned(whole).length} tensors`);
    equal(learned(again), learned(whole));

    // Recipe 'depth' trains the same network by itself.
    const depthOf = ({ state }: Trained) => Object.entries(state).filter(([name]) => /^depth\//.test(name));
    const alone = await trainIn(join(home, 'f'), config, Number.POSITIVE_INFINITY, depthRecipe);
    ok(depthOf(whole).length > 50, `${depthOf(whole).length} tensors`);
    equal(depthOf(alone), depthOf(whole));

    const scratch = await supervisedRecipe({
      ...settings,
      method: { ...settings.method, transfer: 'scratch' },
    });
    const encoder = await supervisedRecipe({
      ...settings,
      method: { ...settings.method, transfer: 'encoder' },
    });
    const trained = readCheckpoint(latestCheckpoint(earlier).found!.path).groups.depth;
    const [first, deep] = ['encoder.conv1.weight', 'decoder.decoder.before.4.conv.weight'];
    for (const plan of [scratch, encoder]) {
      await plan.begin?.(() => {});
      const { segmentation } = plan.state;
      const same = async (name: string) =>
        Buffer.from(Float32Array.from(await segmentation[name].data()).buffer).equals(
          Buffer.from(Float32Array.from(trained[name].data as Float32Array).buffer),
        );
      equal([await same(first), await same(deep)], [plan === encoder, false]);
    }

    const wider = { ...settings, model: { ...config.model, scales: [0, 1, 2] } };
    const mismatch = await trainIn(join(home, 'e'), wider).then(String, (error: Error) => error.message);
    ok(
      /^depth\.from=.*a: checkpoint of step 5: 'depth\/decoder\.heads\.2\..*'model' settings/.test(mismatch),
      mismatch,
    );

    await trainIn(join(home, 'c'), settings, 1);
    rmSync(earlier, { recursive: true });
    equal(learned(await trainIn(join(home, 'c'), settings)), learned(whole));
    const message = await trainIn(join(home, 'd'), settings).then(String, (error: Error) => error.message);
    ok(/a: holds no intact checkpoint; name a folder that 'warpmix train' wrote/.test(message), message);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});

test('a checkpoint of another shape, or without a tensor, is refused: the tensor and both shapes are named', async () => {
  await testGpu();
  const plan = await supervisedRecipe(config);
  const groups = await readGroups(plan);
  const wider = structuredClone(config);
  wider.model.encoder.widths[0] = 8;
  const other = await supervisedRecipe(wider);
  const refusal = (...args: Parameters<typeof restore>) => {
    try {
      restore(...args);
    } catch (error) {
      return `${(error as Error).name}: ${(error as Error).message}`;
    }
    return 'it was taken';
  };
  const checkpoint = { step: 7, groups, meta: {} };
  is(refusal(plan, checkpoint), 'it was taken');
  is(
    refusal(other, checkpoint),
    "DataError: checkpoint of step 7: 'segmentation/encoder.conv1.weight' is F32 [3,3,3,4], this configuration needs F32 [3,3,3,8]",
  );
  const moments = refusal(other, checkpoint, ['optimizer']);
  ok(/^DataError: .*: 'optimizer\/\S+' is F32 \[3,3,3,4\], .* needs F32 \[3,3,3,8\]$/.test(moments), moments);
  const { 'encoder.conv1.weight': gone, ...rest } = groups.segmentation;
  const without = { ...checkpoint, groups: { ...groups, segmentation: rest } };
  is(
    refusal(plan, without),
    `DataError: checkpoint of step 7: 'segmentation/encoder.conv1.weight' is missing, this configuration needs F32 [${gone.shape}]`,
  );
});

/** Trained by replays and op by op: what both leave. */
async function bothWays(open: () => Promise<Plan>) {
  const gpu = await testGpu();
  const train = async (eager: boolean) => {
    const plan = await open();
    const before = gpu.dispatches;
    const { curves } = await trainPlan(plan, gpu, null, 0, {
      checkpointEvery: 1000,
      onStep: () => {},
      interrupted: () => null,
      eager,
    });
    const state: Record<string, string> = {};
    for (const [group, tensors] of Object.entries(plan.state)) {
      for (const [name, tensor] of Object.entries(tensors)) {
        const { buffer } = await tensor.data();
        state[`${group}/${name}`] = Buffer.from(buffer).toString('base64');
      }
    }
    return { terms: curves.map((one) => one.terms), state, dispatches: gpu.dispatches - before };
  };
  return { replayed: await train(false), eager: await train(true) };
}

test('a recipe trained by replays has the bits of one trained op by op, log and parameters', async () => {
  const steps = { ...structuredClone(config), depth: { ...config.depth, steps: 5 } };
  steps.segmentation.steps = 5;
  const variants = [
    () => supervisedRecipe(steps),
    () => threeWaysRecipe(steps),
    () => threeWaysRecipe({ ...steps, method: { ...steps.method, threshold: 0.1, mix: 'classmix' } }),
    () => threeWaysRecipe({ ...steps, method: { ...steps.method, threshold: 0.1, multitask: true } }),
  ];
  for (const open of variants) {
    const { replayed, eager } = await bothWays(open);
    equal(replayed, eager);
  }
});

test('across domains too, with labelled target images', async () => {
  const method = { ...config.method, threshold: 0.1 };
  const domains = { data: 'street:night', source: 'street' };
  const { replayed, eager } = await bothWays(() => threeWaysDaRecipe({ ...config, ...domains, method }));
  equal(replayed, eager);
});

test('a training step leaves nothing behind', async () => {
  const gpu = await testGpu();
  const settings = { ...structuredClone(config), segmentation: { ...config.segmentation, steps: 12 } };
  const plan = await supervisedRecipe(settings);
  const live: number[] = [];
  await trainPlan(plan, gpu, null, 0, {
    checkpointEvery: 1000,
    onStep: () => live.push(gpu.memory().live),
    interrupted: () => null,
  });
  equal(new Set(live).size, 1, `live bytes after each step: ${live}`);
});
