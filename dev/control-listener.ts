// Where a part of the local cloud takes orders: a small HTTP app on 127.0.0.1, for commands in another process.
import { once } from 'node:events';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';

export interface ControlListener {
  readonly port: number;
  close(): Promise<void>;
}

export const CONTROL_HOST = '127.0.0.1';

/** Port 0 takes any that is free. Rejects when the port is taken. */
export async function startControlListener(app: Hono, port: number): Promise<ControlListener> {
  const server = createAdaptorServer({ fetch: app.fetch });
  server.listen(port, CONTROL_HOST);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: async () => {
      if ('closeAllConnections' in server) server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
