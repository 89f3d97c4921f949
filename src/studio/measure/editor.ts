import { history, historyKeymap, standardKeymap } from '@codemirror/commands';
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { type Diagnostic, lintGutter, setDiagnostics } from '@codemirror/lint';
import { EditorState } from '@codemirror/state';
import {
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
} from '@codemirror/view';
import { tags } from '@lezer/highlight';
import type { Message } from './protocol.ts';
import { wgsl } from './wgsl-language.ts';

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--c3)' },
  { tag: tags.typeName, color: 'var(--c6)' },
  { tag: [tags.number], color: 'var(--c1)' },
  { tag: tags.attributeName, color: 'var(--c4)' },
  { tag: tags.comment, color: 'var(--quiet)', fontStyle: 'italic' },
]);

const looks = EditorView.theme({
  '&': { height: '100%', backgroundColor: 'var(--paper)', color: 'var(--ink)', fontSize: '13px' },
  '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '-2px' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.45' },
  '.cm-gutters': {
    backgroundColor: 'var(--tint)',
    color: 'var(--quiet)',
    borderRight: '1px solid var(--rule)',
  },
  '.cm-activeLine, .cm-activeLineGutter': {
    backgroundColor: 'color-mix(in srgb, var(--accent) 10%, transparent)',
  },
  '.cm-content': { caretColor: 'var(--ink)' },
  '.cm-tooltip': { backgroundColor: 'var(--paper)', color: 'var(--ink)', border: '1px solid var(--rule)' },
});

/** Lines of `text` that are not those of `original`, added, changed or taken out: what a longest common subsequence leaves. */
export function changedLines(original: string, text: string): number {
  const trim = (a: string[], b: string[]) => {
    while (a.length > 0 && b.length > 0 && a.at(-1) === b.at(-1)) {
      a.pop();
      b.pop();
    }
  };
  const [a, b] = [original.split('\n').reverse(), text.split('\n').reverse()];
  trim(a, b);
  a.reverse();
  b.reverse();
  trim(a, b);
  let before = new Array<number>(b.length + 1).fill(0);
  for (const line of a) {
    const row = [0];
    for (const [j, other] of b.entries())
      row.push(line === other ? before[j] + 1 : Math.max(before[j + 1], row[j]));
    before = row;
  }
  return Math.max(a.length, b.length) - before[b.length];
}

/** A text of WGSL. It lives in a shadow tree, where its rules for looks need no inline style. */
export class Editor {
  readonly element: HTMLDivElement;
  readonly #view: EditorView;
  readonly #extensions;

  constructor(run: () => void, changed: () => void) {
    this.element = document.createElement('div');
    this.element.className = 'editor';
    const root = this.element.attachShadow({ mode: 'open' });
    this.#extensions = [
      lineNumbers(),
      lintGutter(),
      history(),
      highlightActiveLine(),
      highlightActiveLineGutter(),
      wgsl,
      syntaxHighlighting(colours),
      looks,
      // Tab is not taken: it leaves the editor, as it leaves every control.
      keymap.of([
        {
          key: 'Mod-Enter',
          run: () => {
            run();
            return true;
          },
        },
        ...standardKeymap,
        ...historyKeymap,
      ]),
      EditorView.updateListener.of(({ docChanged }) => {
        if (docChanged) changed();
      }),
    ];
    this.#view = new EditorView({ root, parent: root });
  }

  get text(): string {
    return this.#view.state.doc.toString();
  }

  /** Another text, with a history of its own. */
  show(label: string, text: string): void {
    const named = EditorView.contentAttributes.of({ 'aria-label': label });
    this.#view.setState(EditorState.create({ doc: text, extensions: [...this.#extensions, named] }));
  }

  /** Replaces the text; undo brings it back. */
  replace(text: string): void {
    this.#view.dispatch({ changes: { from: 0, to: this.#view.state.doc.length, insert: text } });
  }

  mark(messages: readonly Message[]): void {
    const { doc } = this.#view.state;
    const diagnostics = messages.map(({ type, line, column, length, text }): Diagnostic => {
      const at = doc.line(Math.min(Math.max(1, line), doc.lines));
      const from = Math.min(at.from + Math.max(0, column - 1), at.to);
      return { from, to: Math.min(Math.max(from + length, from), doc.length), severity: type, message: text };
    });
    this.#view.dispatch(setDiagnostics(this.#view.state, diagnostics));
  }

  /** Puts the cursor there and the text into view. */
  goTo(line: number, column: number): void {
    const { doc } = this.#view.state;
    const at = doc.line(Math.min(Math.max(1, line), doc.lines));
    const anchor = Math.min(at.from + Math.max(0, column - 1), at.to);
    this.#view.dispatch({
      selection: { anchor },
      effects: EditorView.scrollIntoView(anchor, { y: 'center' }),
    });
    this.#view.focus();
  }
}
