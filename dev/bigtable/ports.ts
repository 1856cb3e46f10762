// Listening on a port that may be taken: one clear error, and nothing on the terminal but that.
import { once } from 'node:events';
import { createServer } from 'node:net';

/** grpc-js writes to stderr when it cannot listen, so the port is tried before it is asked. Throws when it is taken. */
export async function checkPortIsFree(host: string, port: number): Promise<void> {
  if (port === 0) return;
  const probe = createServer();
  try {
    probe.listen(port, host);
    await once(probe, 'listening');
  } catch (error) {
    throw cannotListen(host, port, error);
  }
  probe.close();
  await once(probe, 'close');
}

export function cannotListen(host: string, port: number, cause: unknown): Error {
  const text = cause instanceof Error ? cause.message : String(cause);
  const why = text.includes('EADDRINUSE') ? 'the port is taken' : text;
  return new Error(`the embedded Bigtable cannot listen on ${host}:${port}: ${why}`, { cause });
}
