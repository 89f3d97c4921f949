// Every setting there is, for whoever wants to change one.
import * as z from 'zod';
import { type PresetName, presets, schema } from '../../train/config.ts';
import { h } from '../dom.ts';

type Tree = { readonly [key: string]: unknown };

/** What is used here of the JSON schema that zod makes. */
interface Json {
  description?: string;
  properties?: Record<string, Json>;
}

function rows(json: Json, value: unknown, path: string): [name: string, value: string, meaning: string][] {
  return Object.entries(json.properties ?? {}).flatMap(([key, one]) => {
    const inner = (value as Tree)[key];
    const name = path + key;
    return one.properties
      ? rows(one, inner, `${name}.`)
      : [[name, JSON.stringify(inner), one.description ?? '']];
  });
}

/** Settings that have a control of their own, and those that name files on a disk. */
const LEFT_OUT = /^(data|labels|seed|depth\.from|weights\..*)$/;

/** The list of other settings, with their values in a preset. @param onPick with the line of one that was chosen */
export function settingsList(preset: PresetName, onPick: (line: string) => void): HTMLElement {
  const all = rows(z.toJSONSchema(schema) as Json, presets[preset], '');
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
