// Check of a port that may be in use. Reports one error and prints nothing else to the terminal.
import { tryListen } from '../ports.ts';

/**
 * Throws if the port is in use. The check runs before grpc-js binds the port, because grpc-js prints bind errors to
 * stderr.
 */
export async function checkPortIsFree(host: string, port: number): Promise<void> {
  if (port === 0) return;
  const error = await tryListen(port, host);
  if (error !== undefined) throw makeListenError(host, port, error);
}

export function makeListenError(host: string, port: number, cause: unknown): Error {
  const text = cause instanceof Error ? cause.message : String(cause);
  const reason = text.includes('EADDRINUSE') ? 'the port is in use' : text;
  return new Error(`the embedded Bigtable cannot listen on ${host}:${port}: ${reason}`, { cause });
}
