// The tape as a table whose rows fold (WAI-ARIA Authoring Practices, "Treegrid").
import {
  isCall,
  opsOf,
  type StepTape,
  type TapeCall,
  type TapeLaunch,
  type TapeOp,
} from '../../train/tape-tree.ts';
import { h } from '../dom.ts';
import { bytesText, msText, normText } from './tape-format.ts';

export const PASSES = ['both', 'forward', 'backward'] as const;
/** Which columns are shown. */
export type Pass = (typeof PASSES)[number];

const STAGES: Record<string, string> = {
  before: 'Before the gradient',
  tape: 'Forward and backward',
  after: 'After the gradient',
};

/** Levels that are open at first: stages and networks. */
const OPEN = 2;

/** What a row sums up. */
interface Sums {
  ops: number;
  forward: number | null;
  backward: number | null;
  bytes: number;
  kept: number;
  /** Of the gradient with respect to the output: that of the last op. */
  gradient: number | null;
  /** Of all gradients of parameters that are read below, together; each counts once. */
  parameters: number | null;
}

interface Row {
  node: TapeCall | TapeOp;
  element: HTMLTableRowElement;
  parent: Row | null;
  children: Row[];
  open: boolean;
}

const msOf = (launches: readonly TapeLaunch[], timed: boolean): number | null =>
  timed && launches.length > 0 ? launches.reduce((sum, { ms }) => sum + (ms ?? 0), 0) : null;

export function sumsOf(ops: readonly TapeOp[], { parameters, timed }: StepTape): Sums {
  const read = new Set(ops.flatMap((op) => op.parameters));
  const total = (of: (op: TapeOp) => number) => ops.reduce((sum, op) => sum + of(op), 0);
  return {
    ops: ops.length,
    forward: msOf(
      ops.flatMap((op) => op.forward),
      timed,
    ),
    backward: msOf(
      ops.flatMap((op) => op.backward),
      timed,
    ),
    bytes: total((op) => op.bytes),
    kept: total((op) => op.kept.reduce((sum, { bytes }) => sum + bytes, 0)),
    gradient: ops.at(-1)?.gradientNorm ?? null,
    parameters: read.size > 0 ? Math.hypot(...[...read].map((name) => parameters[name].gradientNorm)) : null,
  };
}

const COLUMNS: { key: keyof Sums; title: string; pass?: Pass; hint: string }[] = [
  { key: 'ops', title: 'Ops', hint: 'Counted: ops, each with all its launches' },
  {
    key: 'forward',
    title: 'Forward, ms',
    pass: 'forward',
    hint: "Measured by the adapter's timestamps; the bar is the share of the whole step",
  },
  {
    key: 'backward',
    title: 'Backward, ms',
    pass: 'backward',
    hint: "Measured by the adapter's timestamps; the bar is the share of the whole step",
  },
  { key: 'bytes', title: 'Output', pass: 'forward', hint: 'Counted: bytes of the outputs that are new' },
  {
    key: 'kept',
    title: 'Kept',
    pass: 'backward',
    hint: 'Counted: bytes that the forward pass made and the backward pass reads',
  },
  {
    key: 'gradient',
    title: '‖∇‖ output',
    pass: 'backward',
    hint: 'Measured: norm of the gradient with respect to the output; of a module, to that of its last op',
  },
  {
    key: 'parameters',
    title: '‖∇‖ params',
    pass: 'backward',
    hint: 'Measured: norm of the gradients of the parameters, all uses of each together',
  },
];

function textOf(key: keyof Sums, value: number | null): string {
  if (value === null || (value === 0 && key !== 'forward' && key !== 'backward')) return '–';
  if (key === 'ops') return String(value);
  if (key === 'forward' || key === 'backward') return msText(value);
  return key === 'bytes' || key === 'kept' ? bytesText(value) : normText(value);
}

/** @param whole milliseconds of the step, for the bars. */
function cells(sums: Sums, isOp: boolean, whole: number): HTMLTableCellElement[] {
  return COLUMNS.map(({ key, pass }) => {
    const value = sums[key];
    const cell = h(
      'td',
      {
        role: 'gridcell',
        class: `number ${pass ?? ''}`,
        'data-column': key,
        'data-value': String(value ?? ''),
      },
      isOp && key === 'ops' ? '' : h('span', {}, textOf(key, value)),
    );
    if ((key === 'forward' || key === 'backward') && value && whole > 0) {
      const bar = h('i', { class: `tape-bar ${key}`, 'aria-hidden': 'true' });
      bar.style.width = `${(100 * value) / whole}%`;
      cell.prepend(h('span', { class: 'tape-track', 'aria-hidden': 'true' }, bar));
    }
    return cell;
  });
}

export class TapeGrid {
  readonly element: HTMLTableElement;
  readonly #tape: StepTape;
  readonly #onChoose: (op: TapeOp) => void;
  readonly #rows: Row[] = [];
  readonly #top: Row[];
  readonly #whole: number;

  /** @param onChoose told by a click or Enter */
  constructor(tape: StepTape, onChoose: (op: TapeOp) => void) {
    this.#tape = tape;
    this.#onChoose = onChoose;
    const total = sumsOf(tape.stages.flatMap(opsOf), tape);
    this.#whole = (total.forward ?? 0) + (total.backward ?? 0);
    const stages = tape.stages.filter(({ nodes }) => nodes.length > 0);
    this.#top = stages.map((stage) => this.#row(stage, STAGES[stage.path], 1, null));
    this.element = h(
      'table',
      { role: 'treegrid', class: 'tape-grid', 'aria-label': 'Ops of the step, folded by module' },
      h(
        'thead',
        {},
        h(
          'tr',
          { role: 'row' },
          h('th', { scope: 'col', role: 'columnheader' }, 'Module or op'),
          ...COLUMNS.map(({ title, pass, hint }) =>
            h(
              'th',
              { scope: 'col', role: 'columnheader', class: `number ${pass ?? ''}`, title: hint },
              title,
            ),
          ),
        ),
      ),
      h('tbody', {}, ...this.#rows.map(({ element }) => element)),
      h(
        'tfoot',
        {},
        h(
          'tr',
          { role: 'row' },
          h('th', { scope: 'row', role: 'rowheader' }, 'Whole step'),
          ...cells({ ...total, gradient: null }, false, 0),
        ),
      ),
    );
    this.element.addEventListener('keydown', (event) => this.#key(event));
    this.#rows[0].element.tabIndex = 0;
    this.#fold();
  }

  /** Marks an op and opens what it is folded in. @returns null where the tape has no such op */
  select(id: number | null): TapeOp | null {
    for (const { element } of this.#rows) element.setAttribute('aria-selected', 'false');
    const row = this.#rows.find(({ node }) => !isCall(node) && node.id === id);
    if (!row) return null;
    for (let up = row.parent; up; up = up.parent) up.open = true;
    this.#fold();
    row.element.setAttribute('aria-selected', 'true');
    this.#makeCurrent(row);
    row.element.scrollIntoView({ block: 'nearest' });
    return row.node as TapeOp;
  }

  /** To the row that the keyboard was at. */
  focus(): void {
    this.#rows.find(({ element }) => element.tabIndex === 0)?.element.focus();
  }

  set pass(pass: Pass) {
    this.element.dataset.pass = pass;
  }

  #row(node: TapeCall | TapeOp, label: string, level: number, parent: Row | null): Row {
    const name = h('td', { role: 'gridcell', class: 'tape-name' });
    const element = h(
      'tr',
      {
        role: 'row',
        tabindex: -1,
        'aria-level': String(level),
        'aria-selected': 'false',
        class: isCall(node) ? 'tape-call' : 'tape-op',
      },
      name,
      ...cells(sumsOf(opsOf(node), this.#tape), !isCall(node), this.#whole),
    );
    name.style.paddingLeft = `${6 + 14 * (level - 1)}px`;
    const row: Row = { node, element, parent, children: [], open: level <= OPEN };
    this.#rows.push(row);
    if (isCall(node)) {
      name.append(h('span', { class: 'tape-twisty', 'aria-hidden': 'true' }), h('b', {}, label));
      name.title = node.path in STAGES ? label : node.path;
      const calls = new Map<string, number>();
      for (const child of node.nodes) {
        if (!isCall(child)) row.children.push(this.#row(child, child.name, level + 1, row));
        else {
          const nth = (calls.get(child.label) ?? 0) + 1;
          calls.set(child.label, nth);
          const text = nth > 1 ? `${child.label}, call ${nth}` : child.label;
          row.children.push(this.#row(child, text, level + 1, row));
        }
      }
    } else {
      const shape = node.outputs.length === 1 ? node.outputs[0].shape.join('×') : '';
      const kind = { taped: null, constant: 'constant', kernel: 'kernel' }[node.kind];
      name.append(
        h('span', { class: 'tape-id' }, node.id),
        label,
        ' ',
        h('small', {}, shape),
        ...(kind ? [' ', h('small', { class: 'tape-kind' }, kind)] : []),
      );
      name.title = [label, shape, kind].filter(Boolean).join(' ');
    }
    element.addEventListener('click', () => {
      this.#makeCurrent(row);
      this.#act(row);
    });
    return row;
  }

  #act(row: Row): void {
    if (isCall(row.node)) {
      row.open = !row.open;
      this.#fold();
    } else {
      this.select(row.node.id);
      this.#onChoose(row.node);
    }
  }

  #makeCurrent(row: Row): void {
    for (const { element } of this.#rows) element.tabIndex = -1;
    row.element.tabIndex = 0;
  }

  #fold(): void {
    const put = (rows: readonly Row[], shown: boolean): void => {
      for (const { node, element, open, children } of rows) {
        element.hidden = !shown;
        if (isCall(node)) element.setAttribute('aria-expanded', String(open));
        put(children, shown && open);
      }
    };
    put(this.#top, true);
  }

  #key(event: KeyboardEvent): void {
    const row = this.#rows.find(({ element }) => element === event.target);
    if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
    const shown = this.#rows.filter(({ element }) => !element.hidden);
    const at = shown.indexOf(row);
    const call = isCall(row.node);
    const to: Record<string, Row | null | undefined> = {
      ArrowDown: shown[at + 1],
      ArrowUp: shown[at - 1],
      Home: shown[0],
      End: shown.at(-1),
      ArrowRight: row.open ? row.children[0] : null,
      ArrowLeft: call && row.open ? null : row.parent,
    };
    if (event.key === 'Enter' || event.key === ' ') this.#act(row);
    else if (!(event.key in to)) return;
    else if (call && (event.key === 'ArrowRight') !== row.open && /Arrow(Left|Right)/.test(event.key)) {
      // Right opens what is folded, left folds what is open.
      this.#act(row);
    } else {
      const next = to[event.key];
      if (next) {
        this.#makeCurrent(next);
        next.element.focus();
      }
    }
    event.preventDefault();
  }
}
