import { faults, importGraph } from '../scripts/layers.mjs';
import { equal, is, ok, suite } from './suite.ts';

const test = suite('layers');

test('every import of the sources runs downward, without circles', () => {
  const graph = importGraph(process.cwd());
  ok(graph.size > 50, `only ${graph.size} files were found`);
  ok(
    graph.get('src/ops/elementwise.ts')?.includes('kernels/elementwise.ts'),
    'imports are seen: src/ops/elementwise.ts imports kernels/elementwise.ts',
  );
  equal(faults(graph), []);
});

test('an upward import is named', () => {
  const lines = faults(
    new Map([
      ['kernels/a.ts', ['shaders/a.wgsl.ts', 'src/ops/a.ts']],
      ['src/ops/a.ts', []],
      ['shaders/a.wgsl.ts', []],
    ]),
  );
  equal(lines, ['kernels/a.ts imports upward from src/ops/a.ts']);
});

test('a circle is named, and so is a file that imports itself', () => {
  const lines = faults(
    new Map([
      ['src/ops/a.ts', ['src/ops/b.ts']],
      ['src/ops/b.ts', ['src/ops/c.ts']],
      ['src/ops/c.ts', ['src/ops/a.ts']],
      ['src/nn/self.ts', ['src/nn/self.ts']],
    ]),
  );
  equal(lines, [
    'circle: src/ops/a.ts -> src/ops/b.ts -> src/ops/c.ts -> src/ops/a.ts',
    'circle: src/nn/self.ts -> src/nn/self.ts',
  ]);
});

test('a file outside every layer is named', () => {
  const lines = faults(new Map([['src/elsewhere/a.ts', ['src/gpu/b.ts']]]));
  is(lines.length, 1);
  ok(/src\/elsewhere\/a\.ts: not in any layer/.test(lines[0]), lines[0]);
});
