import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeSafetensors } from '../../src/data/safetensors.ts';
import { type Config, presets } from '../../src/train/config.ts';
import {
  depthRecipe,
  supervisedRecipe,
  threeWaysDaRecipe,
  threeWaysRecipe,
} from '../../src/train/recipes.ts';
import { checkWeights } from '../../src/train/weights.ts';
import { testGpu } from '../device.ts';
import { smallModel } from '../methods/networks.ts';
import { type Architecture, resnetState } from '../models/torch-nets.ts';
import { equal, suite, throws } from '../suite.ts';

const test = suite('start from weights');

const { encoder } = smallModel;
const state = resnetState(encoder as Architecture, 9500);
const root = mkdtempSync(join(tmpdir(), 'warpmix-weights-'));
const file = join(root, 'resnet.safetensors');
test.before(() => writeFileSync(file, writeSafetensors(state)));
test.after(() => rmSync(root, { recursive: true, force: true }));

const none = { encoder: null, depth: null, poseEncoder: null, pose: null };
const settings: Config = {
  ...structuredClone(presets.tiny),
  pixels: 4096,
  labels: 4,
  model: structuredClone(smallModel) as unknown as Config['model'],
};

/** The first convolution of the file, [4,3,3,3], as [3,3,3 times,4]. */
function firstLayer(times: number): number[] {
  const stored = state.get('conv1.weight')!.data as Float32Array;
  const values: number[] = [];
  for (let tap = 0; tap < 9; tap++) {
    for (let i = 0; i < 3 * times; i++) {
      for (let out = 0; out < 4; out++) values.push(stored[(out * 3 + (i % 3)) * 9 + tap] / times);
    }
  }
  return values;
}

for (const [name, recipe, changes, places] of [
  ['depth', depthRecipe, {}, ['depth/encoder', 'depth/pose.encoder.resnet']],
  ['supervised', supervisedRecipe, {}, ['segmentation/encoder']],
  ['three-ways', threeWaysRecipe, {}, ['depth/encoder', 'depth/pose.encoder.resnet', 'segmentation/encoder']],
  [
    'three-ways-da',
    threeWaysDaRecipe,
    { data: 'street:night', source: 'street', labels: 0 },
    ['depth/encoder', 'depth/pose.encoder.resnet', 'segmentation/encoder'],
  ],
] as const) {
  test(`${name}: every encoder that can starts from the file`, async () => {
    await testGpu();
    const poseEncoder = name === 'supervised' ? null : file;
    const plan = await recipe({ ...settings, ...changes, weights: { ...none, encoder: file, poseEncoder } });
    const told: string[] = [];
    await plan.begin?.(({ setting }) => told.push(setting));
    equal(told, ['weights.encoder', ...(poseEncoder ? ['weights.poseEncoder'] : [])]);
    for (const place of places) {
      const [group, path] = place.split('/');
      const found = Array.from(await plan.state[group][`${path}.conv1.weight`].data());
      equal(found, firstLayer(path.startsWith('pose') ? 2 : 1), place);
    }
  });
}

test('weights that no network of the run can start from are refused by setting', () => {
  const refused = (changes: Partial<Config>, withDepth: boolean, message: RegExp) =>
    throws(() => checkWeights({ ...settings, ...changes }, withDepth), message);
  const flow = { ...settings.model, pose: { ...settings.model.pose, sees: 'flow' as const } };
  refused(
    { weights: { ...none, depth: 'd' } },
    false,
    /^weights\.depth=d: this recipe trains no depth network/,
  );
  refused(
    { weights: { ...none, poseEncoder: 'p' }, model: flow },
    true,
    /^weights\.poseEncoder=p: the pose network sees optical flow.*model\.pose\.sees=images/,
  );
  refused(
    { weights: { ...none, encoder: 'e' }, depth: { ...settings.depth, from: 'runs/a' } },
    true,
    /^weights\.encoder=e: depth\.from=runs\/a has trained weights already/,
  );
  checkWeights({ ...settings, weights: { ...none, encoder: 'e' } }, false);
});
