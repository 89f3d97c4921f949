import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type ArgsDef, defineCommand } from 'citty';
import { DataError } from '../../data/types.ts';
import { presets, resolveConfig } from '../../train/config.ts';
import { readConfig } from '../../train/run-folder.ts';
import { Trace } from '../../train/trace.ts';
import { print, printJson } from '../output.ts';
import { presetNamed } from '../recipe-names.ts';
import { recipeNamed, recipes } from '../recipes.ts';
import { readFinished } from '../report.ts';
import { readResumeFile } from '../resume-file.ts';
import {
  checkSettings,
  duration,
  openRunFolder,
  outlivingLoss,
  printOutcome,
  runSession,
} from '../session.ts';
import { repeated, shellWord, UsageError, wholeNumber } from '../usage.ts';
import { startVariants } from '../variants.ts';

const args = {
  recipe: { type: 'positional', description: Object.keys(recipes).join(', '), required: true },
  preset: {
    type: 'string',
    default: 'tiny',
    description: `sizes and schedule: ${Object.keys(presets).join(', ')}`,
    valueHint: 'NAME',
  },
  data: {
    type: 'string',
    description: 'street[:VARIANT] or NAME:DIR, such as pack:DIR (docs/data.md)',
    valueHint: 'SPEC',
  },
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
  resume: {
    type: 'string',
    description:
      '"auto": go on where the run in --out stopped; FILE.zip: with a run saved by the studio, in --out',
    valueHint: 'auto|FILE',
  },
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

function readText(option: string, path: string): string {
  try {
    // Some editors begin a file with a byte-order mark, which is not JSON.
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    throw new DataError(`${option} ${path}: ${(error as Error).message}`);
  }
}

/** Settings in a file: some, or all of a run, whose `config.json` names its recipe too. */
function readSettings(path: string, recipe: string): unknown {
  const text = readText('--config', path);
  let settings: unknown;
  try {
    settings = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`--config ${path}: ${(error as Error).message}`);
  }
  if (typeof settings !== 'object' || settings === null || !('recipe' in settings)) return settings;
  const { recipe: named, ...rest } = settings;
  if (named !== recipe) throw new UsageError(`--config ${path}: settings of '${named}', not of '${recipe}'`);
  return rest;
}

/** The ids in a list that 'select' wrote. They go into the configuration, so that the run does not depend on the file. */
function readLabelIds(path: string): string[] {
  const text = readText('--labels-file', path);
  let list: { images?: { id?: unknown }[] } | null = null;
  try {
    list = JSON.parse(text);
  } catch {} // no JSON is no list
  const ids = Array.isArray(list?.images) ? list.images.map((one) => one?.id) : [];
  if (ids.length > 0 && ids.every((id) => typeof id === 'string')) return ids;
  throw new DataError(
    `--labels-file ${path}: expected { "images": [{ "id": "..." }, ...] }, as 'select' writes it`,
  );
}

export const train = defineCommand({
  meta: { description: 'train a recipe and write a run folder with a report' },
  args,
  async run({ args, rawArgs }) {
    const recipe = recipeNamed(args.recipe);
    const file = args.resume === 'auto' ? undefined : args.resume;
    if (args.out === '') throw new UsageError("--out '': expected the name of a folder");
    if (args.resume === 'auto' && args.out === undefined && !args['dry-run'])
      throw new UsageError('--resume auto: which run is to go on? Name its folder with --out DIR');
    if (file !== undefined && !file.endsWith('.zip')) {
      throw new UsageError(`--resume '${file}': expected auto, or a file FILE.zip that the studio saved`);
    }
    if (file !== undefined && args['dry-run']) {
      throw new UsageError(`--resume ${file}: goes on in a folder, and --dry-run writes none; leave one out`);
    }
    const config = resolveConfig(
      presetNamed(args.preset),
      args.config ? { name: args.config, settings: readSettings(args.config, args.recipe) } : null,
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
    const length = wholeNumber('steps', args.steps, 1);
    if (length !== undefined) config[recipe.main].steps = length;
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
    const compare = repeated(rawArgs, 'compare').map(readFinished);
    const command = ['npx warpmix train', ...rawArgs.map(shellWord)].join(' ');
    const archive = file === undefined ? null : await readResumeFile(file, dir);
    if (archive) {
      const { variants } = archive.config;
      const settings = { recipe: args.recipe, ...config, ...(variants !== undefined && { variants }) };
      checkSettings(file!, archive.config, settings, 'leave --resume out to start anew');
    }
    await outlivingLoss(args['dry-run'] ? null : dir, async (gpu, again) => {
      const saved = again ? null : archive;
      const resume = again || saved !== null || (args.resume === 'auto' && existsSync(dir));
      const trace = args.trace === undefined ? null : new Trace(args.trace, gpu);
      const before = saved?.config ?? (resume ? readConfig(dir) : null);
      const variants = startVariants(gpu, Boolean(args.tuned), before);
      const plan = await recipe.plan(config);
      saved?.unpack();
      const opened = args['dry-run']
        ? { run: null, start: 0, made: null }
        : openRunFolder(dir, args.recipe, config, plan, variants, before);
      const session = {
        recipe: args.recipe,
        config,
        plan,
        ...opened,
        compare,
        anomaly: Boolean(args.anomaly),
        eager: Boolean(args.eager),
        trace,
        variants,
      };
      const { outcome, steps, seconds, peakBytes } = await runSession(
        gpu,
        session,
        Boolean(args.json),
        command,
      );
      const { run } = opened;
      const written = run ? relative('', run.dir) || run.dir : null;
      if (args.json) {
        printJson({ event: 'done', step: steps, metrics: outcome.metrics, run: written });
        return;
      }
      printOutcome(outcome);
      print(`peak ${(peakBytes / 2 ** 20).toFixed(1)} MiB of GPU memory, ${duration(seconds)}`);
      if (written) print(`run folder ${written}, open ${join(written, 'report.html')}`);
      if (trace) print(`trace ${trace.path}, open it in https://ui.perfetto.dev`);
    });
  },
});
