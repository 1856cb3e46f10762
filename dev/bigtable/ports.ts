// Listening on a port that may be taken: one clear error, and nothing on the terminal but that.
import { whyNotListen } from '../ports.ts';

/** grpc-js writes to stderr when it cannot listen, so the port is tried before it is asked. Throws when it is taken. */
export async function checkPortIsFree(host: string, port: number): Promise<void> {
  if (port === 0) return;
  const refusal = await whyNotListen(port, host);
  if (refusal !== undefined) throw cannotListen(host, port, refusal);
}

export function cannotListen(host: string, port: number, cause: unknown): Error {
  const text = cause instanceof Error ? cause.message : String(cause);
  const why = text.includes('EADDRINUSE') ? 'the port is taken' : text;
  return new Error(`the embedded Bigtable cannot listen on ${host}:${port}: ${why}`, { cause });
}
