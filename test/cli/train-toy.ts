// Trains two weights as `warpmix train` trains a network: the same run folder, checkpoints, resume and exit codes. A second for the
// device, then a millisecond a step, so that a test can end it many times.
//   node train-toy.mjs DIR STEPS EVERY LOSSES CLASSES STALL
// Resumes where DIR holds a run; a checkpoint every EVERY steps. LOSSES is a JSON list: where the first device is lost, where the
// second, and so on; CLASSES one of the names of the classes. STALL is a step whose batch takes a minute, or 0.
import { existsSync } from 'node:fs';
import { openRunFolder, outlivingLoss, runSession } from '../../src/cli/session.ts';
import { DataError } from '../../src/data/types.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { affine, mul, square } from '../../src/ops/elementwise.ts';
import { presets } from '../../src/train/config.ts';
import type { Plan } from '../../src/train/plan.ts';
import { readConfig } from '../../src/train/run-folder.ts';
import { randoms } from '../device.ts';
import { toyPlan } from '../train/toy.ts';

/** `step`: while that step is on the device, which was of another name if `card` says so. `save`: after the first tensor of the checkpoint of that step has been read. */
export type Loss = { step: number; card?: string } | { save: number } | 'evaluation' | 'afterwards';

const [dir, steps, every, losses, classes, stall] = process.argv.slice(2);
const config = { ...presets.tiny, checkpointEvery: Number(every) };
const pending: Loss[] = JSON.parse(losses);

/** Makes `plan` lose its device. */
function sabotage(plan: Plan, { device, adapter }: Gpu, loss: Loss, start: number): void {
  const [phase] = plan.phases;
  const { evaluate, galleries } = plan;
  if (loss === 'evaluation') {
    plan.evaluate = () => {
      device.destroy();
      return evaluate();
    };
  } else if (loss === 'afterwards') {
    plan.galleries = async () => {
      const made = await galleries();
      device.destroy();
      return made;
    };
  } else if ('step' in loss) {
    if (loss.card) Object.assign(adapter, { description: loss.card });
    // The batch of the next step is loaded when the commands of this one have been submitted.
    const load = phase.load.bind(phase);
    phase.load = (k) => {
      if (k === loss.step) device.destroy();
      return load(k);
    };
  } else {
    const second = Object.values(plan.state.toy)[1];
    const data = second.data.bind(second);
    let at = start;
    second.data = () => {
      at += config.checkpointEvery;
      if (at === loss.save) device.destroy();
      return data();
    };
  }
}

const batches = Array.from({ length: Number(steps) }, (_, k) => [...randoms(6, k, 0.2, 0.6)]);

try {
  await outlivingLoss(dir, async (gpu, again) => {
    const resume = again || existsSync(dir);
    const before = resume ? readConfig(dir) : null;
    const plan = toyPlan((x, w) => square(affine(mul(x, w), 1, -1)), batches);
    plan.classes = JSON.parse(classes).map((name: string, id: number) => ({ id, name, color: [0, 0, 0] }));
    plan.evaluate = async () => ({ metrics: { first: (await plan.weights.data())[0] } });
    const [phase] = plan.phases;
    const load = phase.load.bind(phase);
    phase.load = async (k) => {
      if (k + 1 === Number(stall)) await new Promise((later) => setTimeout(later, 60_000));
      return load(k);
    };
    const opened = openRunFolder(dir, 'toy', config, plan, undefined, before);
    const loss = pending.shift();
    if (loss) sabotage(plan, gpu, loss, opened.start);
    const flags = { compare: [], anomaly: false, eager: false, trace: null, variants: undefined };
    await runSession(gpu, { recipe: 'toy', config, plan, ...opened, ...flags }, true, 'test');
  });
} catch (error) {
  console.error(`error: ${(error as Error).message}`);
  process.exit(error instanceof DataError ? 4 : ((error as { exitCode?: number }).exitCode ?? 1));
}
process.exit(0);
