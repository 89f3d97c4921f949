// One real run, and what other people's tools make of it: the weights it starts from, its log, its event files, its networks.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-web';
import * as z from 'zod';
import { noGrad } from '../../src/autograd/tape.ts';
import { step, tensor } from '../../src/autograd/tensor.ts';
import { openRun } from '../../src/cli/trained.ts';
import { readSafetensors, writeSafetensors } from '../../src/data/safetensors.ts';
import { randoms, testGpu } from '../device.ts';
import { resnetState } from '../models/torch-nets.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { bytesOf, type Field, parse, read } from '../train/read-events.ts';
import { pack, SIZE, SMALL } from './halves.ts';
import { type Ended, warpmix } from './spawn.ts';

const test = suite('interchange');

const data = pack();
const [out, weights] = [join(data.root, 'run'), join(data.root, 'resnet.safetensors')];
const spec = ['--data', `pack:${data.root}`, ...SMALL];
// So small a rate leaves the weights as they were loaded, to the bit.
const start = ['--set', `weights.encoder=${weights}`, '--set', 'segmentation.encoderLr=1e-30'];
const state = resnetState(
  { widths: [4, 4, 8, 8, 8], blocks: [1, 1, 1, 1], block: 'basic', stem: 'conv3' },
  9000,
);
const STEPS = 3;
const SCALARS = ['loss', 'gradientNorm'];
let trained: Ended;

const tensorsOf = (group: string) => {
  const file = join(out, `checkpoints/step-${STEPS}/${group}.safetensors`);
  return readSafetensors(readFileSync(file), file).tensors;
};
const logLines = () =>
  readFileSync(join(out, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

test.before(async () => {
  writeFileSync(weights, writeSafetensors(state));
  trained = await warpmix(['train', 'supervised', ...spec, ...start, '--steps', `${STEPS}`, '--out', out]);
  is(trained.code, 0, trained.stderr);
});
test.after(() => data.remove());

test('a run starts from the weights of a file, and says what it took and what it left', () => {
  ok(
    trained.stderr.includes(
      `weights.encoder=${weights}: took 65 tensors; left 13 tensors, such as bn1.num_batches_tracked ` +
        '(a count of batches, which nothing here reads); left fc.weight, fc.bias (the classifier)',
    ),
    trained.stderr,
  );
  const { event, matched, left } = logLines()[0];
  is(event, 'weights');
  is(matched.length, 65);
  is(left['fc.bias'], 'the classifier');
  const [own, theirs] = [
    tensorsOf('segmentation').get('encoder.layer2.0.downsample.weight')!,
    state.get('layer2.0.downsample.0.weight')!,
  ];
  equal(own.shape, [1, 1, 4, 8]);
  // [out,in,1,1] there, [1,1,in,out] here.
  equal(
    Array.from(own.data as Float32Array),
    Array.from({ length: 32 }, (_, i) => (theirs.data as Float32Array)[(i % 8) * 4 + Math.floor(i / 8)]),
  );
});

test('weights that cannot be used end the run before it begins', async () => {
  const refused = async (code: number, message: RegExp, ...sets: string[]) => {
    const dir = join(data.root, 'refused');
    const ended = await warpmix([
      'train',
      'supervised',
      ...spec,
      '--out',
      dir,
      ...sets.flatMap((one) => ['--set', one]),
    ]);
    is(ended.code, code, ended.stderr);
    ok(message.test(ended.stderr), ended.stderr);
    ok(!existsSync(dir), 'a folder is left');
  };
  await refused(2, /weights\.pose=a: this recipe trains no depth network/, 'weights.pose=a');
  await refused(4, /weights\.encoder=nowhere: cannot be read: ENOENT/, 'weights.encoder=nowhere');
  const archive = join(data.root, 'resnet.pth');
  writeFileSync(archive, 'PK\u0003\u0004');
  await refused(4, /resnet\.pth: is a PyTorch archive; docs\/interchange\.md/, `weights.encoder=${archive}`);
  await refused(
    4,
    /'layer1\.0\.conv1\.weight' is \[4,4,3,3\], these networks need \[1,4,1,1\]/,
    `weights.encoder=${weights}`,
    'model.encoder.block=bottleneck',
  );
});

test('every line of the log fits its schema, and other lines do not', () => {
  const schema = z.fromJSONSchema(JSON.parse(readFileSync('docs/log.schema.json', 'utf8')));
  const lines = logLines();
  for (const line of lines) ok(schema.safeParse(line).success, JSON.stringify(line));
  equal(
    lines.map(({ event }) => event),
    ['weights', ...new Array(STEPS).fill('step'), 'done'],
  );
  const [loaded, first] = lines;
  const done = lines.at(-1);
  ok(schema.safeParse({ ...first, loss: 'NaN' }).success);
  for (const wrong of [
    { ...first, loss: 'large' },
    { ...first, step: 0 },
    { ...first, phase: undefined },
    { ...loaded, left: ['fc.bias'] },
    { ...loaded, extra: 1 },
    { ...done, metrics: { miou: 'good' } },
    { event: 'other', step: 1 },
  ])
    ok(!schema.safeParse(wrong).success, JSON.stringify(wrong));
});

test('the files of a checkpoint are what Netron looks for', () => {
  // Its source/safetensors.js: a header of under 16 MiB that begins with a brace, known element types, offsets within the file.
  const known = ['I8', 'I16', 'I32', 'I64', 'U8', 'U16', 'U32', 'U64', 'BF16', 'F16', 'F32', 'F64'];
  const folder = join(out, `checkpoints/step-${STEPS}`);
  const files = readdirSync(folder).filter((name) => name.endsWith('.safetensors'));
  equal(files.sort(), ['optimizer.safetensors', 'segmentation.safetensors']);
  for (const file of files) {
    const bytes = readFileSync(join(folder, file));
    const length = bytes.readUInt32LE(0);
    ok(length < 2 ** 24 && bytes.readUInt32LE(4) === 0 && bytes[8] === 0x7b, file);
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + length));
    for (const [name, tensor] of Object.entries<{ dtype: string; shape: number[]; data_offsets: number[] }>(
      header,
    )) {
      const [begin, end] = tensor.data_offsets;
      ok(known.includes(tensor.dtype), name);
      is(end - begin, 4 * tensor.shape.reduce((a, b) => a * b, 1), name);
      ok(8 + length + end <= bytes.length, name);
    }
  }
});

/** Values by step and tag of a file of events: numbers, or the bytes of pictures. */
function valuesOf(events: Field[][]): Record<string, number | Buffer> {
  const found: Record<string, number | Buffer> = {};
  for (const event of events) {
    const at = event.find(({ number }) => number === 2)?.value ?? 0n;
    for (const summary of bytesOf(event, 5)) {
      for (const value of bytesOf(parse(summary), 1)) {
        const fields = parse(value);
        const [tag] = bytesOf(fields, 1);
        const [image] = bytesOf(fields, 4);
        found[`${at} ${tag}`] = image ? bytesOf(parse(image), 4)[0] : bytesOf(fields, 2)[0].readFloatLE();
      }
    }
  }
  return found;
}

const eventFiles = () => readdirSync(out).filter((name) => name.includes('.tfevents.'));

test('an independent reader finds the numbers of the log and the pictures in the event file', () => {
  const files = eventFiles();
  is(files.length, 1);
  const values = valuesOf(read(readFileSync(join(out, files[0]))));
  const steps = logLines().filter(({ event }) => event === 'step');
  for (const line of steps) {
    for (const term of SCALARS)
      is(values[`${line.step} ${line.phase}/${term}`], Math.fround(line[term]), term);
  }
  const pictures = Object.entries(values).filter(([, value]) => Buffer.isBuffer(value));
  ok(pictures.length > 0);
  for (const [key, png] of pictures) {
    const [at, tag] = key.split(' ');
    is(Number(at), STEPS);
    equal(png, readFileSync(join(out, 'pictures', `${tag}.png`)), tag);
  }
});

test('a flipped checksum in the event file stops the reader at the bad record', () => {
  const bytes = readFileSync(join(out, eventFiles()[0]));
  const whole = read(bytes);
  let at = 0;
  for (let record = 0; record < whole.length; record++) {
    const length = Number(bytes.readBigUInt64LE(at));
    // The checksum of the length, then that of the data.
    for (const place of [at + 8, at + 12 + length]) {
      const damaged = Buffer.from(bytes);
      damaged[place] ^= 1;
      equal(read(damaged), whole.slice(0, record));
    }
    at += 16 + length;
  }
  is(at, bytes.length);
  ok(whole.length > STEPS);
});

test('summary of a recipe and of a run: the same layers, as many values as its checkpoint holds, no device', async () => {
  // Without a GPU driver and without the software adapter nothing could run.
  const env = { VK_ICD_FILENAMES: '/nowhere/icd.json' };
  const planned = await warpmix(['summary', 'supervised', ...spec, '--json'], { env });
  is(planned.code, 0, planned.stderr);
  const ran = await warpmix(['summary', out, '--json'], { env });
  is(ran.stdout, planned.stdout);

  const { recipe, input, networks } = JSON.parse(ran.stdout);
  is(recipe, 'supervised');
  equal(input, [1, SIZE, SIZE, 3]);
  is(networks.length, 1);
  const tensors = tensorsOf('segmentation');
  is(
    networks[0].stateBytes,
    [...tensors].reduce((n, [, one]) => n + one.data.byteLength, 0),
  );
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
  const nothing = await warpmix(['summary', 'three-way']);
  is(nothing.code, 2);
  ok(/unknown recipe 'three-way' \(did you mean three-ways\?\)/.test(nothing.stderr), nothing.stderr);
});

test('the exported networks of the run give in onnxruntime what they give here', async () => {
  const file = join(data.root, 'run.onnx');
  const { code, stdout, stderr } = await warpmix(['export', '--run', out, '--onnx', file, '--json'], {
    env: { VK_ICD_FILENAMES: '/nowhere/icd.json' },
  });
  is(code, 0, stderr);
  equal(JSON.parse(stdout).outputs, [{ name: 'logits', shape: ['N', 2, 'height', 'width'] }]);
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(readFileSync(file));
  const planes = Float32Array.from(randoms(3 * SIZE * SIZE, 1, 0, 1));
  const image = new ort.Tensor('float32', planes, [1, 3, SIZE, SIZE]);
  const theirs = (await session.run({ image })).logits.data as Float32Array;
  const gpu = await testGpu();
  const { plan } = await openRun(gpu, out);
  const pixels = planes.map((_, i) => planes[(i % 3) * SIZE * SIZE + Math.floor(i / 3)]);
  const logits = step(() => noGrad(() => plan.predict(tensor(pixels, [1, SIZE, SIZE, 3])).logits!));
  const ours = Array.from(await logits.data());
  const worst = ours.reduce(
    (most, value, i) => Math.max(most, Math.abs(value - theirs[(i % 2) * SIZE * SIZE + Math.floor(i / 2)])),
    0,
  );
  ok(worst < 1e-4, `they differ by ${worst}`);
  ok(Math.max(...ours.map(Math.abs)) > 0.1, 'the logits say something');
});
