// Free ports of this machine: a check before `npm start` uses its ports, and random ones for tests and benchmarks.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type Random, systemRandom } from '../shared/runtime/random.ts';

/** Above the ports of well-known services. */
const FIRST_PORT = 10_000;
/**
 * Below the ephemeral ports (Linux from 32 768, macOS from 49 152, RFC 6335): the system may give a free ephemeral port
 * to another process before the caller listens on it.
 */
const END_PORT = 32_768;
const MAX_TRIES = 100;

/** Throws an Error with the first port that is in use and its purpose. */
export async function requireFreePorts(wanted: ReadonlyMap<number, string>): Promise<void> {
  for (const [port, purpose] of wanted) {
    const error = await tryListen(port);
    if (error === undefined) continue;
    throw new Error(`port ${port} (${purpose}) is in use or cannot be used: ${error.message}`, { cause: error });
  }
}

/** `count` consecutive ports from 10 000 to 32 767, each free now on 127.0.0.1. Throws an Error after 100 tries. */
export async function findFreePorts(count: number, random: Random = systemRandom): Promise<number[]> {
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    const first = FIRST_PORT + Math.floor(random() * (END_PORT - FIRST_PORT - count + 1));
    const ports = Array.from({ length: count }, (_, i) => first + i);
    const errors = await Promise.all(ports.map((port) => tryListen(port)));
    if (errors.every((error) => error === undefined)) return ports;
  }
  throw new Error(`expected ${count} free ports in a row on 127.0.0.1, got none in ${MAX_TRIES} tries`);
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
