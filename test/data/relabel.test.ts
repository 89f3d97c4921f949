import { camvidClasses, cityscapesClasses } from '../../src/data/classes.ts';
import { classMap, relabelled, sourceFrames } from '../../src/data/relabel.ts';
import { openStreet } from '../../src/data/street/index.ts';
import { equal, is, not, ok, suite, throws } from '../suite.ts';

const test = suite('relabel');

const street = () => openStreet({ width: 64, height: 32, snippets: { train: 1, val: 1, unlabelled: 1 } });
const named = (...names: string[]) =>
  names.map((name, id) => ({ id, name, color: [0, 0, 0] as [number, number, number] }));

test('the same classes keep their ids, the street becomes CamVid, nothing else is guessed', () => {
  const three = named('road', 'car', 'sky');
  equal(classMap(three, named('road', 'car', 'sky')), [0, 1, 2]);
  is(classMap(three, named('car', 'road', 'sky')), null);
  const map = classMap(cityscapesClasses, camvidClasses)!;
  const becomes = (name: string) =>
    camvidClasses[map[cityscapesClasses.findIndex((c) => c.name === name)]]?.name;
  is(becomes('wall'), 'Building');
  is(becomes('traffic light'), 'SignSymbol');
  is(becomes('train'), 'Car');
  is(becomes('motorcycle'), 'Bicyclist');
  is(becomes('terrain'), undefined, 'void');
  is(classMap(camvidClasses, cityscapesClasses), null);
});

test('labels are mapped in a copy; images, neighbours and camera stay; void stays void', async () => {
  const { train } = street();
  const map = classMap(cityscapesClasses, camvidClasses)!;
  const before = Array.from((await train.load(1)).label!.data);
  const mapped = relabelled(train, map);
  const frame = await mapped.load(1);
  equal(
    Array.from(frame.label!.data),
    before.map((id) => (id === 255 ? 255 : map[id])),
  );
  not.equal(Array.from(frame.label!.data), before);
  equal(Array.from((await train.load(1)).label!.data), before, 'the shared frame is as it was');
  is(frame.image, (await train.load(1)).image);
  equal(mapped.neighbours(1), [0, 2]);
  is(mapped.id(1), train.id(1));
  is(mapped.intrinsics, train.intrinsics);
});

test('a source without labels, or with foreign classes, is refused with both lists', () => {
  const target = street();
  const bare = { ...target, train: target.unlabelled };
  throws(() => sourceFrames(bare, target), /street:clean: has no labels.*source/);
  const foreign = { ...target, spec: 'pack:odd', classes: named('road', 'lava') };
  throws(
    () => sourceFrames(foreign, target),
    /source pack:odd has the classes road, lava; street:clean has road, sidewalk.*CamVid/,
  );
  ok(sourceFrames(target, target).hasLabels);
});
