// The Durable Object of one shard of a region, made beside that region's origin: it only wires. What it holds is in memory and may be lost at
// any time.
import { DurableObject } from 'cloudflare:workers';
import { systemClock } from '../../shared/runtime/clock.ts';
import { systemRandom } from '../../shared/runtime/random.ts';
import { readConfig } from '../config.ts';
import { createRegionMemory, openRegion } from '../deps.ts';
import { consoleLog } from '../log.ts';
import { isolateCounters } from '../platform.ts';
import type { RegionAnswer, RegionCall, RegionObject } from './protocol.ts';
import type { RegionLists } from './region-lists.ts';

export class RegionCache extends DurableObject<object> implements RegionObject {
  // Throws when the configuration is not valid: every call is rejected then, and the callers go on without the object.
  readonly #config = readConfig(this.env);
  readonly memory = createRegionMemory(this.#config);
  #lists: RegionLists | undefined;

  /** Rejects when the configuration names no such region. */
  async read(call: RegionCall): Promise<RegionAnswer> {
    this.#lists ??= openRegion(this.#config, call.region, this.memory, {
      clock: systemClock,
      random: systemRandom,
      counters: isolateCounters,
      log: consoleLog,
      fetch: (url, init) => fetch(url, init),
    });
    return this.#lists.read(call, (work) => this.ctx.waitUntil(work));
  }

  async cancel(id: string): Promise<void> {
    this.#lists?.cancel(id);
  }
}
