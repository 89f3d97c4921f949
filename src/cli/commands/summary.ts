import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type ArgsDef, defineCommand } from 'citty';
import { empty, useDevice } from '../../autograd/tensor.ts';
import { TracingDevice } from '../../gpu/tracing.ts';
import { type NetworkSummary, summarise } from '../../models/summary.ts';
import { type Config, presets, resolveConfig } from '../../train/config.ts';
import { openAtWorkingSize } from '../../train/frames.ts';
import { outColors, print, printJson, table } from '../output.ts';
import { presetNamed } from '../recipe-names.ts';
import { recipeNamed, recipes } from '../recipes.ts';
import { readSettings } from '../trained.ts';
import { repeated, UsageError } from '../usage.ts';

const args = {
  of: {
    type: 'positional',
    default: 'three-ways',
    description: `${Object.keys(recipes).join(', ')}, or a folder that 'train' wrote`,
  },
  preset: {
    type: 'string',
    description: `sizes: ${Object.keys(presets).join(', ')} (default: tiny)`,
    valueHint: 'NAME',
  },
  data: { type: 'string', description: 'decides size of images and number of classes', valueHint: 'SPEC' },
  set: { type: 'string', description: 'one setting, such as pixels=131072; repeatable', valueHint: 'A.B=V' },
  json: { type: 'boolean', description: 'one JSON object on stdout' },
} as const satisfies ArgsDef;

function settings(
  of: string,
  { preset, data }: { preset?: string; data?: string },
  sets: readonly string[],
): { recipe: string; config: Config } {
  if (!existsSync(join(of, 'config.json'))) {
    recipeNamed(of);
    return { recipe: of, config: resolveConfig(presetNamed(preset ?? 'tiny'), null, { data }, sets) };
  }
  if (preset !== undefined || data !== undefined || sets.length > 0) {
    throw new UsageError(
      `summary: '${of}' is a run, whose settings are fixed; leave out --preset, --data and --set`,
    );
  }
  return readSettings(of);
}

const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

const lines = ({ layers, others, parameters, multiplyAdds, bytes }: NetworkSummary): string =>
  table([
    ['layer', 'kernel', 'output', 'parameters', 'multiply-adds', 'bytes written'],
    ...layers.map((layer) => [
      layer.name,
      layer.kernel,
      layer.output.join('x'),
      layer.parameters,
      layer.multiplyAdds,
      layer.bytes,
    ]),
    [`${others.launches} launches without parameters`, '', '', 0, 0, others.bytes],
    ['total', '', '', parameters, multiplyAdds, bytes],
  ]);

export const summary = defineCommand({
  meta: { description: 'layers of the networks: shapes, parameters, multiply-adds, bytes' },
  args,
  async run({ args, rawArgs }) {
    const { recipe, config } = settings(args.of, args, repeated(rawArgs, 'set'));
    useDevice(new TracingDevice());
    const { networks } = await recipeNamed(recipe).plan(config, 'score');
    const { width, height } = await openAtWorkingSize(config.data, config);
    const input = [1, height, width, 3];
    const found = networks.map(({ name, module, forward }) => ({
      network: name,
      ...summarise(module, () => forward(empty(input))),
    }));
    if (args.json) {
      printJson({ recipe, input, networks: found });
      return;
    }
    for (const one of found) {
      print(outColors.bold(`${one.network}, an image of ${height} x ${width} pixels`));
      print(lines(one));
      print(
        `${one.network}: ${(one.parameters / 1e6).toPrecision(3)} M parameters, ${mib(one.stateBytes)} in a checkpoint, ` +
          `${(one.multiplyAdds / 1e9).toPrecision(3)} G multiply-adds`,
      );
      print();
    }
  },
});
