// The Durable Object of one shard of a region, made beside that region's origin: it only wires. What it holds is in memory and may be lost at
// any time.
import { DurableObject } from 'cloudflare:workers';
import { systemClock } from '../../shared/clock.ts';
import { systemRandom } from '../../shared/random.ts';
import { readConfig } from '../config.ts';
import { createReadRegion, createRegionMemory } from '../deps.ts';
import { isolateCounters } from '../isolate-counters.ts';
import { consoleLog } from '../log.ts';
import type { RegionAnswer, RegionCall, RegionObject } from './protocol.ts';
import type { ReadRegion } from './region-lists.ts';

export class RegionCache extends DurableObject<object> implements RegionObject {
  // Throws when the configuration is not valid: every call is rejected then, and the callers go on without the object.
  readonly #config = readConfig(this.env);
  readonly memory = createRegionMemory(this.#config);
  #read: ReadRegion | undefined;

  /** Rejects when the configuration names no such region. */
  async read(call: RegionCall): Promise<RegionAnswer> {
    this.#read ??= createReadRegion(this.#config, call.region, this.memory, {
      clock: systemClock,
      random: systemRandom,
      counters: isolateCounters,
      log: consoleLog,
      fetch: (url, init) => fetch(url, init),
    });
    return this.#read(call, (work) => this.ctx.waitUntil(work));
  }
}
