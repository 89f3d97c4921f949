// Ends while a read-back is on its way: `close` closes the device and lets the process run out, `exit` exits at once.
import { releaseInstances } from '../../src/gpu/node-adapter.ts';
import { openGpu } from '../../src/gpu/open.ts';

const { gpu } = await openGpu();
const x = gpu.alloc(1 << 20, 'f32');
gpu.write(x, new Float32Array(1 << 20));
gpu.read(x).then(
  () => console.log('read'),
  (error) => console.log(`refused: ${error.message}`),
);
// The map is asked for in a later turn.
await new Promise((resolve) => setImmediate(resolve));
if (process.argv[2] === 'exit') process.exit(0);
gpu.close();
releaseInstances();
