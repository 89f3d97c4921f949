// The main job, `npm start`: trains on the built-in street world with few labels, once from the labels alone and once
// with Three Ways, and writes the comparison. Minutes on two CPU cores, under a minute on a GPU.
//   npm start -- [--labels N] [--seed N] [--preset NAME] [--out DIR]
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    labels: { type: 'string', default: '8' },
    seed: { type: 'string', default: '0' },
    preset: { type: 'string', default: 'tiny' },
    out: { type: 'string', default: 'runs/start' },
  },
});

const out = values.out;
if (existsSync(out)) {
  // Only what this job has written itself is replaced.
  for (const recipe of ['supervised', 'three-ways'])
    rmSync(join(out, recipe), { recursive: true, force: true });
}

const began = Date.now();
for (const recipe of ['supervised', 'three-ways']) {
  console.log(`\n${recipe}: ${values.labels} labelled images, seed ${values.seed}`);
  const { preset, labels, seed } = values;
  const compare = recipe === 'three-ways' ? ['--compare', join(out, 'supervised')] : [];
  const args = ['bin/warpmix.mjs', 'train', recipe, '--preset', preset, '--labels', labels, '--seed', seed];
  const { status } = spawnSync(process.execPath, [...args, '--out', join(out, recipe), ...compare], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}

const miou = (recipe) => JSON.parse(readFileSync(join(out, recipe, 'summary.json'), 'utf8')).metrics.miou;
const percent = (value) => `${(100 * value).toFixed(1)} %`;
console.log(
  `\nmIoU with ${values.labels} labels: supervised ${percent(miou('supervised'))}, three-ways ${percent(miou('three-ways'))}`,
);
console.log(`${Math.round((Date.now() - began) / 1000)} s. Open ${join(out, 'three-ways', 'report.html')}`);
