// Formulas in MathML, which browsers lay out and screen readers read.
const NAMESPACE = 'http://www.w3.org/1998/Math/MathML';

export type Part = string | Element;

const make = (tag: string, ...children: (Node | string)[]): Element => {
  const element = document.createElementNS(NAMESPACE, tag);
  element.append(...children);
  return element;
};

/** Names become identifiers, digits numbers, everything else operators. */
const parts = (part: Part): Element[] =>
  typeof part !== 'string'
    ? [part]
    : [...part.matchAll(/\p{L}[\p{L}\p{M}′]*|\d+(?:\.\d+)?|\S/gu)].map(([token]) =>
        make(/^\p{L}/u.test(token) ? 'mi' : /^\d/.test(token) ? 'mn' : 'mo', token),
      );

export const row = (...all: Part[]): Element => make('mrow', ...all.flatMap(parts));
export const frac = (above: Part, below: Part): Element => make('mfrac', row(above), row(below));
export const sub = (base: Part, below: Part): Element => make('msub', row(base), row(below));
export const sup = (base: Part, above: Part): Element => make('msup', row(base), row(above));
export const subsup = (base: Part, below: Part, above: Part): Element =>
  make('msubsup', row(base), row(below), row(above));
/** A sum over something. */
export const sumOver = (over: Part): Element => make('munder', make('mo', '∑'), row(over));
/** Words inside a formula. */
export const words = (text: string): Element => make('mtext', text);

/** A formula on a line of its own. */
export function formula(...all: Part[]): Element {
  const math = make('math', ...all.flatMap(parts));
  math.setAttribute('display', 'block');
  return math;
}
