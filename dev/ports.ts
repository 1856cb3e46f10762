// Checks before a start that the wanted ports of this machine are free.
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Throws an Error with the first port that is in use and its purpose. */
export async function requireFreePorts(wanted: ReadonlyMap<number, string>): Promise<void> {
  for (const [port, purpose] of wanted) {
    const error = await tryListen(port);
    if (error === undefined) continue;
    throw new Error(`port ${port} (${purpose}) is in use or cannot be used: ${error.message}`, { cause: error });
  }
}

/** Listens briefly. Returns the error if that fails, else undefined. */
export async function tryListen(port: number, host = '127.0.0.1'): Promise<Error | undefined> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    return error as Error;
  }
  server.close();
  await once(server, 'close');
  return undefined;
}
