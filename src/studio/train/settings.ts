// Every setting there is, for whoever wants to change one.
import * as z from 'zod/mini';
import { type PresetName, presets, schema } from '../../train/config.ts';
import { h } from '../dom.ts';

type Tree = { readonly [key: string]: unknown };

function rows(
  at: z.core.$ZodType,
  value: unknown,
  path: string,
): [name: string, value: string, meaning: string][] {
  return at instanceof z.ZodMiniObject
    ? Object.entries(at.shape as Record<string, z.core.$ZodType>).flatMap(([key, one]) =>
        rows(one, (value as Tree)[key], path ? `${path}.${key}` : key),
      )
    : [[path, JSON.stringify(value), z.globalRegistry.get(at)?.description ?? '']];
}

/** Settings that have a control of their own, and those that name files on a disk. */
const LEFT_OUT = /^(data|labels|seed|depth\.from|weights\..*)$/;

/** The list of other settings, with their values in a preset. @param onPick with the line of one that was chosen */
export function settingsList(preset: PresetName, onPick: (line: string) => void): HTMLElement {
  const all = rows(schema, presets[preset], '');
  const entries = all
    .filter(([name]) => !LEFT_OUT.test(name))
    .flatMap(([name, value, meaning]) => {
      const line = `${name}=${value}`;
      const pick = h(
        'button',
        { type: 'button', class: 'quiet mono', title: 'Put into the box above' },
        line,
      );
      pick.addEventListener('click', () => onPick(line));
      return [h('dt', {}, pick), h('dd', { class: 'note' }, meaning)];
    });
  return h('dl', { class: 'settings-list' }, ...entries);
}
