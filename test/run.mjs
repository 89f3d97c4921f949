// Bundles every test file, runs what each declares, prints one line per failure and a last line
// `N passed, N failed`. Exits 1 when anything failed or when nothing ran.
//   node test/run.mjs [--grep TEXT] [--root DIR] [FILE-PART ...]
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { buildCli } from '../scripts/build.mjs';

globalThis.UVU_DEFER = 1;

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

const { runDeclared } = await import(pathToFileURL(join(out, 'suite.mjs')).href);
let passed = 0;
const failures = [];
const slow = [];
const report = (outcome) => {
  if (outcome.ok) passed += 1;
  else failures.push(outcome);
  slow.push(outcome);
};
for (const [i, file] of files.entries()) {
  const start = performance.now();
  try {
    await import(pathToFileURL(join(out, `${i}.mjs`)).href);
    await runDeclared(report, grep);
  } catch (error) {
    failures.push({ suite: file, name: '(load)', error: error?.stack ?? String(error) });
  }
  console.log(`${file}: ${Math.round(performance.now() - start)} ms`);
}

slow.sort((a, b) => b.ms - a.ms);
console.log('\nslowest:');
for (const one of slow.slice(0, 5)) console.log(`  ${Math.round(one.ms)} ms  ${one.suite}: ${one.name}`);
for (const one of failures) console.log(`\nFAILED ${one.suite}: ${one.name}\n${one.error}`);
if (passed + failures.length === 0) console.log('no test ran');
console.log(`\n${passed} passed, ${failures.length} failed`);
rmSync(out, { recursive: true, force: true });
finished = true;
process.exit(failures.length > 0 || passed === 0 ? 1 : 0);
