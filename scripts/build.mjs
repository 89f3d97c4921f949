// Bundles the command line into dist/. Packages stay outside the bundle: dawn.node and the
// software adapter are found relative to their own folders.
import { build } from 'esbuild';

export async function buildCli() {
  await build({
    entryPoints: ['src/cli/main.ts'],
    outfile: 'dist/warpmix.mjs',
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    sourcemap: true,
    logLevel: 'warning',
  });
}

if (import.meta.url === `file://${process.argv[1]}`) await buildCli();
