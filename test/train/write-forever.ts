// Writes one checkpoint after the other until it is killed; every value of step N is N.
import { writeCheckpoint } from '../../src/train/checkpoint.ts';
import type { TensorGroup } from '../../src/train/checkpoint-format.ts';

const dir = process.argv[2];
const COUNT = 100_000;
for (let step = 1; ; step++) {
  const group: TensorGroup = {
    w: { dtype: 'F32', shape: [COUNT], data: new Float32Array(COUNT).fill(step) },
  };
  writeCheckpoint(dir, step, { model: group, optimizer: group }, { at: step });
  if (step === 2) process.stdout.write('ready\n');
}
