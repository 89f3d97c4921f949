import { CAPTIONS } from '../../src/train/captions.ts';
import { type ReportData, renderReport } from '../../src/train/report.ts';
import { is, ok, suite } from '../suite.ts';

const test = suite('report');

const EVIL = `<script>alert(1)</script>"'&<img src=x onerror=alert(2)>`;
const image = { width: 2, height: 1, data: Uint8Array.of(255, 0, 0, 0, 0, 255) };
const scores = { absRel: 0.1, sqRel: 0.5, rmse: 3, rmseLog: 0.2, a1: 0.9, a2: 0.95, a3: 0.99 };

const data: ReportData = {
  title: EVIL,
  recipe: EVIL,
  about: EVIL,
  adapter: { description: EVIL, software: true },
  date: '2026-01-02',
  command: `npx warpmix train depth --data ${EVIL}`,
  seed: 5,
  config: { data: EVIL, [EVIL]: 1 },
  facts: [[EVIL, EVIL]],
  headline: [{ name: EVIL, value: '61.4 %', note: EVIL }],
  phases: [
    {
      name: EVIL,
      about: EVIL,
      charts: [
        {
          title: EVIL,
          series: [
            {
              name: EVIL,
              points: [
                [1, 2],
                [2, 1],
              ],
            },
          ],
        },
      ],
    },
  ],
  classes: [
    { id: 0, name: EVIL, color: [1, 2, 3] },
    { id: 1, name: 'absent', color: [4, 5, 6] },
  ],
  segmentation: {
    scores: { miou: 0.625, pixelAcc: 0.75, iou: { [EVIL]: 0.625, absent: null } },
    shares: [1, 0],
  },
  depth: {
    rows: [
      { name: EVIL, note: EVIL, ours: true, scores },
      { name: 'plane', scores },
    ],
    note: EVIL,
  },
  comparison: {
    title: EVIL,
    about: EVIL,
    columns: [{ name: EVIL, better: 'higher', percent: true }],
    rows: [
      { name: EVIL, values: [0.4] },
      { name: 'none', values: [null] },
    ],
  },
  pictures: [{ title: EVIL, about: EVIL, figures: [{ title: EVIL, caption: EVIL, image }] }],
  performance: { imagesPerSecond: 3.456, peakBytes: 2 ** 21, parameters: 1234567, trainingSeconds: 7500 },
};

const html = renderReport(data);

/** Every tag of the page with its attributes, by a tokeniser that knows quotes. */
const tags = (page: string) => page.match(/<[a-z!/][^\s>]*(?:\s+[^\s=>]+(?:="[^"]*")?)*\s*\/?>/gi) ?? [];

test('text stays text, whatever it holds', () => {
  ok(!/<script/i.test(html), 'a script element');
  const names = new Set(tags(html).map((tag) => tag.match(/^<\/?([^\s>/]+)/)?.[1]));
  ok(names.has('figure') && names.has('svg') && !names.has('script'), [...names].join());
  for (const tag of tags(html)) ok(!/\sonerror|\sonload|\sonclick/i.test(tag.replace(/"[^"]*"/g, '""')), tag);
  is(html.match(/<img /g)?.length, 1);
  is((html.match(/&lt;script&gt;/g) ?? []).length >= 20, true);
});

test('nothing is loaded from elsewhere', () => {
  for (const tag of tags(html)) {
    const [, target] = tag.match(/\s(?:src|href|action|poster|srcset|data)="([^"]*)"/) ?? [];
    if (target) ok(/^(data:image\/png;base64,|#)/.test(target), target.slice(0, 80));
  }
  ok(!/url\(|@import|https?:/.test(html));
  ok(html.includes(`content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"`));
});

test('scores: percent for shares, n/a for absent classes, the best of a column in bold', () => {
  ok(/absent<\/th><td class="track"><\/td>\s*<td class="number"><span class="quiet">n\/a/.test(html));
  ok(html.includes('62.5</td>'));
  ok(html.includes('width:62.5%'));
  const better = renderReport({
    ...data,
    depth: {
      rows: [
        { name: 'a', scores },
        { name: 'b', scores: { ...scores, absRel: 0.25, a1: 0.92 } },
      ],
    },
  });
  ok(better.includes('<b>0.100</b></td>') && better.includes('<td class="number">0.250</td>'));
  ok(better.includes('<b>92.0</b></td>') && better.includes('<td class="number">90.0</td>'));
});

test('a software adapter is marked as one, a GPU is not', () => {
  const page = (software: boolean) =>
    renderReport({ ...data, adapter: { description: 'adapter X', software } });
  ok(/adapter X\s*<span class="badge">software<\/span>/.test(page(true)));
  ok(page(false).includes('adapter X') && !page(false).includes('class="badge"'));
});

test('a section without data is left out', () => {
  const bare = renderReport({
    title: 't',
    recipe: 'r',
    about: 'a',
    adapter: { description: 'a GPU', software: false },
    date: 'd',
    command: 'c',
    seed: 0,
    config: {},
    headline: [],
    phases: [],
    pictures: [],
  });
  for (const id of ['training', 'segmentation', 'depth', 'comparison', 'pictures', 'speed'])
    ok(!bare.includes(`"${id}"`) && !bare.includes(`#${id}`), id);
  ok(bare.includes('id="reproduce"'));
});

const chartOf = (points: [number, number][]) =>
  renderReport({
    ...data,
    phases: [{ name: 'p', charts: [{ title: 'loss', series: [{ name: 's', points }] }] }],
  });

test('curves: numbers that are none are counted, wide ranges are logarithmic, nothing breaks', () => {
  const broken = chartOf([
    [1, 0.5],
    [2, Number.NaN],
    [3, Number.POSITIVE_INFINITY],
    [4, 0.25],
  ]);
  ok(broken.includes('2 not finite'));
  ok(!broken.includes('logarithmic'));
  ok(
    chartOf([
      [1, 1000],
      [2, 1],
    ]).includes('logarithmic'),
  );
  ok(
    !chartOf([
      [1, 1000],
      [2, 0],
    ]).includes('logarithmic'),
  );
  ok(chartOf([]).includes('no values'));
  const long = chartOf(Array.from({ length: 5000 }, (_, i) => [i + 1, 1 + Math.sin(i)]));
  ok(long.length < broken.length + 20_000, 'long curves are condensed');
  for (const page of [
    broken,
    long,
    chartOf([[7, 0]]),
    chartOf([
      [1, 3],
      [2, 3],
    ]),
    chartOf([
      [0, -1],
      [9, 1],
    ]),
  ]) {
    const svg = page.slice(page.indexOf('<svg'), page.lastIndexOf('</svg>'));
    ok(!/NaN|Infinity|undefined/.test(svg), svg);
  }
});

test('every caption is a sentence', () => {
  for (const [name, caption] of Object.entries(CAPTIONS)) ok(/^[A-Z].*\.$/.test(caption), name);
});
