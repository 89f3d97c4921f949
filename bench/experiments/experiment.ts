// An experiment is a grid of training runs, and tables whose cells are means over seeds.

type Tree = { readonly [key: string]: unknown };

/** One training run: `warpmix train RECIPE` with some settings. */
export interface ExperimentRun {
  /** Its folder below the experiment's, and its key in results.json. */
  name: string;
  recipe: string;
  /** What differs from the preset. */
  settings: Tree;
  /** Name of the run whose depth network it starts from (`depth.from`). */
  depth?: string;
}

/** Runs that differ in nothing but their seed. */
export interface Cell {
  column: string;
  runs: readonly ExperimentRun[];
}

export interface TableRow {
  name: string;
  cells: readonly Cell[];
}

export interface ExperimentTable {
  title: string;
  rows: readonly TableRow[];
}

export interface Experiment {
  tables: readonly ExperimentTable[];
  /** Runs that others start from, for their depth networks. */
  depthRuns: readonly ExperimentRun[];
}

/** What results.json keeps of a finished run. */
export interface RunResult extends Omit<ExperimentRun, 'name'> {
  /** Digest of the whole configuration, presets included: that of another one is no result of this run. */
  config: string;
  adapter: string;
  /** Headline numbers by name: shares from 0 to 1, and depth errors. */
  metrics: Record<string, number | null>;
  /** By class; null where no pixel has or gets it. */
  iou?: Record<string, number | null>;
  seconds: number;
}

/** By the name of the run. */
export type Results = Record<string, RunResult>;

const columnsOf = ({ rows }: ExperimentTable): string[] => [
  ...new Set(rows.flatMap(({ cells }) => cells.map(({ column }) => column))),
];

/** Every run once, each after the one that it starts from; otherwise table by table, column by column. */
export function runsInOrder({ tables, depthRuns }: Experiment): ExperimentRun[] {
  const all = tables.flatMap(({ rows }) => rows.flatMap(({ cells }) => cells.flatMap(({ runs }) => runs)));
  const order = new Map<string, ExperimentRun>();
  const add = (run: ExperimentRun) => {
    if (order.has(run.name)) return;
    if (run.depth !== undefined) {
      const needed = [...depthRuns, ...all].find(({ name }) => name === run.depth);
      if (!needed)
        throw new Error(`${run.name}: starts from '${run.depth}', which is no run of the experiment`);
      add(needed);
    }
    order.set(run.name, run);
  };
  for (const table of tables) {
    for (const column of columnsOf(table)) {
      for (const { cells } of table.rows)
        for (const cell of cells) if (cell.column === column) cell.runs.forEach(add);
    }
  }
  return [...order.values()];
}

/**
 * What is left to do of some runs: those of the tables without a result, and those that such runs start from and whose folders
 * are gone.
 */
export function pendingRuns(
  { depthRuns }: Pick<Experiment, 'depthRuns'>,
  runs: readonly ExperimentRun[],
  results: Results,
  hasFolder: (run: ExperimentRun) => boolean,
): ExperimentRun[] {
  const helpers = new Set(depthRuns.map(({ name }) => name));
  const done = ({ name }: ExperimentRun) => results[name] !== undefined;
  const starts = new Set(
    runs.filter((run) => !helpers.has(run.name) && !done(run)).map(({ depth }) => depth),
  );
  return runs.filter((run) =>
    starts.has(run.name) ? !(done(run) && hasFolder(run)) : !helpers.has(run.name) && !done(run),
  );
}

export interface Statistics {
  n: number;
  mean: number;
  /** Of the sample, with n - 1; null for one value. */
  deviation: number | null;
  least: number;
  greatest: number;
}

/** Null without values. */
export function statistics(values: readonly number[]): Statistics | null {
  const n = values.length;
  if (n === 0) return null;
  const mean = values.reduce((sum, v) => sum + v, 0) / n;
  const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  return {
    n,
    mean,
    deviation: n > 1 ? Math.sqrt(squares / (n - 1)) : null,
    least: Math.min(...values),
    greatest: Math.max(...values),
  };
}

/** What is known of a cell so far. @param metric such as `miou`. */
export function cellStatistics(results: Results, { runs }: Cell, metric: string): Statistics | null {
  return statistics(
    runs.flatMap((run) => {
      const value = results[run.name]?.metrics[metric];
      return value === null || value === undefined ? [] : [value];
    }),
  );
}

/** In percent: mean ± deviation, the number of seeds where some are missing, a dash where all are. */
export function cellText(found: Statistics | null, wanted: number): string {
  if (!found) return '–';
  const percent = (share: number) => (100 * share).toFixed(1);
  const spread = found.deviation === null ? '' : ` ± ${percent(found.deviation)}`;
  const partly = found.n < wanted ? ` (${found.n} of ${wanted})` : '';
  return `${percent(found.mean)}${spread}${partly}`;
}

/** A table as rows of text, the head first. */
export function tableText(table: ExperimentTable, results: Results, metric = 'miou'): string[][] {
  const columns = columnsOf(table);
  return [
    [`mIoU in %, mean ± standard deviation`, ...columns],
    ...table.rows.map(({ name, cells }) => [
      name,
      ...columns.map((column) => {
        const cell = cells.find((one) => one.column === column);
        return cell ? cellText(cellStatistics(results, cell, metric), cell.runs.length) : '';
      }),
    ]),
  ];
}

/** Tables as Markdown. */
export function tablesMarkdown({ tables }: Experiment, results: Results): string {
  return tables
    .map((table) => {
      const [head, ...rows] = tableText(table, results);
      const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
      return [`### ${table.title}`, '', line(head), line(head.map(() => '---')), ...rows.map(line), ''].join(
        '\n',
      );
    })
    .join('\n');
}
