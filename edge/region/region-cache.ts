// The Durable Object of one shard of a region, placed beside that region's origin. It only wires. Its state is in
// memory and may be lost at any time.
import { DurableObject, tracing } from 'cloudflare:workers';
import { buildOf } from '../builds.ts';
import { readConfig } from '../config.ts';
import { systemPlatform } from '../platform.ts';
import { assembleRegion, createRegionMemory, type RegionParts } from './assemble.ts';
import type { RegionAnswer, RegionCall, RegionObject } from './protocol.ts';

export class RegionCache extends DurableObject<object> implements RegionObject {
  // Throws on an invalid configuration. Every call rejects then, and callers bypass the object.
  readonly #config = readConfig(this.env);
  readonly memory = createRegionMemory(this.#config, systemPlatform.clock);
  #parts: RegionParts | undefined;

  /** Rejects if the configuration has no region of that name. */
  async read(call: RegionCall): Promise<RegionAnswer> {
    const waitUntil = (work: Promise<unknown>): void => this.ctx.waitUntil(work);
    this.#parts ??= this.#assemble(call.region);
    this.#parts.reporter.reportIfDue(waitUntil);
    return this.#parts.lists.read(call, waitUntil);
  }

  #assemble(region: string): RegionParts {
    systemPlatform.builds.setOwn(buildOf(this.env));
    return assembleRegion(this.#config, region, this.memory, { ...systemPlatform, tracing });
  }

  async cancel(id: string): Promise<void> {
    this.#parts?.lists.cancel(id);
  }
}
