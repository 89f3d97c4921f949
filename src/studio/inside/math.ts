// Formulas in MathML, which browsers lay out and screen readers read.
const NAMESPACE = 'http://www.w3.org/1998/Math/MathML';

export type Part = string | Element;

const make = (tag: string, ...children: (Node | string)[]): Element => {
  const element = document.createElementNS(NAMESPACE, tag);
  element.append(...children);
  return element;
};

const attributes = (element: Element, values: Record<string, string>): Element => {
  for (const [name, value] of Object.entries(values)) element.setAttribute(name, value);
  return element;
};

const FUNCTION = /^(ln|min|max)$/;

function token(text: string): Element {
  if (FUNCTION.test(text)) return attributes(make('mo', text), { lspace: '0.15em', rspace: '0.15em' });
  if (/^\d/.test(text)) return make('mn', text);
  if (!/^\p{L}/u.test(text)) return attributes(make('mo', text), { stretchy: 'false' });
  // Not every font has slanted letters beyond a to z.
  return /^[a-z]+$/i.test(text) ? make('mi', text) : attributes(make('mi', text), { mathvariant: 'normal' });
}

/** Names become identifiers, digits numbers, everything else operators. */
const parts = (part: Part): Element[] =>
  typeof part !== 'string'
    ? [part]
    : [...part.matchAll(/\p{L}[\p{L}\p{M}]*|\d+(?:\.\d+)?|\S/gu)].map(([text]) => token(text));

export const row = (...all: Part[]): Element => make('mrow', ...all.flatMap(parts));
export const frac = (above: Part, below: Part): Element => make('mfrac', row(above), row(below));
export const sub = (base: Part, below: Part): Element => make('msub', row(base), row(below));
export const sup = (base: Part, above: Part): Element => make('msup', row(base), row(above));
export const subsup = (base: Part, below: Part, above: Part): Element =>
  make('msubsup', row(base), row(below), row(above));
/** A sum over something. */
export const sumOver = (over: Part): Element => make('munder', make('mo', '∑'), row(over));
/** A bracket as high as what is beside it. */
export const tall = (bracket: string): Element => make('mo', bracket);
/** Between formulas on one line. */
export const gap = (): Element => attributes(make('mspace'), { width: '1.6em' });

/** A formula on a line of its own. */
export function formula(...all: Part[]): Element {
  const math = make('math', ...all.flatMap(parts));
  math.setAttribute('display', 'block');
  return math;
}
