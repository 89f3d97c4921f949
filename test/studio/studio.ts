// The studio in a headless Chromium, as its users have it: built, served by the command's own server.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { studioServer } from '../../src/cli/studio-server.ts';
import { launchBrowser } from '../browser.ts';

const SCREENSHOTS = 'test/screenshots';

export interface Studio {
  /** With a slash at its end. */
  url: string;
  browser: Browser;
  /** The files that are served. */
  folder: string;
  /** A new page at `#hash`, 1280x720. What it writes to the console as errors, or throws, is gathered in `faults`. */
  open(hash?: string): Promise<Page>;
  faults: string[];
  close(): Promise<void>;
}

export async function openStudio(): Promise<Studio> {
  const home = mkdtempSync(join(tmpdir(), 'warpmix-studio-'));
  const folder = join(home, 'page');
  // Not part of the test's bundle: it finds the sources by where it lies.
  const { buildStudio } = await import(pathToFileURL(resolve('scripts/build-studio.mjs')).href);
  await buildStudio(folder);
  const server = studioServer(folder);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const browser = await launchBrowser();
  const faults: string[] = [];
  return {
    url,
    browser,
    folder,
    faults,
    async open(hash = '') {
      const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
      page.on('pageerror', (error) => faults.push(String(error)));
      page.on('console', (message) => {
        if (message.type() === 'error') faults.push(message.text());
      });
      // The software adapter of a busy machine takes its time.
      page.setDefaultTimeout(240_000);
      await page.goto(url + hash);
      return page;
    },
    async close() {
      await browser.close();
      server.close();
      server.closeAllConnections();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Writes `test/screenshots/NAME.png`, the whole page. */
export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
}
