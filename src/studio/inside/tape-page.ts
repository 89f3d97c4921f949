// "The tape of a training step": one step of a recipe, recorded in a worker, folded by module.
import type { PresetName } from '../../train/config.ts';
import { opsOf, type TapeOp } from '../../train/tape-tree.ts';
import { putInAddress, readAddress } from '../address.ts';
import { button, choice, field, h } from '../dom.ts';
import { notice, report } from '../notices.ts';
import { Remote } from '../rpc.ts';
import type { Section } from '../section.ts';
import type { InsideApi } from './api.ts';
import { countText } from './tape-format.ts';
import type { RecordedTape } from './tape-gpu.ts';
import { PASSES, type Pass, TapeGrid } from './tape-grid.ts';
import { opPanel, stepPanel } from './tape-panel.ts';
import { outputPicture } from './tape-picture.ts';

const RECIPES = ['supervised', 'depth', 'three-ways'] as const;
type Recipe = (typeof RECIPES)[number];
const PRESETS: Record<PresetName, string> = {
  tiny: 'tiny: any machine',
  small: 'small: any GPU, else minutes',
  resnet18: 'resnet18: a large GPU, else many minutes',
};

const presetNames = Object.keys(PRESETS) as PresetName[];

interface Shown {
  recipe: Recipe;
  preset: PresetName;
  tape: RecordedTape;
  grid: TapeGrid;
  ops: ReadonlyMap<number, TapeOp>;
  worker: Remote<InsideApi, Record<string, never>>;
}

/** One of `known`, or `otherwise` with a note where the address says something else. */
function oneOf<T extends string>(
  what: string,
  wanted: string | undefined,
  known: readonly T[],
  otherwise: T = known[0],
): T {
  if (wanted === undefined) return otherwise;
  if (known.includes(wanted as T)) return wanted as T;
  notice('warning', `the address names the ${what} '${wanted}'; the tape has ${known.join(', ')}.`);
  return otherwise;
}

export async function mountTape(root: HTMLElement): Promise<Section> {
  const { values } = readAddress(location.hash);
  let recipe = oneOf('recipe', values.step, RECIPES);
  let preset = oneOf('preset', values.tape, presetNames);
  let pass = oneOf('pass', values.pass, PASSES);
  let chosen = values.op === undefined ? null : Number(values.op);
  let worker: Shown['worker'] | null = null;
  let recording = false;
  let shown: Shown | null = null;

  const recipeChoice = choice(RECIPES, recipe, (value) => {
    recipe = value as Recipe;
  });
  const presetChoice = choice(Object.entries(PRESETS), preset, (value) => {
    preset = value as PresetName;
  });
  const start = button('Record a step', () => (recording ? stop() : anew()), { class: 'primary' });
  const passChoices = PASSES.map((name) => {
    const input = h('input', { type: 'radio', name: 'tape-pass', value: name });
    input.addEventListener('change', () => {
      putPass(name);
      tell();
    });
    return input;
  });
  const passes = h(
    'fieldset',
    { class: 'tape-passes', role: 'radiogroup', 'aria-label': 'Columns' },
    ...passChoices.map((input) => h('label', {}, input, input.value)),
  );
  const status = h('p', { class: 'note', role: 'status' });
  const scroll = h('div', { class: 'tape-scroll' });
  const panel = h('section', { class: 'tape-panel', 'aria-label': 'Details', tabindex: 0 });
  const split = h('div', { class: 'tape-split', hidden: true }, scroll, panel);
  split.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape' && chosen !== null) close();
  });
  root.replaceChildren(
    h(
      'div',
      { class: 'toolbar' },
      field('Recipe', recipeChoice),
      field('Preset', presetChoice),
      start,
      passes,
    ),
    status,
    split,
  );

  function putPass(name: Pass): void {
    pass = name;
    for (const input of passChoices) input.checked = input.value === name;
    if (shown) shown.grid.pass = name;
  }

  function tell(): void {
    // A step that is done while another view is shown leaves that view's address alone.
    if (!root.checkVisibility()) return;
    putInAddress({
      view: 'tape',
      // Names of their own: `recipe` and `preset` are of the run, `sizes` of the kernels measured in other sections.
      step: shown?.recipe ?? recipe,
      tape: shown?.preset ?? preset,
      pass: pass === 'both' ? undefined : pass,
      op: chosen === null ? undefined : String(chosen),
    });
  }

  /** By the user's hand: an op of another tape is not looked for in this one. */
  function anew(): void {
    if (recipe !== shown?.recipe || preset !== shown.preset) chosen = null;
    record();
  }

  async function record(): Promise<void> {
    const [ofRecipe, ofPreset] = [recipe, preset];
    recording = true;
    start.textContent = 'Stop';
    status.textContent = `Recording a step of '${ofRecipe}', ${ofPreset}. The first one also compiles its kernels …`;
    // One of its own, which ends when the recording is stopped.
    worker ??= new Remote('inside', () => {});
    const mine = worker;
    try {
      const tape = await mine.call('record', ofRecipe, ofPreset);
      if (mine === worker) show(ofRecipe, ofPreset, tape, mine);
    } catch (error) {
      if (mine !== worker) return; // stopped
      // A device that is lost, or out of memory, is of no more use.
      mine.terminate();
      worker = null;
      status.textContent = `Not recorded: ${(error as Error).message}`;
      report(error, { 'Record again': record });
    } finally {
      if (mine === worker || worker === null) ready();
    }
  }

  function ready(): void {
    recording = false;
    start.textContent = 'Record a step';
  }

  function stop(): void {
    const ended = worker;
    worker = null;
    ended?.terminate();
    ready();
    status.textContent = 'Stopped before the step was recorded.';
  }

  function show(ofRecipe: Recipe, ofPreset: PresetName, tape: RecordedTape, of: Shown['worker']): void {
    const all = tape.stages.flatMap(opsOf);
    const grid = new TapeGrid(tape, ({ id }) => choose(id));
    grid.pass = pass;
    shown = {
      recipe: ofRecipe,
      preset: ofPreset,
      tape,
      grid,
      ops: new Map(all.map((op) => [op.id, op])),
      worker: of,
    };
    const launches = all.reduce((sum, { forward, backward }) => sum + forward.length + backward.length, 0);
    status.textContent =
      `The first step from start values: ${countText(all.length, 'op')}, ${launches} launches` +
      `${tape.timed ? '' : '; no timestamps here, so no times'}.`;
    split.hidden = false;
    scroll.replaceChildren(grid.element);
    choose(chosen);
  }

  function choose(id: number | null): void {
    if (!shown) return;
    const { tape, grid, ops, worker: of } = shown;
    const op = grid.select(id);
    if (id !== null && !op) notice('warning', `the address names op ${id}; this tape has 1 to ${ops.size}.`);
    chosen = op?.id ?? null;
    panel.replaceChildren(
      ...(op
        ? opPanel(op, ops, tape, {
            jump: choose,
            close,
            picture: (one) => outputPicture(one, (channel) => of.call('picture', one.id, channel)),
          })
        : stepPanel(tape, tape.about, tape.software)),
    );
    panel.scrollTop = 0;
    tell();
  }

  function close(): void {
    choose(null);
    shown?.grid.focus();
  }

  putPass(pass);
  record();
  return {
    shown() {
      const now = readAddress(location.hash).values;
      const at = shown ?? { recipe, preset };
      const wanted = {
        recipe: oneOf('recipe', now.step, RECIPES, at.recipe),
        preset: oneOf('preset', now.tape, presetNames, at.preset),
      };
      putPass(oneOf('pass', now.pass, PASSES, pass));
      const other = wanted.recipe !== at.recipe || wanted.preset !== at.preset;
      if (now.op !== undefined) chosen = Number(now.op);
      else if (other) chosen = null;
      if (other) {
        ({ recipe, preset } = wanted);
        recipeChoice.value = recipe;
        presetChoice.value = preset;
        if (recording) stop();
        record();
      } else choose(chosen);
    },
  };
}
