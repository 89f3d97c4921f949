// Training, scoring and predicting as a user meets them, on tiny packs that the test writes.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Zippable, zipSync } from 'fflate';
import { readResumeFile } from '../../src/cli/resume-file.ts';
import { decodePng } from '../../src/data/codecs.ts';
import { DataError } from '../../src/data/types.ts';
import { presets } from '../../src/train/config.ts';
import { folderOf } from '../data/fixtures.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { halves, image, label, NAMES, pack, SMALL } from './halves.ts';
import { type Ended, warpmix } from './spawn.ts';

const test = suite('train');

test('train, resume, eval and predict on a pack', async () => {
  const data = pack();
  const out = join(data.root, 'run');
  const command = ['train', 'supervised', '--data', `pack:${data.root}`, '--out', out, ...SMALL, '--json'];
  try {
    const trained = await warpmix([...command, '--steps', '4']);
    is(trained.code, 0, trained.stderr);
    const [first, last] = trained.stderr.split('\n').filter((line) => line.startsWith('supervised '));
    ok(/ 1\/4 .* first step \d+\.\d s, with its kernels compiled$/.test(first), first);
    ok(/ 4\/4 .* it\/s .* ETA 0 s$/.test(last), last);
    const lines = trained.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const done = lines.at(-1);
    is(done.event, 'done');
    is(done.step, 4);
    ok(done.metrics.miou >= 0 && done.metrics.miou <= 1, trained.stdout);
    for (const name of [
      'config.json',
      'log.jsonl',
      'summary.json',
      'report.html',
      'checkpoints/step-4/manifest.json',
    ]) {
      ok(existsSync(join(out, name)), name);
    }
    ok(!existsSync(`${out}/checkpoints/step-4.tmp`));
    is(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')).segmentation.steps, 4);

    const again = await warpmix([...command, '--steps', '4']);
    is(again.code, 4, 'a folder that holds a run is not overwritten');
    ok(again.stderr.includes('--out'), again.stderr);
    const other = await warpmix([...command, '--steps', '5', '--resume', 'auto']);
    is(other.code, 4);
    ok(other.stderr.includes('segmentation.steps'), other.stderr);

    const scored = await warpmix(['eval', '--run', out, '--json']);
    is(scored.code, 0, scored.stderr);
    equal(JSON.parse(scored.stdout).miou, done.metrics.miou);

    const pictures = join(data.root, 'predicted');
    const predicted = await warpmix([
      'predict',
      '--run',
      out,
      '--input',
      join(data.root, 'image'),
      '--out',
      pictures,
    ]);
    is(predicted.code, 0, predicted.stderr);
    equal(readdirSync(pictures).sort(), NAMES.flatMap((n) => [`${n}-label.png`, `${n}-overlay.png`]).sort());
    const written = decodePng(readFileSync(join(pictures, 'a-label.png')), 'a-label.png');
    ok(
      written.data.every((v) => v <= 1),
      'label ids of the two classes',
    );

    const photos = join(data.root, 'photos');
    mkdirSync(photos);
    const photo = readFileSync(join(data.root, 'image', 'a.png'));
    for (const name of ['1.png', '3.png', '3.PNG']) writeFileSync(join(photos, name), photo);
    writeFileSync(join(photos, '2.png'), photo.subarray(0, 40));
    const some = join(data.root, 'some');
    const input = ['predict', '--run', out, '--input', photos];
    const mixed = await warpmix([...input, '--out', some, '--json']);
    is(mixed.code, 4, 'a picture that cannot be read');
    ok(/skipped: .*2\.png/.test(mixed.stderr) && /1 of 4 images/.test(mixed.stderr), mixed.stderr);
    equal(
      mixed.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).written.length),
      [2, 2, 2],
      'the others are there, each under a name of its own',
    );
    is(readdirSync(some).length, 6);

    const alike = join(data.root, 'alike');
    mkdirSync(join(alike, 'folder.png'), { recursive: true });
    for (const name of ['x.png', 'x.jpg', 'x.png.png']) writeFileSync(join(alike, name), photo);
    const named = await warpmix(['predict', '--run', out, '--input', alike, '--out', join(alike, 'out')]);
    is(named.code, 0, named.stderr);
    equal(
      readdirSync(join(alike, 'out')).filter((name) => name.endsWith('-label.png')),
      ['x.jpg-label.png', 'x.png-label.png', 'x.png.png-label.png'],
    );

    // Another size: other evaluation images.
    const smaller = [...command, '--steps', '1', '--set', 'pixels=9216', '--compare', out];
    smaller[smaller.indexOf(out)] = join(data.root, 'smaller');
    const compared = await warpmix(smaller);
    is(compared.code, 0, compared.stderr);
    const report = readFileSync(join(data.root, 'smaller', 'report.html'), 'utf8');
    ok(/Scored on different data/.test(report) && !/All scored on the same/.test(report));
    for (const [file, content, message] of [
      ['summary.json', '{}', /--compare .*: holds no finished run/],
      ['summary.json', 'null', /--compare .*: holds no finished run/],
    ] as const) {
      writeFileSync(join(out, file), content);
      const damaged = await warpmix([...smaller.slice(0, -2), '--dry-run', '--compare', out]);
      is(damaged.code, 4);
      ok(message.test(damaged.stderr), damaged.stderr);
    }
    const config = readFileSync(join(out, 'config.json'), 'utf8');
    for (const content of [
      '5',
      config.replace('"supervised"', '"mystery"'),
      config.replace('"seed": 0', '"seed": "x"'),
    ]) {
      writeFileSync(join(out, 'config.json'), content);
      const damaged = await warpmix(['eval', '--run', out]);
      is(damaged.code, 4, damaged.stderr);
      ok(damaged.stderr.includes('config.json: '), damaged.stderr);
    }
  } finally {
    data.remove();
  }
});

test('the test split is scored on request, at the end of training and by eval; data without one are refused', async () => {
  // The same images in both splits, with the two classes the other way round: what is right in one is wrong in the other.
  const files: Record<string, Uint8Array | string> = { 'classes.txt': 'above\nbelow\n' };
  for (const [split, shift] of [
    ['train', 0],
    ['val', 1],
    ['test', 1],
  ] as const) {
    files[`${split}/images/a.png`] = image(shift);
    files[`${split}/labels/a.png`] = label((x, y) => (split === 'test' ? 1 - halves(x, y) : halves(x, y)));
  }
  const data = folderOf(files);
  const out = join(data.root, 'run');
  const accuracy = async (...more: string[]) => {
    const { code, stdout, stderr } = await warpmix([...more, '--json']);
    is(code, 0, stderr);
    const { metrics, pixelAcc } = JSON.parse(stdout.trim().split('\n').at(-1)!);
    return metrics ? metrics.pixelAcc : pixelAcc;
  };
  try {
    const train = ['train', 'supervised', '--data', `folder:${data.root}`, ...SMALL, '--steps', '2'];
    const ofTest = await accuracy(...train, '--set', 'evaluation=test', '--out', out);
    is(await accuracy('eval', '--run', out), ofTest);
    const ofVal = await accuracy('eval', '--run', out, '--split', 'val');
    ok(Math.abs(ofTest + ofVal - 1) < 1e-12, `${ofTest} and ${ofVal}`);
    // As many classes, so that nothing in the network's shape tells.
    writeFileSync(join(data.root, 'classes.txt'), 'below\nabove\n');
    const turned = await warpmix(['eval', '--run', out]);
    is(turned.code, 4, turned.stderr);
    ok(
      /run: cannot score other classes: .* of step 2 are above, below; the data have below, above now/.test(
        turned.stderr,
      ),
      turned.stderr,
    );
    writeFileSync(join(data.root, 'classes.txt'), 'above\nbelow\n');
    rmSync(join(data.root, 'test'), { recursive: true });
    const { code, stderr } = await warpmix(['eval', '--run', out]);
    is(code, 4, stderr);
    ok(
      /folder:.*: has no test split to score \(evaluation=test\)\. --set evaluation=val/.test(stderr),
      stderr,
    );
  } finally {
    data.remove();
  }
});

test('a run in one file goes on in a new folder, and every refusal leaves none', async () => {
  const data = pack();
  const at = (name: string) => join(data.root, name);
  const command = [
    'train',
    'supervised',
    '--data',
    `pack:${data.root}`,
    ...SMALL,
    '--set',
    'checkpointEvery=2',
  ];
  const resume = (file: string, out: string, ...more: string[]) =>
    warpmix([...command, '--steps', '4', '--resume', at(file), '--out', at(out), ...more]);
  try {
    const whole = await warpmix([...command, '--steps', '4', '--out', at('whole')]);
    is(whole.code, 0, whole.stderr);
    const files = (step: number, prefix = ''): Zippable =>
      Object.fromEntries(
        ['config.json', 'log.jsonl', ...readdirSync(at(`whole/checkpoints/step-${step}`))].map((name) => {
          const path =
            name.includes('config') || name.includes('log') ? name : `checkpoints/step-${step}/${name}`;
          return [prefix + path, new Uint8Array(readFileSync(at(`whole/${path}`)))];
        }),
      );
    writeFileSync(at('run.zip'), zipSync(files(2, 'whole/')));
    mkdirSync(at('resumed run'));
    const resumed = await resume('run.zip', 'resumed run', '--compare', at('whole'));
    is(resumed.code, 0, resumed.stderr);
    ok(resumed.stderr.includes('resuming after step 2'), resumed.stderr);
    for (const name of ['config.json', 'log.jsonl', 'checkpoints/step-4/manifest.json'])
      is(readFileSync(at(`resumed run/${name}`), 'utf8'), readFileSync(at(`whole/${name}`), 'utf8'), name);

    const page = readFileSync(at('resumed run/report.html'), 'utf8');
    for (const run of ['resumed run', 'whole']) ok(page.includes(`(${at(run)})`), 'which row is which run');
    ok(page.includes('All scored on the same evaluation images.'));
    const { command: again } = JSON.parse(readFileSync(at('resumed run/summary.json'), 'utf8'));
    ok(again.includes(` --out '${at('resumed run')}' `), `a shell reads it back: ${again}`);

    const { 'checkpoints/step-2/manifest.json': _, ...torn } = files(2);
    writeFileSync(at('torn.zip'), zipSync(torn));
    const unreadable: [string, string, RegExp][] = [
      ['run.zip', 'whole', /whole: holds something already.*--out/],
      ['none.zip', 'new', /--resume .*none\.zip: cannot be read/],
      ['torn.zip', 'new', /torn\.zip: checkpoints\/step-2\/manifest\.json: missing/],
    ];
    for (const [file, out, message] of unreadable) {
      const error: unknown = await readResumeFile(at(file), at(out)).catch((thrown) => thrown);
      ok(error instanceof DataError && message.test(error.message), String(error));
    }
    const refusals: [Promise<Ended>, number, RegExp][] = [
      [resume('run.tar', 'new'), 2, /run\.tar': expected auto, or a file FILE\.zip/],
      [resume('run.zip', 'new', '--seed', '1'), 4, /other settings; these differ: seed\./],
      [resume('run.zip', 'new', '--dry-run'), 2, /--dry-run/],
    ];
    for (const [ended, expected, message] of refusals) {
      const { code, stderr } = await ended;
      is(code, expected, stderr);
      ok(message.test(stderr), stderr);
    }
    equal(
      readdirSync(data.root).filter((name) => name.includes('new')),
      [],
    );
  } finally {
    data.remove();
  }
});

const faults: [string, Record<string, Uint8Array | null>, RegExp][] = [
  ['a missing image', { 'image/b.png': null }, /image\/b\.png/],
  ['a truncated image', { 'image/b.png': image(1).subarray(0, image(1).length / 2) }, /image\/b\.png/],
  [
    'a label id out of range',
    { 'label/b.png': label((x, y) => (x === 3 && y === 5 ? 7 : 0)) },
    /label\/b\.png.*7/s,
  ],
  ['an image and label of different size', { 'label/b.png': label(() => 0, 32) }, /label\/b\.png.*32/s],
];
for (const [name, changes, message] of faults) {
  test(`${name}: exit 4, the file is named, nothing is left`, async () => {
    const data = pack(changes);
    const out = join(data.root, 'run');
    try {
      const { code, stderr, stdout } = await warpmix([
        'train',
        'supervised',
        '--data',
        `pack:${data.root}`,
        '--out',
        out,
        '--set',
        'segmentation.batch=4', // the first batch holds every image
        ...SMALL,
      ]);
      is(code, 4, stderr);
      ok(message.test(stderr), stderr);
      is(stderr.split('\n').filter((line) => line.includes('error')).length, 1, stderr);
      is(stdout, '');
      ok(!existsSync(out), 'a run folder was left behind');
    } finally {
      data.remove();
    }
  });
}

test('a run is scored and predicts on data that it could not train on', async () => {
  const data = pack();
  const out = join(data.root, 'run');
  const command = [
    'train',
    'three-ways',
    '--data',
    `pack:${data.root}`,
    '--out',
    out,
    ...SMALL,
    '--labels',
    '2',
  ];
  const sets = [
    'method.transfer=scratch',
    'method.mix=cutmix',
    'method.mixTruth=false',
    'segmentation.steps=1',
  ];
  try {
    const trained = await warpmix([...command, ...sets.flatMap((set) => ['--set', set])]);
    is(trained.code, 0, trained.stderr);
    // All four frames are labelled: nothing would be left to mix.
    const scored = await warpmix(['eval', '--run', out, '--data', `pack:${data.root}`, '--json']);
    is(scored.code, 0, scored.stderr);
    const own = await warpmix(['eval', '--run', out, '--json']);
    equal(JSON.parse(scored.stdout), JSON.parse(own.stdout));

    const predict = (to: string) =>
      warpmix(['predict', '--run', out, '--input', photo, '--out', join(data.root, to)]);
    const photo = join(data.root, 'photo.png');
    writeFileSync(photo, readFileSync(join(data.root, 'image', 'a.png')));
    is((await predict('before')).code, 0);
    // A run folder is all that predicting needs: the data it was trained on may be elsewhere.
    rmSync(join(data.root, 'manifest.json'));
    const alone = await predict('after');
    is(alone.code, 0, alone.stderr);
    for (const name of ['photo-label.png', 'photo-overlay.png'])
      equal(readFileSync(join(data.root, 'after', name)), readFileSync(join(data.root, 'before', name)));
  } finally {
    data.remove();
  }
});

test('a folder that was there and empty is empty again after a failure before the first step', async () => {
  const data = pack();
  const out = join(data.root, 'run');
  mkdirSync(out);
  const command = ['train', 'supervised', '--data', `pack:${data.root}`, '--out', out, ...SMALL];
  try {
    const failed = await warpmix([...command, '--set', 'depth.from=/no/such/run']);
    is(failed.code, 4, failed.stderr);
    equal(readdirSync(out), []);
    const file = join(data.root, 'manifest.json');
    const onto = await warpmix([...command.slice(0, 5), file, ...SMALL]);
    is(onto.code, 4, onto.stderr);
    ok(/manifest\.json: is a file; name a folder/.test(onto.stderr), onto.stderr);
    const unnamed = await warpmix(['train', 'supervised', '--data', `pack:${data.root}`, '--out', '']);
    is(unnamed.code, 2, unnamed.stderr);
  } finally {
    data.remove();
  }
});

test('an empty split: exit 4', async () => {
  const data = pack();
  try {
    const manifest = JSON.parse(readFileSync(join(data.root, 'manifest.json'), 'utf8'));
    writeFileSync(join(data.root, 'manifest.json'), JSON.stringify({ ...manifest, frames: [] }));
    const { code, stderr } = await warpmix([
      'train',
      'supervised',
      '--data',
      `pack:${data.root}`,
      '--out',
      join(data.root, 'r'),
    ]);
    is(code, 4, stderr);
    ok(/manifest\.json|no frames|empty/i.test(stderr), stderr);
  } finally {
    data.remove();
  }
});

const usage: [string[], RegExp][] = [
  [['train', 'three-way'], /unknown recipe 'three-way'.*three-ways/],
  [['train', 'depth', '--step', '3'], /unknown option '--step'.*--steps/],
  [['train', 'depth', '--preset', 'huge'], /--preset 'huge'.*tiny/],
  [['train', 'depth', '--set', 'depth.lrr=1'], /depth\.lrr.*depth\.lr/],
  [['train', 'depth', '--set', 'depth.lr=fast'], /depth\.lr.*"fast".*number/],
  [['train', 'depth', '--set', 'depth.lr=-1'], /depth\.lr.*-1/],
  [['train', 'depth', '--labels', 'ten'], /--labels 'ten'/],
];
for (const [args, message] of usage) {
  test(`${args.join(' ')}: exit 2`, async () => {
    const { code, stderr } = await warpmix([...args, '--out', '/nonexistent/never-made']);
    is(code, 2, stderr);
    ok(message.test(stderr), stderr);
  });
}

test('--print-config: every setting as it will be, as JSON, with no device and no run folder; --config takes it', async () => {
  const env = { VK_ICD_FILENAMES: '/no/such/icd.json', TMPDIR: '/no/such/folder' };
  const options = ['--steps', '7', '--seed', '3', '--set', 'depth.lr=0.5', '--set', 'model.scales=[0,1]'];
  const { code, stdout, stderr } = await warpmix(['train', 'depth', ...options, '--print-config'], { env });
  is(code, 0, stderr);
  const { recipe, ...config } = JSON.parse(stdout);
  is(recipe, 'depth');
  const expected = structuredClone(presets.tiny);
  equal(config, {
    ...expected,
    seed: 3,
    model: { ...expected.model, scales: [0, 1] },
    depth: { ...expected.depth, steps: 7, lr: 0.5 },
  });

  const home = folderOf({ 'config.json': `\uFEFF${stdout}` });
  try {
    const file = join(home.root, 'config.json');
    const again = await warpmix(['train', 'depth', '--config', file, '--print-config'], { env });
    is(again.stdout, stdout, again.stderr);
    const other = await warpmix(['train', 'supervised', '--config', file, '--print-config'], { env });
    is(other.code, 2, other.stderr);
    ok(/config\.json: settings of 'depth', not of 'supervised'/.test(other.stderr), other.stderr);
  } finally {
    home.remove();
  }
});

test('depth on still images, and more labels than there are: exit 4, with what would work', async () => {
  const data = pack();
  try {
    const still = await warpmix([
      'train',
      'depth',
      '--data',
      `pack:${data.root}`,
      '--out',
      join(data.root, 'r'),
    ]);
    is(still.code, 4, still.stderr);
    ok(/intrinsics|video/.test(still.stderr) && still.stderr.includes('supervised'), still.stderr);
    const threeWays = ['train', 'three-ways', '--data', `pack:${data.root}`, '--dry-run', ...SMALL];
    const byDepth = await warpmix([...threeWays, '--labels', '2']);
    is(byDepth.code, 4, byDepth.stderr);
    ok(
      /no camera intrinsics.*method\.transfer=scratch.*method\.mix=classmix/s.test(byDepth.stderr),
      byDepth.stderr,
    );
    const byClass = ['--set', 'method.transfer=scratch', '--set', 'method.mix=classmix'];
    const mixed = await warpmix([...threeWays, '--labels', '2', ...byClass]);
    is(mixed.code, 0, mixed.stderr);
    const both = [...threeWays, '--labels', '2', '--set', 'video=street', '--set', 'method.multitask=true'];
    const blind = await warpmix(both);
    is(blind.code, 4, blind.stderr);
    ok(/no camera intrinsics.*method\.multitask=false/s.test(blind.stderr), blind.stderr);
    const odd = await warpmix([...both, '--set', 'method.transfer=encoder']);
    is(odd.code, 2, odd.stderr);
    ok(/method\.transfer=encoder-decoder/.test(odd.stderr), odd.stderr);
    const few = await warpmix([...threeWays, '--labels', '3', ...byClass, '--set', 'method.mixTruth=false']);
    is(few.code, 4, few.stderr);
    ok(/: 1 unlabelled images.*the 2 of a batch.*supervised/s.test(few.stderr), few.stderr);
    const many = await warpmix([
      'train',
      'supervised',
      '--data',
      `pack:${data.root}`,
      '--labels',
      '9',
      '--out',
      join(data.root, 'r'),
    ]);
    is(many.code, 4, many.stderr);
    ok(many.stderr.includes('9') && many.stderr.includes('4'), many.stderr);
    ok(!existsSync(join(data.root, 'r')));
  } finally {
    data.remove();
  }
});

test('Ctrl-C in training: the step ends, a checkpoint is written, exit 130, and the run resumes', async () => {
  const data = pack();
  const out = join(data.root, 'run');
  const command = [
    'train',
    'supervised',
    '--data',
    `pack:${data.root}`,
    '--out',
    out,
    '--steps',
    '40',
    ...SMALL,
  ];
  try {
    mkdirSync(data.root, { recursive: true });
    const stopped = await warpmix([...command, '--json'], {
      meanwhile: (child) => {
        let sent = false;
        child.stdout?.on('data', () => {
          if (!sent) child.kill('SIGINT');
          sent = true;
        });
      },
    });
    is(stopped.code, 130, stopped.stderr);
    const [step] = readdirSync(join(out, 'checkpoints'));
    ok(/^step-\d+$/.test(step) && step !== 'step-40', step);
    const resumed = await warpmix([...command, '--resume', 'auto']);
    is(resumed.code, 0, resumed.stderr);
    ok(/resuming after step/.test(resumed.stderr), resumed.stderr);
    const log = () => readFileSync(join(out, 'log.jsonl'), 'utf8').trim().split('\n');
    is(log().length, 41);
    const points = () =>
      /<path class="line c0" d="(M[^"]*)"/.exec(readFileSync(join(out, 'report.html'), 'utf8'))?.[1];
    const drawn = points();
    is(drawn?.match(/[ML]/g)?.length, 40, 'the curve has the steps before the stop too');
    const whole = log();
    // Nothing is left to do: the log has one end, and the report its curves.
    const again = await warpmix([...command, '--resume', 'auto']);
    is(again.code, 0, again.stderr);
    equal(log(), whole);
    is(points(), drawn);

    const nameless = await warpmix([
      'train',
      'supervised',
      '--data',
      `pack:${data.root}`,
      '--resume',
      'auto',
    ]);
    is(nameless.code, 2);
    ok(
      /--resume auto: which run is to go on\? Name its folder with --out/.test(nameless.stderr),
      nameless.stderr,
    );
    rmSync(join(out, 'config.json'));
    const foreign = await warpmix([...command, '--resume', 'auto']);
    is(foreign.code, 4);
    ok(/holds something already/.test(foreign.stderr), foreign.stderr);
    equal(log(), whole);
  } finally {
    rmSync(out, { recursive: true, force: true });
    data.remove();
  }
});
