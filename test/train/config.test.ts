import { readFileSync } from 'node:fs';
import { type Config, checkConfig, presets, resolveConfig } from '../../src/train/config.ts';
import { configReference } from '../../src/train/config-reference.ts';
import { equal, is, ok, suite, throws } from '../suite.ts';

const test = suite('config');

test('docs/config.md is what the schema says', () => {
  is(
    readFileSync('docs/config.md', 'utf8'),
    configReference(),
    'write it anew: scripts/config-reference.ts says how',
  );
});

test('settings come from the preset, a file, options and --set, in this order', () => {
  const file = { name: 'mine.json', settings: { seed: 1, depth: { lr: 0.5, batch: 9 } } };
  const { seed, depth } = resolveConfig('small', file, { seed: 2 }, ['depth.lr=0.25', 'depth.lr=0.125']);
  equal([seed, depth.lr, depth.batch, depth.steps], [2, 0.125, 9, presets.small.depth.steps]);
  throws(
    () => resolveConfig('tiny', { name: 'mine.json', settings: { depth: { lrr: 1 } } }, {}, []),
    /mine\.json: unknown setting 'depth\.lrr'; the nearest is 'depth\.lr'/,
  );
  throws(
    () => resolveConfig('tiny', { name: 'mine.json', settings: [] }, {}, []),
    /mine\.json: expected an object/,
  );
});

const withSet = (...sets: string[]): Config => resolveConfig('tiny', null, {}, sets);

test('presets are valid as they are, and --set reaches every method setting by name', () => {
  for (const preset of Object.values(presets)) equal(checkConfig(preset, 'preset'), preset);
  for (const transfer of ['scratch', 'encoder', 'encoder-decoder'])
    is(withSet(`method.transfer=${transfer}`).method.transfer, transfer);
  for (const mix of ['depthmix', 'classmix', 'cutmix', 'none'])
    is(withSet(`method.mix=${mix}`).method.mix, mix);
  is(withSet('method.mixTruth=false').method.mixTruth, false);
});

test('a value that is none of the known ones is refused, with those and the nearest', () => {
  const wrong = (set: string, message: RegExp) => throws(() => withSet(set), message);
  wrong(
    'method.transfer=encoder_decoder',
    /'method\.transfer' is "encoder_decoder": .*the nearest is 'encoder-decoder'/,
  );
  wrong('method.transfer=none', /expected one of "scratch"/);
  wrong('method.mix=clasmix', /'method\.mix' is "clasmix": .*the nearest is 'classmix'/);
  wrong('method.transfer=3', /'method\.transfer' is 3/);
  wrong('model.scores=[0,2,0]', /'model\.scores' is \[0,2,0\]: expected each level once/);
  for (const scales of ['[3]', '[1,2]', '[2,0]', '[0,0]', '[]'])
    wrong(
      `model.scales=${scales}`,
      /'model\.scales' is .*: expected 0, full resolution, and then coarser scales/,
    );
  equal(withSet('model.scales=[0,2]').model.scales, [0, 2]);
  wrong('depth.minDepth=5', /'depth' is .*: minDepth must be below maxDepth/);
  wrong('method.transfers=scratch', /unknown setting 'method\.transfers'; the nearest is 'method\.transfer'/);
  wrong('lr=1', /unknown setting 'lr'; the nearest is 'depth\.lr', 'segmentation\.lr'$/);
  wrong('momentumSchedule=1', /unknown setting 'momentumSchedule'; docs\/config\.md lists them$/);
  wrong('method.transfer=imagenet', /expected one of [^;]*$/);
  ok(withSet().method.transfer === 'encoder-decoder', 'the default is the whole method');
});

test('what no machine holds, and a seed that would wrap round, are refused', () => {
  const wrong = (set: string, message: RegExp) => throws(() => withSet(set), message);
  wrong('seed=4294967296', /'seed' is 4294967296: .*4294967295/);
  wrong('segmentation.batch=100000', /'segmentation\.batch' is 100000: .*4096/);
  wrong('depth.batch=5000', /'depth\.batch' is 5000/);
  wrong('pixels=1e12', /'pixels' is 1000000000000: .*16777216/);
  is(withSet('seed=4294967295').seed, 4294967295);
});
