// Bundles every test file, runs what each declares, prints one line per failure and a last line
// `N passed, N failed`. Exits 1 when anything failed or when nothing ran.
//   node test/run.mjs [--long] [--grep TEXT] [FILE-PART ...]
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { buildCli } from '../scripts/build.mjs';

globalThis.UVU_DEFER = 1;

function* find(folder, ending) {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* find(path, ending);
    else if (path.endsWith(ending)) yield path;
  }
}

const args = process.argv.slice(2);
const long = args.includes('--long');
const grepAt = args.indexOf('--grep');
const grep = grepAt >= 0 ? args[grepAt + 1] : undefined;
const parts = args.filter((a, i) => !a.startsWith('--') && (grepAt < 0 || i !== grepAt + 1));
const files = [...find('test', long ? '.long.ts' : '.test.ts')].filter(
  (file) => parts.length === 0 || parts.some((part) => file.includes(part)),
);

const out = `dist/test-${process.pid}`; // own folder, so that two runs do not disturb each other
await buildCli();
await build({
  entryPoints: [...files, 'test/suite.ts'],
  outdir: out,
  outbase: 'test',
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
for (const file of files) {
  const start = performance.now();
  try {
    await import(pathToFileURL(join(out, relative('test', file).replace(/\.ts$/, '.mjs'))).href);
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
process.exit(failures.length > 0 || passed === 0 ? 1 : 0);
