import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { createInterface } from 'node:readline';
import { is, match, suite } from '../suite.ts';
import { warpmix } from './spawn.ts';

const test = suite('warpmix studio');

/** Other addresses of this machine. On Linux all of 127.0.0.0/8 is its own. */
const others = (): string[] => [
  ...(process.platform === 'linux' ? ['127.0.0.2'] : []),
  ...Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .filter(({ address, scopeid }) => address !== '127.0.0.1' && !scopeid)
    .map(({ address }) => address),
];

/** What comes of a connection: 'connected', or the code of the error. */
const knock = (host: string, port: number): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.on('connect', () => {
      socket.destroy();
      resolve('connected');
    });
    socket.on('error', ({ code = 'no code' }: NodeJS.ErrnoException) => resolve(code));
  });

test('prints where it serves the page, on 127.0.0.1 alone, and ends with Ctrl-C', async () => {
  const child = spawn(process.execPath, ['bin/warpmix.mjs', 'studio', '--port', '0', '--json']);
  try {
    const lines = createInterface({ input: child.stdout });
    const [line] = (await once(lines, 'line')) as [string];
    const { url } = JSON.parse(line) as { url: string };
    match(url, /^http:\/\/127\.0\.0\.1:\d+\/$/);
    match(await (await fetch(url)).text(), '<title>warpmix studio</title>');
    is((await fetch(`${url}main.js`)).headers.get('content-type'), 'text/javascript; charset=utf-8');
    const port = Number(new URL(url).port);
    is(await knock('127.0.0.1', port), 'connected');
    for (const address of others()) is(await knock(address, port), 'ECONNREFUSED', address);
    child.kill('SIGINT');
    const [code] = await once(child, 'exit');
    is(code, 0);
  } finally {
    child.kill('SIGKILL');
  }
});

test('a port that is taken is named, with the way out', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await warpmix(['studio', '--port', String(port)]);
  other.close();
  is(code, 1);
  match(stderr, `port ${port} of 127.0.0.1 is taken; name another with --port`);
});

test('a port that is none is refused', async () => {
  is((await warpmix(['studio', '--port', '70000'])).code, 2);
  is((await warpmix(['studio', '--port', 'http'])).code, 2);
});
