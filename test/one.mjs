// A process of test/run.mjs: runs one bundled test file and sends back what came of each test.
//   node test/one.mjs FOLDER NAME [GREP]
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

globalThis.UVU_DEFER = 1;

const [out, name, grep] = process.argv.slice(2);
const bundled = (file) => import(pathToFileURL(join(out, `${file}.mjs`)).href);
process.on('disconnect', () => process.exit(1)); // the runner has been ended

let error;
try {
  const { runDeclared } = await bundled('suite');
  await bundled(name);
  await runDeclared((outcome) => process.send({ outcome }), grep);
} catch (thrown) {
  error = thrown?.stack ?? String(thrown);
}
process.send({ done: true, error }, () => process.exit());
