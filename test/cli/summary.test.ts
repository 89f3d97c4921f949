import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensors } from '../../src/data/safetensors.ts';
import { is, ok, suite } from '../suite.ts';
import { pack, SMALL } from './halves.ts';
import { warpmix } from './spawn.ts';

const test = suite('warpmix summary');

test('of a recipe and of a run: the same layers, as many values as its checkpoint holds, no device', async () => {
  const data = pack();
  const out = join(data.root, 'run');
  const spec = ['--data', `pack:${data.root}`, ...SMALL];
  try {
    // Without a GPU driver and without the software adapter nothing could run.
    const env = { VK_ICD_FILENAMES: '/nowhere/icd.json' };
    const planned = await warpmix(['summary', 'supervised', ...spec, '--json'], { env });
    is(planned.code, 0, planned.stderr);
    const trained = await warpmix(['train', 'supervised', ...spec, '--steps', '1', '--out', out]);
    is(trained.code, 0, trained.stderr);
    const ran = await warpmix(['summary', out, '--json'], { env });
    is(ran.stdout, planned.stdout);

    const { recipe, input, networks } = JSON.parse(ran.stdout);
    is(recipe, 'supervised');
    is(input.join(), '1,64,64,3');
    is(networks.length, 1);
    const file = join(out, 'checkpoints/step-1/segmentation.safetensors');
    const { tensors } = readSafetensors(readFileSync(file), file);
    const stored = [...tensors].reduce((n, [, { data }]) => n + data.byteLength, 0);
    is(networks[0].stateBytes, stored);
    for (const { name } of networks[0].layers)
      ok(
        [...tensors.keys()].some((key) => key.startsWith(`${name}.`)),
        name,
      );

    const table = await warpmix(['summary', out]);
    ok(/^encoder\.conv1 +conv2d +1x32x32x4 +108 +110592 +16384$/m.test(table.stdout), table.stdout);
    const changed = await warpmix(['summary', out, '--set', 'pixels=8192']);
    is(changed.code, 2);
    ok(/is a run, whose settings are fixed/.test(changed.stderr), changed.stderr);
  } finally {
    data.remove();
  }
});

test('neither recipe nor run', async () => {
  const { code, stderr } = await warpmix(['summary', 'three-way']);
  is(code, 2);
  ok(/unknown recipe 'three-way' \(did you mean three-ways\?\)/.test(stderr), stderr);
});
