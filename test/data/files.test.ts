import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { isInside } from '../../src/data/files.ts';
import { nodeFiles } from '../../src/data/files-node.ts';
import { equal, is, ok, suite } from '../suite.ts';
import { folderOf, messageOf } from './fixtures.ts';

const test = suite('files');

test('reads, lists and finds under a root, absolute or relative', async () => {
  const folder = folderOf({ 'a/b.txt': 'text', 'a/c.txt': '' });
  try {
    for (const root of [folder.root, relative(process.cwd(), folder.root)]) {
      const files = await nodeFiles(root);
      is(new TextDecoder().decode(await files.read('a/b.txt')), 'text');
      equal(await files.list('a'), ['b.txt', 'c.txt']);
      equal(await files.list('.'), ['a']);
      equal(
        [await files.exists('a'), await files.exists('a/c.txt'), await files.exists('d')],
        [true, true, false],
      );
    }
  } finally {
    folder.remove();
  }
});

test('paths that leave the root are refused before the disk is asked', async () => {
  const folder = folderOf({ 'in/a.txt': 'x', 'secret.txt': 'y' });
  try {
    const files = await nodeFiles(join(folder.root, 'in'));
    for (const path of [
      '../secret.txt',
      'x/../../secret.txt',
      join(folder.root, 'secret.txt'),
      'file:///etc/passwd',
      'http://127.0.0.1/',
      '..\\secret.txt',
      'a.txt\0.png',
    ]) {
      is(isInside(path), false);
      for (const run of [() => files.read(path), () => files.list(path), () => files.exists(path)])
        ok((await messageOf(run)).includes(`path ${JSON.stringify(path)} leaves the folder`));
    }
    ok(isInside('a/..b/c..d.png'));
  } finally {
    folder.remove();
  }
});

test('links out of the root are refused, links within it followed', async () => {
  const folder = folderOf({ 'in/a.txt': 'inside', 'secret.txt': 'outside', 'in-too/a.txt': 'outside' });
  try {
    const root = join(folder.root, 'in');
    symlinkSync(join(folder.root, 'secret.txt'), join(root, 'leak.txt'));
    symlinkSync('..', join(root, 'up'));
    symlinkSync('../in-too', join(root, 'beside'));
    symlinkSync('a.txt', join(root, 'same.txt'));
    const files = await nodeFiles(root);
    for (const path of ['leak.txt', 'up/secret.txt', 'beside/a.txt'])
      for (const run of [() => files.read(path), () => files.list(path), () => files.exists(path)])
        ok((await messageOf(run)).includes('the link leads out of the folder'), path);
    is(new TextDecoder().decode(await files.read('same.txt')), 'inside');
    // The root itself may be a link.
    symlinkSync(root, join(folder.root, 'link'));
    is((await (await nodeFiles(join(folder.root, 'link'))).read('a.txt')).length, 6);
  } finally {
    folder.remove();
  }
});

test('missing files and folders, and a folder read as a file, are named', async () => {
  const folder = folderOf({ 'a.txt': '' });
  try {
    mkdirSync(join(folder.root, 'sub'));
    writeFileSync(join(folder.root, 'sub/x'), '');
    const files = await nodeFiles(folder.root);
    is(await messageOf(() => files.read('b.txt')), `${folder.root}/b.txt: no such file`);
    is(await messageOf(() => files.read('sub')), `${folder.root}/sub: not a plain file`);
    is(await messageOf(() => files.list('a.txt')), `${folder.root}/a.txt: no such folder`);
    ok((await messageOf(() => nodeFiles(join(folder.root, 'none')))).endsWith('/none: no such folder'));
    ok((await messageOf(() => nodeFiles(join(folder.root, 'a.txt')))).endsWith('/a.txt: no such folder'));
  } finally {
    folder.remove();
  }
});
