// Every kernel on this adapter: what it does, how fast, how exact. Rows fill in one by one.
import type { CheckCase } from '../../cli/check-case.ts';
import { putInAddress } from '../address.ts';
import { button, choice, field, h } from '../dom.ts';
import { report } from '../notices.ts';
import { type Lab, wasTold } from './lab.ts';
import type { Found, KernelFacts, Launched } from './protocol.ts';
import type { Settings } from './settings.ts';
import {
  dash,
  duration,
  errorText,
  notMeasured,
  type Origin,
  origin,
  percent,
  rateOf,
  verdict,
} from './show.ts';

interface Row {
  facts: KernelFacts;
  /** By kind of step; null while unknown. */
  steps: Record<string, number> | null;
  launched: Launched | null;
  found: Found | null;
  /** Why it could not be measured. */
  failed: string | null;
  /** Of the ops that launch it; null while unknown. */
  cases: readonly string[] | null;
  checked: CheckCase[];
  line: HTMLTableRowElement;
}

interface Column {
  key: string;
  title: string;
  origin?: Origin;
  /** What it is sorted by; null comes last. */
  value(row: Row): number | string | null;
  cell(row: Row): (Node | string | null)[];
}

const perStep = ({ steps }: Row): number | null => steps && Math.max(0, ...Object.values(steps));

const failed = ({ checked }: Row) => checked.filter(({ ok }) => !ok);

function gradient(row: Row): (Node | string)[] {
  const { cases, checked } = row;
  if (cases?.length === 0) return [h('span', { class: 'none' }, 'no op with a gradient')];
  if (!cases || checked.length === 0) return [dash()];
  const wrong = failed(row);
  const text = `${checked.length - wrong.length} of ${cases.length} cases`;
  const seen = verdict(wrong.length === 0, text);
  seen.title =
    wrong.length > 0
      ? `${wrong[0].name}: ${wrong[0].note ?? ''}`
      : `largest error ${errorText(Math.max(...checked.map(({ maxRelErr }) => maxRelErr)))}`;
  return [seen];
}

const columns: readonly Column[] = [
  { key: 'kernel', title: 'Kernel', value: ({ facts }) => facts.name, cell: () => [] },
  {
    key: 'family',
    title: 'Family',
    value: ({ facts }) => facts.family,
    cell: ({ facts }) => [facts.family],
  },
  {
    key: 'computes',
    title: 'Computes',
    value: ({ facts }) => facts.summary,
    cell: ({ facts }) => [facts.summary],
  },
  {
    key: 'launches',
    title: 'Launches',
    origin: 'counted, a step',
    value: perStep,
    cell: (row) => {
      const count = perStep(row);
      return count === null ? ['…'] : [h('span', { title: kinds(row) }, count === 0 ? 'none' : count)];
    },
  },
  {
    key: 'time',
    title: 'Time',
    origin: 'measured',
    value: ({ found }) => found?.timing?.ms ?? null,
    cell: ({ found, failed }) =>
      failed
        ? [h('span', { class: 'wrong', title: failed }, '✗ failed')]
        : found?.timing
          ? [duration(found.timing.ms)]
          : found?.long
            ? [
                h(
                  'span',
                  { class: 'none', title: 'Estimated by the cost model; see the note below the table.' },
                  `skipped, about ${duration(found.long)}`,
                ),
              ]
            : [notMeasured()],
  },
  {
    key: 'rate',
    title: 'Rate',
    origin: 'modelled / measured',
    value: ({ found }) =>
      found?.rate ? (found.rate.bound === 'arithmetic' ? found.rate.gflops : found.rate.gbps) : null,
    cell: ({ found }) => [found?.rate ? rateOf(found.rate) : dash()],
  },
  {
    key: 'share',
    title: 'Of limit',
    origin: 'modelled / measured',
    value: ({ found }) => found?.rate?.share ?? null,
    cell: ({ found }) => [found?.rate ? percent(found.rate.share) : dash()],
  },
  {
    key: 'error',
    title: 'Error',
    origin: 'measured',
    value: ({ found }) => found?.error?.rel ?? null,
    cell: ({ found }) => [found?.error ? verdict(found.error.right, errorText(found.error.rel)) : dash()],
  },
  {
    key: 'gradient',
    title: 'Gradient check',
    origin: 'measured',
    value: (row) => (row.checked.length > 0 ? failed(row).length / row.checked.length : null),
    cell: gradient,
  },
];

const isText = (key: string) => ['kernel', 'family', 'computes'].includes(key);

function kinds({ steps }: Row): string {
  const all = Object.entries(steps ?? {});
  return all.length === 0
    ? 'no training step has it; it is measured at the largest size of warpmix check'
    : all.map(([from, count]) => `${from}: ${count}`).join(', ');
}

/** As the address has it: `time`, or `-time` for the largest first. */
interface Order {
  key: string;
  descending: boolean;
}

export class Table {
  readonly element = h('div', {});
  readonly #lab: Lab;
  readonly #settings: Settings;
  readonly #rows: Row[];
  readonly #body = h('tbody', {});
  readonly #heads = new Map<string, HTMLTableCellElement>();
  readonly #start = button('Start', () => (this.#running ? this.stop() : this.#measure()), {
    class: 'primary',
  });
  readonly #status = h('p', { class: 'note status', role: 'status' });
  readonly #filter = h('input', { type: 'search' });
  readonly #family: HTMLSelectElement;
  #order: Order = { key: 'kernel', descending: false };
  /** Each start has a number; what an earlier one still waits for is not shown. */
  #running = 0;
  #starts = 0;

  /** @param open shows one kernel */
  constructor(lab: Lab, settings: Settings, kernels: readonly KernelFacts[], open: (name: string) => void) {
    this.#lab = lab;
    this.#settings = settings;
    this.#rows = kernels.map((facts) => {
      const cells = columns.map(({ key }) =>
        key === 'kernel'
          ? h(
              'th',
              { scope: 'row' },
              button(facts.name, () => open(facts.name), { class: 'name' }),
            )
          : h('td', isText(key) ? {} : { class: 'number' }),
      );
      const line = h('tr', {}, ...cells);
      return {
        facts,
        steps: null,
        launched: null,
        found: null,
        failed: null,
        cases: null,
        checked: [],
        line,
      };
    });
    const families = [...new Set(kernels.map(({ family }) => family))];
    this.#family = choice([['', 'all'], ...families.map((name) => [name, name] as const)], '', () =>
      this.#choose(),
    );
    this.#filter.maxLength = 64;
    this.#filter.addEventListener('input', () => this.#choose());
    for (const { key, title, origin: from } of columns) {
      const head = h(
        'th',
        { scope: 'col', ...(!isText(key) && { class: 'number' }) },
        button(title, () => this.#sortBy(key)),
        from && origin(from),
      );
      this.#heads.set(key, head);
    }
    this.element.append(
      h(
        'div',
        { class: 'toolbar' },
        this.#start,
        field('Filter', this.#filter),
        field('Family', this.#family),
        this.#status,
      ),
      h(
        'div',
        { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Kernels' },
        h('table', { class: 'kernels' }, h('thead', {}, h('tr', {}, ...this.#heads.values())), this.#body),
      ),
      h(
        'p',
        { class: 'note wide' },
        'A row is the launch on which the training steps of the preset spend most, on the numbers of such a step, by the variant ' +
          'that the rule chooses here; where no step has the kernel, the largest of warpmix check. Error: largest difference from ' +
          'the plain-loop reference over its largest value, at the sizes of warpmix check. Gradient check: cases of the ops that ' +
          'launch the kernel, forward or backward, against finite differences. Arithmetic and bytes come from the cost model; the ' +
          'unit of the rate is that of what bounds the kernel; a share above 100 % says that data stayed in a cache. A dispatch estimated above 250 ms is skipped: where one holds the ' +
          'GPU for about two seconds, Windows resets the driver (TDR), and every page loses its device. Other work on the GPU, such as training in the first section, makes ' +
          'times longer.',
      ),
    );
    for (const row of this.#rows) this.#render(row);
  }

  /** Takes over what the address says of it. */
  read({ filter = '', family = '', sort = '' }: { filter?: string; family?: string; sort?: string }): void {
    this.#filter.value = filter;
    this.#family.value = family;
    if (this.#family.selectedIndex < 0) this.#family.value = '';
    const key = sort.replace(/^-/, '');
    this.#order = columns.some((column) => column.key === key)
      ? { key, descending: sort.startsWith('-') }
      : { key: 'kernel', descending: false };
    this.#arrange();
  }

  /** Other sizes: nothing measured counts any more. */
  async sizes(): Promise<void> {
    this.stop();
    for (const row of this.#rows) {
      row.steps = row.launched = row.found = row.failed = null;
      this.#render(row);
    }
    const preset = this.#settings.preset;
    const counts = await this.#lab.call('launches', preset);
    if (preset !== this.#settings.preset) return;
    for (const row of this.#rows) {
      row.steps = counts[row.facts.name] ?? {};
      this.#render(row);
    }
    this.#arrange();
  }

  /** Puts the focus on a kernel's name. */
  focus(name: string | undefined): void {
    const row = this.#rows.find(({ facts }) => facts.name === name);
    row?.line.querySelector('button')?.focus();
  }

  stop(): void {
    if (!this.#running) return;
    this.#running = 0;
    this.#start.textContent = 'Start';
    this.#arrange();
  }

  #shown(): Row[] {
    return this.#rows.filter(({ line }) => !line.hidden);
  }

  #say(more: string): void {
    const shown = this.#shown();
    const done = shown.filter(({ found }) => found).length;
    this.#status.textContent = `${shown.length} of ${this.#rows.length} kernels shown, ${done} measured.${more}`;
  }

  #choose(): void {
    putInAddress({ filter: this.#filter.value || undefined, family: this.#family.value || undefined });
    this.#arrange();
  }

  #sortBy(key: string): void {
    const { key: before, descending } = this.#order;
    this.#order = { key, descending: key === before ? !descending : !isText(key) };
    putInAddress({ sort: (this.#order.descending ? '-' : '') + key });
    this.#arrange();
  }

  #arrange(): void {
    const { key, descending } = this.#order;
    const { value } = columns.find((column) => column.key === key)!;
    const sorted = [...this.#rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === null || y === null) return Number(x === null) - Number(y === null);
      const by = typeof x === 'string' ? x.localeCompare(String(y)) : x - Number(y);
      return descending ? -by : by;
    });
    const words = this.#filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const { facts, line } of sorted) {
      const text = `${facts.name} ${facts.family} ${facts.summary} ${facts.formula}`.toLowerCase();
      line.hidden =
        !words.every((word) => text.includes(word)) ||
        (this.#family.value !== '' && facts.family !== this.#family.value);
    }
    const held = document.activeElement;
    this.#body.append(...sorted.map(({ line }) => line));
    if (held instanceof HTMLElement && this.#body.contains(held)) held.focus();
    for (const [name, head] of this.#heads) {
      if (name === key) head.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
      else head.removeAttribute('aria-sort');
    }
    this.#say('');
  }

  #render(row: Row): void {
    columns.forEach(({ key, cell }, i) => {
      if (key !== 'kernel') row.line.cells[i].replaceChildren(...cell(row).filter((child) => child !== null));
    });
  }

  /** The rows that are shown and not measured yet, from above; all that are shown where none is left. */
  async #measure(): Promise<void> {
    const start = (this.#running = ++this.#starts);
    const going = () => this.#running === start;
    this.#start.textContent = 'Stop';
    try {
      this.#say(' Measuring what this adapter can do at most …');
      const limits = await this.#settings.limits();
      const cases = going() ? await this.#lab.call('cases') : {};
      for (const row of this.#rows) row.cases = cases[row.facts.name] ?? [];
      const order = [...this.#body.rows].map((line) => this.#rows.find((row) => row.line === line)!);
      const shown = order.filter(({ line }) => !line.hidden);
      const open = shown.filter((row) => !row.found || row.checked.length < row.cases!.length);
      for (const row of open.length > 0 ? open : shown) {
        const { name } = row.facts;
        const place = { kernel: name, preset: this.#settings.preset, variant: null };
        if (!going()) return;
        this.#say(` Measuring ${name} …`);
        row.line.classList.add('busy');
        try {
          row.failed = null;
          row.launched = await this.#lab.call('look', place);
          if (!going()) return;
          row.found = await this.#lab.call(
            'variant',
            place,
            row.launched.chosen,
            limits,
            this.#settings.long,
          );
          if (!going()) return;
          this.#render(row);
          row.checked = [];
          for (const one of row.cases!) {
            const done = await this.#lab.gradient(one);
            if (!going()) return;
            row.checked.push(done);
            this.#render(row);
          }
        } catch (error) {
          if (wasTold(error)) throw error;
          row.failed = (error as Error).message;
          this.#render(row);
        } finally {
          row.line.classList.remove('busy');
        }
      }
      this.stop();
    } catch (error) {
      if (!wasTold(error)) report(error);
      if (going()) this.stop();
    }
  }
}
