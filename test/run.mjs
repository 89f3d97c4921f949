// Bundles every test file, runs what each declares, prints one line per failure and a last line
// `N passed, N failed`. Exits 1 when anything failed or when nothing ran. Each file runs in a process of its own, so that none
// depends on what ran before it; two at a time, and those that open a browser come last and alone, because a page has a software
// adapter of its own.
//   node test/run.mjs [--grep TEXT] [--root DIR] [FILE-PART ...]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { buildCli } from '../scripts/build.mjs';

// A test that ends the process must not end it as a success.
let finished = false;
process.on('exit', () => {
  if (!finished) process.exitCode = 1;
});

function* find(folder, ending) {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* find(path, ending);
    else if (path.endsWith(ending)) yield path;
  }
}

const args = process.argv.slice(2);
const option = (name) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
const grep = option('--grep');
const root = option('--root') ?? 'test';
const parts = args.filter((a, i) => !a.startsWith('--') && !['--grep', '--root'].includes(args[i - 1]));
const files = [...find(root, '.test.ts')].filter(
  (file) => parts.length === 0 || parts.some((part) => file.includes(part)),
);

const out = `dist/test-${process.pid}`; // own folder, so that two runs do not disturb each other
await buildCli();
await build({
  entryPoints: Object.fromEntries([['suite', 'test/suite.ts'], ...files.map((file, i) => [`${i}`, file])]),
  outdir: out,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  packages: 'external',
  loader: { '.py': 'text' },
  sourcemap: 'inline',
  logLevel: 'warning',
});

let passed = 0;
const failures = [];
const slow = [];

/** Runs a file. One whose process ends before its tests are done has failed. */
async function runFile(file) {
  const start = performance.now();
  const argv = [out, String(files.indexOf(file)), ...(grep === undefined ? [] : [grep])];
  const child = fork('test/one.mjs', argv, { silent: true });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      printed += text;
    });
  }
  let complete = false;
  child.on('message', ({ outcome, done, error }) => {
    if (outcome) slow.push(outcome);
    if (outcome?.ok) passed += 1;
    else if (outcome) failures.push(outcome);
    if (error) failures.push({ suite: file, name: '(load)', error });
    complete ||= done === true;
  });
  const [code, signal] = await once(child, 'close');
  if (!complete) {
    const error = `the tests ended their process: ${signal ?? `exit code ${code}`}`;
    failures.push({ suite: file, name: '(process)', error });
  }
  process.stdout.write(printed);
  console.log(`${file}: ${Math.round(performance.now() - start)} ms`);
}

/** Runs the files of a queue, one at a time, until none is left. */
async function lane(queue) {
  while (queue.length > 0) await runFile(queue.shift());
}

const inBrowser = (file) => /browser|studio/.test(file);
const [quiet, browsing] = [files.filter((file) => !inBrowser(file)), files.filter(inBrowser)];
await Promise.all([lane(quiet), lane(quiet)]);
await lane(browsing);

slow.sort((a, b) => b.ms - a.ms);
console.log('\nslowest:');
for (const one of slow.slice(0, 5)) console.log(`  ${Math.round(one.ms)} ms  ${one.suite}: ${one.name}`);
for (const one of failures) console.log(`\nFAILED ${one.suite}: ${one.name}\n${one.error}`);
if (passed + failures.length === 0) console.log('no test ran');
console.log(`\n${passed} passed, ${failures.length} failed`);
rmSync(out, { recursive: true, force: true });
finished = true;
process.exit(failures.length > 0 || passed === 0 ? 1 : 0);
