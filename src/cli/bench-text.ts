// The tables of `warpmix bench` for a terminal.
import type { Row } from '../../bench/measure.ts';
import type { KernelShare } from '../../bench/step.ts';
import { table } from './output.ts';

/** Three significant digits, without an exponent. */
const digits = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value.toFixed(Math.max(0, 2 - Math.floor(Math.log10(value || 1))));

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** Columns by field of `ours`: heading and how a value is written. What is not here is in the JSON alone. */
const COLUMNS: Record<string, [string, (value: never) => string]> = {
  ms: ['ms', digits],
  firstMs: ['first ms', digits],
  gflops: ['GFLOP/s', digits],
  gbps: ['GB/s', digits],
  share: ['of limit', percent],
  bound: ['bound by', (value: string) => value],
  gain: ['of naive', (value: number) => `x ${digits(value)}`],
  variant: ['variant', (value: string) => value],
  perStep: ['per step', digits],
  imagesPerSecond: ['images/s', digits],
  dispatches: ['dispatches', digits],
  deviceMs: ['device ms', digits],
  hostMs: ['host ms', digits],
  uploadMs: ['upload ms', digits],
  hostUsPerDispatch: ['host us/dispatch', digits],
  launchUsPerDispatch: ['less upload', digits],
  nsPerPixel: ['ns/pixel', digits],
  peakBytes: ['peak', mebibytes],
  mustLiveBytes: ['must live', mebibytes],
  bytesPerPixel: ['bytes/pixel', digits],
};

const OF_KERNELS = 12;

function shares({ case: name, ours }: Row): string {
  const kernels = ours.kernels as KernelShare[];
  const rest = kernels.slice(OF_KERNELS).reduce((sum, { share }) => sum + share, 0);
  return table([
    [`\n${name}: kernel`, 'variant', 'dispatches', 'ms', 'share'],
    ...kernels
      .slice(0, OF_KERNELS)
      .map(({ kernel, variant, dispatches, ms, share }) => [
        kernel,
        variant,
        dispatches,
        digits(ms),
        percent(share),
      ]),
    ...(rest > 0 ? [['the rest', '', '', '', percent(rest)]] : []),
  ]);
}

export function benchText(rows: readonly Row[]): string {
  const fields = Object.keys(COLUMNS).filter((field) => rows.some(({ ours }) => field in ours));
  const peers = [...new Set(rows.flatMap((row) => Object.keys(row.peers)))];
  const first = (row: Row) => row.ours.firstRatio as number | null;
  const times = (ratio: number | null) => (ratio === null ? '' : `x ${digits(ratio)}`);
  const compared = peers.length > 0;
  const firsts = rows.some((row) => 'firstRatio' in row.ours);
  const text = table([
    [
      'case',
      ...fields.map((field) => COLUMNS[field][0]),
      ...peers.flatMap((name) => [`${name} ms`, ...(firsts ? ['first ms'] : [])]),
      ...(compared ? ['faster'] : []),
      ...(firsts ? ['first'] : []),
    ],
    ...rows.map((row) => [
      row.case,
      ...fields.map((field) => (field in row.ours ? COLUMNS[field][1](row.ours[field] as never) : '')),
      ...peers.flatMap((name) => {
        const { ms, firstMs } = row.peers[name] ?? {};
        const shown =
          ms === undefined ? ['fails', ''] : [digits(ms), firstMs === undefined ? '' : digits(firstMs)];
        return firsts ? shown : shown.slice(0, 1);
      }),
      ...(compared ? [times(row.ratio)] : []),
      ...(firsts ? [times(first(row))] : []),
    ]),
  ]);
  const errors = rows.flatMap((row) =>
    Object.entries(row.peers)
      .filter(([, { error }]) => error)
      .map(([name, { error }]) => `${row.case}: ${name} fails: ${error}`),
  );
  return [text, ...errors, ...rows.filter(({ ours }) => 'kernels' in ours).map(shares)].join('\n');
}
