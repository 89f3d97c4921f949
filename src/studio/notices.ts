import { button, h } from './dom.ts';

const place = () => document.querySelector<HTMLElement>('#notices')!;

/**
 * Tells the user what is the matter, above everything else, until it is put away.
 * @param actions the next steps that are offered, by name
 * @returns takes the notice away
 */
export function notice(
  kind: 'error' | 'warning',
  text: string,
  actions: Record<string, () => void> = {},
): () => void {
  const remove = () => box.remove();
  const box = h(
    'div',
    { class: `notice ${kind}` },
    h('p', {}, h('b', {}, kind === 'error' ? 'Error: ' : 'Note: '), text),
    h(
      'p',
      { class: 'actions' },
      ...Object.entries(actions).map(([name, act]) =>
        button(name, () => {
          remove();
          act();
        }),
      ),
      button('Put away', remove, { class: 'quiet' }),
    ),
  );
  place().append(box);
  return remove;
}

/** A notice of an error. Call it where nobody else would hear of it. */
export const report = (error: unknown, actions: Record<string, () => void> = {}): void => {
  notice('error', error instanceof Error ? error.message : String(error), actions);
};
