import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { DataError } from '../data/types.ts';
import type { Gpu } from '../gpu/gpu.ts';
import type { Config } from '../train/config.ts';
import type { LoopResult } from '../train/loop.ts';
import type { Gallery, Outcome, Plan } from '../train/plan.ts';
import { type DepthRow, type Headline, type ReportData, renderReport } from '../train/report.ts';
import { readConfig } from '../train/run-folder.ts';
import type { RunVariants } from './variants.ts';

/** Another run, as its folder tells of it. */
export interface Finished {
  /** Its folder. */
  dir: string;
  scoredOn: Place;
  recipe: string;
  labels: number | null;
  metrics: Record<string, number | null>;
}

/** What makes the scores of two runs comparable: their data, the split of it, and the working size. */
interface Place {
  classes: string;
  depth: string;
}

const scoredOn = ({ data, video, evaluation, pixels }: Partial<Config>): Place => ({
  classes: JSON.stringify([data, evaluation, pixels]),
  depth: JSON.stringify([video ?? data, evaluation, pixels]),
});

const finished = z.object({
  recipe: z.string(),
  metrics: z.record(z.string(), z.nullable(z.number())),
});

/** @throws DataError when the folder holds no finished run */
export function readFinished(dir: string): Finished {
  const config = readConfig(dir);
  let summary: { recipe: string; metrics: Record<string, number | null> };
  try {
    summary = finished.parse(JSON.parse(readFileSync(join(dir, 'summary.json'), 'utf8')));
  } catch {
    throw new DataError(`--compare ${dir}: holds no finished run (no summary.json that can be read)`);
  }
  return {
    dir,
    scoredOn: scoredOn(config ?? {}),
    recipe: summary.recipe,
    labels: (config?.labels ?? null) as number | null,
    metrics: summary.metrics,
  };
}

export interface Reported {
  /** Its folder. */
  dir: string;
  recipe: string;
  config: Config;
  command: string;
  gpu: Gpu;
  plan: Plan;
  result: LoopResult;
  /** Of the run's log. */
  events: readonly Record<string, unknown>[];
  outcome: Outcome;
  galleries: readonly Gallery[];
  /** Null where the run was taken up again: nobody knows how long it took before. */
  seconds: number | null;
  compare: readonly Finished[];
  variants: RunVariants | undefined;
}

/** Curves of all steps, those before the run was taken up again too. */
function phasesOf(events: readonly Record<string, unknown>[]): ReportData['phases'] {
  const phases = new Map<string, Map<string, [number, number][]>>();
  for (const { event, phase, step, ...terms } of events) {
    if (event !== 'step') continue;
    const name = String(phase);
    if (!phases.has(name)) phases.set(name, new Map());
    const curves = phases.get(name)!;
    for (const [term, value] of Object.entries(terms)) {
      if (!curves.has(term)) curves.set(term, []);
      curves.get(term)!.push([Number(step), Number(value)]);
    }
  }
  return [...phases].map(([name, curves]) => ({
    name,
    charts: [...curves].map(([title, points]) => ({ title, series: [{ name: title, points }] })),
  }));
}

const percent = (value: number | null) => (value === null ? 'n/a' : `${(100 * value).toFixed(1)} %`);

function headline({ segmentation, depth }: Outcome): Headline[] {
  const items: Headline[] = [];
  if (segmentation) {
    items.push({
      name: 'mIoU',
      value: percent(segmentation.scores.miou),
      note: 'mean over the classes that occur',
    });
    items.push({ name: 'pixel accuracy', value: percent(segmentation.scores.pixelAcc) });
  }
  if (depth?.ours) {
    items.push({
      name: 'abs_rel',
      value: depth.ours.absRel.toFixed(3),
      note: depth.constant ? `best constant depth: ${depth.constant.scores.absRel.toFixed(3)}` : undefined,
    });
  }
  return items;
}

function depthRows({ depth }: Outcome): DepthRow[] {
  if (!depth) return [];
  const rows: DepthRow[] = [];
  if (depth.ours)
    rows.push({
      name: 'this model',
      note: 'scaled to the median of each image',
      ours: true,
      scores: depth.ours,
    });
  if (depth.mirrored) {
    const note = 'mean of the image and of its mirror image';
    rows.push({ name: 'this model, mirrored too', note, scores: depth.mirrored });
  }
  if (depth.constant) {
    const note = `${depth.constant.fitted.toFixed(1)} m everywhere`;
    rows.push({ name: 'best constant depth', note, scores: depth.constant.scores });
  }
  if (depth.roadPlane) {
    rows.push({
      name: 'fitted road plane',
      note: 'flat, scaled to each image',
      scores: depth.roadPlane.scores,
    });
  }
  return rows;
}

const COMPARED = [
  { name: 'mIoU', key: 'miou', of: 'classes', better: 'higher', percent: true },
  { name: 'pixel accuracy', key: 'pixelAcc', of: 'classes', better: 'higher', percent: true },
  { name: 'abs_rel', key: 'absRel', of: 'depth', better: 'lower' },
] as const;

/** This run, first, beside others; nothing when there are none. */
function comparisonOf(runs: readonly Finished[]): ReportData['comparison'] {
  if (runs.length < 2) return undefined;
  const scored = (key: string) => runs.filter(({ metrics }) => typeof metrics[key] === 'number');
  const columns = COMPARED.filter(({ key }) => scored(key).length > 0);
  const alike = columns.every(
    ({ key, of }) => new Set(scored(key).map((run) => run.scoredOn[of])).size === 1,
  );
  return {
    title: 'Beside other runs',
    about: alike
      ? 'All scored on the same evaluation images.'
      : 'Scored on different data, each on its own: which run is better does not follow from these numbers.',
    columns,
    rows: runs.map(({ dir, recipe, labels, metrics }, i) => ({
      name: `${labels === null ? recipe : `${recipe}, ${labels} labels`} (${dir})`,
      ours: i === 0,
      values: columns.map(({ key }) => metrics[key] ?? null),
    })),
  };
}

function labelsText({ labels, labelIds, method }: Config): string {
  const count = labels ?? labelIds?.length ?? null;
  if (count === null) return 'all';
  if (labelIds) return `${count}, as listed`;
  return method.selection === 'random' ? String(count) : `${count}, chosen by ${method.selection}`;
}

const variantsText = ({ pinned, measured }: RunVariants): string =>
  [
    ...Object.entries(pinned).map(([kernel, variant]) => `${kernel}: ${variant}, pinned`),
    ...(measured ? [`by measurement: ${Object.keys(measured).length}`] : []),
    'others by the rule',
  ].join('; ');

/** The report of a finished run, as one HTML page. */
export function reportOf(run: Reported): string {
  const { dir, recipe, config, command, gpu, plan, result, outcome, galleries, seconds } = run;
  const { compare, variants, events } = run;
  const { vendor, architecture, description, software } = gpu.adapter;
  const rows = depthRows(outcome);
  const data: ReportData = {
    title: `warpmix: ${recipe}`,
    recipe,
    about: plan.about,
    adapter: { description: description || `${vendor} ${architecture}`, software },
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    command,
    seed: config.seed,
    config,
    facts: [
      ['data', config.data],
      ['labels', labelsText(config)],
      ['steps', String(result.steps)],
      ...(variants ? [['kernel variants', variantsText(variants)] as const] : []),
    ],
    headline: headline(outcome),
    phases: phasesOf(events),
    classes: plan.classes,
    segmentation: outcome.segmentation,
    depth: rows.length > 0 ? { rows } : undefined,
    comparison: comparisonOf([
      { dir, recipe, scoredOn: scoredOn(config), labels: config.labels, metrics: outcome.metrics },
      ...compare,
    ]),
    pictures: galleries.map(({ title, panels }) => ({ title, figures: panels })),
    performance: {
      imagesPerSecond: result.curves.at(-1)?.imagesPerSecond,
      stepMilliseconds: result.curves.at(-1)?.msPerStep,
      peakBytes: gpu.memory().peak,
      trainingSeconds: seconds ?? undefined,
    },
  };
  return renderReport(data);
}
