// The Durable Object of one shard of a region, made beside that region's origin: it only wires. What it holds is in memory and may be lost at
// any time.
import { DurableObject } from 'cloudflare:workers';
import { systemClock } from '../../shared/clock.ts';
import { createCounters } from '../../shared/counters.ts';
import { readConfig } from '../config.ts';
import { createReadRegion } from '../deps.ts';
import { consoleLog } from '../log.ts';
import type { RegionAnswer, RegionCall, RegionObject } from './protocol.ts';
import type { ReadRegion } from './region-lists.ts';

export class RegionCache extends DurableObject<object> implements RegionObject {
  #read: ReadRegion | undefined;

  /** Rejects when the configuration is not valid, or names no such region; the caller then goes on without the object. */
  async read(call: RegionCall): Promise<RegionAnswer> {
    this.#read ??= createReadRegion(readConfig(this.env), call.region, {
      clock: systemClock,
      random: () => Math.random(),
      counters: createCounters(),
      log: consoleLog,
      fetch: (url, init) => fetch(url, init),
    });
    return this.#read(call, (work) => this.ctx.waitUntil(work));
  }
}
