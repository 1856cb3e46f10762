// Whether the ports that are about to be used are free, asked before anything is started.
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Throws an Error that names the first port that is taken and what it was wanted for. */
export async function requireFreePorts(wanted: ReadonlyMap<number, string>): Promise<void> {
  for (const [port, purpose] of wanted) {
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (error) {
      throw new Error(`port ${port} (${purpose}) is taken or cannot be used: ${(error as Error).message}`, {
        cause: error,
      });
    }
    server.close();
    await once(server, 'close');
  }
}
