// One world: two data centres with three isolates, the regions' objects and origins, releases and failures. It sends
// overlapping requests to the worker's app, and judges each answer.

import { createManualClock } from '../../../bench/support/manual-clock.ts';
import { createApp } from '../../../edge/app.ts';
import { createDeps } from '../../../edge/assemble.ts';
import { createBuilds } from '../../../edge/builds.ts';
import { type EdgeConfig, readConfig } from '../../../edge/config.ts';
import { IN_FLIGHT_BYTES } from '../../../edge/platform.ts';
import { createUnreported } from '../../../edge/report/unreported.ts';
import { createByteAccount } from '../../../shared/runtime/byte-account.ts';
import type { Counters } from '../../../shared/runtime/counters.ts';
import { type Chance, createChance } from '../../support/chance.ts';
import { TEST_ENV, TEST_REGIONS } from '../../workerd/support/harness.ts';
import { createColo, createObjects } from './caches.ts';
import { createEvents } from './events.ts';
import { createIo } from './io.ts';
import { type Answered, createJudge } from './judge.ts';
import { createPopulation } from './population.ts';
import { drawManifest, surfacesOf } from './releases.ts';
import { createRequestDrawer, type DrawnRequest } from './requests.ts';
import { createTables } from './tables.ts';
import { Violation } from './violation.ts';

/** Data centre of each isolate. */
const COLO_OF_ISOLATE = [0, 0, 1];
const HOT_USERS = 4;
const MAX_OVERLAPPING = 24;
const EVENTS_PER_TURN = 0.05;
/** Many times the turns of the slowest request: all its timeouts together. */
const MAX_TURNS = 5_000;
const LOG = { warn: () => {}, error: () => {} };

export interface Tallies {
  readonly counters: Counters;
  /** Number of answers by outcome. */
  readonly outcomes: Map<string, number>;
}

/** Sends `reads` reads or a few more. Resolves to their number. Rejects with a Violation that shows the request. */
export async function runWorld(seed: number, reads: number, { counters, outcomes }: Tallies): Promise<number> {
  const chance = createChance(seed);
  const clock = createManualClock();
  const io = createIo(chance, clock);
  const population = await createPopulation(chance, clock.now());
  const config = drawConfig(chance);
  const manifest = drawManifest(chance);
  const tables = createTables({ chance, io, population, manifest });
  const judge = createJudge(population, outcomes);
  let violation: Error | undefined;
  const background = new Set<Promise<unknown>>();
  const keep = (work: Promise<unknown>): void => {
    const ended: Promise<void> = work
      .catch((error: unknown) => {
        violation ??= new Violation(`work behind an answer failed: ${String(error)}`);
      })
      .then(() => {
        background.delete(ended);
      });
    background.add(ended);
  };
  const inFlight = createByteAccount({ clock, maxBytes: IN_FLIGHT_BYTES, maxAgeMs: 90_000 });
  const platform = {
    clock,
    random: () => chance.next(),
    counters,
    builds: createBuilds(counters),
    unreported: createUnreported(counters),
    inFlight,
    log: LOG,
    fetch: tables.fetch,
  };
  const colos = [createColo(chance, io), createColo(chance, io)];
  const objects = createObjects({ config, platform, chance, io, keep });
  const build = (isolate: number) => {
    const colo = COLO_OF_ISOLATE[isolate] as number;
    const openCache = async () => (colos[colo] as (typeof colos)[number]).cache;
    const keyOrigin = `https://colo-${colo}.test`;
    return createApp(createDeps(config, { ...platform, openCache, keyOrigin, findObject: objects.find }));
  };
  const isolates = COLO_OF_ISOLATE.map((_, i) => build(i));
  const loseIsolate = (i: number): void => {
    isolates[i] = build(i);
  };
  const happen = createEvents({
    chance,
    clock,
    tables,
    colos,
    objects,
    population,
    loseIsolate,
    isolates: isolates.length,
  });
  const hot = Array.from({ length: HOT_USERS }, () => chance.pick(population.people));
  const draw = createRequestDrawer({ chance, population, surfaces: surfacesOf(manifest), hot, etags: judge.etags });
  const context = { waitUntil: keep, passThroughOnException: () => {} } as unknown as ExecutionContext;

  async function send(request: DrawnRequest): Promise<void> {
    const { method, path, headers, body } = request;
    const nearest = chance.pick(TEST_REGIONS);
    const cf = { latitude: String(nearest.latitude), longitude: String(nearest.longitude) };
    const sent = new Request(`https://edge.test${path}`, { method, headers, body, cf } as RequestInit);
    const response = await (chance.pick(isolates) as (typeof isolates)[number]).fetch(sent, {}, context);
    const answer: Answered = { status: response.status, headers: response.headers, text: await response.text() };
    try {
      judge.judge(request, answer);
    } catch (error) {
      violation ??= new Violation(`${(error as Error).message}\n${describe(request, answer)}`);
    }
  }

  /** Sends `requests` at once and runs the world until all are answered. */
  async function sendAll(requests: readonly DrawnRequest[]): Promise<void> {
    let open = requests.length;
    let failure: unknown;
    for (const request of requests) {
      const sent = send(request).catch((error: unknown) => {
        failure ??= error;
      });
      void sent.then(() => open--);
    }
    for (let turns = 0; open > 0; turns++) {
      if (turns > MAX_TURNS) throw new Violation(`${open} requests have no answer`);
      if (chance.is(EVENTS_PER_TURN)) happen();
      await io.turn();
    }
    if (failure !== undefined) throw failure;
    if (violation !== undefined) throw violation;
  }

  let done = 0;
  while (done < reads) {
    const requests = Array.from({ length: 1 + chance.below(MAX_OVERLAPPING) }, draw);
    await sendAll(requests);
    happen();
    done += requests.reduce((sum, request) => sum + request.reads.length, 0);
  }
  for (let turns = 0; background.size > 0 && turns < MAX_TURNS; turns++) await io.turn();
  if (violation !== undefined) throw violation;
  return done;
}

function drawConfig(chance: Chance): EdgeConfig {
  return readConfig({
    ...TEST_ENV,
    REGION_TIER: chance.is(0.85) ? 'on' : 'off',
    REGION_SHARDS: String(chance.pick([1, 2, 8])),
    // From none, over a few lists, to all of them.
    ISOLATE_CACHE_BYTES: String(chance.pick([0, 4_000, 30_000, 10_000_000])),
    REGION_CACHE_BYTES: String(chance.pick([0, 4_000, 30_000, 10_000_000])),
    REPORT_SECONDS: '0',
    POPULAR_WARM_SECONDS: String(chance.pick([0, 1, 60])),
    // Limits have tests of their own, and would refuse most requests.
    RATE_LIMITS: 'off',
  });
}

function describe(
  { method, path, caller, headers, body }: DrawnRequest,
  { status, headers: got, text }: Answered,
): string {
  const { authorization: _, ...shown } = headers;
  return [
    `request: ${method} ${path} by ${caller.user} with ${[...caller.scopes].join(' ') || 'no scope'}`,
    `  ${JSON.stringify(shown)} ${(body ?? '').slice(0, 2_000)}`,
    `answer: ${status} ${JSON.stringify([...got])}`,
    `  ${text.slice(0, 2_000)}`,
  ].join('\n');
}
