import { type ArgsDef, defineCommand } from 'citty';
import { growthTable } from '../../../bench/growth.ts';
import { kernelTable } from '../../../bench/kernels.ts';
import { measureLimits } from '../../../bench/limits.ts';
import type { Row } from '../../../bench/measure.ts';
import { peerTable, peerVersions } from '../../../bench/peers.ts';
import { pytorchTable } from '../../../bench/pytorch.ts';
import { stepTable } from '../../../bench/step.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { type PresetName, presets } from '../../train/config.ts';
import { benchText } from '../bench-text.ts';
import { withGpu } from '../device.ts';
import { ladderTable } from '../ladder.ts';
import { outColors, print, printJson } from '../output.ts';
import { presetNamed } from '../recipe-names.ts';
import { didYouMean, UsageError } from '../usage.ts';

/** With the versions of what is compared with, where there is any. */
type Measured = Row[] | { rows: Row[]; versions: Record<string, string> };
type Measure = (gpu: Gpu, preset: PresetName, chosen: (name: string) => boolean) => Promise<Measured>;

/** Last what needs packages that may not be installed. */
const tables: Record<string, Measure> = {
  limits: async (gpu, _, chosen) => (await measureLimits(gpu)).rows.filter((row) => chosen(row.case)),
  kernels: kernelTable,
  ladder: ladderTable,
  step: stepTable,
  growth: growthTable,
  peers: async (gpu, _, chosen) => ({ rows: await peerTable(gpu, chosen), versions: peerVersions }),
  pytorch: (gpu, _, chosen) => pytorchTable(gpu, chosen),
};
const names = Object.keys(tables);
/** Only what comes with warpmix or `npm ci`. */
const byDefault = names.filter((name) => name !== 'pytorch');

const args = {
  table: {
    type: 'positional',
    required: false,
    description: `${names.join(', ')} (default: all but the last, in turn)`,
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
    for (const table of args.table === undefined ? byDefault : [args.table]) {
      const rows = await withGpu(async (gpu) => {
        const { vendor, architecture, description, software } = gpu.adapter;
        const measured = await tables[table](gpu, preset, chosen);
        const { rows: found, versions } = Array.isArray(measured)
          ? { rows: measured, versions: undefined }
          : measured;
        const head = {
          table,
          adapter: [vendor, architecture, description].filter(Boolean).join(' '),
          software,
          date: new Date().toISOString(),
          command: `npx warpmix bench ${rawArgs.join(' ')}`.trim(),
          ...(versions && { versions }),
        };
        if (args.json) printJson({ ...head, rows: found });
        else {
          const kind = software ? 'software adapter' : 'GPU';
          print(outColors.bold(`${table}, ${head.adapter} (${kind}), ${head.date}`));
          if (versions) {
            const list = Object.entries(versions).map((pair) => pair.join(' '));
            print(outColors.dim(list.join(', ')));
          }
          print(benchText(found));
          print();
        }
        return found;
      });
      if (rows.length === 0) throw new UsageError(`bench ${table}: no case has '${args.name}' in its name`);
    }
  },
});
