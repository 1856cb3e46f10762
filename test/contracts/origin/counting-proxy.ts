// A raw TCP proxy before a server, which knows how many connections were made through it and how many are open.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface CountingProxy {
  /** `host:port` */
  readonly endpoint: string;
  /** Connections ever made. */
  made(): number;
  open(): number;
}

/** Ends with the test, and so do its connections. */
export async function startCountingProxy(port: number): Promise<CountingProxy> {
  let made = 0;
  const open = new Set<Socket>();
  const proxy = createServer((client) => {
    const server = connect(port, '127.0.0.1');
    made++;
    open.add(client);
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
    for (const client of open) client.destroy();
  });
  return {
    endpoint: `127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    made: () => made,
    open: () => open.size,
  };
}
