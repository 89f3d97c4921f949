// Writes a folder that runs on a Linux x64 machine with a GPU driver (or without one, in software) and nothing else: no
// Node, no network, no root. Node and Dawn go in without their symbol tables, compressed by gzip, because that is
// what every machine can undo; the start script undoes it once.
//   npm run portable [-- --out DIR]
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { cliBuild } from './build.mjs';
import { buildStudio } from './build-studio.mjs';

const MEBIBYTE = 2 ** 20;
const LIMIT = 45 * MEBIBYTE;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { version, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

function fail(message) {
  throw new Error(message);
}

/**
 * An ELF file without what no loader reads: the symbol tables and section headers that follow its last segment. What
 * `strip` does and more, without needing it.
 */
function withoutSymbols(elf) {
  const first = Number(elf.readBigUInt64LE(32));
  const [size, count] = [elf.readUInt16LE(54), elf.readUInt16LE(56)];
  let end = first + size * count;
  for (let at = first; at < first + size * count; at += size) {
    end = Math.max(end, Number(elf.readBigUInt64LE(at + 8) + elf.readBigUInt64LE(at + 32)));
  }
  const kept = Buffer.from(elf.subarray(0, end));
  kept.writeBigUInt64LE(0n, 40); // offset of the section headers,
  kept.writeUInt16LE(0, 60); // their number
  kept.writeUInt16LE(0, 62); // and the one with their names
  return kept;
}

const START = `#!/bin/sh
# warpmix ${version} with Node ${process.version}, Dawn and a software adapter. The first run unpacks, nothing is installed.
set -e
if [ "$(uname -sm)" != 'Linux x86_64' ]; then
  echo "error: this folder is for Linux x86_64, this is $(uname -sm)" >&2
  exit 1
fi
here=$(dirname "$(readlink -f "$0")")
unpack() {
  [ -e "$1" ] && return
  making="$1.$$"
  trap 'rm -f "$making"' EXIT
  if ! { gzip -dc "$1.gz" >"$making" && chmod 755 "$making" && mv "$making" "$1"; }; then
    echo "error: $1 cannot be unpacked; put the folder where you may write and 110 MB are free" >&2
    exit 1
  fi
  trap - EXIT
}
unpack "$here/node"
unpack "$here/node_modules/webgpu/dist/linux-x64/dawn.node"
exec "$here/node" "$here/dist/warpmix.mjs" "$@"
`;

const README = `warpmix ${version}, portable

On Linux x64 with glibc 2.34 and libstdc++ 6.0.30 or later (Debian 12, Ubuntu 22.04, Fedora 36), in this folder:

    ./warpmix doctor
    ./warpmix check
    ./warpmix bench             (its table 'peers' needs a source checkout)
    ./warpmix bench pytorch     (asks the machine's python3)
    ./warpmix train three-ways
    ./warpmix studio            (a browser on the same machine opens it)

A GPU needs its Vulkan driver; the Vulkan loader is here. Without a GPU the software adapter that is here is taken. The first
run unpacks 104 MB beside the compressed files. The folder may be moved and copied.

Inside: Node ${process.version} (MIT and others, https://github.com/nodejs/node/blob/${process.version}/LICENSE), and in
node_modules/ the packages with their licences. Dawn and SwiftShader come under their projects' licences
(https://dawn.googlesource.com/dawn, https://swiftshader.googlesource.com/SwiftShader). warpmix itself: LICENSE.
`;

/** Libraries that come with glibc and GCC, which is all that a Node to take along may need. */
const EVERYWHERE = /^(linux-vdso|ld-linux-x86-64|lib(c|m|dl|pthread|rt|stdc\+\+|gcc_s|atomic))\.so/;

function checkNode() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    fail(
      `the folder is for Linux x64 and takes Node from this machine, which is ${process.platform} ${process.arch}`,
    );
  }
  const foreign = process.report
    .getReport()
    .sharedObjects.map((path) => path.split('/').at(-1))
    .filter((name) => !EVERYWHERE.test(name));
  if (foreign.length > 0) {
    fail(
      `this Node (${process.execPath}) needs ${foreign.join(', ')}, which other machines may not have; run this with the ` +
        'Node 20 of https://nodejs.org',
    );
  }
}

const BESIDE = ['webgpu', '@sparticuz/chromium'];
const PACKAGE = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//;

const modules = (...path) => join(root, 'node_modules', ...path);

function* filesOf(folder) {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* filesOf(path);
    else yield path;
  }
}

/** Copies what says whose a package is; also for those that are inside the bundle. */
function copyIdentity(name, out) {
  const to = join(out, 'node_modules', name);
  mkdirSync(to, { recursive: true });
  for (const file of readdirSync(modules(name))) {
    if (file === 'package.json' || /^licen[cs]e/i.test(file)) cpSync(modules(name, file), join(to, file));
  }
}

async function write(out) {
  const compressed = (path) =>
    gzipSync(withoutSymbols(readFileSync(path)), { level: constants.Z_BEST_COMPRESSION });
  const put = (path, bytes, mode = 0o644) => {
    mkdirSync(dirname(join(out, path)), { recursive: true });
    writeFileSync(join(out, path), bytes, { mode });
  };
  put('warpmix', START, 0o755);
  put('README.txt', README);
  put('LICENSE', readFileSync(join(root, 'LICENSE')));
  put('node.gz', compressed(process.execPath));

  const { outputFiles, metafile } = await build({
    ...cliBuild,
    packages: 'bundle',
    // The first two hold files of their own; what only the comparison of `bench peers` needs stays behind.
    external: [...BESIDE, ...Object.keys(devDependencies)],
    sourcemap: false,
    metafile: true,
  });
  for (const { path, contents } of outputFiles) put(relative(root, path), contents);
  const studio = await buildStudio(join(out, 'dist/studio'));
  const inside = [...Object.keys(metafile.inputs), ...studio.inputs].flatMap(
    (path) => PACKAGE.exec(path)?.[1] ?? [],
  );
  for (const name of new Set([...inside, ...BESIDE])) copyIdentity(name, out);
  put('node_modules/webgpu/index.js', readFileSync(modules('webgpu/index.js')));
  const dawn = 'webgpu/dist/linux-x64/dawn.node';
  put(`node_modules/${dawn}.gz`, compressed(modules(dawn)));
  // Of this package only the archive with SwiftShader and the Vulkan loader; its entry point is looked up, never run.
  put('node_modules/@sparticuz/chromium/build/cjs/index.cjs', '');
  const driver = '@sparticuz/chromium/bin/swiftshader.tar.br';
  put(`node_modules/${driver}`, readFileSync(modules(driver)));
}

async function portable() {
  const { values } = parseArgs({
    options: { out: { type: 'string', default: join(root, 'dist/portable') } },
  });
  const out = resolve(values.out);
  checkNode();
  if (existsSync(out) && !existsSync(join(out, 'node.gz'))) {
    fail(`${out}: exists and holds no portable warpmix; name another folder with --out`);
  }
  const making = `${out}.${process.pid}.tmp`;
  try {
    await write(making);
    const bytes = [...filesOf(making)].reduce((sum, path) => sum + statSync(path).size, 0);
    const size = `${(bytes / MEBIBYTE).toFixed(1)} MiB`;
    if (bytes > LIMIT) {
      fail(
        `with Node ${process.version} the folder takes ${size}, more than ${LIMIT / MEBIBYTE}; run this with Node 20`,
      );
    }
    rmSync(out, { recursive: true, force: true });
    renameSync(making, out);
    console.log(
      `${relative('', out) || out}: ${size}. Copy it to the machine and run ./warpmix doctor there.`,
    );
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}

await portable().catch((error) => {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
});
