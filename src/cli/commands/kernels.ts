import { type ArgsDef, defineCommand } from 'citty';
import { type PresetName, presets } from '../../train/config.ts';
import { withGpu } from '../device.ts';
import { dumpShaders } from '../kernel-dump.ts';
import { type Inspection, inspectKernel, type Measured } from '../kernel-inspect.ts';
import { kernelList } from '../kernel-list.ts';
import { outColors, print, printJson, table } from '../output.ts';
import { didYouMean, UsageError } from '../usage.ts';
import { readMeasurements } from '../variants.ts';

type Entry = (typeof kernelList)[number];

const described = ({ family, kernel }: Entry) => ({
  family,
  name: kernel.name,
  summary: kernel.summary,
  formula: kernel.formula,
  source: kernel.source,
  bindings: kernel.bindings,
  params: kernel.params,
  variants: kernel.variants.map(({ name, summary, needs }) => ({ name, summary, needs: needs ?? null })),
});

const args = {
  name: { type: 'positional', required: false, description: 'a kernel, such as conv2d' },
  variant: {
    type: 'string',
    valueHint: 'NAME',
    description: 'look at this variant (default: the one that runs here)',
  },
  preset: {
    type: 'string',
    default: 'tiny',
    valueHint: 'NAME',
    description: `whose training steps give sizes and inputs: ${Object.keys(presets).join(', ')}`,
  },
  dump: { type: 'string', valueHint: 'DIR', description: 'write every specialised shader as .wgsl' },
  json: { type: 'boolean', description: 'JSON on stdout' },
} as const satisfies ArgsDef;

const digits = (value: number | null | undefined): string =>
  value === null || value === undefined ? '' : Number(value.toPrecision(3)).toString();
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

function printTable(): void {
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
}

function printInspection({ family, kernel }: Entry, found: Inspection, shown: Measured): void {
  const { bold, dim } = outColors;
  const { params, from, perStep, chosen, flops, bytes, limits, variants } = found;
  print(`${bold(kernel.name)}: ${kernel.summary}`);
  print(`  ${kernel.formula}`);
  print(dim(`  after: ${kernel.source}; files: kernels/${family}.ts, shaders/${family}*.wgsl.ts`));
  print(`\n${bold('launch')}: ${from}${perStep ? `, ${perStep} like this a step` : ''}`);
  const named = Object.entries(params).map((pair) => pair.join('='));
  print(`  ${named.join(' ')}`);
  print(`\n${bold('bindings')}`);
  print(
    table(
      found.buffers.map(({ name, type, access, length }) => [
        `  ${name}`,
        `${type}[${length}]`,
        access,
        `${4 * length} bytes`,
      ]),
    ),
  );
  print(`\n${bold('cost')}`);
  print(`  ${flops} FLOPs, ${bytes} bytes that must cross memory, ${digits(flops / bytes)} FLOPs a byte`);
  const bound = variants.find(({ rate }) => rate)?.rate?.bound;
  print(
    limits
      ? `  this adapter: ${digits(limits.gflops)} GFLOP/s, ${digits(limits.gbps)} GB/s; ` +
          `at these the kernel is bound by ${bound}`
      : '  not timed: this adapter has no timestamp queries',
  );
  print(`\n${bold('variants')}, in the order in which they are tried; error against the reference`);
  print(
    table([
      ['', '  workgroups', 'ms', 'GFLOP/s', 'GB/s', 'of limit', 'error', ''],
      ...variants.map(({ variant, grid, ms, rate, maxRelErr, why }) => [
        `  ${variant}${variant === chosen ? ' *' : ''}`,
        grid ? grid.join(' x ') : '',
        digits(ms),
        digits(rate?.gflops),
        digits(rate?.gbps),
        rate ? percent(rate.share) : '',
        maxRelErr === null ? '' : maxRelErr.toExponential(1),
        why,
      ]),
    ]),
  );
  print(table(variants.map(({ variant, summary }) => [`  ${variant}`, summary])));
  print(`\n${bold(`WGSL of ${kernel.name}/${shown.variant}`)}\n`);
  const constants = Object.entries(shown.constants).map((pair) => pair.join('='));
  if (constants.length > 0) print(`// override constants: ${constants.join(' ')}`);
  print(shown.wgsl!.trimEnd());
}

export const kernels = defineCommand({
  meta: { description: 'the table of kernels; with a name, one of them in full, measured' },
  args,
  async run({ args }) {
    if (!Object.hasOwn(presets, args.preset)) {
      throw new UsageError(`--preset '${args.preset}': expected one of ${Object.keys(presets).join(', ')}`);
    }
    const preset = args.preset as PresetName;
    if (args.dump !== undefined) {
      if (args.name !== undefined) throw new UsageError('kernels: --dump writes all kernels; leave out NAME');
      const files = await dumpShaders(args.dump, preset);
      if (args.json) printJson({ dir: args.dump, files });
      else print(`${files} shaders in ${args.dump}`);
      return;
    }
    if (args.name === undefined) {
      if (args.variant !== undefined) throw new UsageError('kernels: --variant needs the name of a kernel');
      if (args.json) printJson(kernelList.map(described));
      else printTable();
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
    const found = await withGpu((gpu) =>
      inspectKernel(gpu, kernel, preset, readMeasurements(gpu.adapter), wanted),
    );
    const shown = found.variants.find(({ variant }) => variant === (wanted ?? found.chosen))!;
    if (args.json) printJson({ ...described(entry), launch: found });
    else printInspection(entry, found, shown);
  },
});
