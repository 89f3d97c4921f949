// What is beside the tape: one op, or the step as a whole.
import {
  opsOf,
  type StepTape,
  type TapeLaunch,
  type TapeOp,
  type TapeTensor,
} from '../../train/tape-tree.ts';
import { writeAddress } from '../address.ts';
import { button, h } from '../dom.ts';
import { bytesText, countText, msText, normText, shapeText } from './tape-format.ts';

/** Rows of a list; an optimiser has hundreds of inputs. */
const MOST = 24;

const KINDS: Record<TapeOp['kind'], string> = {
  taped: 'On the tape: the gradient of the loss goes back through it.',
  constant: 'Not on the tape: no parameter comes before it, or a gradient was not asked for.',
  kernel: 'Launches that belong to no op of the tape.',
};

type Cell = Node | string;

/** A table with at most `MOST` rows, and how many are left out. */
function list(heads: readonly string[], rows: readonly (readonly Cell[])[]): HTMLElement {
  const numeric = (i: number) => (/Bytes|ms|‖/.test(heads[i]) ? { class: 'number' } : {});
  return h(
    'div',
    { class: 'scroll' },
    h(
      'table',
      {},
      h('thead', {}, h('tr', {}, ...heads.map((text, i) => h('th', { scope: 'col', ...numeric(i) }, text)))),
      h(
        'tbody',
        {},
        ...rows
          .slice(0, MOST)
          .map((cells) => h('tr', {}, ...cells.map((cell, i) => h('td', numeric(i), cell)))),
      ),
    ),
    rows.length > MOST && h('p', { class: 'note' }, `and ${rows.length - MOST} more`),
  );
}

const tensorCells = ({ shape, dtype, bytes }: TapeTensor): Cell[] => [
  `${shapeText(shape)} ${dtype}`,
  bytesText(bytes),
];

function launches(title: string, all: readonly TapeLaunch[]): Cell[] {
  if (all.length === 0) return [];
  const measured = all[0].ms === null ? ', not timed here' : '';
  const rows = all.map(({ kernel, variant, params, ms }) => [
    h(
      'span',
      {},
      h('a', { href: writeAddress({ values: { tab: 'measure', kernel }, set: [] }) }, kernel),
      ` / ${variant}`,
      h(
        'span',
        { class: 'tape-params mono' },
        Object.entries(params)
          .map(([name, value]) => `${name}=${Number(value.toPrecision(6))}`)
          .join(' '),
      ),
    ),
    ms === null ? '–' : msText(ms),
  ]);
  return [
    h('h3', {}, `${title}: ${countText(all.length, 'launch', 'launches')}${measured}`),
    list(['Kernel / variant, parameters', 'ms'], rows),
  ];
}

export interface PanelActions {
  /** To another op. */
  jump(id: number): void;
  close(): void;
  /** Fills a figure with a picture of the output. */
  picture(op: TapeOp): HTMLElement;
}

/** @param ops of the tape by id */
export function opPanel(
  op: TapeOp,
  ops: ReadonlyMap<number, TapeOp>,
  { parameters }: StepTape,
  { jump, close, picture }: PanelActions,
): Cell[] {
  const link = (id: number) => button(`#${id} ${ops.get(id)!.name}`, () => jump(id), { class: 'tape-link' });
  return [
    h(
      'div',
      { class: 'tape-head' },
      h('h2', {}, h('span', { class: 'tape-id' }, `#${op.id}`), op.name),
      button('Close', close, { class: 'quiet', title: 'Escape' }),
    ),
    h('p', { class: 'note' }, KINDS[op.kind]),
    op.picture && picture(op),
    op.kind !== 'kernel' &&
      h(
        'dl',
        {},
        h('dt', {}, '‖output‖'),
        h('dd', {}, op.norm === null ? 'no f32' : normText(op.norm)),
        h('dt', {}, '‖gradient‖ that reached it'),
        h('dd', {}, op.gradientNorm === null ? 'none' : normText(op.gradientNorm)),
      ),
    h('h3', {}, 'Output'),
    list(
      ['Shape', 'Bytes'],
      op.outputs.map((one) => tensorCells(one)),
    ),
    op.bytes === 0 &&
      h(
        'p',
        { class: 'note' },
        op.forward.length === 0
          ? 'No new bytes: the same values under another shape.'
          : 'No new bytes: updated where they are.',
      ),
    h('h3', {}, 'Inputs'),
    list(
      ['Shape', 'Bytes', 'From'],
      op.inputs.map((one) => [...tensorCells(one), typeof one.from === 'number' ? link(one.from) : one.from]),
    ),
    ...(op.parameters.length > 0
      ? [
          h('h3', {}, 'Parameters'),
          list(
            ['Name', '‖value‖', '‖gradient‖'],
            op.parameters.map((name) => [
              op.kind === 'kernel' ? name : name.slice(name.lastIndexOf('.') + 1),
              normText(parameters[name].norm),
              normText(parameters[name].gradientNorm),
            ]),
          ),
        ]
      : []),
    ...(op.kept.length > 0
      ? [
          h('h3', {}, 'Kept for the backward pass'),
          list(
            ['Shape', 'Bytes', 'Until ∇ of'],
            op.kept.map((one) => [...tensorCells(one), link(one.until)]),
          ),
        ]
      : []),
    ...launches('Forward', op.forward),
    ...launches('Backward', op.backward),
    h('p', { class: 'note tape-foot' }, 'Measured: norms and ms. Counted: shapes, bytes and launches.'),
  ].filter((one) => one !== false);
}

/** What the step came to, and what the columns mean. */
export function stepPanel(
  { phase, terms, timed, stages }: StepTape,
  about: string,
  software: boolean,
): Cell[] {
  const times = stages
    .flatMap(opsOf)
    .flatMap((op) => [...op.forward, ...op.backward].map(({ ms }) => ms ?? 0));
  const tick = Math.min(...times.filter((ms) => ms > 0));
  // Browsers may round their clocks.
  const rounded =
    times.includes(0) && Number.isFinite(tick)
      ? ` This clock moves by ${msText(tick)} ms at least: what is shorter reads 0.`
      : '';
  const clock = timed
    ? `Measured${software ? ', on a program that stands in for a GPU' : ''}: milliseconds, by timestamps around every dispatch.${rounded}`
    : 'Milliseconds are not measured here: this adapter has no timestamps.';
  return [
    h('h2', {}, `Step 1 of '${phase}'`),
    h('p', {}, `${about} Choose an op for its inputs, outputs, gradients, kernels and picture.`),
    list(
      ['Term', 'Value'],
      Object.entries(terms).map(([name, value]) => [name, String(Number(value.toPrecision(6)))]),
    ),
    h('h3', {}, 'How to read it'),
    h(
      'ul',
      { class: 'note' },
      h(
        'li',
        {},
        'One row is one op, in the order of the forward pass, below the call of the module that made it.',
      ),
      h('li', {}, clock),
      h('li', {}, 'Measured: norms ‖·‖, on the device, of the values of this step.'),
      h(
        'li',
        {},
        'Counted: ops, launches, bytes. Kept is what the forward pass made and the backward pass reads.',
      ),
      h(
        'li',
        {},
        'The backward time of an op is that of pulling its gradient back to its inputs, and of adding gradients up.',
      ),
      h(
        'li',
        {},
        '‖∇‖ output of a module is that of its last op. ‖∇‖ params joins its parameters; one that is used twice shows at both uses.',
      ),
      h('li', {}, 'Constant: an op without a gradient. Kernel: launches outside the ops.'),
    ),
  ];
}
