// A process of test/run.mjs: runs the test files that it is sent, one at a time, and sends back what came of each test.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

globalThis.UVU_DEFER = 1;

const [out, grep] = process.argv.slice(2);
const bundled = (name) => import(pathToFileURL(join(out, `${name}.mjs`)).href);
const { runDeclared } = await bundled('suite');

process.on('disconnect', () => process.exit());
process.on('message', async (index) => {
  try {
    await bundled(index);
    await runDeclared((outcome) => process.send({ outcome }), grep);
    process.send({ done: true });
  } catch (error) {
    process.send({ done: true, error: error?.stack ?? String(error) });
  }
});
