// Fails when a module imports from a layer above its own, or when imports form a circle.
// The order is the one of the house: a layer may import only from layers before it.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ORDER = [
  'shaders',
  'src/gpu',
  'kernels',
  'src/autograd',
  'src/ops',
  'src/nn',
  'src/optim',
  'src/geometry',
  'src/data',
  'src/models',
  'src/methods',
  'src/train',
  'bench',
  'src/cli',
  'src/studio',
];

function* walk(folder) {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* walk(path);
    else if (path.endsWith('.ts')) yield path;
  }
}

/** Import graph below `root`: file -> files it imports (types included). */
export function importGraph(root) {
  const graph = new Map();
  for (const top of ['shaders', 'kernels', 'src', 'bench']) {
    for (const path of walk(join(root, top))) {
      const text = readFileSync(path, 'utf8');
      const targets = [...text.matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g)].map((m) =>
        relative(root, normalize(join(dirname(path), m[1]))),
      );
      graph.set(relative(root, path), targets);
    }
  }
  return graph;
}

const layerOf = (file) => ORDER.findIndex((layer) => file.startsWith(`${layer}/`));

/** Every upward import and every circle of `graph`, as readable lines. */
export function faults(graph) {
  const lines = [];
  for (const [file, targets] of graph) {
    for (const target of targets) {
      if (layerOf(file) < 0) lines.push(`${file}: not in any layer of scripts/layers.mjs`);
      else if (layerOf(target) > layerOf(file)) lines.push(`${file} imports upward from ${target}`);
    }
  }
  const state = new Map();
  const visit = (file, path) => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      lines.push(`circle: ${[...path.slice(path.indexOf(file)), file].join(' -> ')}`);
      return;
    }
    state.set(file, 'open');
    for (const target of graph.get(file) ?? []) visit(target, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of graph.keys()) visit(file, []);
  return lines;
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..');
  const lines = faults(importGraph(root));
  for (const line of lines) console.error(line);
  if (lines.length > 0) process.exit(1);
  console.log('layers: every import runs downward, no circles');
}
