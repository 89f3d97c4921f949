// The report of a run: one HTML file that needs nothing else, no script and no network. Pictures are inline PNGs, curves
// are inline SVG.
import { encodePng } from '../data/codecs.ts';
import type { ClassInfo, RgbImage } from '../data/types.ts';
import { lineChart, type Series } from './chart.ts';
import { Html, html } from './html.ts';
import type { DepthScores, SegmentationScores } from './metrics.ts';
import { REPORT_STYLE } from './report-style.ts';

export interface ReportData {
  title: string;
  recipe: string;
  /** One or two sentences: what was trained, by which method. */
  about: string;
  adapter: { description: string; software: boolean };
  /** When the run ended, as it should be shown. */
  date: string;
  /** The exact command that repeats the run. */
  command: string;
  seed: number;
  config: object;
  /** Further lines of the head, such as ['data', 'street, 128x64'], ['labels', '30 of 400']. */
  facts?: readonly (readonly [name: string, value: string])[];
  headline: readonly Headline[];
  phases: readonly Phase[];
  /** In the order of their ids; the colours of every label picture. */
  classes?: readonly ClassInfo[];
  segmentation?: { scores: SegmentationScores; shares: readonly number[] };
  depth?: { rows: readonly DepthRow[]; note?: string };
  comparison?: Comparison;
  pictures: readonly PictureSection[];
  performance?: Performance;
}

export interface Headline {
  name: string;
  /** As it should be shown, with its unit. */
  value: string;
  note?: string;
}

export interface Phase {
  name: string;
  about?: string;
  charts: readonly Chart[];
}

export interface Chart {
  /** What is drawn, with its unit, such as `loss`. */
  title: string;
  series: readonly Series[];
}

export interface DepthRow {
  name: string;
  note?: string;
  /** The row that the others are there to be compared with. */
  ours?: boolean;
  scores: DepthScores;
}

export interface Comparison {
  title: string;
  about: string;
  columns: readonly { name: string; better: 'higher' | 'lower'; percent?: boolean }[];
  /** Values in the order of the columns; null where there is none. */
  rows: readonly { name: string; ours?: boolean; values: readonly (number | null)[] }[];
}

export interface PictureSection {
  title: string;
  about?: string;
  figures: readonly Figure[];
}

export interface Figure {
  title: string;
  /** For someone who sees such a picture for the first time. `CAPTIONS` has the usual ones. */
  caption: string;
  image: RgbImage;
  /** Takes the full width: for pictures composed of several panels. */
  wide?: boolean;
}

export interface Performance {
  imagesPerSecond?: number;
  stepMilliseconds?: number;
  /** Of buffers on the device, at their most. */
  peakBytes?: number;
  parameters?: number;
  trainingSeconds?: number;
}

const percent = (share: number) => (100 * share).toFixed(1);
/** Three digits that count. */
function decimal(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6 || (size !== 0 && size < 1e-3)) return value.toExponential(2);
  return size >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function base64(bytes: Uint8Array): string {
  let binary = '';
  const piece = 8192; // as arguments of one call
  for (let at = 0; at < bytes.length; at += piece)
    binary += String.fromCharCode(...bytes.subarray(at, at + piece));
  return btoa(binary);
}

const swatch = ({ color: [r, g, b] }: ClassInfo) =>
  html`<i class="swatch" style="background:rgb(${Number(r)},${Number(g)},${Number(b)})"></i>`;

const section = (id: string, title: string, ...body: (Html | null | undefined)[]) =>
  html`<section id="${id}"><h2>${title}</h2>${body}</section>`;

function head(data: ReportData): Html {
  const { adapter } = data;
  const facts: (readonly [string, Html | string])[] = [
    ['recipe', data.recipe],
    ...(data.facts ?? []),
    ['seed', String(data.seed)],
    [
      'adapter',
      html`${adapter.description}${adapter.software ? html` <span class="badge">software</span>` : null}`,
    ],
    ['date', data.date],
  ];
  return html`<header><h1>${data.title}</h1><p class="lead">${data.about}</p>
<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></header>`;
}

const headline = (items: readonly Headline[]) =>
  html`<div class="headline">${items.map(
    ({ name, value, note }) =>
      html`<div><span class="name">${name}</span><b>${value}</b>${note && html`<span class="note">${note}</span>`}</div>`,
  )}</div>`;

const curves = (phases: readonly Phase[]) =>
  section(
    'training',
    'Training',
    ...phases.map(
      ({ name, about, charts }) =>
        html`<h3>${name}</h3>${about && html`<p>${about}</p>`}<div class="charts">${charts.map(({ title, series }) => lineChart(title, series))}</div>`,
    ),
  );

function segmentation(
  { scores, shares }: NonNullable<ReportData['segmentation']>,
  classes: readonly ClassInfo[],
): Html {
  const rows = classes.map((one, k) => {
    const iou = scores.iou[one.name] ?? null;
    const bar =
      iou === null ? null : html`<i class="rail"><i class="bar" style="width:${percent(iou)}%"></i></i>`;
    return html`<tr><th scope="row">${swatch(one)}${one.name}</th><td class="track">${bar}</td>
<td class="number">${iou === null ? html`<span class="quiet">n/a</span>` : percent(iou)}</td>
<td class="number quiet">${shares[k] > 0 ? (100 * shares[k]).toFixed(2) : '–'}</td></tr>`;
  });
  const mean = (value: number | null) => (value === null ? 'n/a' : percent(value));
  const absent = classes.some(({ name }) => (scores.iou[name] ?? null) === null);
  return section(
    'segmentation',
    'Segmentation',
    html`<p>Intersection over union: of all pixels that are of a class, or were called so, the share that is both.${
      absent ? ' n/a: the class does not occur in these labels, and the mean leaves it out.' : null
    }</p>
<table class="classes"><thead><tr><th scope="col">class</th><th></th><th scope="col" class="number">IoU, %</th>
<th scope="col" class="number">pixels, %</th></tr></thead><tbody>${rows}</tbody>
<tfoot><tr><th scope="row">mean over classes (mIoU)</th><td></td><td class="number">${mean(scores.miou)}</td><td></td></tr>
<tr><th scope="row">pixel accuracy</th><td></td><td class="number">${mean(scores.pixelAcc)}</td><td></td></tr></tfoot></table>`,
  );
}

/** Which rows hold the best value of a column. */
function best(values: readonly (number | null)[], better: 'higher' | 'lower'): boolean[] {
  const known = values.filter((v): v is number => v !== null && Number.isFinite(v));
  const target = better === 'higher' ? Math.max(...known) : Math.min(...known);
  return values.map((v) => known.length > 1 && v === target);
}

function scoreTable(
  columns: Comparison['columns'],
  rows: readonly { name: string; note?: string; ours?: boolean; values: readonly (number | null)[] }[],
): Html {
  const winners = columns.map(({ better }, c) =>
    best(
      rows.map(({ values }) => values[c]),
      better,
    ),
  );
  const cell = (value: number | null, c: number, r: number) => {
    const shown = value === null ? 'n/a' : columns[c].percent ? percent(value) : decimal(value);
    return html`<td class="number">${winners[c][r] ? html`<b>${shown}</b>` : shown}</td>`;
  };
  return html`<div class="scroll"><table class="scores"><thead><tr><th></th>${columns.map(
    ({ name, better, percent: inPercent }) =>
      html`<th scope="col" class="number">${name}${inPercent ? ', %' : ''} ${better === 'higher' ? '↑' : '↓'}</th>`,
  )}</tr></thead><tbody>${rows.map(
    ({ name, note, ours, values }, r) =>
      html`<tr${ours ? html` class="ours"` : null}><th scope="row">${name}${note && html`<span class="note">${note}</span>`}</th>${columns.map((_, c) => cell(values[c] ?? null, c, r))}</tr>`,
  )}</tbody></table></div><p class="note">↓ lower is better, ↑ higher is better; the best of each column is bold.</p>`;
}

const DEPTH_COLUMNS = [
  { name: 'abs rel', key: 'absRel', better: 'lower' },
  { name: 'sq rel, m', key: 'sqRel', better: 'lower' },
  { name: 'RMSE, m', key: 'rmse', better: 'lower' },
  { name: 'RMSE log', key: 'rmseLog', better: 'lower' },
  { name: 'δ < 1.25', key: 'a1', better: 'higher', percent: true },
  { name: 'δ < 1.25²', key: 'a2', better: 'higher', percent: true },
  { name: 'δ < 1.25³', key: 'a3', better: 'higher', percent: true },
] as const;

const depth = ({ rows, note }: NonNullable<ReportData['depth']>) =>
  section(
    'depth',
    'Depth',
    html`<p>Errors of predicted depth in metres (Eigen et al., 2014); δ is the larger of prediction / truth and
truth / prediction. The rows that look at no picture tell what the numbers are worth: a model that does not beat them has
learnt no depth.${note && ` ${note}`}</p>`,
    scoreTable(
      DEPTH_COLUMNS,
      rows.map((row) => ({ ...row, values: DEPTH_COLUMNS.map(({ key }) => row.scores[key]) })),
    ),
  );

/** A picture, inline, with its title and caption. */
export const figure = ({ title, caption, image, wide }: Figure): Html => {
  // Enlarged pixels should look like pixels; pictures near their own size should not.
  const kind = `${wide ? 'wide ' : ''}${image.width < (wide ? 1000 : 340) ? 'pixels' : ''}`.trim();
  return html`<figure class="${kind}"><img src="data:image/png;base64,${base64(encodePng(image))}" alt="${title}"
width="${image.width}" height="${image.height}"><figcaption><b>${title}</b> ${caption}</figcaption></figure>`;
};

function pictures(sections: readonly PictureSection[], classes: readonly ClassInfo[]): Html {
  const legend =
    classes.length > 0
      ? html`<ul class="legend">${classes.map((one) => html`<li>${swatch(one)}${one.name}</li>`)}</ul>`
      : null;
  return section(
    'pictures',
    'Pictures',
    legend,
    ...sections.map(
      ({ title, about, figures }) =>
        html`<h3>${title}</h3>${about && html`<p>${about}</p>`}<div class="figures${figures.length % 4 === 0 ? ' four' : ''}">${figures.map(figure)}</div>`,
    ),
  );
}

function duration(seconds: number): string {
  if (seconds < 120) return `${decimal(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function performance(data: Performance, software: boolean): Html {
  const items: [string, string | undefined][] = [
    ['training', data.trainingSeconds === undefined ? undefined : duration(data.trainingSeconds)],
    ['images a second', data.imagesPerSecond === undefined ? undefined : decimal(data.imagesPerSecond)],
    ['a step', data.stepMilliseconds === undefined ? undefined : `${decimal(data.stepMilliseconds)} ms`],
    [
      'device memory at its peak',
      data.peakBytes === undefined ? undefined : `${decimal(data.peakBytes / 2 ** 20)} MiB`,
    ],
    ['parameters', data.parameters?.toLocaleString('en')],
  ];
  return section(
    'speed',
    'Speed and memory',
    html`<dl class="facts">${items
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`,
    software
      ? html`<p class="note">Measured on a software adapter: these times say nothing about a GPU.</p>`
      : null,
  );
}

const reproduce = (data: ReportData) =>
  section(
    'reproduce',
    'Run it again',
    html`<pre class="command"><code>${data.command}</code></pre>
<p>The same seed on the same adapter and version gives the same bits. Beside this file: <code>config.json</code>,
<code>log.jsonl</code> (one JSON object a line), event files for TensorBoard, <code>checkpoints/</code> (safetensors with
checksums), <code>pictures/</code> and <code>summary.json</code>.</p>
<details><summary>Configuration, in full</summary><pre><code>${JSON.stringify(data.config, null, 2)}</code></pre></details>`,
  );

/** One self-contained HTML file: no script, no network, the style inline. */
export const page = (title: string, body: readonly (Html | null)[]): string =>
  html`<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>${title}</title><style>${new Html(REPORT_STYLE)}</style></head>
<body><main>${body}</main></body></html>
`.text;

/** The report of a run. Every text in `data` is shown as text, whatever it holds. */
export function renderReport(data: ReportData): string {
  const classes = data.classes ?? [];
  const { comparison } = data;
  const parts: [id: string, name: string, body: Html | false | undefined][] = [
    ['training', 'Training', data.phases.length > 0 && curves(data.phases)],
    ['segmentation', 'Segmentation', data.segmentation && segmentation(data.segmentation, classes)],
    ['depth', 'Depth', data.depth && depth(data.depth)],
    [
      'comparison',
      'Comparison',
      comparison &&
        section(
          'comparison',
          comparison.title,
          html`<p>${comparison.about}</p>`,
          scoreTable(comparison.columns, comparison.rows),
        ),
    ],
    ['pictures', 'Pictures', data.pictures.length > 0 && pictures(data.pictures, classes)],
    ['speed', 'Speed', data.performance && performance(data.performance, data.adapter.software)],
    ['reproduce', 'Run it again', reproduce(data)],
  ];
  const shown = parts.filter(([, , body]) => body) as [string, string, Html][];
  return page(data.title, [
    head(data),
    headline(data.headline),
    html`
<nav>${shown.map(([id, name]) => html`<a href="#${id}">${name}</a>`)}</nav>
`,
    ...shown.map(([, , body]) => body),
  ]);
}
