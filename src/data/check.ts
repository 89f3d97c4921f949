import { VOID } from './classes.ts';
import { openDataset, openFolder, readers } from './open.ts';
import { noting } from './problems.ts';
import { parseSpec } from './spec.ts';
import { DataError, type RgbImage, type Split } from './types.ts';

/**
 * Reads a data set in full and lists everything wrong with it, one message each: bad manifests, lists and calibrations,
 * empty splits, missing or undecodable files, labels without an image, labels or depth of another size than their image,
 * class ids out of range, splits whose labels name no class at all, an image that is in evaluation and in training or
 * unlabelled. Empty when all is well. Of the generated street world the first, middle and last frame of each split are tried.
 */
export async function checkDataset(spec: string): Promise<string[]> {
  const problems: string[] = [];
  await noting(problems, async () => {
    const { reader, rest } = parseSpec(spec);
    if (reader === 'street') {
      problems.push(...(await checkGenerated(spec)));
      return;
    }
    const files = await openFolder(rest);
    const opened = await readers[reader](files);
    for (const message of [...opened.problems, ...opened.unpaired]) problems.push(message);

    const trained = new Map<string, string>();
    const evaluated: { digest: string; frame: string }[] = [];
    for (const [name, split] of Object.entries(opened.splits)) {
      const labels = { read: 0, known: 0 };
      for (let i = 0; i < split.length + split.contextLength; i++) {
        const { problems: found, image, label } = await split.inspect(i);
        problems.push(...found);
        if (label) labels.read += 1;
        if (label?.data.some((id) => id !== VOID)) labels.known += 1;
        if (!image || i >= split.length) continue;
        const digest = await sha256(image);
        const frame = `${name} frame ${split.id(i)}`;
        if (name === 'val' || name === 'test') evaluated.push({ digest, frame });
        else if (!trained.has(digest)) trained.set(digest, frame);
      }
      if (labels.read > 0 && labels.known === 0) {
        problems.push(`${files.root}: all labels of ${name} (${labels.read}) are void: no pixel has a class`);
      }
    }
    for (const { digest, frame } of evaluated) {
      const twin = trained.get(digest);
      if (twin !== undefined) problems.push(`${files.root}: ${twin} and ${frame} hold the same image`);
    }
  });
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
