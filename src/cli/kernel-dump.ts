// `warpmix kernels --dump DIR`: every specialised shader as a file, for a compiler, a disassembler or a diff.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DataError } from '../data/types.ts';
import { canRun, shaderCode } from '../gpu/kernel.ts';
import type { PresetName } from '../train/config.ts';
import { appearWhole, writeSynced } from '../train/durable.ts';
import { checkLaunches, TrainingSteps } from './kernel-launches.ts';
import { kernelList } from './kernel-list.ts';

/** What the first line of every dumped file begins with; only such files are replaced. */
const MARK = '// warpmix kernels --dump:';

const listed = (values: Record<string, number>) =>
  Object.entries(values)
    .map((pair) => pair.join('='))
    .join(' ');

/**
 * WGSL of every variant, for software adapters and for GPUs, as training steps of a preset and `warpmix check` specialise it.
 * @returns text by file name: `kernel.variant.wgsl`, from the second specialisation on `kernel.variant.2.wgsl`.
 */
export async function specialisedShaders(preset: PresetName): Promise<Map<string, string>> {
  const { launches } = await TrainingSteps.list(preset);
  const all = [...launches, ...(await checkLaunches())];
  const files = new Map<string, string>();
  for (const { kernel } of kernelList) {
    const own = all.filter((launch) => launch.kernel === kernel);
    for (const variant of kernel.variants) {
      const seen = new Set<string>();
      for (const { params, from } of own) {
        if (!canRun(variant, params)) continue;
        const code = shaderCode(kernel, variant, params);
        const overrides = listed(variant.constants?.(params) ?? {});
        if (seen.has(overrides + code)) continue;
        seen.add(overrides + code);
        const name = [kernel.name, variant.name, ...(seen.size > 1 ? [seen.size] : []), 'wgsl'].join('.');
        const notes = [
          `${MARK} ${kernel.name}/${variant.name}`,
          `// first met in: ${from}, ${listed(params)}`,
          ...(overrides ? [`// override constants: ${overrides}`] : []),
        ];
        files.set(name, `${notes.join('\n')}\n\n${code.trim()}\n`);
      }
    }
  }
  return files;
}

/** @throws DataError when `dir` holds anything that no dump wrote */
function refuseForeign(dir: string): void {
  if (!existsSync(dir)) return;
  if (!statSync(dir).isDirectory()) throw new DataError(`${dir}: is a file; name a folder for the shaders`);
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (!statSync(path).isFile() || !readFileSync(path, 'utf8').startsWith(MARK)) {
      throw new DataError(
        `${path}: was not written by 'warpmix kernels --dump', which replaces the whole folder; name another one`,
      );
    }
  }
}

/**
 * Writes the shaders into `dir`, in place of an earlier dump; all of them or none.
 * @returns the number of files.
 * @throws DataError when `dir` holds anything else, or cannot be written
 */
export async function dumpShaders(dir: string, preset: PresetName): Promise<number> {
  refuseForeign(dir);
  if (!existsSync(dirname(resolve(dir))))
    throw new DataError(`${dir}: cannot be written: there is no folder ${dirname(dir)}`);
  const files = await specialisedShaders(preset);
  appearWhole(dir, (making) => {
    mkdirSync(making);
    for (const [name, text] of files) writeSynced(join(making, name), text);
    refuseForeign(dir);
    rmSync(dir, { recursive: true, force: true });
  });
  return files.size;
}
