// Trains six steps of a small network, with a checkpoint every second step, and loses the device on the way.
//   node device-loss.mjs DATA DIR LOSSES
// LOSSES is a JSON list: where the first device is lost, where the second, and so on. Exits as `warpmix train` does.
import { openRunFolder, outlivingLoss, runSession } from '../../src/cli/session.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { type Config, resolveConfig } from '../../src/train/config.ts';
import type { Plan } from '../../src/train/plan.ts';
import { supervisedRecipe } from '../../src/train/recipes.ts';
import { readConfig } from '../../src/train/run-folder.ts';

/** `step`: while that step is on the device. `save`: after the first tensors of the checkpoint of that step have been read. */
export type Loss = { step: number } | { save: number } | 'evaluation' | 'afterwards';

const EVERY = 2;

/** Makes `plan` lose its device. */
function sabotage(plan: Plan, { device }: Gpu, loss: Loss, start: number): void {
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
    // The batch of the next step is loaded when the commands of this one have been submitted.
    const load = phase.load.bind(phase);
    phase.load = (k) => {
      if (k === loss.step) device.destroy();
      return load(k);
    };
  } else {
    const saved = Object.values(plan.state.segmentation)[3];
    const data = saved.data.bind(saved);
    let at = start;
    saved.data = () => {
      at += EVERY;
      if (at === loss.save) device.destroy();
      return data();
    };
  }
}

const [data, dir, losses] = process.argv.slice(2);
const config: Config = resolveConfig('tiny', null, { data, checkpointEvery: EVERY }, [
  'pixels=4096',
  'model.encoder.widths=[4,4,8,8,8]',
  'model.decoder.widths=[4,4,4,8,8]',
  'segmentation.steps=6',
]);
const pending: Loss[] = JSON.parse(losses);

try {
  await outlivingLoss(dir, async (gpu, again) => {
    const before = again ? readConfig(dir) : null;
    const plan = await supervisedRecipe(config);
    const opened = openRunFolder(dir, 'supervised', config, plan, undefined, before, again);
    const loss = pending.shift();
    if (loss) sabotage(plan, gpu, loss, opened.start);
    const flags = { compare: [], anomaly: false, eager: false, trace: null, variants: undefined };
    await runSession(gpu, { recipe: 'supervised', config, plan, ...opened, ...flags }, false, 'test');
  });
} catch (error) {
  console.error(`error: ${(error as Error).message}`);
  process.exit((error as { exitCode?: number }).exitCode ?? 1);
}
process.exit(0);
