// A raw TCP proxy before a server, which knows how many connections were made through it and how many are open, and can
// keep from the server what comes.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface CountingProxy {
  /** `host:port` */
  readonly endpoint: string;
  /** Connections ever made. */
  made(): number;
  open(): number;
  /** From now on the server hears nothing of those that are open; what it sends still comes through. */
  mute(): void;
}

/** Ends with the test, and so do its connections. */
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
    // What breaks closes.
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
