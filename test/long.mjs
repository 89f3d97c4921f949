// The tests that compute, again and again: with the first variant of every kernel pinned (of those that this adapter can run), with the second, and so on until
// each has had its turn, and once on buffers that Dawn fills with ones before their first use. Then a hundred
// steps in Chromium and in Node, many random shapes, every division of a block of matrices, and fifty times kill -9.
//   node test/long.mjs [--list] [--only TEXT] [FILE-PART ...]
import { spawnSync } from 'node:child_process';

/** Everything that runs kernels; the rest of the suite does not depend on which. */
const COMPUTING = [
  'test/autograd',
  'test/cli/check',
  'test/geometry',
  'test/golden',
  'test/gpu',
  'test/methods',
  'test/ops',
  'test/optim',
  'test/train',
];

function warpmix(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['bin/warpmix.mjs', ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`warpmix ${args.join(' ')}: ${stderr}`);
  return stdout;
}

const { adapter } = JSON.parse(warpmix('doctor', '--json'));
const kernels = JSON.parse(warpmix('kernels', '--json'))
  .map(({ name, variants }) => ({
    name,
    variants: variants.filter(({ needs }) => needs === null || adapter[needs]),
  }))
  .filter(({ variants }) => variants.length > 1);
const most = Math.max(...kernels.map(({ variants }) => variants.length));
const runs = Array.from({ length: most }, (_, k) => {
  const pinned = kernels.filter(({ variants }) => variants.length > k);
  return {
    name: `variant ${k + 1} of ${pinned.length} kernels`,
    env: { WARPMIX_VARIANTS: pinned.map(({ name, variants }) => `${name}=${variants[k].name}`).join(',') },
  };
});
// Left to itself Dawn clears a buffer on its first use, and a kernel that reads what nothing wrote finds zeros. WebGPU
// promises them; buffers of the pool that are used again hold anything. A list of toggles replaces the one before it, so that of
// src/gpu/node-adapter.ts stands here too. Dawn's toggles:
// https://dawn.googlesource.com/dawn/+/refs/heads/main/src/dawn/native/Toggles.cpp
runs.push({
  name: 'buffers full of ones',
  env: {
    WARPMIX_DAWN_FLAGS:
      'enable-dawn-features=nonzero_clear_resources_on_creation_for_testing disable-dawn-features=lazy_clear_resource_on_first_use,timestamp_quantization',
  },
});
runs.push({
  name: 'a hundred steps in a page and in Node',
  env: { WARPMIX_HUNDRED_STEPS: '1' },
  parts: ['test/studio/train-worker'],
});
runs.push({
  name: 'three hundred random shapes of every op',
  env: { WARPMIX_RANDOM_SHAPES: '300' },
  parts: ['test/ops/random-shapes'],
});
runs.push({
  name: 'every division of a block of matrices',
  env: { WARPMIX_ALL_DIVISIONS: '1' },
  parts: ['test/ops/matrices'],
});
runs.push({ name: 'fifty kills', env: { WARPMIX_KILLS: '50' }, parts: ['test/cli/kills'] });

const args = process.argv.slice(2);
const only = args.includes('--only') ? args[args.indexOf('--only') + 1] : '';
const parts = args.filter((a, i) => !a.startsWith('--') && args[i - 1] !== '--only');
const failed = [];
const chosen = runs.filter(({ name }) => name.includes(only));
for (const { name, env, parts: own = COMPUTING } of chosen) {
  const settings = Object.entries(env).map(([key, value]) => `${key}='${value}'`);
  console.log(`\n${name}\n${settings.join(' ')}`);
  if (args.includes('--list')) continue;
  const { status } = spawnSync(process.execPath, ['test/run.mjs', ...(parts.length > 0 ? parts : own)], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (status !== 0) failed.push(name);
}
if (args.includes('--list')) process.exit(0);
console.log(
  `\n${chosen.length - failed.length} runs passed, ${failed.length} failed${failed.map((name) => `\nfailed: ${name}`).join('')}`,
);
process.exit(failed.length > 0 || chosen.length === 0 ? 1 : 0);
