// What the next run shall be made of.
import { aboutRecipe, RECIPES } from '../../cli/recipe-names.ts';
import { parseSpec, READERS, streetVariants } from '../../data/spec.ts';
import { type PresetName, presets } from '../../train/config.ts';
import { button, choice, field, h } from '../dom.ts';
import { chosenFolder, readerOf } from './folders.ts';
import { shortLook, sourceOf, wholeRun, withDomains } from './link.ts';
import type { ChosenFolder, RunRequest } from './protocol.ts';
import { settingsList } from './settings.ts';

const PRESET_NOTES: Record<PresetName, string> = {
  tiny: 'small networks and images: minutes on two processor cores',
  small: 'for any GPU: an hour or so',
  resnet18: 'the networks and schedules of the papers: days',
};

const STREETS: readonly (readonly [string, string])[] = [
  ['street', 'Street world, built in'],
  ...streetVariants.map((variant) => [`street:${variant}`, `Street world: ${variant}`] as const),
];

const OTHER_FOLDER = 'choose';

export class RunForm {
  readonly root: HTMLElement;
  /** Folders that were chosen here, by name. */
  readonly #folders = new Map<string, ChosenFolder>();
  readonly #onChange: () => void;
  readonly #error = h('p', { class: 'form-error', role: 'alert', hidden: true });
  readonly #recipe: HTMLSelectElement;
  readonly #summary = h('p', { class: 'note' });
  readonly #preset: HTMLSelectElement;
  readonly #presetNote = h('p', { class: 'note' });
  readonly #data = h('select', {});
  readonly #reader: HTMLSelectElement;
  readonly #readerField: HTMLElement;
  readonly #folderNote = h('p', { class: 'note' });
  readonly #labels = h('input', { type: 'number', min: 0, step: 1 });
  readonly #seed = h('input', { type: 'number', min: 0, step: 1 });
  readonly #steps = h('input', { type: 'number', min: 1, step: 1 });
  readonly #set = h('textarea', {});
  readonly #list = h('details', { class: 'settings' }, h('summary', {}, 'All other settings'));
  readonly #picker = h('input', { type: 'file', 'aria-label': 'Folder of images', hidden: true });
  #spec = 'street';

  /** @param onChange after each change that the user makes */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
    const changed = () => this.#changed();
    this.#recipe = choice(Object.keys(RECIPES), '', () => this.#change(withDomains));
    this.#preset = choice(Object.keys(presets), '', changed);
    this.#reader = choice(READERS, 'folder', (reader) => {
      this.#spec = `${reader}:${parseSpec(this.#spec).rest}`;
      changed();
    });
    this.#readerField = field('Read as', this.#reader, 'The layout of the folder (docs/data.md)');
    this.#data.addEventListener('change', () => {
      if (this.#data.value === OTHER_FOLDER) this.#pick();
      else this.#spec = this.#data.value;
      changed();
    });
    this.#picker.webkitdirectory = true;
    this.#picker.addEventListener('change', () => {
      const folder = chosenFolder(this.#picker.files ?? []);
      if (folder) this.take(folder);
      else this.error('This folder has no files in it. Choose one with images.');
      this.#picker.value = '';
    });
    this.#labels.placeholder = 'all';
    this.#set.rows = 3;
    this.#set.placeholder = 'method.mix=classmix\ndepth.lr=1e-3';
    this.#set.spellcheck = false;
    this.#set.className = 'mono';
    for (const input of [this.#labels, this.#seed, this.#steps, this.#set])
      input.addEventListener('input', changed);
    this.#list.addEventListener('toggle', () => this.#putList());
    this.root = h(
      'form',
      { class: 'run-form', 'aria-label': 'Run' },
      h('h2', {}, 'Run'),
      field('Recipe', this.#recipe),
      this.#summary,
      field('Data', this.#data),
      this.#picker,
      this.#readerField,
      h(
        'p',
        { class: 'note' },
        button('Choose a folder …', () => this.#pick(), { class: 'link' }),
        ' or drop one anywhere here. It stays on this machine.',
      ),
      this.#folderNote,
      h(
        'div',
        { class: 'pair' },
        field('Preset', this.#preset),
        field('Seed', this.#seed, 'Of start values, order and augmentation'),
        field('Labelled images', this.#labels, 'The rest trains without labels; empty: all are labelled'),
        field('Steps', this.#steps, 'Of the last phase; empty: as the preset has it'),
      ),
      this.#presetNote,
      h(
        'p',
        { class: 'lengths' },
        button('Short look', () => this.#change(shortLook), {
          title: 'A few steps of every phase: a minute or two on a software adapter, seconds on a GPU',
        }),
        button('The whole run', () => this.#change(wholeRun), {
          title: 'Every phase as long as the preset has it',
        }),
      ),
      h(
        'p',
        { class: 'note' },
        'A short look takes a minute or two on a software adapter and shows each phase; it is too short to learn much.',
      ),
      field('Further settings, one a line', this.#set),
      this.#list,
      this.#error,
    );
    this.root.addEventListener('submit', (event) => event.preventDefault());
  }

  get request(): RunRequest {
    // What is no number has an empty value too; as NaN it is refused, and not taken for a field left open.
    const whole = (input: HTMLInputElement) =>
      input.value === '' && !input.validity.badInput ? null : input.valueAsNumber;
    return {
      recipe: this.#recipe.value,
      preset: this.#preset.value as PresetName,
      data: this.#spec,
      labels: whole(this.#labels),
      seed: whole(this.#seed) ?? 0,
      steps: whole(this.#steps),
      set: this.#set.value
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== ''),
    };
  }

  get folders(): ChosenFolder[] {
    return [...this.#folders.values()];
  }

  /** Shows what a run is made of. */
  put(request: RunRequest): void {
    const text = (value: number | null) => (value === null ? '' : String(value));
    this.#recipe.value = request.recipe;
    this.#preset.value = request.preset;
    this.#spec = request.data;
    this.#labels.value = text(request.labels);
    this.#seed.value = text(request.seed);
    this.#steps.value = text(request.steps);
    this.#set.value = request.set.join('\n');
    this.error(null);
    this.#putNotes();
  }

  /** Takes a folder that was chosen or dropped as the data. */
  take(folder: ChosenFolder): void {
    this.#folders.set(folder.name, folder);
    this.#spec = `${readerOf(folder) ?? 'folder'}:${folder.name}`;
    this.#changed();
  }

  /** What was wrong with the settings, beside them. */
  error(text: string | null): void {
    this.#error.hidden = text === null;
    this.#error.textContent = text ?? '';
  }

  #change(change: (request: RunRequest) => RunRequest): void {
    this.put(change(this.request));
    this.#changed();
  }

  #changed(): void {
    this.error(null);
    this.#putNotes();
    this.#onChange();
  }

  #pick(): void {
    this.#picker.click();
  }

  #putNotes(): void {
    const recipe = aboutRecipe(this.#recipe.value);
    const preset = this.#preset.value as PresetName;
    const source = sourceOf(this.request);
    this.#summary.textContent =
      source === null ? recipe.summary : `${recipe.summary}. Source: ${source}. Target: the data below.`;
    this.#presetNote.textContent = `${preset}: ${PRESET_NOTES[preset]}.`;
    this.#steps.placeholder = String(presets[preset][recipe.main].steps);
    this.#putData();
    this.#putList();
  }

  #putData(): void {
    const { reader, rest } = parseSpec(this.#spec);
    const known: (readonly [string, string])[] = [...STREETS];
    for (const { name, files } of this.#folders.values()) {
      if (name !== rest) known.push([`${readerOf({ name, files }) ?? 'folder'}:${name}`, `Folder ${name}`]);
    }
    if (!known.some(([spec]) => spec === this.#spec)) known.push([this.#spec, `Folder ${rest}`]);
    known.push([OTHER_FOLDER, 'A folder …']);
    this.#data.replaceChildren(
      ...known.map(([spec, text]) => new Option(text, spec, spec === this.#spec, spec === this.#spec)),
    );
    const isFolder = reader !== 'street';
    this.#readerField.hidden = !isFolder;
    const chosen = this.#folders.get(rest);
    if (isFolder) this.#reader.value = reader;
    this.#folderNote.hidden = !isFolder;
    this.#folderNote.textContent = chosen
      ? `${rest}: ${chosen.files.length} file${chosen.files.length === 1 ? '' : 's'}.`
      : `This run reads a folder named '${rest}'. Choose it here: a link cannot hold its files.`;
  }

  #putList(): void {
    if (!this.#list.open) return;
    const list = settingsList(this.#preset.value as PresetName, (line) => {
      this.#set.value = `${this.#set.value.trimEnd()}\n${line}`.trimStart();
      this.#set.focus();
      this.#changed();
    });
    this.#list.replaceChildren(this.#list.firstElementChild!, list);
  }
}
