// Health checks as load balancers send them: over raw sockets, with and without Host, in any spelling of an address.
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { startInstance } from './instance.ts';
import { runOrigin } from './running-origin.ts';

const requests: readonly (readonly [name: string, head: (path: string) => string])[] = [
  ['HTTP/1.0 without Host', (path) => `GET ${path} HTTP/1.0\r\n\r\n`],
  ['HTTP/1.0 with an empty Host', (path) => `GET ${path} HTTP/1.0\r\nHost:\r\n\r\n`],
  ['an IPv6 address', (path) => `GET ${path} HTTP/1.1\r\nHost: [::1]:8091\r\nConnection: close\r\n\r\n`],
  [
    'a long IPv6 address',
    (path) => `GET ${path} HTTP/1.1\r\nHost: [0:0:0:0:0:0:0:1]:8091\r\nConnection: close\r\n\r\n`,
  ],
  ['an IPv4 address without a port', (path) => `GET ${path} HTTP/1.1\r\nHost: 10.0.0.7\r\nConnection: close\r\n\r\n`],
  ['a name in capitals', (path) => `GET ${path} HTTP/1.1\r\nHost: Origin.Internal:80\r\nConnection: close\r\n\r\n`],
  ['a name with an underscore', (path) => `GET ${path} HTTP/1.1\r\nHost: my_origin\r\nConnection: close\r\n\r\n`],
  ['the absolute form', (path) => `GET http://10.0.0.7${path} HTTP/1.1\r\nHost: 10.0.0.7\r\nConnection: close\r\n\r\n`],
  ['HEAD', (path) => `HEAD ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`],
];

/** The status line of the answer at `url`. */
async function statusAt(url: string | undefined, request: string): Promise<string | undefined> {
  const socket = connect(Number(new URL(url ?? '').port), '127.0.0.1');
  socket.write(request);
  return (await text(socket)).split('\r\n')[0];
}

const OK = 'HTTP/1.1 200 OK';
const NOT_FOUND = 'HTTP/1.1 404 Not Found';

test.each(requests)(
  '%s: 200 from livez and readyz on both ports, and from metrics on its own alone',
  async (_name, head) => {
    const { origin } = await runOrigin(await startInstance());
    for (const path of ['/livez', '/readyz', '/metrics']) {
      const isPublic = path !== '/metrics';
      expect([path, await statusAt(origin.url, head(path))]).toEqual([path, isPublic ? OK : NOT_FOUND]);
      expect([path, await statusAt(origin.metricsUrl, head(path))]).toEqual([path, OK]);
    }
  },
);
