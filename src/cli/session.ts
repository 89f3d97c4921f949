// A run from its first step to its report, for every command that trains.
import { rmSync } from 'node:fs';
import { DataError } from '../data/types.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { latestCheckpoint, readCheckpoint } from '../train/checkpoint.ts';
import type { Config } from '../train/config.ts';
import { type LoopResult, restore, type StepReport, trainPlan } from '../train/loop.ts';
import type { DepthScores } from '../train/metrics.ts';
import type { Outcome, Plan } from '../train/plan.ts';
import { configDifferences, RunFolder } from '../train/run-folder.ts';
import type { Trace } from '../train/trace.ts';
import { onInterrupt } from './interrupt.ts';
import { endProgress, note, print, printJson, progress, table } from './output.ts';
import { type Finished, reportOf } from './report.ts';
import type { RunVariants } from './variants.ts';

export const duration = (seconds: number): string =>
  seconds < 90 ? `${Math.round(seconds)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;

const stepLine = ({ phase, step, of, terms, imagesPerSecond, stepsPerSecond, eta }: StepReport): string => {
  const shown = Object.entries(terms)
    .map(([name, value]) => `${name} ${value.toPrecision(4)}`)
    .join('  ');
  return `${phase} ${step}/${of}  ${shown}  ${stepsPerSecond.toFixed(2)} it/s  ${imagesPerSecond.toFixed(1)} images/s  ETA ${duration(eta)}`;
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
    print(`mIoU ${percent(scores.miou)} %   pixel accuracy ${percent(scores.pixelAcc)} %`);
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
  anomaly: boolean;
  eager: boolean;
  trace: Trace | null;
  variants: RunVariants | undefined;
}

/** Makes the folder of a run, or goes on with the one that is there: its state is put into `plan`. */
export function openRunFolder(
  dir: string,
  recipe: string,
  config: Config,
  plan: Plan,
  variants: RunVariants | undefined,
  before: Record<string, unknown> | null,
  resume: boolean,
): { run: RunFolder; start: number } {
  const settings = { recipe, ...config, ...(variants && { variants }) };
  if (before) {
    const changed = configDifferences(before, settings);
    if (changed.length > 0) {
      throw new DataError(`${dir}: cannot resume with other settings; these differ: ${changed.join(', ')}`);
    }
  }
  const run = RunFolder.create(dir, settings, { resume });
  if (!before) return { run, start: 0 };
  const { found, skipped } = latestCheckpoint(dir);
  for (const { path, reason } of skipped) note(`skipped ${path}: ${reason}`);
  if (!found) return { run, start: 0 };
  const checkpoint = readCheckpoint(found.path);
  restore(plan, checkpoint);
  run.rewind(checkpoint.step);
  note(`resuming after step ${checkpoint.step}`);
  return { run, start: checkpoint.step };
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
  const { plan, run, start, config, recipe, compare, anomaly, eager, trace, variants } = session;
  const began = performance.now();
  let stop: number | null = null;
  onInterrupt((code) => {
    stop = code;
    note('finishing this step and saving; press again to end at once');
  });
  let spoken = 0;
  let reported = '';
  let steps = start;
  const result: LoopResult = await trainPlan(plan, gpu, run, start, {
    checkpointEvery: config.checkpointEvery,
    interrupted: () => stop,
    anomaly,
    eager,
    trace,
    onNote: note,
    onStep: (report) => {
      steps = report.step;
      if (json) printJson({ event: 'step', ...report });
      const line = stepLine(report);
      progress(line);
      const now = performance.now();
      // Without a terminal: a line every ten seconds, at the start of each phase and at the end.
      const ends = report.phase !== reported || report.step === report.of;
      if (!process.stderr.isTTY && (ends || now - spoken > 10_000)) {
        note(line);
        spoken = now;
        reported = report.phase;
      }
    },
  }).catch((error: unknown) => {
    run?.close();
    // Bad data before the first step: there is no run to keep.
    if (run && steps === 0 && error instanceof DataError) rmSync(run.dir, { recursive: true, force: true });
    throw error;
  });
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
        recipe,
        config,
        command,
        gpu,
        plan,
        result,
        outcome,
        galleries,
        seconds,
        compare,
        variants,
      }),
    );
    run.close();
  }
  return { outcome, steps: result.steps, seconds, peakBytes: memory.peak };
}
