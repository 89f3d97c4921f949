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
 * context: serve it with `servePage`. A `webgpu` canvas loses the device when headless; draw through a 2-D canvas.
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
    // The package's libraries serve the browser alone, and come after the machine's own.
    env: { ...process.env, LD_LIBRARY_PATH: before ? `${before}:${libraries}` : libraries },
  });
}
