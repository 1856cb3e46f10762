// HTTP control port of a part of the local cloud, on 127.0.0.1 only. Commands in other processes use it.
import { once } from 'node:events';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';

export interface ControlListener {
  readonly port: number;
  close(): Promise<void>;
}

export const CONTROL_HOST = '127.0.0.1';

/** Port 0 picks a free port. Rejects if the port is in use. */
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
