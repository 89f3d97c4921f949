import { type ArgsDef, defineCommand } from 'citty';
import { type PresetName, presets } from '../../train/config.ts';
import { withGpu } from '../device.ts';
import { kernelList } from '../kernel-list.ts';
import { endProgress, note, outColors, print, printJson, progress, table } from '../output.ts';
import { type Tuned, tuneKernels } from '../tune.ts';
import { didYouMean, UsageError } from '../usage.ts';
import { cachePath, type Measurement, readMeasurements, writeMeasurements } from '../variants.ts';

const args = {
  name: { type: 'positional', required: false, description: 'only this kernel (default: all of them)' },
  preset: {
    type: 'string',
    default: 'tiny',
    valueHint: 'NAME',
    description: `whose training steps give sizes and inputs: ${Object.keys(presets).join(', ')}`,
  },
  json: { type: 'boolean', description: 'one JSON object on stdout' },
} as const satisfies ArgsDef;

const keyOf = ({ kernel, params }: Pick<Measurement, 'kernel' | 'params'>) =>
  `${kernel} ${JSON.stringify(params)}`;

function printTuned(all: readonly Tuned[]): void {
  const { bold } = outColors;
  const sum = (of: (one: Tuned) => number) => all.reduce((total, one) => total + of(one), 0);
  const row = (name: string, launches: number, other: number, rule: number, best: number) => [
    name,
    launches,
    other,
    rule.toFixed(2),
    best.toFixed(2),
    (best / rule).toFixed(2),
  ];
  const rows = all
    .toSorted((a, b) => b.ruleMs - b.bestMs - (a.ruleMs - a.bestMs))
    .map((one) => row(one.kernel, one.measurements.length, one.changed, one.ruleMs, one.bestMs));
  print(
    bold('milliseconds of one step of each kind, added: by the rule, and by the variants measured fastest'),
  );
  print(
    table([
      ['kernel', 'sizes', 'other than the rule', 'rule', 'measured', 'ratio'],
      ...rows,
      row(
        'all of these',
        sum((o) => o.measurements.length),
        sum((o) => o.changed),
        sum((o) => o.ruleMs),
        sum((o) => o.bestMs),
      ),
    ]),
  );
  const rejected = all.flatMap((one) => one.rejected);
  for (const { kernel, variant, params, reason } of rejected)
    print(`not used: ${kernel}/${variant} at ${JSON.stringify(params)}: ${reason}`);
}

export const tune = defineCommand({
  meta: { description: "measure every kernel's variants on this adapter, for 'train --tuned'" },
  args,
  async run({ args }) {
    if (!Object.hasOwn(presets, args.preset)) {
      throw new UsageError(`--preset '${args.preset}': expected one of ${Object.keys(presets).join(', ')}`);
    }
    const names = kernelList.map(({ kernel }) => kernel.name);
    if (args.name !== undefined && !names.includes(args.name))
      throw new UsageError(`tune: no kernel '${args.name}'${didYouMean(args.name, names)}`);
    await withGpu(async (gpu) => {
      const path = cachePath(gpu.adapter);
      const cached = new Map(readMeasurements(gpu.adapter).map((one) => [keyOf(one), one]));
      const all: Tuned[] = [];
      let spoken = performance.now();
      await tuneKernels(
        gpu,
        args.preset as PresetName,
        (name) => args.name === undefined || name === args.name,
        (tuned, done, count) => {
          all.push(tuned);
          for (const one of tuned.measurements) cached.set(keyOf(one), one);
          writeMeasurements(gpu.adapter, [...cached.values()]);
          const line = `${done}/${count}  ${tuned.kernel}`;
          progress(line);
          if (!process.stderr.isTTY && performance.now() - spoken > 10_000) {
            note(line);
            spoken = performance.now();
          }
        },
      );
      endProgress();
      if (args.json) {
        printJson({ adapter: gpu.adapter, preset: args.preset, path, kernels: all });
        return;
      }
      if (all.length === 0) {
        print(`${args.name}: no step of preset ${args.preset} launches it with a choice of variants`);
        return;
      }
      printTuned(all);
      print(`written to ${path}; 'warpmix train --tuned' runs by it`);
    });
  },
});
