// What leaves and enters the page: the link, the command, the settings and the run as a file.
import { button, h } from '../dom.ts';
import type { Prepared } from './protocol.ts';

/** Has the browser save a file. */
export function download(name: string, content: Uint8Array | string, type: string): void {
  const url = URL.createObjectURL(new Blob([content as BlobPart], { type }));
  const link = h('a', { href: url, download: name });
  link.click();
  // The download has begun when this task is over.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** A button that puts a text on the clipboard and says whether it did. */
function copyButton(text: string, what: () => string): HTMLButtonElement {
  const made = button(text, () => {
    navigator.clipboard.writeText(what()).then(
      () => say('Copied'),
      () => say('Not allowed here'),
    );
  });
  const say = (said: string) => {
    made.textContent = said;
    setTimeout(() => {
      made.textContent = text;
    }, 1500);
  };
  made.setAttribute('aria-live', 'polite');
  return made;
}

export class Files {
  readonly root: HTMLElement;
  readonly #command = h('code', {});
  readonly #commandRow: HTMLElement;
  readonly #checkpoint: HTMLButtonElement;
  readonly #config: HTMLButtonElement;
  #run: Prepared | null = null;

  constructor(onDownload: () => void, onUpload: (file: File) => void) {
    const input = h('input', { type: 'file', 'aria-label': 'Checkpoint file', hidden: true });
    input.accept = '.zip';
    input.addEventListener('change', () => {
      const file = input.files?.[0];
      if (file) onUpload(file);
      input.value = '';
    });
    this.#checkpoint = button('Download checkpoint', onDownload, { disabled: true });
    this.#config = button(
      'Download settings',
      () =>
        download(
          `warpmix-${this.#run!.request.recipe}.json`,
          `${JSON.stringify(this.#run!.config, null, 2)}\n`,
          'application/json',
        ),
      { disabled: true, title: 'The whole configuration, for npx warpmix train RECIPE --config FILE' },
    );
    this.#commandRow = h(
      'div',
      { class: 'command', hidden: true },
      h('span', { class: 'note' }, 'In a terminal:'),
      this.#command,
      copyButton('Copy command', () => this.#run!.command),
    );
    this.root = h(
      'section',
      { class: 'files', 'aria-label': 'Files and link' },
      h(
        'div',
        { class: 'buttons' },
        copyButton('Copy link', () => location.href),
        this.#config,
        this.#checkpoint,
        button('Load checkpoint …', () => input.click()),
        input,
        h(
          'span',
          { class: 'note' },
          'The link holds these settings. A checkpoint goes on in Node, too: ',
          h('code', {}, 'npx warpmix train --resume FILE.zip'),
        ),
      ),
      this.#commandRow,
    );
  }

  put(run: Prepared | null, mayDownload: boolean): void {
    this.#run = run;
    this.#config.disabled = run === null;
    this.#checkpoint.disabled = !mayDownload;
    this.#commandRow.hidden = run === null;
    this.#command.textContent = run?.command ?? '';
  }
}
