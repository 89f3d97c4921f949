// A run from its first step to its report, for every command that trains.
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../data/types.ts';
import { DeviceLostError } from '../gpu/errors.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { latestCheckpoint, readCheckpoint } from '../train/checkpoint.ts';
import { type Config, configDifferences } from '../train/config.ts';
import { expectFolder } from '../train/durable.ts';
import { checkClasses, type LoopResult, restore, type StepReport, trainPlan } from '../train/loop.ts';
import type { DepthScores } from '../train/metrics.ts';
import type { Outcome, Plan } from '../train/plan.ts';
import { holdsNothing, RunFolder } from '../train/run-folder.ts';
import type { Trace } from '../train/trace.ts';
import { withGpu } from './device.ts';
import { onInterrupt } from './interrupt.ts';
import { endProgress, note, print, printJson, progress, table } from './output.ts';
import { type Finished, reportOf } from './report.ts';
import type { RunVariants } from './variants.ts';

export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 90 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** @param starts a phase begins here: its step has compiled the kernels, and tells nothing of those to come. */
const stepLine = (report: StepReport, starts: boolean): string => {
  const { phase, step, of, terms, imagesPerSecond, stepsPerSecond, eta } = report;
  const shown = Object.entries(terms)
    .map(([name, value]) => `${name} ${value.toPrecision(4)}`)
    .join('  ');
  const pace = starts
    ? `first step ${(1 / stepsPerSecond).toFixed(1)} s, with its kernels compiled`
    : `${stepsPerSecond.toFixed(2)} it/s  ${imagesPerSecond.toFixed(1)} images/s  ETA ${duration(eta)}`;
  return `${phase} ${step}/${of}  ${shown}  ${pace}`;
};

const slug = (text: string) => text.replace(/[^a-zA-Z0-9]+/g, '-').toLowerCase();

const percent = (value: number | null) => (value === null ? 'n/a' : (100 * value).toFixed(1));

/** What a run scored, for a terminal. */
export function printOutcome({ segmentation, depth }: Outcome): void {
  if (segmentation) {
    const { scores, shares } = segmentation;
    const rows = Object.entries(scores.iou).map(([name, value], k) => [
      name,
      percent(value),
      percent(shares[k]),
    ]);
    print(table([['class', 'IoU %', 'pixels %'], ...rows]));
    const share = (value: number | null) => (value === null ? 'n/a' : `${percent(value)} %`);
    print(`mIoU ${share(scores.miou)}   pixel accuracy ${share(scores.pixelAcc)}`);
  }
  if (depth) {
    const columns = ['absRel', 'sqRel', 'rmse', 'rmseLog', 'a1', 'a2', 'a3'] as const;
    const row = (name: string, scores: DepthScores | undefined | null) => [
      name,
      ...columns.map((c) => (scores ? scores[c].toFixed(3) : 'n/a')),
    ];
    print(
      table([
        ['depth, median-scaled', ...columns],
        row('this model', depth.ours),
        row('  with its mirror image', depth.mirrored),
        row('best constant depth', depth.constant?.scores),
        row('fitted road plane', depth.roadPlane?.scores),
      ]),
    );
  }
}

export interface Session {
  compare: readonly Finished[];
  recipe: string;
  config: Config;
  plan: Plan;
  run: RunFolder | null;
  start: number;
  /** What was made for this run: its folder, or only what is in it. */
  made: 'folder' | 'content' | null;
  anomaly: boolean;
  eager: boolean;
  trace: Trace | null;
  variants: RunVariants | undefined;
}

/**
 * A run goes on with the settings that it began with.
 * @param where how errors call the run. @param otherwise what works with other settings
 * @throws DataError naming those that differ
 */
export function checkSettings(where: string, before: object, now: object, otherwise: string): void {
  const changed = configDifferences(before, now);
  if (changed.length === 0) return;
  throw new DataError(
    `${where}: cannot resume with other settings; these differ: ${changed.join(', ')}. Take them back, or ${otherwise}`,
  );
}

/**
 * Makes the folder of a run, or goes on with the one that is there: its state is put into `plan`.
 * @param before the settings of the run that is there; null: there is none.
 */
export function openRunFolder(
  dir: string,
  recipe: string,
  config: Config,
  plan: Plan,
  variants: RunVariants | undefined,
  before: Record<string, unknown> | null,
): Pick<Session, 'run' | 'start' | 'made'> {
  const settings = { recipe, ...config, ...(variants && { variants }) };
  if (before) checkSettings(dir, before, settings, 'name another folder with --out');
  const { found, skipped } = before ? latestCheckpoint(dir) : { found: null, skipped: [] };
  for (const { path, reason } of skipped) note(`skipped ${path}: ${reason}`);
  const checkpoint = found && readCheckpoint(found.path);
  if (checkpoint) {
    checkClasses(dir, 'resume with', checkpoint, plan);
    restore(plan, checkpoint);
  }
  expectFolder(dir);
  const made = !existsSync(dir) ? 'folder' : holdsNothing(dir) ? 'content' : null;
  const run = RunFolder.create(dir, settings, { resume: before !== null });
  const start = checkpoint?.step ?? 0;
  if (before) {
    run.rewind(start);
    note(
      checkpoint ? `resuming after step ${start}` : `${dir}: has no intact checkpoint; starting from step 0`,
    );
  }
  return { run, start, made };
}

/**
 * Calls `work` on a device, and after a loss on a new one, with `resume` set: the last checkpoint is the last good state. A second
 * loss before a further checkpoint is the end, and so is another adapter than the one that was lost.
 * @param dir the run folder, whose checkpoints tell how far the work came; null: nothing is written, so a loss is the end
 * @throws DeviceLostError, and whatever `work` throws
 */
export async function outlivingLoss<T>(
  dir: string | null,
  work: (gpu: Gpu, resume: boolean) => Promise<T>,
): Promise<T> {
  let saved: number | null = null;
  let before: Gpu['adapter'] | null = null;
  let gone = false;
  for (;;) {
    try {
      return await withGpu((gpu) => {
        const { description } = gpu.adapter;
        gone = before !== null && before.description !== description;
        if (gone) {
          throw new DeviceLostError(
            `${before!.description} was lost and does not come back. What is left is ${description}, which rounds otherwise and may be ` +
              `far slower. ${saved ? `Step ${saved} is in ${dir}: continue with --resume auto` : 'Nothing was saved: start anew'}, when the ` +
              'GPU is back or here.',
          );
        }
        before = gpu.adapter;
        return work(gpu, saved !== null && dir !== null && existsSync(dir));
      });
    } catch (error) {
      if (!(error instanceof DeviceLostError) || dir === null || gone) throw error;
      const step = latestCheckpoint(dir).found?.step ?? 0;
      endProgress();
      if (step === saved) {
        throw new DeviceLostError(
          `the GPU device was lost again before a further checkpoint; ` +
            `${step > 0 ? `that of step ${step} is in ${dir}` : `${dir} has none yet`}. See what the driver says: if it ends dispatches ` +
            'that take longer than about two seconds, start anew with fewer pixels or a smaller batch. Else continue with --resume auto.',
        );
      }
      note(`${error.message} Going on from step ${step} on a new device.`);
      saved = step;
    }
  }
}

/** How a run ended. */
export interface Ended {
  outcome: Outcome;
  steps: number;
  seconds: number;
  peakBytes: number;
}

/** Trains, evaluates, and leaves everything in the run folder. @param json a line on stdout for each step. */
export async function runSession(gpu: Gpu, session: Session, json: boolean, command: string): Promise<Ended> {
  const { run, made, start } = session;
  const done = { steps: start };
  try {
    const ended = await trainAndScore(gpu, session, json, command, done);
    run?.close();
    return ended;
  } catch (error) {
    try {
      run?.close();
    } catch {} // on a full disk this fails too; what went wrong first is what counts
    // Bad data before the first step: there is no run to keep.
    if (run && made && done.steps === 0 && error instanceof DataError) {
      for (const name of readdirSync(run.dir)) rmSync(join(run.dir, name), { recursive: true, force: true });
      if (made === 'folder') rmdirSync(run.dir);
    }
    throw error;
  }
}

/** @param done told of every step. */
async function trainAndScore(
  gpu: Gpu,
  session: Session,
  json: boolean,
  command: string,
  done: { steps: number },
): Promise<Ended> {
  const { plan, run, start, config, recipe, compare, anomaly, eager, trace, variants } = session;
  const began = performance.now();
  let stop: number | null = null;
  onInterrupt((code) => {
    stop = code;
    note('finishing this step and saving; press again to end at once');
  });
  let spoken = 0;
  let reported = '';
  const result: LoopResult = await trainPlan(plan, gpu, run, start, {
    checkpointEvery: config.checkpointEvery,
    interrupted: () => stop,
    ahead: !gpu.adapter.software,
    anomaly,
    eager,
    trace,
    onNote: note,
    onStep: (report) => {
      done.steps = report.step;
      if (json) printJson({ event: 'step', ...report });
      const starts = report.phase !== reported;
      reported = report.phase;
      const line = stepLine(report, starts);
      progress(line);
      const now = performance.now();
      // Without a terminal: a line every ten seconds, at the start of each phase and at the end.
      if (!process.stderr.isTTY && (starts || report.step === report.of || now - spoken > 10_000)) {
        note(line);
        spoken = now;
      }
    },
  }).finally(() => onInterrupt(null));
  endProgress();
  const outcome = await plan.evaluate();
  const seconds = (performance.now() - began) / 1000;
  const memory = gpu.memory();
  if (run) {
    const galleries = await plan.galleries();
    for (const [i, { title, panels }] of galleries.entries()) {
      const folder = `${String(i).padStart(2, '0')}-${slug(title)}`;
      for (const panel of panels) run.picture(`${folder}/${slug(panel.title)}`, panel.image, result.steps);
    }
    run.log({ event: 'done', step: result.steps, metrics: outcome.metrics });
    run.summary({
      recipe,
      steps: result.steps,
      ...outcome,
      seconds,
      peakBytes: memory.peak,
      adapter: gpu.adapter,
      command,
    });
    run.report(
      reportOf({
        dir: run.dir,
        recipe,
        config,
        command,
        gpu,
        plan,
        result,
        events: run.events(),
        outcome,
        galleries,
        seconds: start === 0 ? seconds : null,
        compare,
        variants,
      }),
    );
  }
  return { outcome, steps: result.steps, seconds, peakBytes: memory.peak };
}
