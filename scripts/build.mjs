// Bundles the command line into dist/. Packages stay outside the bundle: dawn.node and the
// software adapter are found relative to their own folders.
import { mkdirSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** How the command line is bundled. */
export const cliBuild = {
  absWorkingDir: root,
  // The first is a thread of the second, which is written last.
  entryPoints: { 'loader-thread': 'src/data/loader-thread.ts', warpmix: 'src/cli/main.ts' },
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  packages: 'external',
  sourcemap: true,
  loader: { '.py': 'text' },
  logLevel: 'warning',
  write: false,
};

export async function buildCli() {
  const started = new Date();
  const { outputFiles } = await build(cliBuild);
  // Renamed into place: a command started meanwhile must not load half a bundle. Dated by its start: a source that was
  // changed while it was made is newer.
  mkdirSync(join(root, 'dist'), { recursive: true });
  for (const { path, contents } of outputFiles) {
    const making = `${path}.${process.pid}.tmp`;
    writeFileSync(making, contents);
    utimesSync(making, started, started);
    renameSync(making, path);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildCli();
