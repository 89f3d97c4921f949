#!/usr/bin/env node
// Runs the bundle in dist/. Where the sources are at hand and newer, the bundle is made first.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const bundle = join(root, 'dist/warpmix.mjs');
/** Its threads that load data are a bundle of their own. */
const bundles = [bundle, join(root, 'dist/loader-thread.mjs')];

/** Latest change below a folder, in ms; a folder's own time tells of files removed. */
function newest(path) {
  const { mtimeMs } = statSync(path);
  const inner = statSync(path).isDirectory() ? readdirSync(path).map((name) => newest(join(path, name))) : [];
  return Math.max(mtimeMs, ...inner);
}

function fail(what, error) {
  const missing = error.code === 'ERR_MODULE_NOT_FOUND';
  console.error(
    `error: ${what}: ${missing ? `${error.message}; 'npm ci' installs the packages` : error.message}`,
  );
  process.exit(1);
}

const sources = ['src', 'bench', 'kernels', 'shaders', 'scripts/build.mjs', 'package.json'].map((name) =>
  join(root, name),
);
if (sources.every((path) => existsSync(path))) {
  const built = Math.min(...bundles.map((path) => (existsSync(path) ? statSync(path).mtimeMs : 0)));
  if (Math.max(...sources.map(newest)) > built) {
    await import('../scripts/build.mjs')
      .then(({ buildCli }) => buildCli())
      .catch((error) => fail(`building ${bundle} failed`, error));
  }
}
if (process.argv.includes('--stack')) process.setSourceMapsEnabled(true);
await import(pathToFileURL(bundle).href).catch((error) => fail(`${bundle} cannot be loaded`, error));
