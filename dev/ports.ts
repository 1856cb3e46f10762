// Ports of this machine: whether those that are about to be used are free, asked before anything is started, and ports
// for what is started beside others of its kind, as tests and benchmarks do.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type Random, systemRandom } from '../shared/runtime/random.ts';

/** Above what well-known services use. */
const FIRST_PORT = 10_000;
/**
 * Below the ports that systems choose themselves, for connections and for who listens on port 0 (Linux from 32 768,
 * macOS from 49 152, RFC 6335): such a port, free now, may be wrangler's a second later, before what it was found for
 * listens.
 */
const END_PORT = 32_768;
const MAX_TRIES = 100;

/** Throws an Error that names the first port that is taken and what it was wanted for. */
export async function requireFreePorts(wanted: ReadonlyMap<number, string>): Promise<void> {
  for (const [port, purpose] of wanted) {
    const refusal = await whyNotListen(port);
    if (refusal === undefined) continue;
    throw new Error(`port ${port} (${purpose}) is taken or cannot be used: ${refusal.message}`, { cause: refusal });
  }
}

/**
 * `count` ports in a row, from 10 000 to 32 767, each free now on 127.0.0.1. Throws an Error when chance finds none in
 * 100 tries.
 */
export async function findFreePorts(count: number, random: Random = systemRandom): Promise<number[]> {
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    const first = FIRST_PORT + Math.floor(random() * (END_PORT - FIRST_PORT - count + 1));
    const ports = Array.from({ length: count }, (_, i) => first + i);
    const refusals = await Promise.all(ports.map((port) => whyNotListen(port)));
    if (refusals.every((refusal) => refusal === undefined)) return ports;
  }
  throw new Error(`expected ${count} free ports in a row on 127.0.0.1, got none in ${MAX_TRIES} tries`);
}

/** Listens for a moment: why that fails, or undefined. */
export async function whyNotListen(port: number, host = '127.0.0.1'): Promise<Error | undefined> {
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
