// Numbers as text, with their units.
import { h } from '../dom.ts';
import { COARSE_NS } from './clock.ts';
import type { AdapterLimits, Rate } from './protocol.ts';

const digits = (value: number): string => Number(value.toPrecision(3)).toString();

/** A duration of `ms` milliseconds. */
export const duration = (ms: number): string =>
  ms >= 1000 ? `${digits(ms / 1000)} s` : ms >= 1 ? `${digits(ms)} ms` : `${digits(1000 * ms)} µs`;

const scaled = (value: number, units: readonly string[]): string => {
  const power = value > 0 ? Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(value) / 3))) : 0;
  return `${digits(value / 1000 ** power)} ${units[power]}`;
};

export const flopsRate = (gflops: number): string =>
  scaled(gflops * 1e9, ['FLOP/s', 'kFLOP/s', 'MFLOP/s', 'GFLOP/s', 'TFLOP/s']);
export const bytesRate = (gbps: number): string =>
  scaled(gbps * 1e9, ['B/s', 'kB/s', 'MB/s', 'GB/s', 'TB/s']);
export const flopsOf = (flops: number): string => scaled(flops, ['FLOP', 'kFLOP', 'MFLOP', 'GFLOP', 'TFLOP']);
export const bytesOf = (bytes: number): string => scaled(bytes, ['B', 'kB', 'MB', 'GB', 'TB']);

/** What bounds a kernel decides the unit. */
export const rateOf = ({ bound, gflops, gbps }: Rate): string =>
  bound === 'arithmetic' ? flopsRate(gflops) : bytesRate(gbps);

export const percent = (share: number): string =>
  share >= 0.0995 ? `${(100 * share).toFixed(0)} %` : `${digits(100 * share)} %`;

/** An error with a sign that tells right from wrong without colour. */
export const verdict = (ok: boolean, text: string): HTMLSpanElement =>
  h('span', { class: ok ? 'right' : 'wrong' }, ok ? '✓ ' : '✗ ', text);

export const errorText = (error: number): string => (error === 0 ? '0' : error.toExponential(1));

export type Origin = 'measured' | 'modelled' | 'counted, a step' | 'modelled / measured';

/** Where a number comes from, in words. */
export const origin = (what: Origin): HTMLSpanElement =>
  h('span', { class: `origin ${what.split(' ')[0]}` }, what.replace(' /', '\u00a0/'));

export const notMeasured = (): HTMLSpanElement => h('span', { class: 'none' }, 'not measured');

/** The same beside a cell that says so. */
export const dash = (): HTMLSpanElement => h('span', { class: 'none', title: 'not measured' }, '–');

/** By what the times were taken, and what was done about its grain. */
export function clockText({ clock }: AdapterLimits): string {
  if (clock.kind === 'wall')
    return 'no timestamps here: wall-clock of batches of 20 ms or more, submission included';
  return clock.quantum > COARSE_NS
    ? `timestamps quantised to ${duration(clock.quantum / 1e6)}: a dispatch is repeated until a sample lasts 50 of these`
    : 'timestamps of single dispatches';
}

export const heading = (title: string, ...more: (Node | string)[]): HTMLHeadingElement =>
  h('h3', {}, title, ' ', ...more);
