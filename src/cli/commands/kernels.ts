import { defineCommand } from 'citty';
import { foldGroups, type Kernel, type Params } from '../../gpu/kernel.ts';
import { noteLaunches } from '../check-kernels.ts';
import { withGpu } from '../device.ts';
import { kernelList } from '../kernel-list.ts';
import { outColors, print, printJson, table } from '../output.ts';
import { didYouMean, UsageError } from '../usage.ts';

const described = ({ family, kernel }: (typeof kernelList)[number]) => ({
  family,
  name: kernel.name,
  summary: kernel.summary,
  formula: kernel.formula,
  source: kernel.source,
  bindings: kernel.bindings,
  params: kernel.params,
  variants: kernel.variants.map(({ name, summary }) => ({ name, summary })),
});

/** The parameters of the dearest of the launches with which `warpmix check` tries the kernel. */
async function example(kernel: Kernel): Promise<Params> {
  const launches = (await noteLaunches([kernel])).get(kernel) ?? [];
  if (launches.length === 0) throw new Error(`no case of 'warpmix check' leads to ${kernel.name}`);
  const effort = (params: Params) => kernel.cost(params).flops + kernel.cost(params).bytes;
  return launches.map(({ params }) => params).reduce((a, b) => (effort(b) > effort(a) ? b : a));
}

export const kernels = defineCommand({
  meta: { description: 'the table of kernels; with a name, one of them in full' },
  args: {
    name: { type: 'positional', required: false, description: 'a kernel, such as conv2d' },
    variant: {
      type: 'string',
      valueHint: 'NAME',
      description: 'show the WGSL of this variant (default: the one chosen here)',
    },
    json: { type: 'boolean', description: 'JSON on stdout' },
  },
  async run({ args }) {
    const { bold, dim } = outColors;
    if (args.name === undefined) {
      if (args.variant !== undefined) throw new UsageError('kernels: --variant needs the name of a kernel');
      if (args.json) {
        printJson(kernelList.map(described));
        return;
      }
      print(
        table([
          ['family', 'kernel', 'variants', 'computes'],
          ...kernelList.map(({ family, kernel }) => [
            family,
            kernel.name,
            kernel.variants.map((variant) => variant.name).join(', '),
            kernel.summary,
          ]),
        ]),
      );
      return;
    }

    const entry = kernelList.find(({ kernel }) => kernel.name === args.name);
    if (!entry) {
      const names = kernelList.map(({ kernel }) => kernel.name);
      throw new UsageError(`kernels: no kernel '${args.name}'${didYouMean(args.name, names)}`);
    }
    const { kernel } = entry;
    const wanted = args.variant;
    if (wanted !== undefined && !kernel.variants.some((variant) => variant.name === wanted)) {
      const names = kernel.variants.map((variant) => variant.name);
      throw new UsageError(`kernels: ${kernel.name} has no variant '${wanted}'; it has ${names.join(', ')}`);
    }
    const params = await example(kernel);
    const { variant, code } = await withGpu(async (gpu) => {
      if (wanted === undefined) return gpu.source(kernel, params);
      const only = kernel.variants
        .filter((one) => one.name === wanted)
        .map((one) => ({ ...one, applies: () => true }));
      return gpu.source({ ...kernel, variants: only }, params);
    });
    const groups = kernel.variants.find((one) => one.name === variant)!.workgroups(params);
    const grid = foldGroups(groups);
    const { flops, bytes } = kernel.cost(params);
    if (args.json) {
      printJson({ ...described(entry), example: { params, variant, grid, flops, bytes, wgsl: code } });
      return;
    }
    print(`${bold(kernel.name)}: ${kernel.summary}`);
    print(`  ${kernel.formula}`);
    print(
      dim(`  after: ${kernel.source}; files: kernels/${entry.family}.ts, shaders/${entry.family}.wgsl.ts`),
    );
    print(`\n${bold('bindings')}`);
    print(table(kernel.bindings.map(({ name, type, access }) => [`  ${name}`, type, access])));
    print(`\n${bold('variants')}, first that applies`);
    print(
      table(kernel.variants.map((one) => [`  ${one.name}${one.name === variant ? ' *' : ''}`, one.summary])),
    );
    print(`\n${bold('example')}`);
    print(
      `  ${Object.entries(params)
        .map(([name, value]) => `${name}=${value}`)
        .join(' ')}`,
    );
    print(`  grid ${grid.join(' x ')} workgroups, ${flops} FLOPs, ${bytes} bytes`);
    print(`\n${bold(`WGSL of ${kernel.name}/${variant}`)}\n`);
    print(code.trimEnd());
  },
});
