// Serves the studio's static files on this machine alone.
import { createReadStream, statSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { isInside } from '../data/files.ts';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

/** Nothing but the page's own files, and no text that becomes code. Isolation gives workers an exact clock. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; " +
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
  // A build made since must not meet parts of an older one.
  'cache-control': 'no-cache',
};

/** Names under which this machine reaches itself. Any other name may be one that a foreign page had resolved to 127.0.0.1. */
const isLocal = (host: string | undefined): boolean =>
  /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/i.test(host ?? '');

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { ...HEADERS, 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
}

/** The studio's server, not yet listening. @param folder what `npm run studio:build` wrote */
export function studioServer(folder: string): Server {
  return createServer((request, response) => {
    const { host } = request.headers;
    if (!isLocal(host)) {
      return refuse(
        response,
        403,
        `host '${host}' is not this machine; open http://127.0.0.1 with the port that was printed`,
      );
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return refuse(response, 405, `${request.method}: only GET and HEAD`);
    }
    let path: string;
    try {
      path =
        decodeURIComponent(new URL(request.url ?? '/', 'http://127.0.0.1').pathname).slice(1) || 'index.html';
    } catch {
      return refuse(response, 400, 'the address cannot be read');
    }
    const type = TYPES[extname(path)];
    const file = join(folder, path);
    const stat = type && isInside(path) ? statSync(file, { throwIfNoEntry: false }) : undefined;
    if (!stat?.isFile()) return refuse(response, 404, 'the studio has no such file');
    response.writeHead(200, { ...HEADERS, 'content-type': type, 'content-length': stat.size });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    const stream = createReadStream(file);
    stream.on('error', () => response.destroy());
    stream.pipe(response);
  });
}
