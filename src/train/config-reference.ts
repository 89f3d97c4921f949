// docs/config.md, made from the schema and the presets.
import * as z from 'zod/mini';
import { presets, schema } from './config.ts';

/** What is used here of the JSON schema that zod makes. */
interface Json {
  type?: string | string[];
  description?: string;
  enum?: string[];
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  properties?: Record<string, Json>;
  items?: Json;
  prefixItems?: Json[];
  anyOf?: Json[];
}

/** Zod bounds whole numbers by what a double holds exactly, which says nothing. */
const isBound = (value: number | undefined): value is number =>
  value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER;

function range({ minimum, exclusiveMinimum, maximum }: Json): string {
  if (isBound(minimum) && isBound(maximum)) return `, ${minimum} to ${maximum}`;
  if (isBound(minimum)) return `, at least ${minimum}`;
  return isBound(exclusiveMinimum) ? `, more than ${exclusiveMinimum}` : '';
}

function simpleText(type: string, json: Json): string {
  if (type === 'integer') return `whole number${range(json)}`;
  if (type === 'number') return `number${range(json)}`;
  return { string: 'text', boolean: '`true`, `false`', null: '`null`' }[type] ?? type;
}

/** A type as a reader of the table needs it. */
function typeText(json: Json): string {
  const { anyOf, prefixItems, items } = json;
  if (anyOf) return anyOf.map(typeText).join(' or ');
  if (json.enum) return json.enum.map((value) => `\`${value}\``).join(', ');
  if (prefixItems) return `${prefixItems.length} of: ${typeText(prefixItems[0])}`;
  if (items) return `list of: ${typeText(items)}`;
  return [json.type ?? []]
    .flat()
    .map((type) => simpleText(type, json))
    .join(' or ');
}

type Tree = { readonly [key: string]: unknown };
const columns = Object.values(presets);

/** One row for each setting below `path`. */
function rows(json: Json, path: readonly string[]): string[] {
  return Object.entries(json.properties ?? {}).flatMap(([name, one]) => {
    const at = [...path, name];
    if (one.properties) return rows(one, at);
    const values = columns.map((preset) => {
      const value = at.reduce<unknown>((tree, key) => (tree as Tree)[key], preset);
      return JSON.stringify(value).replaceAll('"', '').replaceAll(',', ', ');
    });
    return [`| \`${at.join('.')}\` | ${one.description} | ${typeText(one)} | ${values.join(' | ')} |`];
  });
}

/** The reference of all settings, as Markdown. */
export function configReference(): string {
  const names = Object.keys(presets);
  return `# Settings

Every setting of \`warpmix train\`, with its value in each preset. Written by \`scripts/config-reference.ts\` from the schema in
\`src/train/config.ts\`: change it there.

Later ones win: \`--preset NAME\`, \`--config FILE\` (JSON, any part of what is below), options such as \`--labels\`, then
\`--set NAME=VALUE\`, which may be repeated. A VALUE is JSON where it is JSON, and text otherwise: \`--set depth.lr=1e-4\`,
\`--set "model.scales=[0,1]"\`, \`--set method.mix=classmix\`. \`--print-config\` prints the result and ends. An unknown name is refused
with the nearest one, a wrong value with what was expected; the exit code is 2.

| setting | meaning | values | ${names.map((name) => `\`${name}\``).join(' | ')} |
| --- | --- | --- | ${names.map(() => '---').join(' | ')} |
${rows(z.toJSONSchema(schema) as Json, []).join('\n')}
`;
}
