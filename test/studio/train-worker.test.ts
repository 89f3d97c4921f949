// The training worker, driven without the page's own controls: its runs against those of Node.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { strFromU8, strToU8, unzipSync, type Zippable, zipSync } from 'fflate';
import type { Page, Worker } from 'playwright-core';
import { recipes } from '../../src/cli/recipes.ts';
import { nodeFiles } from '../../src/data/files-node.ts';
import { useFolders } from '../../src/data/open.ts';
import { openStreet } from '../../src/data/street/index.ts';
import { DataError } from '../../src/data/types.ts';
import { writePack } from '../../src/data/write-pack.ts';
import { openChosen } from '../../src/studio/train/folder-files.ts';
import type { Looked, Prepared, RunRequest } from '../../src/studio/train/protocol.ts';
import { configOf, requestOf } from '../../src/studio/train/request.ts';
import { TrainingRun } from '../../src/studio/train/run.ts';
import type { Checkpoint } from '../../src/train/checkpoint-format.ts';
import { trainPlan } from '../../src/train/loop.ts';
import type { Gallery, Outcome } from '../../src/train/plan.ts';
import { packRun, runFiles } from '../../src/train/run-archive.ts';
import { bundleForBrowser } from '../browser.ts';
import { warpmix } from '../cli/spawn.ts';
import { testGpu } from '../device.ts';
import { equal, is, match, ok, suite, throws } from '../suite.ts';
import { openStudio, type Studio } from './studio.ts';
import type { SentFolder, TrainEvent } from './train-side.ts';

/** Set by test/long.mjs: fault 27 at its full length, too, which takes minutes. */
const HUNDRED = process.env.WARPMIX_HUNDRED_STEPS !== undefined;
const test = suite('studio: training worker', HUNDRED ? { timeoutMs: 3_600_000 } : {});

let studio: Studio;
let page: Page;
let worker: Worker;
/** Where the world lies that the page gets as a chosen folder. */
const root = mkdtempSync(join(tmpdir(), 'warpmix-worker-'));
const world: SentFolder = { name: 'world', files: {} };

const request: RunRequest = {
  recipe: 'three-ways',
  preset: 'tiny',
  data: 'pack:world',
  labels: 4,
  seed: 3,
  steps: 12,
  set: [
    'pixels=4096',
    'depth.steps=8',
    'checkpointEvery=10',
    'method.threshold=0.1',
    'model.encoder.widths=[4,4,8,8,8]',
    'model.decoder.widths=[4,4,4,8,8]',
  ],
};

const side = <T>(call: string, ...args: unknown[]): Promise<T> =>
  page.evaluate(`side.${call}(...${JSON.stringify(args)})`);
const bytesOf = (file: string): Uint8Array => new Uint8Array(Buffer.from(file, 'base64'));
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const checkpoint = async () => {
  const { file, ...rest } = await side<{ file: string; step: number; name: string }>('checkpoint');
  return { ...rest, bytes: bytesOf(file) };
};
/** Trains and waits. @param steps null: to the end */
async function train(steps: number | null): Promise<TrainEvent[]> {
  await side('run', steps);
  return side('stand');
}
const stepsOf = (events: TrainEvent[]) =>
  events.flatMap((told) => (told.event === 'step' ? [told.detail] : []));

/** The files of an archive, as what differs would be read. */
const contents = (bytes: Uint8Array): Record<string, string> =>
  Object.fromEntries(
    [...runFiles(bytes, 'archive')].map(([path, content]) => [
      path,
      path.endsWith('.safetensors') ? Buffer.from(content).toString('hex') : strFromU8(content),
    ]),
  );

/** @param where how a failure calls the two */
function same(got: Uint8Array, want: Uint8Array, where: string): void {
  const [here, there] = [contents(got), contents(want)];
  equal(Object.keys(here).sort(), Object.keys(there).sort(), where);
  const differing = Object.keys(there).filter((path) => here[path] !== there[path]);
  is(differing.join(), '', `${where}: these differ`);
}

/** What an uninterrupted run in Node holds after 10 and after 20 steps. */
let node: Record<number, Uint8Array> = {};
/** The same of the page. */
const files: Record<number, Uint8Array> = {};
let prepared: Prepared;
let scores: Outcome;
let software = true;
/** Bytes on the device after the first step of `request`. */
let firstLive = 0;
const faults: string[] = [];

test.before(async () => {
  const street = openStreet({
    width: 64,
    height: 64,
    snippets: { train: 2, val: 1, unlabelled: 1 },
    framesPerSnippet: 4,
  });
  await writePack(street, (path, content) => {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    const file = join(root, 'world', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
    world.files[path] = textOf(bytes);
  });
  useFolders((folder) => nodeFiles(resolve(root, folder)));
  studio = await openStudio();
  page = await studio.browser.newPage();
  page.setDefaultTimeout(240_000);
  page.on('pageerror', (error) => faults.push(String(error)));
  // A page without controls, under the studio's own headers.
  await page.route('**/bare.html', async (route) => {
    const response = await route.fetch({ url: studio.url });
    await route.fulfill({ response, body: '<!doctype html>' });
  });
  await page.goto(`${studio.url}bare.html`);
  const script = await bundleForBrowser('test/studio/train-side.ts');
  const coming = page.waitForEvent('worker');
  await page.evaluate(`${script}; globalThis.side = page; side.start()`);
  worker = await coming;
  // To lose the device later, as a driver would.
  await worker.evaluate(`{
    const ask = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = async function (...what) {
      return (globalThis.lastDevice = await ask.apply(this, what));
    };
  }`);
});
test.after(async () => {
  rmSync(root, { recursive: true, force: true });
  await studio?.close();
});

test('what a page cannot do, and nonsense, is refused with what was expected', async () => {
  const refusals: [Partial<RunRequest>, RegExp][] = [
    [{ recipe: 'three-way' }, /^UsageError: unknown recipe 'three-way' \(did you mean three-ways\?\)/],
    [{ preset: 'huge' as 'tiny' }, /^UsageError: --preset 'huge': expected one of tiny, small, resnet18/],
    [{ steps: 0 }, /^UsageError: --steps '0': expected a whole number, at least 1/],
    [{ labels: Number.NaN }, /^UsageError: --labels 'NaN'/],
    [{ labels: 1e9 }, /^ConfigError: 'labels' is 1000000000: in a page at most 100000/],
    [{ set: ['pixels=16000000'] }, /^ConfigError: 'pixels' is 16000000: in a page at most 1048576/],
    [
      { set: ['model.encoder.widths=[4,4,8,8,9999]'] },
      /^ConfigError: 'model.encoder.widths' is \[4,4,8,8,9999\]/,
    ],
    [
      { set: ['depth.from=runs/a'] },
      /^ConfigError: 'depth.from' is "runs\/a": names a file on a disk.*Leave it out/,
    ],
    [{ set: ['weights.encoder=a.safetensors'] }, /^ConfigError: 'weights.encoder'/],
    [{ set: ['depth.lrr=1'] }, /^ConfigError: --set: unknown setting 'depth.lrr'; the nearest is 'depth.lr'/],
    [
      { data: 'pack:elsewhere/world2' },
      /^DataError: folder 'world2': this page does not have it.*Choose it again/,
    ],
    [{ data: 'folder:readme' }, /^DataError: readme.*image/],
  ];
  const readme: SentFolder = { name: 'readme', files: { 'readme.txt': textOf(Buffer.from('nothing')) } };
  for (const [change, message] of refusals) {
    const asked = { ...request, ...change };
    // JSON knows no NaN.
    const text = JSON.stringify(asked, (_, v) => (Number.isNaN(v) ? 'NaN' : v)).replace('"NaN"', 'NaN');
    const { error } = await page.evaluate<{ error: string }>(
      `side.prepare(${text}, ${JSON.stringify([world, readme])})`,
    );
    match(error, message);
  }
  match((await side<{ error: string }>('galleries')).error, /there is no run/);
});

test('a configuration is asked for again by the preset that is nearest to it', () => {
  const requests: RunRequest[] = [
    request,
    { ...request, preset: 'resnet18', data: 'street:night', labels: null, steps: null, set: [] },
    {
      ...request,
      recipe: 'depth',
      preset: 'small',
      labels: null,
      set: ['video=pack:it is 1', 'labelIds=["a","b c"]', 'depth.lr=0.00025', 'unlabeled="7"'],
    },
  ];
  for (const one of requests) {
    const { set, ...rest } = requestOf({ recipe: one.recipe, ...configOf(one) }, 'run.zip');
    const { set: asked, ...others } = one;
    equal(rest, others);
    equal(set.toSorted(), asked.toSorted());
  }
  throws(
    () => requestOf({ recipe: 'depth', ...configOf(request), variants: {} }, 'run.zip'),
    /run\.zip: .*--tuned/,
  );
});

test('a run that is closed frees all that its recipe made', async () => {
  const gpu = await testGpu();
  const runs: [string, string[]][] = [
    ['three-ways', []],
    ['three-ways', ['method.multitask=true']],
    [
      'three-ways',
      ['method.selection=both', 'selection.first=1', 'depth.frozenSteps=2', 'depth.featureDistance=1'],
    ],
    [
      'three-ways',
      ['method.selection=entropy', 'selection.first=1', 'method.mix=classmix', 'method.transfer=scratch'],
    ],
    ['three-ways-da', ['source=pack:world']],
    ['supervised', ['segmentation.optimizer=sgd']],
    ['depth', ['depth.frozenSteps=2', 'model.pose.sees=images']],
  ];
  for (const [recipe, set] of runs) {
    const asked = { ...request, recipe, set: [...request.set, ...set] };
    const { live } = gpu.memory();
    const run = await TrainingRun.open(gpu, asked, configOf(asked), null, () => {});
    ok(gpu.memory().live > live);
    await run.close();
    is(gpu.memory().live, live, `${recipe} ${set.join(' ')}`);
  }
});

test('a chosen folder is read as one on the disk is', async () => {
  const paths = ['b/two.txt', 'b/one.txt', './b//c/three.txt', 'top.txt'];
  const files = paths.map((path) => ({ path, file: new File([path], path.split('/').at(-1)!) }));
  const folder = openChosen([{ name: 'mine', files }], '/home/anyone/mine/');
  equal(await folder.list('.'), ['b', 'top.txt']);
  equal(await folder.list('b/'), ['c', 'one.txt', 'two.txt']);
  is(strFromU8(await folder.read('b/c/three.txt')), './b//c/three.txt');
  is(await folder.exists('b/c'), true);
  is(await folder.exists('b/c/four.txt'), false);
  const refusals: [Promise<unknown>, string][] = [
    [folder.read('b/four.txt'), 'mine/b/four.txt: no such file'],
    [folder.read('b'), 'mine/b: not a plain file'],
    [folder.list('d'), 'mine/d: no such folder'],
    [folder.read('../top.txt'), 'mine: path "../top.txt" leaves the folder'],
  ];
  for (const [refused, message] of refusals) {
    const error: unknown = await refused.catch((thrown) => thrown);
    ok(error instanceof DataError);
    is(error.message, message);
  }
});

test('pictures before the labelled images are chosen choose none', async () => {
  await testGpu();
  const set = [...request.set, 'method.selection=diversity'];
  const plan = await recipes['three-ways'].plan(configOf({ ...request, set }));
  const titles = (await plan.galleries()).map(({ title }) => title);
  equal(
    titles.filter((title) => /DepthMix|Chosen/.test(title)),
    ['Chosen by diversity'],
  );
  ok((await plan.state.selection.choices.data()).every((value) => value === -1));
});

/** An uninterrupted run in Node, and a file of each of its checkpoints. */
async function trainInNode(asked: RunRequest) {
  const gpu = await testGpu();
  software = gpu.adapter.software;
  const config = configOf(asked);
  const plan = await recipes[asked.recipe].plan(config);
  const archives: Record<number, Uint8Array> = {};
  let log = '';
  const record = {
    log: (event: object) => {
      log += `${JSON.stringify(event)}\n`;
    },
    scalars: () => {},
    saveCheckpoint: async (step: number, groups: Checkpoint['groups'], meta: Checkpoint['meta']) => {
      const settings = { recipe: asked.recipe, ...config };
      archives[step] = await packRun({ config: settings, log, checkpoint: { step, groups, meta } });
    },
  };
  const { checkpointEvery } = config;
  await trainPlan(plan, gpu, record, 0, { checkpointEvery, interrupted: () => null, onStep: () => {} });
  return { plan, archives };
}

test('20 steps in the page, paused and looked into, have the bits of 20 in Node', async () => {
  const { plan, archives } = await trainInNode(request);
  node = archives;
  prepared = await side('prepare', request, [world]);
  equal(
    prepared.phases.map(({ name, steps }) => [name, steps]),
    [
      ['depth', 8],
      ['three-ways', 12],
    ],
  );
  is(prepared.start, 0);
  is(prepared.total, 20);
  is(prepared.about, plan.about);
  const early = await side<Looked<Gallery[]>>('galleries');
  is(early.step, 0);
  is(
    early.seen.length,
    8,
    'pictures before the first step: of four frames, two mixtures, and two frames with neighbours',
  );

  const first = stepsOf(await train(9));
  equal(
    first.map(({ step }) => step),
    [1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  ok(first[0].memory.live > 0 && first[0].memory.peak >= first[0].memory.live);
  firstLive = first[0].memory.live;
  ok(
    first.every(({ gpuMs }, k) => (k === 2 ? gpuMs === null || gpuMs > 0 : gpuMs === null)),
    'the third step alone is timed',
  );
  is((await side<Looked<Gallery[]>>('galleries')).step, 9);
  is((await side<Looked<unknown>>('evaluate')).step, 9);
  const [tenth] = stepsOf(await train(1));
  is(`${tenth.phase} ${tenth.step}/${tenth.of}`, 'three-ways 10/20');
  files[10] = (await checkpoint()).bytes;
  // While it runs: pictures and scores wait for the step that is being made.
  await side('run', null);
  const [pictures, scored] = await Promise.all([
    side<Looked<Gallery[]>>('galleries'),
    side<Looked<unknown>>('evaluate'),
  ]);
  const { seen: galleries } = pictures;
  const during = await side<TrainEvent[]>('pause').then(() => side<TrainEvent[]>('stand'));
  const at = stepsOf(during).at(-1)!.step;
  ok(at > 10 && at < 20, `paused after step ${at}`);
  // By then the step that was being made is over: they say of which step they are, and nobody has to guess.
  ok(
    pictures.step > 10 && pictures.step <= scored.step && scored.step <= at,
    `${pictures.step}, ${scored.step}, ${at}`,
  );
  const rest = await train(null);
  equal(
    [...during, ...rest].flatMap((told) => (told.event === 'saved' ? [told.detail.step] : [])),
    [10, 20],
    'saved by itself at every checkpoint of the settings',
  );
  same(bytesOf(await side<string>('savedFile')), (await checkpoint()).bytes, 'saved at the end');
  const { bytes, step, name } = await checkpoint();
  is(step, 20);
  is(name, 'three-ways-seed3-step20.zip');
  files[20] = bytes;
  scores = (await side<Looked<Outcome>>('evaluate')).seen;

  const seen = new Set(galleries.flatMap(({ panels }) => panels.map(({ values }) => values?.kind)));
  equal([...seen].sort(), ['class', 'confidence', 'disparity', 'error', 'mask', undefined]);
  for (const { panels } of galleries) {
    for (const { title, image, values } of panels) {
      if (values) is(Object.keys(values.data).length, image.width * image.height, title);
    }
  }
  if (!software) return;
  same(files[10], node[10], 'after 10 steps');
  same(files[20], node[20], 'after 20 steps');
});

test('a file of the page goes on in Node, by the command that the page shows', async () => {
  is(
    prepared.command,
    'npx warpmix train three-ways --preset tiny --data pack:world --labels 4 --seed 3 --steps 12 --set pixels=4096 ' +
      "--set depth.steps=8 --set checkpointEvery=10 --set method.threshold=0.1 --set 'model.encoder.widths=[4,4,8,8,8]' " +
      "--set 'model.decoder.widths=[4,4,4,8,8]'",
  );
  writeFileSync(join(root, 'run.zip'), files[10]);
  const args = prepared.command.replace('npx warpmix ', '').replaceAll("'", '').split(' ');
  const { code, stdout, stderr } = await warpmix(
    [...args, '--resume', 'run.zip', '--out', 'continued', '--json'],
    { cwd: root, bin: resolve('bin/warpmix.mjs') },
  );
  is(code, 0, stderr);
  match(stderr, 'resuming after step 10');
  const lines = stdout.trim().split('\n');
  const { step, metrics } = JSON.parse(lines.at(-1)!);
  is(step, 20);
  is(lines.length, 11, 'ten steps and the end');
  if (!software) return;
  equal(metrics, scores.metrics);
  same(
    zipOf(20, (line) => !line.includes('"done"')),
    files[20],
    'the folder after 20 steps',
  );
});

/** What `zip -r` makes of the run folder that Node has written, with the checkpoint of one step. */
function zipOf(step: number, wanted: (line: string) => boolean = () => true): Uint8Array {
  const folder = join(root, 'continued');
  const lines = readFileSync(join(folder, 'log.jsonl'), 'utf8').split('\n').filter(wanted);
  const zip: Zippable = {
    'continued/': new Uint8Array(),
    'continued/config.json': readFileSync(join(folder, 'config.json')),
    'continued/log.jsonl': strToU8(lines.join('\n')),
    'continued/summary.json': readFileSync(join(folder, 'summary.json')),
    'continued/checkpoints/': new Uint8Array(),
  };
  for (const name of readdirSync(join(folder, 'checkpoints', `step-${step}`)))
    zip[`continued/checkpoints/step-${step}/${name}`] = readFileSync(
      join(folder, 'checkpoints', `step-${step}`, name),
    );
  return zipSync(zip);
}

test('a run folder of Node, zipped, goes on in the page', async () => {
  const loaded = await side<Prepared>('load', textOf(zipOf(10)), 'continued.zip', [world]);
  equal(loaded.request.set.toSorted(), request.set.toSorted());
  is(loaded.request.preset, 'tiny');
  is(loaded.start, 10);
  equal(
    loaded.history.map(({ phase, step }) => `${phase} ${step}`),
    [...Array(8).keys()].map((k) => `depth ${k + 1}`).concat(['three-ways 9', 'three-ways 10']),
  );
  const trained = stepsOf(await train(null));
  is(trained.length, 10);
  if (software) same((await checkpoint()).bytes, files[20], 'after 20 steps');
});

test('a damaged file is refused by its part, in the page and in Node, and leaves nothing', async () => {
  const weights = 'checkpoints/step-10/teacher.safetensors';
  const flipped = files[10].slice();
  const unzipped = unzipSync(files[10]);
  const inside = Buffer.from(files[10]).indexOf(Buffer.from(unzipped[weights].slice(-64)));
  flipped[inside] ^= 1;
  const changed = unzipped[weights].slice();
  changed[changed.length - 1] ^= 1;
  const { [weights]: _, ...missing } = unzipped;
  const damaged: [string, Uint8Array, RegExp][] = [
    [
      'a flipped bit',
      flipped,
      /bad\.zip: entry "checkpoints\/step-10\/teacher.safetensors": is damaged: its CRC/,
    ],
    [
      'another value under a right CRC',
      zipSync({ ...unzipped, [weights]: changed }),
      /bad\.zip: checkpoints\/step-10\/teacher.safetensors: is damaged: its sha256 differs/,
    ],
    ['a missing part', zipSync(missing), /bad\.zip: checkpoints\/step-10\/teacher.safetensors: missing/],
    ['half a file', files[10].slice(0, files[10].length / 2), /bad\.zip: .* truncated, or none/],
    ['no run', zipSync({ 'a.txt': strToU8('a') }), /bad\.zip: holds no config\.json/],
  ];
  for (const [name, bytes, message] of damaged) {
    const { error } = await side<{ error: string }>('load', textOf(bytes), 'bad.zip', [world]);
    match(error, /^DataError: /, name);
    match(error, message, name);
  }
  writeFileSync(join(root, 'bad.zip'), damaged[1][1]);
  const args = ['train', 'three-ways', '--resume', 'bad.zip', '--out', 'none'];
  const { code, stderr } = await warpmix(args, { cwd: root, bin: resolve('bin/warpmix.mjs') });
  is(code, 4, stderr);
  match(stderr, damaged[1][2]);
  equal(
    readdirSync(root).filter((name) => name.includes('none')),
    [],
  );
});

test('what was there before is let go while it trains: a run made again holds as many bytes', async () => {
  await side('prepare', request, [world]);
  await side('run', null);
  await side('prepare', request, [world]);
  const told = await train(1);
  is(
    told.filter(({ event, detail }) => event === 'state' && !detail.running).length,
    1,
    'the first run stands no more',
  );
  const last = stepsOf(told).at(-1)!;
  is(last.step, 1);
  is(last.memory.live, firstLive);
});

test('a loss that is no number ends training and says what to do', async () => {
  await side('prepare', { ...request, set: [...request.set, 'depth.lr=1e38'] }, [world]);
  const failed = (await train(null)).flatMap((told) => (told.event === 'failed' ? [told.detail] : []));
  is(failed.length, 1);
  is(failed[0].name, 'NumericalError');
  match(failed[0].message, 'lower the learning rate');
  is(failed[0].step, 0);
});

test('a lost device ends training, and a file goes on on a new one', async () => {
  await side('load', textOf(files[10]), 'run.zip', [world]);
  await train(1);
  await side('run', null);
  await worker.evaluate('lastDevice.destroy()');
  const failed = (await side<TrainEvent[]>('stand')).flatMap((told) =>
    told.event === 'failed' ? [told.detail] : [],
  );
  is(failed.length, 1);
  is(failed[0].name, 'DeviceLostError');
  is(failed[0].step, 10);
  await side('load', textOf(files[10]), 'run.zip', [world]);
  const [{ step, terms }] = stepsOf(await train(1));
  const [, eleventh] = strFromU8(unzipSync(files[20])['log.jsonl'])
    .split('\n')
    .map((line) => JSON.parse(line || '{}'))
    .filter((event) => event.step >= 10);
  equal({ event: 'step', phase: 'three-ways', step, ...terms }, eleventh);
});

if (HUNDRED) {
  test('100 steps in the page have the bits of 100 in Node', async () => {
    const set = request.set.map((one) => one.replace('depth.steps=8', 'depth.steps=40'));
    const long = { ...request, steps: 60, set };
    const { archives } = await trainInNode(long);
    const { total } = await side<Prepared>('prepare', long, [world]);
    is(total, 100);
    await train(null);
    const { bytes, step } = await checkpoint();
    is(step, 100);
    if (software) same(bytes, archives[100], 'after 100 steps');
  });
}

test('nothing was thrown in the page', () => {
  equal(faults, []);
});
