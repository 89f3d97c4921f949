// What is said of a run of edited WGSL: the compiler's words, errors, times.
import { TOLERANCE } from '../../cli/check-case.ts';
import { button, h } from '../dom.ts';
import { MOST_TURNS } from './guard.ts';
import type { Message, Ran } from './protocol.ts';
import { duration, errorText, heading, notMeasured, origin, verdict } from './show.ts';

/** Lines of what is wrong that are shown. */
const MOST_WRONG = 3;

/**
 * What a run is shown as.
 * @param same the text was not edited. @param goTo shows a place of the text
 */
export function runParts(ran: Ran, same: boolean, goTo: (line: number, column: number) => void): Node[] {
  const errors = ran.messages.filter(({ type }) => type === 'error').length;
  return [
    heading('Run', h('span', { class: 'note' }, same ? 'the text as it was' : 'the edited text')),
    ...(errors > 0 ? [h('p', {}, verdict(false, 'The compiler refused it; nothing ran.'))] : []),
    ...(ran.messages.length > 0
      ? [h('ul', { class: 'messages' }, ...ran.messages.map((one) => message(one, goTo)))]
      : []),
    ...(ran.failed === null
      ? []
      : [h('p', {}, verdict(false, 'It did not run to its end.')), h('pre', {}, ran.failed)]),
    ...(ran.stopped
      ? [
          h(
            'p',
            {},
            verdict(
              false,
              `Stopped: a loop turned more than ${MOST_TURNS.toLocaleString('en')} times in one invocation and was taken for ` +
                'endless. On its own it would have held the GPU, and every page with it.',
            ),
          ),
        ]
      : []),
    ...(errors === 0 && !ran.stopped && (ran.failed === null || ran.reference) ? comparison(ran) : []),
    ...(ran.timing ? [race(ran.timing)] : []),
  ];
}

function message(
  { type, line, column, text }: Message,
  goTo: (line: number, column: number) => void,
): HTMLLIElement {
  return h(
    'li',
    {},
    button(`line ${line}, column ${column}`, () => goTo(line, column), { class: 'name' }),
    ` ${type}: ${text}`,
  );
}

function comparison({ reference, unedited, long }: Ran): Node[] {
  const lines: Node[] = [];
  if (reference) {
    const { error, sizes, at, wrong } = reference;
    const right = at === 'check' ? wrong.length === 0 : error <= TOLERANCE;
    const where =
      at === 'check' ? `${sizes} ${sizes === 1 ? 'size' : 'sizes'} of warpmix check` : 'this launch';
    lines.push(
      h(
        'p',
        {},
        verdict(
          right,
          `error against the reference ${errorText(error)}, at ${where}: ` +
            (right ? 'within the tolerance' : 'fails'),
        ),
        ' ',
        origin('measured'),
      ),
      ...wrong.slice(0, MOST_WRONG).map((line) => h('p', { class: 'note' }, line)),
    );
  } else {
    lines.push(
      h(
        'p',
        {},
        'Error against the reference: ',
        notMeasured(),
        '; the text fits no size of warpmix check, and at this launch its plain loops would take too long.',
      ),
    );
  }
  if (long !== null) {
    lines.push(
      h(
        'p',
        {},
        `At this launch it did not run: about ${duration(long)} in one dispatch, `,
        origin('modelled'),
        " and a GPU watchdog may end it. The box 'run it too' allows it.",
      ),
    );
  }
  if (unedited !== null) {
    lines.push(
      h(
        'p',
        {},
        verdict(
          unedited <= TOLERANCE,
          `difference from the unedited kernel ${errorText(unedited)}, at this launch`,
        ),
        ' ',
        origin('measured'),
      ),
    );
  }
  return lines;
}

function race({ edited, original }: NonNullable<Ran['timing']>): HTMLElement {
  const ratio = edited.ms / original.ms;
  return h(
    'p',
    { class: 'race' },
    h('b', {}, duration(edited.ms)),
    ' edited, ',
    h('b', {}, duration(original.ms)),
    ' as it was: ',
    h('b', {}, `ratio ${ratio.toPrecision(3)}`),
    ' ',
    origin('measured'),
    h(
      'span',
      { class: 'note' },
      ` in turns, medians of ${edited.samples} samples of ${edited.repeats} ${edited.repeats === 1 ? 'dispatch' : 'dispatches'}`,
    ),
  );
}
