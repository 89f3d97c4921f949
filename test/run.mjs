// Bundles every test file, runs what each declares, prints one line per failure and a last line
// `N passed, N failed`. Exits 1 when anything failed or when nothing ran. Files run in two processes, which take the next one when they
// are done; those that open a browser come last and one at a time, because a page has a software adapter of its own.
//   node test/run.mjs [--grep TEXT] [--root DIR] [FILE-PART ...]
import { fork } from 'node:child_process';
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
  sourcemap: 'inline',
  logLevel: 'warning',
});

let passed = 0;
const failures = [];
const slow = [];

/** Runs files of `queue` in a process of its own until none is left. One that ends before its file is done fails that file. */
async function lane(queue) {
  let child = null;
  let file = '';
  let printed = '';
  let end = () => {};
  const open = () => {
    const made = fork('test/lane.mjs', grep === undefined ? [out] : [out, grep], { silent: true });
    for (const stream of [made.stdout, made.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        printed += text;
      });
    }
    made.on('message', ({ outcome, done, error }) => {
      if (outcome) slow.push(outcome);
      if (outcome?.ok) passed += 1;
      else if (outcome) failures.push(outcome);
      if (error) failures.push({ suite: file, name: '(load)', error });
      if (done) end(null);
    });
    made.on('exit', (code, signal) => end(signal ?? `exit code ${code}`));
    return made;
  };
  while (queue.length > 0) {
    file = queue.shift();
    const start = performance.now();
    child ??= open();
    const early = await new Promise((resolve) => {
      end = resolve;
      child.send(String(files.indexOf(file)));
    });
    if (early !== null) {
      failures.push({ suite: file, name: '(process)', error: `the tests ended their process: ${early}` });
      child = null;
    }
    process.stdout.write(printed);
    printed = '';
    console.log(`${file}: ${Math.round(performance.now() - start)} ms`);
  }
  child?.disconnect();
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
