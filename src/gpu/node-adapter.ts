// Finds an adapter under Node: the machine's own GPU first, then SwiftShader out of an npm package, so that a
// machine without any driver still runs.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir, userInfo } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { PinError } from './errors.ts';

export interface Found {
  adapter: GPUAdapter | null;
  /** What was tried, in order, and why it was or was not taken. */
  tried: string[];
}

// glibc: RTLD_NOW | RTLD_NODELETE. Dawn opens `libvulkan.so.1` by name, and glibc gives it the copy that
// is already loaded under that soname.
const KEEP_LOADED = 0x2 | 0x1000;

/** Files of an uncompressed tar archive. */
function* tarFiles(tar: Buffer): Generator<{ name: string; data: Buffer }> {
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const text = (from: number, length: number) =>
      tar.toString('latin1', at + from, at + from + length).replace(/\0.*$/, '');
    const size = Number.parseInt(text(124, 12), 8);
    if (text(156, 1) === '0' || text(156, 1) === '')
      yield { name: text(0, 100), data: tar.subarray(at + 512, at + 512 + size) };
    at += 512 + Math.ceil(size / 512) * 512;
  }
}

/**
 * Unpacks one archive of `@sparticuz/chromium` into a folder that later runs find again, and returns the folder.
 * Whoever comes second finds the finished folder: it appears by one rename.
 */
export function unpack(archive: string): string {
  const require = createRequire(import.meta.url);
  const bin = join(dirname(require.resolve('@sparticuz/chromium')), '..', '..', 'bin');
  const bytes = readFileSync(join(bin, archive));
  const home = join(tmpdir(), `warpmix-${userInfo().uid}-${bytes.length}-${basename(archive, '.tar.br')}`);
  if (existsSync(home)) return home;
  const making = mkdtempSync(`${home}-`);
  for (const { name, data } of tarFiles(brotliDecompressSync(bytes))) {
    const path = join(making, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, data, { mode: 0o755 });
  }
  try {
    renameSync(making, home);
  } catch (error) {
    rmSync(making, { recursive: true, force: true });
    if (!existsSync(home)) throw error;
  }
  return home;
}

/**
 * Further flags for Dawn, from WARPMIX_DAWN_FLAGS, such as `enable-dawn-features=dump_shaders`, or `adapter=Intel` to take the card with
 * this in its name.
 */
const dawnFlags = () => (process.env.WARPMIX_DAWN_FLAGS ?? '').split(/\s+/).filter(Boolean);

// Dawn's instance must outlive its devices: once it is garbage-collected, maps never resolve. Each search makes one.
const instances: GPU[] = [];

async function request(flags: string[]): Promise<GPUAdapter | null> {
  const { create } = await import('webgpu');
  const instance = create(flags);
  instances.push(instance);
  return instance.requestAdapter({ powerPreference: 'high-performance' });
}

/** Lets go of every instance, after the last device is closed. */
export function releaseInstances(): void {
  instances.length = 0;
}

/** True when glibc finds, or already holds, a library of this name or path. It stays loaded. */
function load(library: string): boolean {
  try {
    process.dlopen({ exports: {} }, library, KEEP_LOADED);
  } catch (error) {
    // A shared library that is no Node module is loaded first and complained about afterwards.
    return !/cannot open shared object/.test((error as Error).message);
  }
  return true;
}

/** Folders in which the Vulkan loader looks for driver manifests (Vulkan-Loader, docs/LoaderDriverInterface.md). */
const driverFolders = (): string[] => {
  const { HOME, XDG_CONFIG_HOME, XDG_CONFIG_DIRS, XDG_DATA_HOME, XDG_DATA_DIRS } = process.env;
  const lists = [
    XDG_CONFIG_HOME ?? (HOME && join(HOME, '.config')),
    XDG_CONFIG_DIRS ?? '/etc/xdg',
    '/usr/local/etc:/etc',
    XDG_DATA_HOME ?? (HOME && join(HOME, '.local/share')),
    XDG_DATA_DIRS ?? '/usr/local/share:/usr/share',
  ];
  return lists.flatMap((list) => (list ? list.split(':') : [])).map((base) => join(base, 'vulkan/icd.d'));
};

/** What names drivers to the loader; the first that is set hides the others (same page). */
const DRIVERS_BY_NAME = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'];

/** False where the loader would find no driver at all: asking it then only prints its warnings. */
function hasVulkanDriver(): boolean {
  if ([...DRIVERS_BY_NAME, 'VK_ADD_DRIVER_FILES'].some((name) => process.env[name])) return true;
  return driverFolders().some(
    (dir) => existsSync(dir) && readdirSync(dir).some((name) => name.endsWith('.json')),
  );
}

/** Variants that WARPMIX_VARIANTS pins, such as `conv2d=naive,matmul=registers`: kernel -> variant. @throws PinError */
export function pinnedVariants(): Map<string, string> {
  const pairs = (process.env.WARPMIX_VARIANTS ?? '').split(/[\s,]+/).filter(Boolean);
  return new Map(
    pairs.map((pair) => {
      const [kernel, variant, ...rest] = pair.split('=');
      if (!kernel || !variant || rest.length > 0)
        throw new PinError(`WARPMIX_VARIANTS: '${pair}': expected KERNEL=VARIANT, such as conv2d=naive`);
      return [kernel, variant];
    }),
  );
}

/** Bytes of the first core's instruction cache, as Linux tells them. https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-devices-system-cpu */
export function instructionCache(): number | undefined {
  for (let index = 0; index < 4; index++) {
    const folder = `/sys/devices/system/cpu/cpu0/cache/index${index}`;
    try {
      if (readFileSync(`${folder}/type`, 'utf8').trim() !== 'Instruction') continue;
      return 1024 * Number.parseInt(readFileSync(`${folder}/size`, 'utf8'), 10);
    } catch {
      return undefined;
    }
  }
}

/** Looks for a GPU, then for the software adapter. Never throws: what went wrong is in `tried`. */
export async function findAdapter(): Promise<Found> {
  const tried: string[] = [];
  // Nanosecond timestamps: Dawn rounds them to 65,536 ns unless told not to.
  const flags = ['disable-dawn-features=timestamp_quantization', ...dawnFlags()];
  const packaged = process.platform === 'linux' && process.arch === 'x64';
  try {
    const { globals } = await import('webgpu');
    for (const [name, value] of Object.entries(globals)) {
      if (!(name in globalThis))
        Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    }
    if (packaged && !load('libvulkan.so.1')) {
      load(join(unpack('swiftshader.tar.br'), 'libvulkan.so.1'));
      tried.push('system Vulkan loader: libvulkan.so.1 is not installed, using the packaged one');
    }
    const silent = process.platform === 'linux' && !hasVulkanDriver();
    const adapter = silent ? null : await request(flags);
    const named = DRIVERS_BY_NAME.find((name) => process.env[name]);
    if (adapter && (!adapter.info.isFallbackAdapter || named)) {
      const what = adapter.info.isFallbackAdapter ? `driver named by ${named}` : 'GPU';
      return { adapter, tried: [...tried, `${what}: taken`] };
    }
    if (silent) tried.push('GPU: no Vulkan driver is installed (no manifest in any vulkan/icd.d)');
    else
      tried.push(
        `GPU: ${adapter ? 'only a software driver is installed' : 'no driver offers a usable adapter'}`,
      );
  } catch (error) {
    tried.push(`GPU: ${(error as Error).message}`);
  }
  if (!packaged) {
    tried.push(`software adapter: packaged for linux x64 only, this is ${process.platform} ${process.arch}`);
    return { adapter: null, tried };
  }
  try {
    for (const name of DRIVERS_BY_NAME) delete process.env[name];
    process.env.VK_ICD_FILENAMES = join(unpack('swiftshader.tar.br'), 'vk_swiftshader_icd.json');
    const adapter = await request(flags.filter((flag) => !flag.startsWith('adapter=')));
    tried.push(
      `software adapter (SwiftShader from @sparticuz/chromium): ${adapter ? 'taken' : 'refused by Dawn'}`,
    );
    return { adapter, tried };
  } catch (error) {
    tried.push(`software adapter: ${(error as Error).message}`);
    return { adapter: null, tried };
  }
}
