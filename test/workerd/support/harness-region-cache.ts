// A real region object, called over RPC, on the clock and the scripted origins of the harness that calls it.
import { DurableObject, env } from 'cloudflare:workers';
import type { EdgeConfig } from '../../../edge/config.ts';
import type { Platform } from '../../../edge/platform.ts';
import { assembleRegion, createRegionMemory, type RegionParts } from '../../../edge/region/assemble.ts';
import type { RegionAnswer, RegionCall } from '../../../edge/region/protocol.ts';
import type { FindObject } from '../../../edge/region/region-objects.ts';
import type { Clock } from '../../../shared/runtime/clock.ts';
import { turnUntil } from './turns.ts';

interface Registered {
  readonly config: EdgeConfig;
  readonly platform: Platform;
}

const harnesses = new Map<string, Registered>();

export class HarnessRegionCache extends DurableObject<object> {
  #parts: RegionParts | undefined;

  async readFor(harness: string, call: RegionCall): Promise<RegionAnswer> {
    const registered = harnesses.get(harness);
    if (registered === undefined) throw new Error(`expected a harness that is registered, got ${harness}`);
    const { config, platform } = registered;
    const ownPlatform = { ...platform, clock: ownTimers(platform.clock) };
    this.#parts ??= assembleRegion(config, call.region, createRegionMemory(config, ownPlatform.clock), ownPlatform);
    const waitUntil = (work: Promise<unknown>): void => this.ctx.waitUntil(work);
    this.#parts.reporter.reportIfDue(waitUntil);
    return this.#parts.lists.read(call, waitUntil);
  }

  async cancel(id: string): Promise<void> {
    this.#parts?.lists.cancel(id);
  }
}

/** Timers of `clock` that fire in the context of the object that set them. */
const ownTimers = (clock: Clock): Clock => ({
  now: () => clock.now(),
  monotonicNow: () => clock.monotonicNow(),
  setTimeout: (fn, delayMs) => {
    const dueAtMs = clock.now() + delayMs;
    let isCancelled = false;
    void turnUntil(() => isCancelled || clock.now() >= dueAtMs).then(
      () => {
        if (!isCancelled) fn();
      },
      () => {},
    );
    return () => {
      isCancelled = true;
    };
  },
});

/** Objects of one harness. They live as long as the test file. */
export function registerRegionCaches(harness: string, registered: Registered): FindObject {
  harnesses.set(harness, registered);
  const { HARNESS_REGION_CACHE: namespace } = env as unknown as {
    HARNESS_REGION_CACHE: DurableObjectNamespace<HarnessRegionCache>;
  };
  return (name, locationHint) => {
    const stub = namespace.getByName(`${harness}/${name}`, { locationHint });
    return {
      read: (call) => stub.readFor(harness, call) as Promise<RegionAnswer>,
      cancel: (id) => stub.cancel(id),
    };
  };
}
