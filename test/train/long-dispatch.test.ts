import { useDevice } from '../../src/autograd/tensor.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { openGpu } from '../../src/gpu/open.ts';
import { mul } from '../../src/ops/elementwise.ts';
import { trainPlan } from '../../src/train/loop.ts';
import { testGpu } from '../device.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { toyPlan } from './toy.ts';

const test = suite('dispatches that take too long');

const batches = [1, 2, 3].map((k) => [0.5, 0.25, -1, 2, 3, -0.125].map((v) => v / k));

/** Trains; the device's own times of all `mul` dispatches are made longer. @param longer null: the device has no timestamps. */
async function trained(gpu: Gpu, software: boolean, longer: number | null) {
  useDevice(gpu);
  gpu.adapter.software = software;
  const own = gpu.profile;
  let timed = 0;
  gpu.profile = async (work) => {
    if (longer === null) return null;
    const times = (await own.call(gpu, work))!;
    timed += 1;
    return times.map((one) => (one.kernel === 'mul' ? { ...one, ms: one.ms + longer } : one));
  };
  const notes: string[] = [];
  const log: Record<string, unknown>[] = [];
  const plan = toyPlan(mul, batches);
  try {
    await trainPlan(
      plan,
      gpu,
      { log: (event) => log.push(event), scalars: () => {}, saveCheckpoint: () => {} },
      0,
      { checkpointEvery: 100, onStep: () => {}, interrupted: () => null, onNote: (line) => notes.push(line) },
    );
  } finally {
    gpu.profile = own;
  }
  return { notes, timed, log, weights: [...(await plan.weights.data())] };
}

test('the first step is timed; the slow kernel is named once, and nothing else changes; on a software adapter and without timestamps nothing is timed', async () => {
  const { gpu } = await openGpu();
  try {
    const quick = await trained(gpu, false, 0);
    const slow = await trained(gpu, false, 1800);
    equal(quick.notes, []);
    is(slow.notes.length, 1);
    ok(
      /^toy: one dispatch of mul \([\w-]+; .*\) took \d{4,} ms\. .*two seconds.*last checkpoint.*pixels or the batch \(--set\)/.test(
        slow.notes[0],
      ),
      slow.notes[0],
    );
    equal([quick.timed, slow.timed], [1, 1]);
    equal([slow.log, slow.weights], [quick.log, quick.weights]);
    is(slow.log.length, 3);

    for (const untimed of [await trained(gpu, true, 1800), await trained(gpu, false, null)]) {
      equal([untimed.timed, untimed.notes], [0, []]);
      equal([untimed.log, untimed.weights], [quick.log, quick.weights]);
    }
  } finally {
    gpu.close();
    await testGpu();
  }
});
