import { existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type ArgsDef, defineCommand } from 'citty';
import { onInterrupt } from '../interrupt.ts';
import { note, print, printJson } from '../output.ts';
import { studioServer } from '../studio-server.ts';
import { UsageError, wholeNumber } from '../usage.ts';

const args = {
  port: {
    type: 'string',
    default: '4173',
    description: 'port on 127.0.0.1; 0: any that is free',
    valueHint: 'N',
  },
  json: { type: 'boolean', description: '{"url"} on stdout' },
} as const satisfies ArgsDef;

/** The page: built anew where its sources are at hand, as it came otherwise. */
async function pageFolder(): Promise<string> {
  // This code runs from dist/.
  const dist = dirname(fileURLToPath(import.meta.url));
  const folder = join(dist, 'studio');
  const builder = join(dist, '../scripts/build-studio.mjs');
  if (existsSync(builder)) {
    const { buildStudio } = await import(pathToFileURL(builder).href);
    return (await buildStudio(folder)).folder;
  }
  if (existsSync(join(folder, 'index.html'))) return folder;
  throw new Error(`${folder}: the page is not there; 'npm run studio:build' makes it`);
}

export const studio = defineCommand({
  meta: { description: 'train, look inside and measure in a browser: serves the page on 127.0.0.1' },
  args,
  async run({ args }) {
    const port = wholeNumber('port', args.port)!;
    if (port > 65535) throw new UsageError(`--port ${port}: expected 0 to 65535`);
    const server = studioServer(await pageFolder());
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        reject(
          error.code === 'EADDRINUSE'
            ? new Error(`port ${port} of 127.0.0.1 is taken; name another with --port, or 0 for any`)
            : error,
        );
      });
      server.listen(port, '127.0.0.1', resolve);
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    if (args.json) printJson({ url });
    else print(`warpmix studio: ${url}`);
    note('open it in a browser with WebGPU; Ctrl-C ends it');
    await new Promise<void>((resolve) => {
      onInterrupt(() => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    });
  },
});
