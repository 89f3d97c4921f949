type Child = Node | string | number | null | undefined | false;

interface Attributes {
  class?: string;
  id?: string;
  type?: string;
  title?: string;
  for?: string;
  name?: string;
  role?: string;
  href?: string;
  value?: string;
  disabled?: boolean;
  hidden?: boolean;
  tabindex?: number;
  [aria: `aria-${string}`]: string | undefined;
  [data: `data-${string}`]: string | undefined;
  min?: number;
  max?: number;
  step?: number | string;
  scope?: string;
  colspan?: number;
  download?: string;
}

/** An element. Text stays text: nothing that is put in is read as markup. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(
    ...children.filter((child) => child !== null && child !== undefined && child !== false).map(toNode),
  );
  return element;
}

const toNode = (child: Child): Node | string => (child instanceof Node ? child : String(child));

/** A labelled control. */
export const field = (label: string, control: HTMLElement, hint?: string): HTMLLabelElement =>
  h('label', { class: 'field', ...(hint && { title: hint }) }, h('span', {}, label), control);

/** A choice of names. */
export function choice(
  values: readonly (string | readonly [value: string, text: string])[],
  chosen: string,
  onChange: (value: string) => void,
): HTMLSelectElement {
  const select = h('select', {});
  for (const one of values) {
    const [value, text] = typeof one === 'string' ? [one, one] : one;
    select.append(new Option(text, value, value === chosen, value === chosen));
  }
  select.addEventListener('change', () => onChange(select.value));
  return select;
}

/** A button that does something; what goes wrong is for `onError`. */
export function button(text: string, onClick: () => void, attributes: Attributes = {}): HTMLButtonElement {
  const made = h('button', { type: 'button', ...attributes }, text);
  made.addEventListener('click', onClick);
  return made;
}

/** A slider with its value beside it. @param show the value as text, with its unit */
export function slider(
  { min, max, step, value }: { min: number; max: number; step: number; value: number },
  show: (value: number) => string,
  onInput: (value: number) => void,
): HTMLSpanElement {
  const input = h('input', { type: 'range', min, max, step, value: String(value) });
  const output = h('output', {}, show(value));
  input.addEventListener('input', () => {
    output.textContent = show(input.valueAsNumber);
    onInput(input.valueAsNumber);
  });
  return h('span', { class: 'slider' }, input, output);
}
