import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { defineCommand } from 'citty';
import { dependencies, version } from '../../../package.json';
import { findAdapter } from '../../gpu/node-adapter.ts';
import { noAdapter } from '../../gpu/open.ts';
import { withGpu } from '../device.ts';
import { outColors, print, printJson, table } from '../output.ts';
import { selfTest } from '../self-test.ts';

/** The version of a package as installed, wherever npm has put it. */
function installed(name: string): string {
  for (const folder of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    const file = join(folder, name, 'package.json');
    if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')).version;
  }
  return 'not installed';
}

/** The limits an adapter states; they are getters of its prototype. */
function limitsOf(limits: GPUSupportedLimits): Record<string, number> {
  const found: Record<string, number> = {};
  for (const name in limits) {
    const value = limits[name as keyof GPUSupportedLimits];
    if (typeof value === 'number') found[name] = value;
  }
  return found;
}

export const doctor = defineCommand({
  meta: { description: 'what this computer offers, and a one-second self-test' },
  args: { json: { type: 'boolean', description: 'one JSON object on stdout' } },
  async run({ args }) {
    const packages = Object.fromEntries(Object.keys(dependencies).map((name) => [name, installed(name)]));
    const system = {
      warpmix: version,
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
    };
    const { adapter, tried } = await findAdapter();
    if (!adapter) {
      const found = { adapter: null, features: [], limits: {}, selfTest: { ok: false }, tried };
      if (args.json) printJson({ ...found, ...system, packages });
      throw noAdapter(tried);
    }
    const features = [...adapter.features].sort();
    const limits = limitsOf(adapter.limits);
    const { info, test } = await withGpu(async (gpu) => ({ info: gpu.adapter, test: await selfTest(gpu) }));
    if (args.json) {
      printJson({ adapter: info, features, limits, selfTest: test, tried, ...system, packages });
      return test.ok ? 0 : 1;
    }
    const { bold, green, red } = outColors;
    print(`${bold('warpmix')} ${version}, Node ${process.version}, ${system.platform}`);
    print(
      Object.entries(packages)
        .map((pair) => pair.join(' '))
        .join(', '),
    );
    print(`\n${bold('tried')}`);
    for (const line of tried) print(`  ${line}`);
    const kind = info.software ? 'software' : 'GPU';
    print(
      `\n${bold('adapter')} ${info.vendor} ${info.architecture} (${info.description || 'no description'}), ${kind}`,
    );
    print(`\n${bold('features')}\n  ${features.join(', ')}`);
    print(`\n${bold('limits')}`);
    print(table(Object.entries(limits).map(([name, value]) => [`  ${name}`, value])));
    print(`\n${bold('self-test')} ${test.ok ? green('ok') : red('FAILED')}, ${Math.round(test.ms)} ms`);
    print(table(test.parts.map(({ name, ok, found }) => [`  ${name}`, ok ? 'ok' : `FAILED: ${found}`])));
    return test.ok ? 0 : 1;
  },
});
