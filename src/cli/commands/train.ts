import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type ArgsDef, defineCommand } from 'citty';
import { DataError } from '../../data/types.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { latestCheckpoint, readCheckpoint } from '../../train/checkpoint.ts';
import { type Config, type PresetName, presets, resolveConfig } from '../../train/config.ts';
import { type LoopResult, restore, type StepReport, trainPlan } from '../../train/loop.ts';
import type { DepthScores } from '../../train/metrics.ts';
import type { Outcome, Plan } from '../../train/plan.ts';
import { configDifferences, RunFolder, readConfig } from '../../train/run-folder.ts';
import { Trace } from '../../train/trace.ts';
import { withGpu } from '../device.ts';
import { onInterrupt } from '../interrupt.ts';
import { endProgress, note, print, printJson, progress, table } from '../output.ts';
import { recipeNamed, recipes } from '../recipes.ts';
import { type Finished, readFinished, reportOf } from '../report.ts';
import { repeated, UsageError, wholeNumber } from '../usage.ts';
import { type RunVariants, startVariants } from '../variants.ts';

const args = {
  recipe: { type: 'positional', description: Object.keys(recipes).join(', '), required: true },
  preset: {
    type: 'string',
    default: 'tiny',
    description: `sizes and schedule: ${Object.keys(presets).join(', ')}`,
    valueHint: 'NAME',
  },
  data: { type: 'string', description: 'street[:VARIANT], pack:DIR or cityscapes:DIR', valueHint: 'SPEC' },
  unlabeled: { type: 'string', description: 'where unlabelled frames come from', valueHint: 'SPEC' },
  labels: { type: 'string', description: 'labelled images; the rest train unlabelled', valueHint: 'N' },
  'labels-file': {
    type: 'string',
    description: "images to label, a list that 'select' wrote; with --labels its first N",
    valueHint: 'FILE',
  },
  steps: { type: 'string', description: "length of the recipe's last phase", valueHint: 'N' },
  seed: { type: 'string', description: 'of start values, order and augmentation', valueHint: 'N' },
  config: { type: 'string', description: 'JSON file of settings', valueHint: 'FILE' },
  set: { type: 'string', description: 'one setting, such as depth.lr=1e-4; repeatable', valueHint: 'A.B=V' },
  out: { type: 'string', description: 'run folder (default: runs/RECIPE-DATE)', valueHint: 'DIR' },
  resume: { type: 'string', description: '"auto": go on where the run in --out stopped', valueHint: 'auto' },
  compare: {
    type: 'string',
    description: 'finished run to show beside this one in the report; repeatable',
    valueHint: 'DIR',
  },
  overfit: { type: 'string', description: 'train on N frames only', valueHint: 'N' },
  'dry-run': { type: 'boolean', description: 'one step of each phase, nothing is written' },
  anomaly: {
    type: 'boolean',
    description:
      'look at every number of every step; stop where the first NaN or infinity is made (slow; implies --eager)',
  },
  eager: {
    type: 'boolean',
    description: 'run every op from JavaScript instead of replaying a recorded step',
  },
  tuned: {
    type: 'boolean',
    description: "run the kernel variants that 'tune' measured fastest here; they may round differently",
  },
  trace: {
    type: 'string',
    description: 'write steps 2 to 4 of each phase as a Chrome trace, for ui.perfetto.dev',
    valueHint: 'FILE',
  },
  'print-config': { type: 'boolean', description: 'print the full configuration and stop' },
  json: { type: 'boolean', description: 'JSON lines on stdout' },
} as const satisfies ArgsDef;

function presetNamed(name: string): PresetName {
  if (Object.hasOwn(presets, name)) return name as PresetName;
  throw new UsageError(`--preset '${name}': expected one of ${Object.keys(presets).join(', ')}`);
}

function readJson(option: string, path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new DataError(`${option} ${path}: ${(error as Error).message}`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${option} ${path}: ${(error as Error).message}`);
  }
}

/** The ids in a list that 'select' wrote. They go into the configuration, so that the run does not depend on the file. */
function readLabelIds(path: string): string[] {
  const list = readJson('--labels-file', path) as { images?: { id?: unknown }[] } | null;
  const ids = Array.isArray(list?.images) ? list.images.map((one) => one?.id) : [];
  if (ids.length > 0 && ids.every((id) => typeof id === 'string')) return ids;
  throw new DataError(
    `--labels-file ${path}: expected { "images": [{ "id": "..." }, ...] }, as 'select' writes it`,
  );
}

const duration = (seconds: number): string =>
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
        row('best constant depth', depth.constant?.scores),
        row('fitted road plane', depth.roadPlane?.scores),
      ]),
    );
  }
}

interface Session {
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

function openRun(
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

async function runSession(gpu: Gpu, session: Session, json: boolean, command: string): Promise<void> {
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
    onRecord: note,
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
  const dir = run ? relative('', run.dir) || run.dir : null;
  if (json) printJson({ event: 'done', step: result.steps, metrics: outcome.metrics, run: dir });
  else {
    printOutcome(outcome);
    print(`peak ${(memory.peak / 2 ** 20).toFixed(1)} MiB of GPU memory, ${duration(seconds)}`);
    if (dir) print(`run folder ${dir}, open ${join(dir, 'report.html')}`);
    if (trace) print(`trace ${trace.path}, open it in https://ui.perfetto.dev`);
  }
}

export const train = defineCommand({
  meta: { description: 'train a recipe and write a run folder with a report' },
  args,
  async run({ args, rawArgs }) {
    const recipe = recipeNamed(args.recipe);
    if (args.resume !== undefined && args.resume !== 'auto') {
      throw new UsageError(`--resume '${args.resume}': expected auto`);
    }
    const config = resolveConfig(
      presetNamed(args.preset),
      args.config ? { name: args.config, settings: readJson('--config', args.config) } : null,
      {
        data: args.data,
        unlabeled: args.unlabeled,
        labels: wholeNumber('labels', args.labels),
        labelIds: args['labels-file'] === undefined ? undefined : readLabelIds(args['labels-file']),
        seed: wholeNumber('seed', args.seed),
        overfit: wholeNumber('overfit', args.overfit, 1),
      },
      repeated(rawArgs, 'set'),
    );
    const steps = wholeNumber('steps', args.steps, 1);
    if (steps !== undefined) config[recipe.main].steps = steps;
    if (args['dry-run']) {
      config.depth.steps = 1;
      config.depth.frozenSteps = Math.min(1, config.depth.frozenSteps);
      config.segmentation.steps = 1;
      config.selection.steps = 1;
    }
    if (args['print-config']) {
      print(JSON.stringify({ recipe: args.recipe, ...config }, null, 2));
      return;
    }
    const stamp = new Date().toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');
    const dir = args.out ?? join('runs', `${args.recipe}-${stamp}`);
    const resume = args.resume === 'auto' && existsSync(dir);
    const compare = repeated(rawArgs, 'compare').map(readFinished);
    const command = `npx warpmix train ${rawArgs.join(' ')}`;
    await withGpu(async (gpu) => {
      const trace = args.trace === undefined ? null : new Trace(args.trace, gpu);
      const before = resume ? readConfig(dir) : null;
      const variants = startVariants(gpu, Boolean(args.tuned), before);
      const plan = await recipe.plan(config);
      const { run, start } = args['dry-run']
        ? { run: null, start: 0 }
        : openRun(dir, args.recipe, config, plan, variants, before, resume);
      const session = {
        recipe: args.recipe,
        config,
        plan,
        run,
        start,
        compare,
        anomaly: Boolean(args.anomaly),
        eager: Boolean(args.eager),
        trace,
        variants,
      };
      await runSession(gpu, session, Boolean(args.json), command);
    });
  },
});
