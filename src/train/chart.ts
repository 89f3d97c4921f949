// Line charts as inline SVG, coloured by the page's style sheet.
import { type Html, html } from './html.ts';

export interface Series {
  name: string;
  /** Step and value, in order of steps. Values that are not finite are left out and counted. */
  points: readonly (readonly [step: number, value: number])[];
}

const WIDTH = 560;
const HEIGHT = 240;
const LEFT = 52;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 26;
/** Longer series are drawn as the mean of stretches, with a band from least to greatest. */
const MAX_POINTS = 160;
/** Values that span more than this are drawn on a logarithmic axis. */
const LOG_SPAN = 30;

interface Drawn {
  step: number;
  mean: number;
  low: number;
  high: number;
}

interface Axis {
  low: number;
  high: number;
  /** Position of a value, 0 to 1. */
  at(value: number): number;
  ticks: number[];
}

function condense(points: Series['points'], stretch: number): Drawn[] {
  const out: Drawn[] = [];
  for (let start = 0; start < points.length; start += stretch) {
    const part = points.slice(start, start + stretch);
    const values = part.map(([, value]) => value);
    out.push({
      step: part.reduce((sum, [step]) => sum + step, 0) / part.length,
      mean: values.reduce((a, b) => a + b, 0) / values.length,
      low: Math.min(...values),
      high: Math.max(...values),
    });
  }
  return out;
}

/** 1, 2, 5 or 10 times a power of ten, at least a `count`-th of the range. */
function niceStep(range: number, count: number): number {
  const raw = range / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  return (raw / power > 5 ? 10 : raw / power > 2 ? 5 : raw / power > 1 ? 2 : 1) * power;
}

function linearAxis(low: number, high: number, count: number): Axis {
  const range = high - low || Math.abs(low) || 1;
  const step = niceStep(range, count);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor((low + range) / step + 1e-9);
  return {
    low,
    high,
    at: (value) => (value - low) / range,
    ticks: Array.from({ length: last - first + 1 }, (_, k) => (first + k) * step),
  };
}

function logAxis(low: number, high: number): Axis {
  const decades = Math.log10(high / low);
  const every = Math.max(1, Math.round(decades / 5));
  const factors = decades < 2 ? [1, 2, 5] : [1];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += every) {
    for (const factor of factors) ticks.push(factor * 10 ** power);
  }
  return {
    low,
    high,
    at: (value) => Math.log10(value / low) / decades,
    ticks: ticks.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001),
  };
}

const short = (value: number): string => {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 10_000) return `${Number((value / 1e3).toPrecision(3))}k`;
  return size !== 0 && size < 1e-3 ? value.toExponential(0) : String(Number(value.toPrecision(3)));
};

/** One chart with a line per series, a legend and the last value of each. */
export function lineChart(title: string, series: readonly Series[]): Html {
  const finite = series.map(({ name, points }) => {
    const kept = points.filter(([, value]) => Number.isFinite(value));
    const stretch = Math.ceil(kept.length / MAX_POINTS);
    return {
      name,
      lost: points.length - kept.length,
      last: kept.at(-1)?.[1],
      stretch,
      drawn: stretch > 0 ? condense(kept, stretch) : [],
    };
  });
  const all = finite.flatMap(({ drawn }) => drawn);
  if (all.length === 0)
    return html`<figure class="chart"><figcaption><b>${title}</b> no values</figcaption></figure>`;

  const least = Math.min(...all.map(({ low }) => low));
  const greatest = Math.max(...all.map(({ high }) => high));
  const log = least > 0 && greatest / least > LOG_SPAN;
  const margin = 0.04 * (greatest - least);
  const y = log
    ? logAxis(least / 1.1, greatest * 1.1)
    : linearAxis(least >= 0 && least < 0.3 * greatest ? 0 : least - margin, greatest + margin, 5);
  const ends = series.flatMap(({ points }) => [points[0], points.at(-1)]).flatMap((p) => (p ? [p[0]] : []));
  const x = linearAxis(Math.min(...ends), Math.max(...ends), 6);

  const px = (step: number) => (LEFT + x.at(step) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const py = (value: number) => (HEIGHT - BOTTOM - y.at(value) * (HEIGHT - TOP - BOTTOM)).toFixed(1);
  const path = (points: readonly (readonly [number, number])[]) =>
    points.map(([step, value], i) => `${i === 0 ? 'M' : 'L'}${px(step)} ${py(value)}`).join('');

  const gridLines = y.ticks.map(
    (tick) =>
      html`<path class="grid" d="M${LEFT} ${py(tick)}H${WIDTH - RIGHT}"/><text x="${LEFT - 6}" y="${py(tick)}" dy=".32em" text-anchor="end">${short(tick)}</text>`,
  );
  const stepMarks = x.ticks.map((tick) => {
    const anchor = x.at(tick) > 0.97 ? 'end' : 'middle';
    return html`<text x="${px(tick)}" y="${HEIGHT - 8}" text-anchor="${anchor}">${short(tick)}</text>`;
  });
  const lines = finite.map(({ drawn, stretch }, k) => {
    const band =
      stretch > 1
        ? html`<path class="band c${k % 8}" d="${path([
            ...drawn.map(({ step, high }) => [step, high] as const),
            ...drawn.map(({ step, low }) => [step, low] as const).reverse(),
          ])}Z"/>`
        : null;
    const line =
      drawn.length > 0 &&
      html`<path class="line c${k % 8}" d="${path(drawn.map(({ step, mean }) => [step, mean]))}"/>`;
    const only =
      drawn.length === 1 &&
      html`<circle class="dot c${k % 8}" cx="${px(drawn[0].step)}" cy="${py(drawn[0].mean)}" r="3"/>`;
    return html`${band}${line}${only}`;
  });
  const legend = finite.map(
    ({ name, last, lost }, k) =>
      html`<li><svg viewBox="0 0 22 8" aria-hidden="true"><path class="line c${k % 8}" d="M0 4H22"/></svg>${series.length === 1 && name === title ? 'last value' : name}
<span class="quiet">${last === undefined ? 'no values' : Number(last.toPrecision(4))}${lost > 0 ? `, ${lost} not finite` : ''}</span></li>`,
  );
  const stretches = Math.max(...finite.map(({ stretch }) => stretch));
  return html`<figure class="chart"><figcaption><b>${title}</b>${log ? ', logarithmic' : null}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title} over steps">${gridLines}
<path class="axis" d="M${LEFT} ${HEIGHT - BOTTOM}H${WIDTH - RIGHT}"/>${stepMarks}
<text x="${LEFT - 14}" y="${HEIGHT - 8}" text-anchor="end">step</text>${lines}</svg>
<ul class="legend">${legend}</ul>${
    stretches > 1
      ? html`<p class="note">Lines are means over ${stretches} values, bands reach from the least to the greatest; the legend
gives the last value.</p>`
      : null
  }</figure>`;
}
