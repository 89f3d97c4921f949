import { Program, upload } from '../autograd/program.ts';
import { step as scope, type Tensor } from '../autograd/tensor.ts';
import { DataError } from '../data/types.ts';
import type { Gpu } from '../gpu/gpu.ts';
import type { Phase } from '../methods/phase.ts';
import { AnomalyWatch } from './anomaly.ts';
import type { Checkpoint, TensorGroup } from './checkpoint-format.ts';
import { watchLongest } from './long-dispatch.ts';
import type { Plan } from './plan.ts';
import { weightsText } from './weights-report.ts';

/** Training produced NaN or infinity. Exit code 5 of the command line. */
export class NumericalError extends Error {
  override name = 'NumericalError';
  readonly exitCode = 5;
}

/** Ctrl-C: the step was finished and a checkpoint written. */
export class InterruptedError extends Error {
  override name = 'InterruptedError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Batches on their way beside a GPU: a batch waits for its slowest sample, and one of few samples leaves most of the loading threads idle. */
const LOADED_AHEAD = 4;

/** What a watcher is told after each step. */
export interface StepReport {
  phase: string;
  /** Steps done, of all phases together and of this one. */
  step: number;
  of: number;
  total: number;
  terms: Record<string, number>;
  stepsPerSecond: number;
  imagesPerSecond: number;
  /** Seconds to the end of the last phase, from the median of recent steps. */
  eta: number;
}

/** Measures some of the steps. Results do not change. */
export interface StepTrace {
  /** True for the steps to be measured, `done` of `total` having been done before. */
  covers(done: number, total: number): boolean;
  /** Runs one step. */
  step<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Runs a part of a step: on the host, or while it loads the next batch. */
  span<T>(track: 'host' | 'loader', name: string, work: () => T): T;
}

export interface LoopOptions {
  checkpointEvery: number;
  onStep(report: StepReport): void;
  /**
   * Asked after each step, and waited for; a code other than null ends the run with it, after a checkpoint. What it throws ends
   * the run without one.
   */
  interrupted(): number | null | Promise<number | null>;
  /** Look at every number that a step makes, and end at the first that is not finite. */
  anomaly?: boolean;
  trace?: StepTrace | null;
  /** Run every op from JavaScript at every step, instead of recording a step of each phase and replaying it. */
  eager?: boolean;
  /**
   * Submit a replayed step before the losses of the one before it have come back, so that the device does not wait for the host. The
   * networks are then a step ahead of what `onStep` and `interrupted` are told, and more batches are loaded beforehand. What is computed
   * and logged does not change. A software adapter is the host: there it costs a tenth of a step and more.
   */
  ahead?: boolean;
  /** Told which weights were loaded, when a phase is recorded again and why, and of a dispatch that takes too long. */
  onNote?(line: string): void;
}

/** Where a run is written down: a folder on disk (`RunFolder`), or the memory of a page. */
export interface RunRecord {
  log(event: Record<string, unknown>): void;
  scalars(step: number, values: Readonly<Record<string, number>>): void;
  /** Training waits for it. */
  saveCheckpoint(
    step: number,
    groups: Readonly<Record<string, Readonly<TensorGroup>>>,
    meta: Readonly<Record<string, unknown>>,
  ): unknown;
}

/** Curves and timings for the report. */
export interface LoopResult {
  steps: number;
  /** For each phase: its terms, one value per step. */
  curves: { phase: string; terms: Record<string, number[]>; imagesPerSecond: number; msPerStep: number }[];
}

/** The values of everything that a checkpoint holds. */
export async function readGroups(plan: Pick<Plan, 'state'>): Promise<Record<string, TensorGroup>> {
  const groups: Record<string, TensorGroup> = {};
  for (const [group, tensors] of Object.entries(plan.state)) {
    groups[group] = {};
    for (const [name, tensor] of Object.entries(tensors)) {
      groups[group][name] = {
        dtype: 'F32',
        shape: [...tensor.shape],
        data: Float32Array.from(await tensor.data()),
      };
    }
  }
  return groups;
}

/** What a checkpoint says of its run beside the values. */
export const checkpointMeta = ({ phases, classes }: Pick<Plan, 'phases' | 'classes'>) => ({
  phases: phases.map((phase) => [phase.name, phase.steps]),
  classes: classes.map(({ name }) => name),
  colors: classes.map(({ color }) => color),
});

/**
 * The same, to be saved.
 * @throws NumericalError naming the first number that is none: a finite loss with an infinite gradient leaves such numbers; the
 *   next loss would tell, and this be the newest checkpoint.
 */
export async function finiteGroups(
  plan: Pick<Plan, 'state' | 'phases'>,
  step: number,
): Promise<Record<string, TensorGroup>> {
  const groups = await readGroups(plan);
  for (const [group, tensors] of Object.entries(groups)) {
    for (const [name, { data }] of Object.entries(tensors)) {
      const at = (data as Float32Array).findIndex((value) => !Number.isFinite(value));
      if (at < 0) continue;
      throw new NumericalError(
        `after step ${step} of ${totalSteps(plan)}: '${group}/${name}' holds ${data[at]} at ${at}. Nothing is saved: the last ` +
          'checkpoint, where there is one, is from before. Lower the learning rate (--set); --anomaly says which op made the ' +
          'first such number.',
      );
    }
  }
  return groups;
}

export const totalSteps = ({ phases }: Pick<Plan, 'phases'>): number =>
  phases.reduce((sum, phase) => sum + phase.steps, 0);

/** Puts a checkpoint's tensors into a plan. @throws DataError when names or shapes differ. */
export function restore(plan: Pick<Plan, 'state'>, checkpoint: Checkpoint, only?: readonly string[]): void {
  for (const [group, tensors] of Object.entries(plan.state)) {
    if (only && !only.includes(group)) continue;
    const saved = checkpoint.groups[group];
    if (!saved) throw new DataError(`checkpoint of step ${checkpoint.step}: has no '${group}'`);
    for (const [name, tensor] of Object.entries(tensors)) {
      const from = saved[name];
      if (from?.dtype !== 'F32' || from.shape.join() !== tensor.shape.join()) {
        throw new DataError(
          `checkpoint of step ${checkpoint.step}: '${group}/${name}' is ${from ? `${from.dtype} [${from.shape}]` : 'missing'}, ` +
            `this configuration needs F32 [${tensor.shape}]`,
        );
      }
      tensor.assign(from.data as ArrayLike<number>);
    }
  }
}

/**
 * Other data under the same spec may count their classes otherwise, and a network would not notice.
 * @param where how errors call the run.
 * @param what is to be done with the other data.
 * @throws DataError naming both
 */
export function checkClasses(
  where: string,
  what: 'resume with' | 'score',
  { step, meta }: Checkpoint,
  plan: Pick<Plan, 'classes'>,
): void {
  const now = plan.classes.map(({ name }) => name);
  const before = meta.classes as string[] | undefined;
  if (before === undefined || before.join() === now.join()) return;
  throw new DataError(
    `${where}: cannot ${what} other classes: those of its checkpoint of step ${step} are ${before.join(', ')}; the data ` +
      `have ${now.join(', ')} now`,
  );
}

const placeOf = ({ name, steps }: Phase, k: number) => `${name}, step ${k + 1} of ${steps}`;

const median = (values: readonly number[]): number =>
  values.length === 0 ? 0 : [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function readTerms(tensors: Record<string, Tensor>): Promise<Record<string, number>> {
  // All at once: each read by itself would be a wait of its own.
  const values = await Promise.all(Object.values(tensors).map((tensor) => tensor.item()));
  for (const tensor of Object.values(tensors)) tensor.dispose();
  return Object.fromEntries(Object.keys(tensors).map((name, i) => [name, values[i]]));
}

/**
 * Runs the phases of a plan from a step on. log.jsonl gets one line per step, without times: two runs with the same
 * configuration on the same adapter write the same bytes.
 * @param gpu drives submission and replays; null on the reference device.
 * @param run null: leave nothing behind.
 * @param start steps done before; a resumed run's state must have been restored.
 * @throws NumericalError where a loss, or the state to be saved, is not finite
 * @throws InterruptedError after a checkpoint, where `interrupted` says so
 */
export async function trainPlan(
  plan: Pick<Plan, 'phases' | 'begin' | 'state' | 'classes'>,
  gpu: Gpu | null,
  run: RunRecord | null,
  start: number,
  options: LoopOptions,
): Promise<LoopResult> {
  if (start === 0) {
    await plan.begin?.((loaded) => {
      // Of the first step: a run taken back to its start logs it again.
      run?.log({ event: 'weights', step: 1, ...loaded });
      options.onNote?.(weightsText(loaded));
    });
  }
  const watch = options.anomaly ? new AnomalyWatch(Object.values(plan.state).flatMap(Object.values)) : null;
  const recorded: { program: Program | null } = { program: null };
  try {
    return await runPhases(plan, gpu, run, start, options, watch, recorded);
  } finally {
    watch?.dispose();
    // After an error nobody asks what its launches have to say.
    await recorded.program?.dispose().catch(() => {});
  }
}

/** @param recorded told which program has buffers. */
async function runPhases(
  plan: Pick<Plan, 'phases' | 'begin' | 'state' | 'classes'>,
  gpu: Gpu | null,
  run: RunRecord | null,
  start: number,
  options: LoopOptions,
  watch: AnomalyWatch | null,
  recorded: { program: Program | null },
): Promise<LoopResult> {
  const total = totalSteps(plan);
  const result: LoopResult = { steps: start, curves: [] };
  const save = async (step: number) => {
    const groups = await finiteGroups(plan, step);
    await run?.saveCheckpoint(step, groups, checkpointMeta(plan));
  };
  let done = 0;
  for (const [index, phase] of plan.phases.entries()) {
    const first = Math.max(0, start - done);
    const later = plan.phases.slice(index + 1).reduce((sum, p) => sum + p.steps, 0);
    if (first >= phase.steps) {
      done += phase.steps;
      continue;
    }
    if (first === 0) await phase.begin?.();
    phase.optimizer.steps = first;
    const program =
      gpu && !options.eager && !watch
        ? new Program(
            gpu,
            (inputs) => phase.train(inputs),
            (line) => options.onNote?.(`${phase.name}: ${line}`),
          )
        : null;
    recorded.program = program;
    const curve: Record<string, number[]> = {};
    const times: number[] = [];
    let began = performance.now();
    /** Takes note of a step that has been computed. */
    const land = async (k: number, reading: Promise<Record<string, number>>) => {
      const terms = await reading;
      const place = placeOf(phase, k);
      const step = done + k + 1;
      result.steps = step;
      for (const [name, value] of Object.entries(terms)) (curve[name] ??= []).push(value);
      const anomaly = await watch?.first();
      if (anomaly) throw new NumericalError(`${place}: ${anomaly}`);
      const bad = Object.entries(terms).find(([, value]) => !Number.isFinite(value));
      if (bad) {
        throw new NumericalError(
          `${place}: ${bad[0]} is ${bad[1]}. The last checkpoint, where there is one, is from before; lower the learning rate ` +
            '(--set), or look at the batch of this step; --anomaly says which op made the first such number.',
        );
      }
      run?.log({ event: 'step', phase: phase.name, step, ...terms });
      run?.scalars(
        step,
        Object.fromEntries(Object.entries(terms).map(([name, v]) => [`${phase.name}/${name}`, v])),
      );
      times.push(performance.now() - began);
      began = performance.now();
      const typical = median(times.slice(-20));
      options.onStep({
        phase: phase.name,
        step,
        of: total,
        total: phase.steps,
        terms,
        stepsPerSecond: 1000 / typical,
        imagesPerSecond: (1000 * phase.imagesPerStep) / typical,
        eta: (typical * (phase.steps - k - 1 + later)) / 1000,
      });
    };
    /** Lands the step that was submitted and not waited for, where there is one. */
    let landLast: (() => Promise<void>) | null = null;
    /** Batches on their way, that of the next step first, and the step of the one after them. */
    const batches: Promise<unknown>[] = [];
    let asked = first;
    const loadUpTo = (end: number, span: StepTrace['span']) => {
      for (; asked < Math.min(end, phase.steps); asked++) {
        const batch = span('loader', 'load', () => phase.load(asked));
        // A failure surfaces when the batch is wanted.
        batch.catch(() => {});
        batches.push(batch);
      }
    };
    loadUpTo(first + 1, (...what) => what[2]());
    for (let k = first; k < phase.steps; k++) {
      const trace = options.trace?.covers(k - first, phase.steps - first) ? options.trace : null;
      const span: StepTrace['span'] = (...what) => (trace ? trace.span(...what) : what[2]());
      const submit = async () => {
        const batch = await span('host', 'load', () => batches.shift()!);
        const inputs = phase.inputs(batch, k);
        const train = () => scope(() => phase.train(upload(inputs)));
        if (program) await span('host', 'upload', () => program.assign(inputs));
        const tensors = await span('host', program ? 'replay' : 'record', () =>
          program ? program.replay() : watch ? watch.during(train) : train(),
        );
        gpu?.submit();
        // The next batches are prepared while the device works.
        loadUpTo(k + 1 + (options.ahead ? LOADED_AHEAD : 1), span);
        return tensors;
      };
      const saves = (done + k + 1) % options.checkpointEvery === 0;
      if (options.ahead && program && k > first && k + 1 < phase.steps && !trace && !saves) {
        const reading = readTerms(await submit());
        // An error of the step before it comes first.
        reading.catch(() => {});
        await landLast?.();
        landLast = () => land(k, reading);
      } else {
        await landLast?.();
        landLast = null;
        began = performance.now();
        const whole = async () => {
          const tensors = await submit();
          return span('host', 'wait and read', () => readTerms(tensors));
        };
        const watched = () =>
          gpu && k === first
            ? watchLongest(gpu, whole, (line) => options.onNote?.(`${phase.name}: ${line}`))
            : whole();
        await land(k, trace ? trace.step(placeOf(phase, k), whole) : watched());
      }
      const code = await options.interrupted();
      if (code !== null) {
        await landLast?.();
        await save(result.steps);
        throw new InterruptedError(
          `interrupted after step ${result.steps}; continue with --resume auto`,
          code,
        );
      }
      if (saves && result.steps < total) {
        await save(result.steps);
        began = performance.now();
      }
    }
    await program?.dispose();
    const msPerStep = median(times);
    result.curves.push({
      phase: phase.name,
      terms: curve,
      msPerStep,
      imagesPerSecond: (1000 * phase.imagesPerStep) / msPerStep,
    });
    done += phase.steps;
  }
  await save(total);
  return result;
}
