// Runs in Node and in a page: a stretch of training whose state goes from one to the other.
import { currentDevice, useDevice } from '../src/autograd/tensor.ts';
import { allFrames } from '../src/data/batch.ts';
import { openStreet } from '../src/data/street/index.ts';
import type { Gpu } from '../src/gpu/gpu.ts';
import { openGpu } from '../src/gpu/open.ts';
import { ThreeWaysPhase } from '../src/methods/threeWays.ts';
import { DepthModel, SegmentationModel } from '../src/models/models.ts';
import { Initializer } from '../src/nn/module.ts';
import { presets } from '../src/train/config.ts';
import { InterruptedError, restore, trainPlan } from '../src/train/loop.ts';
import { smallModel } from './methods/networks.ts';

/** Words of every tensor, by group and name: f32 as its bits, which JSON keeps. */
export type State = Record<string, Record<string, { shape: number[]; words: number[] }>>;

export interface Stretch {
  state: State;
  /** Terms of each step as text, which keeps every digit. */
  log: string[];
}

const STEPS = 20;

/** DepthMix under a mean teacher on the street world: samplers, mirrors, colours, EMA, Adam and batch statistics. */
function planOf() {
  const street = openStreet({ width: 64, height: 64, snippets: { train: 2, val: 1, unlabelled: 3 } });
  const init = new Initializer(7);
  const classes = street.classes.length;
  const student = new SegmentationModel(init, smallModel, classes);
  const teacher = new SegmentationModel(init, smallModel, classes);
  const depth = new DepthModel(init, smallModel);
  const { segmentation, method } = presets.tiny;
  const frames = { labelled: allFrames(street.train).slice(0, 4), unlabelled: allFrames(street.unlabelled) };
  const options = { ...segmentation, ...method, steps: STEPS, threshold: 0.1 };
  const phase = new ThreeWaysPhase(student, teacher, depth, async () => frames, classes, options, 7);
  return {
    phases: [phase],
    classes: street.classes,
    state: {
      depth: depth.state(),
      segmentation: student.state(),
      teacher: teacher.state(),
      optimizer: phase.optimizer.state(),
    },
  };
}

/** Steps `start` + 1 to `stop` on the current device. @param from the state after step `start`; null at 0. */
export async function trainStretch(from: State | null, start: number, stop: number): Promise<Stretch> {
  const plan = planOf();
  if (from) {
    const tensors = (group: State[string]) =>
      Object.entries(group).map(([name, { shape, words }]) => {
        const data = new Float32Array(Uint32Array.from(words).buffer);
        return [name, { dtype: 'F32' as const, shape, data }];
      });
    const groups = Object.entries(from).map(([name, group]) => [name, Object.fromEntries(tensors(group))]);
    restore(plan, { step: start, groups: Object.fromEntries(groups), meta: {} });
  }
  const log: string[] = [];
  await trainPlan(plan, currentDevice() as Gpu, null, start, {
    checkpointEvery: STEPS,
    onStep: ({ step, terms }) => log.push(`${step} ${JSON.stringify(terms)}`),
    interrupted: () => (start + log.length >= stop ? 130 : null),
  }).catch((error) => {
    if (!(error instanceof InterruptedError)) throw error;
  });
  const state: State = {};
  for (const [group, tensors] of Object.entries(plan.state)) {
    state[group] = {};
    for (const [name, tensor] of Object.entries(tensors)) {
      const words = Array.from(new Uint32Array(Float32Array.from(await tensor.data()).buffer));
      state[group][name] = { shape: [...tensor.shape], words };
    }
  }
  return { state, log };
}

let opened: Promise<unknown> | null = null;

/** The same on a device of the page's own, which it keeps: kernels are compiled once. */
export async function trainStretchHere(...args: Parameters<typeof trainStretch>): Promise<Stretch> {
  opened ??= openGpu().then(({ gpu }) => useDevice(gpu));
  await opened;
  return trainStretch(...args);
}
