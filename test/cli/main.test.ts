// The command line as a user meets it: exit codes, what goes to stdout, and what bad input leads to.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { duration } from '../../src/cli/session.ts';
import { decodePng } from '../../src/data/codecs.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { NO_ADAPTER, warpmix } from './spawn.ts';

const test = suite('cli');

const folder = mkdtempSync(join(tmpdir(), 'warpmix-cli-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const COMMANDS = ['doctor', 'check', 'kernels', 'data'];

test('--help lists the commands on stdout, without colours when piped', async () => {
  const { code, stdout } = await warpmix(['--help'], { env: { FORCE_COLOR: '1', CI: '' } });
  is(code, 0);
  for (const name of COMMANDS) ok(stdout.includes(name), stdout);
  ok(!stdout.includes('\u001b'), 'escape codes in a pipe');
});

test('every command has --help, with its options', async () => {
  for (const path of [
    ['doctor'],
    ['check'],
    ['kernels'],
    ['data', 'make'],
    ['data', 'check'],
    ['data', 'info'],
  ]) {
    const { code, stdout } = await warpmix([...path, '--help']);
    is(code, 0, path.join(' '));
    ok(stdout.includes('--json') && stdout.includes(`warpmix ${path.join(' ')}`), stdout);
  }
});

test('no command: usage on stderr, exit 2', async () => {
  const { code, stdout, stderr } = await warpmix([]);
  is(code, 2);
  is(stdout, '');
  ok(stderr.includes('doctor'), stderr);
});

test('a duration has no sixtieth second', () => {
  equal([0.2, 89.4, 89.6, 119.7, 131].map(duration), [
    '0 s',
    '89 s',
    '1 min 30 s',
    '2 min 0 s',
    '2 min 11 s',
  ]);
});

test('--version is that of package.json', async () => {
  const { code, stdout } = await warpmix(['--version']);
  is(code, 0);
  is(stdout.trim(), JSON.parse(readFileSync('package.json', 'utf8')).version);
});

// Arguments, exit code, and what the one message on stderr must say.
const refused: [string[], number, RegExp][] = [
  [['doctr'], 2, /^error: warpmix: unknown command 'doctr' \(did you mean doctor\?\)/],
  [['toString'], 2, /unknown command 'toString'/],
  [['data', 'inf'], 2, /warpmix data: unknown command 'inf' \(did you mean info\?\)/],
  [['doctor', '--jsn'], 2, /warpmix doctor: unknown option '--jsn' \(did you mean --json\?\)/],
  [['doctor', '-x'], 2, /unknown option '-x'/],
  [['--jsn'], 2, /warpmix: unknown option '--jsn'/],
  [['doctor', 'now'], 2, /unexpected argument 'now'/],
  [['check', '--golden'], 2, /option '--golden' needs a value/],
  [['check', '--golden', '--json'], 2, /option '--golden' needs a value/],
  [['kernels', 'conv2'], 2, /no kernel 'conv2' \(did you mean conv2d\?\)/],
  [['kernels', 'rsqrt', '--variant', 'vec5'], 2, /no variant 'vec5'; it has vec4-run, vec4, scalar/],
  [['data', 'info'], 2, /Missing required positional argument: SPEC/],
  [['data', 'info', 'street', '--split', 'tset'], 2, /train, val, unlabelled, test/],
  [['data', 'info', 'street', '--split', 'test'], 4, /street: has no test split/],
  [['data', 'info', 'street', '--width', '64'], 2, /--width and --height go together/],
  [
    ['data', 'info', 'street', '--width', 'wide', '--height', '32'],
    2,
    /--width 'wide': expected a whole number/,
  ],
  [['data', 'info', 'street', '--seed', '4294967296'], 2, /--seed '4294967296': .* from 0 to 4294967295/],
  [['data', 'make', 'street'], 2, /make: Missing required argument: --out; see 'warpmix data make --help'/],
  [['data', 'info', 'stret'], 4, /did you mean street\?/],
  [['data', 'info', 'pack:/no/such/folder'], 4, /\/no\/such\/folder: no such folder/],
  [['data', 'check', 'pack:test/golden'], 4, /1 problem/],
  [['data', 'make', 'street', '--out', 'test'], 4, /exists and is not empty/],
  [['data', 'make', 'street', '--out', 'README.md'], 4, /README\.md: is a file; name a folder with --out/],
  [['data', 'make', 'street', '--out', '/proc/none/street'], 4, /\/proc\S*: cannot be made/],
  [
    ['data', 'info', 'street', '--picture', '/no/such/folder/a.png'],
    4,
    /a\.png: cannot be written: there is no folder/,
  ],
  [
    ['data', 'info', 'street', '--picture', 'sheet.jpg'],
    2,
    /--picture 'sheet\.jpg': expected a name that ends in \.png/,
  ],
  [
    ['train', 'supervised', '--labels-file', 'README.md'],
    4,
    /--labels-file README\.md: expected \{ "images"/,
  ],
  [['check', '--golden', '/no/such/folder'], 4, /\/no\/such\/folder: /],
];
for (const [args, wanted, pattern] of refused) {
  test(`exit ${wanted}: warpmix ${args.join(' ')}`, async () => {
    const { code, stderr } = await warpmix(args);
    is(code, wanted, stderr);
    ok(pattern.test(stderr.slice(stderr.indexOf('error: '))), stderr);
    is(stderr.split('error: ').length, 2, 'one message');
    ok(!/^ +at /m.test(stderr.slice(stderr.indexOf('error: '))), 'a stack nobody asked for');
    ok(!stderr.includes('\u001b'), 'escape codes in a pipe');
  });
}

test('--stack shows where an error arose, in the sources', async () => {
  const { code, stderr } = await warpmix(['data', 'info', 'pack:/no/such/folder', '--stack']);
  is(code, 4);
  ok(/at .*src\/data\/files-node\.ts:\d+/.test(stderr), stderr);
});

test('doctor --json is one JSON object on stdout', async () => {
  const { code, stdout, stderr } = await warpmix(['doctor', '--json']);
  is(code, 0);
  is(stdout.trim().split('\n').length, 1);
  const found = JSON.parse(stdout);
  for (const key of ['vendor', 'architecture', 'description']) is(typeof found.adapter[key], 'string', key);
  is(typeof found.adapter.software, 'boolean');
  is(/no GPU: running on the software adapter/.test(stderr), found.adapter.software);
  ok(Array.isArray(found.features) && found.features.every((one: unknown) => typeof one === 'string'));
  ok(found.limits.maxComputeInvocationsPerWorkgroup >= 256, JSON.stringify(found.limits));
  is(found.selfTest.ok, true);
  ok(found.tried.length > 0);
  is(found.packages.webgpu, JSON.parse(readFileSync('package.json', 'utf8')).dependencies.webgpu);
});

const NO_ADAPTER_ERROR = /error: no WebGPU adapter\. Tried:\n( {2}\S.*\n)+Install a Vulkan driver .*`npm ci`/;

test('without an adapter: exit 3, what was tried, and what to do', async () => {
  const { code, stdout, stderr } = await warpmix(['doctor', '--json'], { env: NO_ADAPTER });
  is(code, 3, stderr);
  ok(NO_ADAPTER_ERROR.test(stderr), stderr);
  const found = JSON.parse(stdout);
  is(found.adapter, null);
  is(found.selfTest.ok, false);
  ok(found.tried.length >= 2, JSON.stringify(found.tried));
  const check = await warpmix(['check', 'rsqrt'], { env: NO_ADAPTER });
  is(check.code, 3);
  ok(NO_ADAPTER_ERROR.test(check.stderr), check.stderr);
});

test('a driver by name that is none, or a card that is not there: the packaged adapter stands in', async () => {
  const named = { VK_DRIVER_FILES: '/no/such/icd.json' };
  const card = { VK_ICD_FILENAMES: '', WARPMIX_DAWN_FLAGS: 'adapter=no-such-card' };
  for (const env of [named, card]) {
    const { code, stdout, stderr } = await warpmix(['doctor', '--json'], { env });
    is(code, 0, stderr);
    const { tried } = JSON.parse(stdout);
    ok(/^software adapter .*: taken$/.test(tried.at(-1)), tried.join('\n'));
  }
});

test('kernels: the table, and --json with every kernel', async () => {
  const { code, stdout } = await warpmix(['kernels']);
  is(code, 0);
  ok(/^conv2d +conv2d +/m.test(stdout), stdout);
  const listed = JSON.parse((await warpmix(['kernels', '--json'])).stdout);
  ok(listed.length > 60 && listed.every((one: { name: string; formula: string }) => one.name && one.formula));
});

test('check --json: counts and cases; with a text, only what has it in its name', async () => {
  const { code, stdout } = await warpmix(['check', 'rsqrt', '--golden', 'test/golden', '--json']);
  is(code, 0);
  const { passed, failed, unsupported, cases } = JSON.parse(stdout);
  is(passed, 6); // a golden file, three variants, two lengths
  is(failed, 0);
  is(unsupported, 0);
  is(cases.length, 6);
  for (const one of cases) {
    equal(Object.keys(one).sort(), ['maxAbsErr', 'maxRelErr', 'name', 'ok', 'op']);
    is(one.ok, true);
    ok(one.maxRelErr < 5e-4, JSON.stringify(one));
  }
});

test('check exits 1 when a golden file fails or nothing was checked, 2 when nothing has the name', async () => {
  const bad = join(folder, 'golden');
  mkdirSync(bad);
  const bytes = readFileSync('test/golden/act_rsqrt.safetensors');
  bytes[bytes.length - 1] ^= 0x40;
  writeFileSync(join(bad, 'act_rsqrt.safetensors'), bytes);
  const { code, stdout } = await warpmix(['check', 'rsqrt', '--golden', bad]);
  is(code, 1);
  ok(/^FAILED act_rsqrt \(rsqrt\): /m.test(stdout), stdout);
  ok(/5 passed, 1 failed, 0 unsupported/.test(stdout), stdout);
  is((await warpmix(['check', 'no such thing'])).code, 2);
});

test('data info: JSON and a picture', async () => {
  const picture = join(folder, 'sheet.png');
  const { code, stdout } = await warpmix(['data', 'info', 'street', '--json', '--picture', picture]);
  is(code, 0);
  const { splits, classes, width, height } = JSON.parse(stdout);
  equal([width, height], [128, 64]);
  equal(Object.keys(splits), ['train', 'val', 'unlabelled']);
  is(splits.train.labels, true);
  is(splits.unlabelled.labels, false);
  ok(Math.abs(classes.reduce((sum: number, one: { share: number }) => sum + one.share, 0) - 1) < 1e-9);
  const { width: w, height: h } = decodePng(readFileSync(picture), picture);
  ok(w > 500 && h > 200, `${w}x${h}`);
  equal(
    readdirSync(folder).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test('data make writes a pack that data check and data info accept', async () => {
  const out = join(folder, 'street');
  const made = await warpmix([
    'data',
    'make',
    'street',
    '--width',
    '32',
    '--height',
    '32',
    '--out',
    out,
    '--json',
  ]);
  is(made.code, 0, made.stderr);
  const { spec, frames } = JSON.parse(made.stdout);
  is(spec, `pack:${out}`);
  const checked = await warpmix(['data', 'check', spec, '--json']);
  is(checked.code, 0, checked.stderr);
  equal(JSON.parse(checked.stdout), { spec, ok: true, problems: [] });
  const { splits } = JSON.parse((await warpmix(['data', 'info', spec, '--json'])).stdout);
  is(splits.train.frames + splits.val.frames + splits.unlabelled.frames, frames);
  equal(
    readdirSync(folder).filter((name) => name.includes('.tmp')),
    [],
  );
});

test('data check lists every problem, a line each, and exits 4', async () => {
  const root = join(folder, 'plain');
  mkdirSync(join(root, 'images'), { recursive: true });
  for (const name of ['a.png', 'b.jpg']) writeFileSync(join(root, 'images', name), 'not an image');
  const { code, stdout, stderr } = await warpmix(['data', 'check', `folder:${root}`]);
  is(code, 4);
  equal(stdout.split('\n'), [
    `${root}/images/a.png: neither PNG nor JPEG`,
    `${root}/images/b.jpg: neither PNG nor JPEG`,
    '',
  ]);
  ok(stderr.endsWith(`error: folder:${root}: 2 problem(s)\n`), stderr);
});

test('an interrupted data make leaves nothing behind, and exits 130', async () => {
  const out = join(folder, 'interrupted');
  const started = () => readdirSync(folder).some((name) => name.startsWith('interrupted'));
  const { code } = await warpmix(
    ['data', 'make', 'street', '--width', '256', '--height', '128', '--out', out],
    {
      meanwhile: (child) => {
        const timer = setInterval(() => {
          if (!started()) return;
          clearInterval(timer);
          child.kill('SIGINT');
        }, 20);
        child.on('close', () => clearInterval(timer));
      },
    },
  );
  is(code, 130);
  ok(!started(), readdirSync(folder).join());
});

test('check can be interrupted: 130 for SIGINT, 143 for SIGTERM', async () => {
  for (const [signal, wanted] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const { code } = await warpmix(['check'], {
      meanwhile: (child) => {
        setTimeout(() => child.kill(signal), 2500);
      },
    });
    is(code, wanted, signal);
  }
});

test('a closed stdout is no crash', async () => {
  const { code, stderr } = await warpmix(['kernels'], { meanwhile: (child) => child.stdout!.destroy() });
  is(code, 0, stderr);
  ok(!/EPIPE|Error/.test(stderr), stderr);
});

test('the command builds its bundle when that is missing or old, and says so only when it fails', async () => {
  const copy = join(folder, 'checkout');
  for (const name of ['src', 'bench', 'kernels', 'shaders', 'scripts', 'bin', 'package.json'])
    cpSync(name, join(copy, name), { recursive: true });
  symlinkSync(resolve('node_modules'), join(copy, 'node_modules'));
  const bundle = join(copy, 'dist/warpmix.mjs');
  const run = (...args: string[]) => warpmix(args, { cwd: folder, bin: join(copy, 'bin/warpmix.mjs') });

  const first = await run('--version');
  equal(first, { code: 0, stdout: first.stdout, stderr: '' });
  const made = statSync(bundle).mtimeMs;
  await run('--version');
  is(statSync(bundle).mtimeMs, made, 'built again without need');

  const main = join(copy, 'src/cli/main.ts');
  const text = readFileSync(main, 'utf8');
  writeFileSync(main, text.replace('label-efficient', 'label-frugal'));
  ok((await run('--help')).stdout.includes('label-frugal'), 'the change is seen');

  writeFileSync(main, `${text}\nthis is no TypeScript`);
  const broken = await run('--version');
  is(broken.code, 1);
  ok(/error: building .* failed/.test(broken.stderr), broken.stderr);
  ok(existsSync(bundle));
});
