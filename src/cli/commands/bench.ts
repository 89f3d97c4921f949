import { type ArgsDef, defineCommand } from 'citty';
import { growthTable } from '../../../bench/growth.ts';
import { kernelTable } from '../../../bench/kernels.ts';
import { measureLimits } from '../../../bench/limits.ts';
import type { Row } from '../../../bench/measure.ts';
import { peerTable, peerVersions } from '../../../bench/peers.ts';
import { stepTable } from '../../../bench/step.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { type PresetName, presets } from '../../train/config.ts';
import { benchText } from '../bench-text.ts';
import { withGpu } from '../device.ts';
import { ladderTable } from '../ladder.ts';
import { note, outColors, print, printJson } from '../output.ts';
import { presetNamed } from '../recipes.ts';
import { didYouMean, UsageError } from '../usage.ts';

type Measure = (gpu: Gpu, preset: PresetName, chosen: (name: string) => boolean) => Promise<Row[]>;

/** Last what needs packages that may not be installed. */
const tables: Record<string, Measure> = {
  limits: async (gpu, _, chosen) => (await measureLimits(gpu)).rows.filter((row) => chosen(row.case)),
  kernels: kernelTable,
  ladder: ladderTable,
  step: stepTable,
  growth: growthTable,
  peers: (gpu, _, chosen) => peerTable(gpu, chosen),
};
const names = Object.keys(tables);

const args = {
  table: {
    type: 'positional',
    required: false,
    description: `${names.join(', ')} (default: all of them in turn)`,
  },
  name: { type: 'positional', required: false, description: 'only cases with this text in their name' },
  preset: {
    type: 'string',
    default: 'tiny',
    valueHint: 'NAME',
    description: `networks of kernels, ladder, step and growth: ${Object.keys(presets).join(', ')}`,
  },
  json: { type: 'boolean', description: 'one JSON object per table on stdout' },
} as const satisfies ArgsDef;

export const bench = defineCommand({
  meta: {
    description: 'timed tables: limits of the adapter, kernels, training steps, growth, other frameworks',
  },
  args,
  async run({ args, rawArgs }) {
    if (args.table !== undefined && !Object.hasOwn(tables, args.table)) {
      throw new UsageError(
        `bench: unknown table '${args.table}'${didYouMean(args.table, names)}; tables: ${names.join(', ')}`,
      );
    }
    const preset = presetNamed(args.preset);
    const text = args.name?.toLowerCase() ?? '';
    const chosen = (name: string) => name.toLowerCase().includes(text);
    for (const table of args.table === undefined ? names : [args.table]) {
      const rows = await withGpu(async (gpu) => {
        const { vendor, architecture, description, software } = gpu.adapter;
        const found = await tables[table](gpu, preset, chosen);
        const head = {
          table,
          adapter: [vendor, architecture, description].filter(Boolean).join(' '),
          software,
          date: new Date().toISOString(),
          command: `npx warpmix bench ${rawArgs.join(' ')}`.trim(),
          ...(table === 'peers' ? { versions: peerVersions } : {}),
        };
        if (args.json) printJson({ ...head, rows: found });
        else {
          const kind = software ? 'software adapter' : 'GPU';
          print(outColors.bold(`${table}, ${head.adapter} (${kind}), ${head.date}`));
          if ('versions' in head)
            print(
              outColors.dim(
                Object.entries(head.versions!)
                  .map((pair) => pair.join(' '))
                  .join(', '),
              ),
            );
          print(benchText(found));
          print();
        }
        return found;
      });
      if (rows.length === 0) note(`${table}: no case has '${args.name}' in its name`);
    }
  },
});
