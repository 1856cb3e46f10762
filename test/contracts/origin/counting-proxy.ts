// A raw TCP proxy in front of a server. It counts all connections and the open ones, and can withhold the clients'
// bytes from the server.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface CountingProxy {
  /** `host:port` */
  readonly endpoint: string;
  /** Connections accepted so far. */
  made(): number;
  open(): number;
  /** Withholds the bytes of the open connections from the server. The server's bytes still reach the clients. */
  mute(): void;
}

/** The proxy and its connections end with the test. */
export async function startCountingProxy(port: number): Promise<CountingProxy> {
  let made = 0;
  const open = new Map<Socket, Socket>();
  const proxy = createServer((client) => {
    const server = connect(port, '127.0.0.1');
    made++;
    open.set(client, server);
    client.once('close', () => {
      open.delete(client);
      server.destroy();
    });
    server.once('close', () => client.destroy());
    // A broken connection is closed.
    client.on('error', () => {});
    server.on('error', () => {});
    client.pipe(server).pipe(client);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  onTestFinished(() => {
    proxy.close();
    for (const client of open.keys()) client.destroy();
  });
  return {
    endpoint: `127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    made: () => made,
    open: () => open.size,
    mute: () => {
      for (const [client, server] of open) client.unpipe(server);
    },
  };
}
