import { h } from '../dom.ts';
import { droppedEntry, fileOf, folderOf, hasFiles } from './folders.ts';
import type { ChosenFolder } from './protocol.ts';

interface Taker {
  folder(folder: ChosenFolder): void;
  file(file: File): void;
  failed(error: unknown): void;
}

/** Takes what is dropped anywhere on the page while `root` is seen, and shows meanwhile that it would. */
export function wireDrop(root: HTMLElement, taker: Taker): void {
  const target = h(
    'div',
    { class: 'drop-target', 'aria-hidden': 'true', hidden: true },
    h('p', {}, 'Drop a folder of images, a pack, or a checkpoint (.zip)'),
  );
  root.append(target);
  const concerns = (event: DragEvent) => !root.hidden && hasFiles(event);
  document.addEventListener('dragover', (event) => {
    // A browser leaves the page for a file that nobody takes.
    if (hasFiles(event)) event.preventDefault();
    if (!concerns(event)) return;
    target.hidden = false;
  });
  document.addEventListener('dragleave', (event) => {
    // Left the window, and not an element for the next.
    if (event.relatedTarget === null) target.hidden = true;
  });
  document.addEventListener('drop', (event) => {
    target.hidden = true;
    if (hasFiles(event)) event.preventDefault();
    if (!concerns(event)) return;
    const entry = droppedEntry(event);
    if (!entry) return;
    if (entry.isDirectory) folderOf(entry).then(taker.folder, taker.failed);
    else fileOf(entry).then(taker.file, taker.failed);
  });
}
