// Every term of the loss over the steps: a small chart for each, under the name of its phase.
import './language.ts'; // before uPlot
import uPlot from 'uplot';
import { h, slider } from '../dom.ts';
import type { Prepared } from './protocol.ts';
import { coalesced } from './redraw.ts';

/** Longer curves are drawn as the means of stretches. */
const MOST_POINTS = 1000;
const HEIGHT = 112;
const AXIS_FONT = '12px system-ui, sans-serif';

interface Curve {
  steps: number[];
  values: number[];
}

/** An exponential average without the pull of its start (as in TensorBoard). @param weight of what came before, 0 to less than 1 */
export function smooth(values: readonly number[], weight: number): number[] {
  let sum = 0;
  let share = 0;
  return values.map((value) => {
    sum = weight * sum + (1 - weight) * value;
    share = weight * share + (1 - weight);
    return sum / share;
  });
}

/** Means of equal stretches, at most `MOST_POINTS` of them. */
function condense(values: readonly number[]): number[] {
  const stretch = Math.ceil(values.length / MOST_POINTS);
  if (stretch === 1) return [...values];
  return Array.from({ length: Math.ceil(values.length / stretch) }, (_, i) => {
    const part = values.slice(i * stretch, (i + 1) * stretch);
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}

/** Four digits that count, or two where the exponent needs the room. */
const decimal = (value: number): string =>
  value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)
    ? value.toExponential(1)
    : value.toPrecision(4);

/** Ticks for a logarithmic axis that may span less than a decade. */
function logTicks(low: number, high: number): number[] {
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    const factors = high / low > 100 ? [1] : high / low > 5 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8];
    for (const factor of factors) {
      const tick = factor * 10 ** power;
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return ticks;
}

/** A term: its chart, its name and its value now. */
class TermChart {
  readonly root: HTMLElement;
  readonly #name: string;
  readonly #color: HTMLElement;
  readonly #value = h('output', {});
  readonly #place = h('div', { class: 'plot', role: 'img' });
  #plot: uPlot | null = null;
  readonly curve: Curve = { steps: [], values: [] };

  constructor(name: string, color: number) {
    this.#name = name;
    this.#color = h('i', { class: `line c${color}` });
    this.root = h(
      'figure',
      { class: 'curve' },
      h('figcaption', {}, this.#color, h('b', {}, name), this.#value),
      this.#place,
    );
  }

  /** @param width of the chart, pixels */
  draw(width: number, smoothing: number, log: boolean, anew: boolean): void {
    const { steps, values } = this.curve;
    if (anew) {
      this.#plot?.destroy();
      this.#plot = null;
    }
    this.#plot ??= this.#make(width, log);
    if (this.#plot.width !== width) this.#plot.setSize({ width, height: HEIGHT });
    const shown = (list: readonly number[]) =>
      condense(list).map((value) => (log && value <= 0 ? null : value));
    this.#plot.setData([condense(steps), shown(values), shown(smooth(values, smoothing))]);
    this.#show(values.length - 1);
    this.#place.setAttribute('aria-label', this.#words());
  }

  #words(): string {
    const { steps, values } = this.curve;
    const last = values.length - 1;
    return (
      `${this.#name}: ${decimal(values[0])} at step ${steps[0]}, ${decimal(values[last])} at step ${steps[last]}, ` +
      `between ${decimal(values.reduce((a, b) => Math.min(a, b)))} and ${decimal(values.reduce((a, b) => Math.max(a, b)))}`
    );
  }

  #show(at: number): void {
    const { steps, values } = this.curve;
    const value = decimal(values[at]);
    this.#value.textContent = at === values.length - 1 ? value : `${value} at step ${steps[at]}`;
  }

  #make(width: number, log: boolean): uPlot {
    const color = (of: Element) => getComputedStyle(of).color;
    const quiet = () => color(this.#value);
    const rule = () => getComputedStyle(this.root).borderTopColor;
    const axis = { stroke: quiet, font: AXIS_FONT, grid: { stroke: rule, width: 1 }, ticks: { show: false } };
    return new uPlot(
      {
        width,
        height: HEIGHT,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, sync: { key: 'steps' }, points: { size: 6 } },
        scales: {
          x: { time: false, range: (_, low, high) => [low, Math.max(high, low + 1)] },
          y: log
            ? { distr: 3, range: (_, low, high) => [(low || 1e-3) / 1.1, (high || 1) * 1.1] }
            : { range: (_, low, high) => uPlot.rangeNum(low, high, 0.1, false) },
        },
        axes: [
          {
            ...axis,
            size: 22,
            space: 40,
            gap: 2,
            incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4],
          },
          {
            ...axis,
            size: 48,
            space: 22,
            gap: 4,
            ...(log && {
              splits: (_: uPlot, __: number, low: number, high: number) => logTicks(low, high),
              // Its own would name the powers of ten only.
              filter: (_: uPlot, ticks: number[]) => ticks,
            }),
            values: (_, ticks) =>
              ticks.map((tick) =>
                tick !== 0 && (Math.abs(tick) < 1e-3 || Math.abs(tick) >= 1e4)
                  ? tick.toExponential(0)
                  : String(Number(tick.toPrecision(4))),
              ),
          },
        ],
        series: [
          {},
          { stroke: () => color(this.#color), width: 1, alpha: 0.4, points: { show: false } },
          { stroke: () => color(this.#color), width: 2, points: { show: false } },
        ],
        hooks: {
          setCursor: [
            ({ cursor: { idx } }) => {
              const { values } = this.curve;
              const stretch = Math.ceil(values.length / MOST_POINTS);
              this.#show(idx === null || idx === undefined ? values.length - 1 : idx * stretch);
            },
          ],
        },
      },
      [[], [], []],
      this.#place,
    );
  }
}

interface PhaseCharts {
  root: HTMLElement;
  grid: HTMLElement;
  terms: Map<string, TermChart>;
  changed: boolean;
}

export class Curves {
  readonly root: HTMLElement;
  readonly #place = h('div', { class: 'phases' });
  readonly #empty = h('p', { class: 'note empty' }, 'The curves begin with the first step.');
  readonly #phases = new Map<string, PhaseCharts>();
  #run: Pick<Prepared, 'phases' | 'total'> = { phases: [], total: 0 };
  #smoothing = 0.8;
  #log = false;
  #anew = false;
  readonly #draw = coalesced(() => this.#put());

  constructor() {
    const log = h('input', { type: 'checkbox' });
    log.addEventListener('change', () => {
      this.#log = log.checked;
      this.#redraw();
    });
    const smoothing = slider(
      { min: 0, max: 0.98, step: 0.02, value: this.#smoothing },
      (value) => value.toFixed(2),
      (value) => {
        this.#smoothing = value;
        this.#redraw(false);
      },
    );
    this.root = h(
      'section',
      { class: 'curves', 'aria-label': 'Curves' },
      h(
        'div',
        { class: 'head' },
        h('h2', {}, 'Curves'),
        h('label', { class: 'inline' }, 'Smoothing', smoothing),
        h('label', { class: 'inline' }, log, 'Logarithmic'),
        h('span', { class: 'note' }, 'Thin: each step. Bold: smoothed.'),
      ),
      this.#empty,
      this.#place,
    );
    new ResizeObserver(() => this.#redraw(false)).observe(this.#place);
    const recolour = () => this.#redraw(false);
    new MutationObserver(recolour).observe(document.documentElement, { attributeFilter: ['data-theme'] });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', recolour);
  }

  /** Curves of another run, with what it has behind it. */
  reset(run: Prepared): void {
    this.#run = run;
    this.#phases.clear();
    this.#place.replaceChildren();
    this.#empty.hidden = false;
    for (const { phase, step, terms } of run.history) this.add(phase, step, terms);
  }

  add(phase: string, step: number, terms: Record<string, number>): void {
    let charts = this.#phases.get(phase);
    if (!charts) {
      charts = this.#phase(phase);
      this.#phases.set(phase, charts);
      this.#place.append(charts.root);
      this.#empty.hidden = true;
    }
    for (const [name, value] of Object.entries(terms)) {
      let chart = charts.terms.get(name);
      if (!chart) {
        chart = new TermChart(name, charts.terms.size % 8);
        charts.terms.set(name, chart);
        charts.grid.append(chart.root);
      }
      chart.curve.steps.push(step);
      chart.curve.values.push(value);
    }
    charts.changed = true;
    this.#draw();
  }

  #phase(name: string): PhaseCharts {
    const at = this.#run.phases.findIndex((one) => one.name === name);
    const before = this.#run.phases.slice(0, at).reduce((sum, { steps }) => sum + steps, 0);
    const last = before + (this.#run.phases[at]?.steps ?? 0);
    const grid = h('div', { class: 'small-charts' });
    const root = h(
      'div',
      { class: 'phase' },
      h(
        'h3',
        {},
        name,
        ' ',
        h('span', { class: 'note' }, `steps ${before + 1} to ${last} of ${this.#run.total}`),
      ),
      grid,
    );
    return { root, grid, terms: new Map(), changed: true };
  }

  #redraw(anew = true): void {
    this.#anew ||= anew;
    for (const charts of this.#phases.values()) charts.changed = true;
    this.#draw();
  }

  #put(): void {
    for (const charts of this.#phases.values()) {
      if (!charts.changed) continue;
      charts.changed = false;
      for (const chart of charts.terms.values()) {
        const width = Math.floor(chart.root.clientWidth);
        if (width > 0) chart.draw(width, this.#smoothing, this.#log, this.#anew);
      }
    }
    this.#anew = false;
  }
}
