// A headless Chromium for tests, out of the npm package that also brings the software adapter.
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { build } from 'esbuild';
import { type Browser, chromium } from 'playwright-core';
import { unpack } from '../src/gpu/node-adapter.ts';

/** The executable with the Vulkan driver beside it, where Chromium looks for it; unpacked on the first call. */
function unpackChromium(): string {
  const archive = join(
    dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium')),
    '../../bin/chromium.br',
  );
  const bytes = readFileSync(archive);
  const home = join(tmpdir(), `warpmix-${userInfo().uid}-${bytes.length}-chromium`);
  if (!existsSync(home)) {
    const making = mkdtempSync(`${home}-`);
    writeFileSync(join(making, 'chromium'), brotliDecompressSync(bytes), { mode: 0o755 });
    const driver = unpack('swiftshader.tar.br');
    for (const name of readdirSync(driver)) copyFileSync(join(driver, name), join(making, name));
    try {
      renameSync(making, home);
    } catch (error) {
      rmSync(making, { recursive: true, force: true });
      if (!existsSync(home)) throw error;
    }
  }
  return join(home, 'chromium');
}

/**
 * Starts Chromium with WebGPU on SwiftShader. The caller closes it. A page has `navigator.gpu` only in a secure
 * context, such as one of `servePage`. A `webgpu` canvas loses the device when headless: draw through a 2-D canvas.
 */
export async function launchBrowser(): Promise<Browser> {
  const libraries = join(unpack('al2023.tar.br'), 'lib');
  const before = process.env.LD_LIBRARY_PATH;
  return chromium.launch({
    executablePath: unpackChromium(),
    headless: true,
    args: [
      '--no-sandbox',
      '--enable-unsafe-webgpu',
      '--use-webgpu-adapter=swiftshader',
      '--disable-background-networking',
      '--disable-background-timer-throttling',
    ],
    env: { ...process.env, LD_LIBRARY_PATH: before ? `${before}:${libraries}` : libraries },
  });
}

/** One program for a browser, as text. `entry` is relative to the working directory; its exports become `page.*`. */
export async function bundleForBrowser(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    platform: 'browser',
    format: 'iife',
    globalName: 'page',
    // Reached by a dynamic import that no browser takes.
    external: ['*/node-adapter.ts'],
    write: false,
    logLevel: 'warning',
  });
  return outputFiles[0].text;
}

/** A page on 127.0.0.1 that runs `script` and nothing else. */
export async function servePage(script: string): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    const isScript = request.url === '/page.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? script : '<!doctype html><meta charset="utf-8"><script src="/page.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
