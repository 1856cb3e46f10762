// Free ports of this machine, for parts that tests and benchmarks start beside others of their kind.
import { tryListen } from '../../dev/ports.ts';
import { type Random, systemRandom } from '../../shared/runtime/random.ts';

/** Above the ports of well-known services. */
const FIRST_PORT = 10_000;
/**
 * Below the ephemeral ports (Linux from 32 768, macOS from 49 152, RFC 6335): the system may give a free ephemeral port
 * to another process before the caller listens on it.
 */
const END_PORT = 32_768;
const MAX_TRIES = 100;

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
