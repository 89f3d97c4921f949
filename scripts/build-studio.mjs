// Builds the page into dist/studio/: static files, with addresses relative to the page, that any web server can host.
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Shaders without indentation, which what is shown of them gets anew (`shaderCode` in src/gpu/kernel.ts): a kB of the page. */
const flatShaders = {
  name: 'flat shaders',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\.wgsl\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(/\n +/g, '\n'),
      loader: 'ts',
    })),
};

/** How the page is bundled. */
export const studioBuild = {
  absWorkingDir: root,
  entryPoints: {
    main: 'src/studio/main.ts',
    worker: 'src/studio/worker.ts',
    style: 'src/studio/style.css',
  },
  chunkNames: '[hash]',
  bundle: true,
  splitting: true,
  minify: true,
  platform: 'browser',
  target: 'es2022',
  format: 'esm',
  plugins: [flatShaders],
  // Behind dynamic imports that only Node takes.
  external: ['*/node-adapter.ts', '*/files-node.ts', '*/checkpoint.ts', 'node:*'],
  logLevel: 'warning',
};

/**
 * @param out the folder; what it held is replaced.
 * @returns it, and the source files that went into it
 */
export async function buildStudio(out = join(root, 'dist/studio')) {
  mkdirSync(dirname(out), { recursive: true });
  // Made beside it and renamed: a page that is being loaded must not meet half a build.
  const making = mkdtempSync(`${out}-`);
  try {
    const { metafile } = await build({ ...studioBuild, outdir: making, metafile: true });
    copyFileSync(join(root, 'src/studio/index.html'), join(making, 'index.html'));
    chmodSync(making, 0o755); // a temporary folder is closed to the web server's user
    rmSync(out, { recursive: true, force: true });
    renameSync(making, out);
    return { folder: out, inputs: Object.keys(metafile.inputs) };
  } catch (error) {
    rmSync(making, { recursive: true, force: true });
    throw error;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(`${(await buildStudio()).folder}: the page, as static files`);
}
