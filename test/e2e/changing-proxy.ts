// An HTTP proxy that changes the headers of answers.
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Cleanup } from '../../bench/support/cleanup.ts';

type Headers = NodeJS.Dict<string | string[]>;

/** Returns the URL of a proxy of `target`. */
export async function startChangingProxy(
  cleanup: Cleanup,
  target: string,
  change: (headers: Headers) => void = () => undefined,
): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    const { method, headers } = incoming;
    const onward = request(`${target}${incoming.url}`, { method, headers }, (answer) => {
      const changed = { ...answer.headers };
      change(changed);
      outgoing.sendDate = false;
      outgoing.writeHead(answer.statusCode ?? 502, changed);
      answer.pipe(outgoing);
    });
    onward.once('error', () => outgoing.destroy());
    incoming.pipe(onward);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanup.add(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
