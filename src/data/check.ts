import { readCityscapes } from './cityscapes.ts';
import { openDataset, openFolder, parseSpec } from './open.ts';
import { readPack } from './pack.ts';
import { DataError, type RgbImage, type Split } from './types.ts';

/**
 * Reads a data set in full and lists everything wrong with it, one message each: bad manifests and empty splits,
 * missing or undecodable files, labels or depth of another size than their image, class ids out of range, an image
 * that is both in training and in evaluation. Empty when all is well. Of the generated street world the first, middle
 * and last frame of each split are tried.
 */
export async function checkDataset(spec: string): Promise<string[]> {
  const problems: string[] = [];
  try {
    const { reader, rest } = parseSpec(spec);
    if (reader === 'street') return await checkGenerated(spec);
    const files = await openFolder(rest);
    const opened = reader === 'pack' ? await readPack(files) : await readCityscapes(files);
    problems.push(...opened.problems);

    const trained = new Map<string, string>();
    for (const [name, split] of Object.entries(opened.splits)) {
      for (let i = 0; i < split.length; i++) {
        const { problems: found, image } = await split.inspect(i);
        problems.push(...found);
        if (!image || name === 'unlabelled') continue;
        const digest = await sha256(image);
        const twin = trained.get(digest);
        if (name === 'train') trained.set(digest, split.id(i));
        else if (twin !== undefined)
          problems.push(
            `${files.root}: train frame ${twin} and val frame ${split.id(i)} hold the same image`,
          );
      }
    }
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    problems.push(error.message);
  }
  return [...new Set(problems.flatMap((message) => message.split('\n')))];
}

async function checkGenerated(spec: string): Promise<string[]> {
  const dataset = await openDataset(spec);
  const problems: string[] = [];
  const splits = new Map<Split, string>([
    [dataset.unlabelled, 'unlabelled'],
    [dataset.val, 'val'],
    [dataset.train, 'train'],
  ]);
  for (const [split, name] of splits) {
    for (const index of new Set([0, split.length >> 1, split.length - 1])) {
      try {
        await split.load(index);
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
        problems.push(`${spec}: ${name} frame ${index}: ${error.message}`);
      }
    }
  }
  return problems;
}

async function sha256(image: RgbImage): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(image.data));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
