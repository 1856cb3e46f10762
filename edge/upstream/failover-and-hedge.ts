// Lists from the regions: the nearest that is well first, the next one for what failed (failover), and also when the first has not answered for
// longer than it usually takes (hedge); each at most once, and nothing past the deadline. Whatever is more than one attempt for a read comes
// out of one budget. Who is outrun is cancelled. A region that failed as a whole is asked for no other list in the same request. What a region
// sheds because nobody waits for it is not taken to the next one, which would have the load of both then.
//
// One read: (1) the first region is asked; (2) either it answers for all keys, and that is it; (3) or it fails for some: the next region is
// asked for those; (4) or it is late: the next one is asked for all that is open, and what comes first from either counts; (5) when nothing is
// open or nobody is left, whoever is still under way is let go of.

import { OwnPresence } from '../../shared/caching/cancellation.ts';
import type { Entry } from '../../shared/caching/entry.ts';
import type { Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import type { ListSource } from '../reads/read-through.ts';
import { type Call, detach, remainingMs } from '../request/call.ts';
import type { ListRequest, Loaded, RegionAsked, RegionReader } from './region-reader.ts';
import type { Outcome, Routing } from './routing.ts';

interface RegionsOptions {
  readonly reader: RegionReader;
  readonly routing: Routing;
  readonly clock: Clock;
  readonly counters: Counters;
}

/** What is known of one key while the regions are asked. */
interface Progress {
  readonly request: ListRequest;
  readonly asked: RegionAsked[];
  loaded: Extract<Loaded, { kind: 'entry' }> | undefined;
  isRegionAtFault: boolean;
  isShed: boolean;
  retryAfterMs: number | undefined;
  stale: Entry | undefined;
}

interface Attempt {
  readonly region: Region;
  readonly keys: readonly Progress[];
  readonly startedAtMs: number;
  /** Nobody waits for any of it. */
  readonly isBackground: boolean;
  readonly cancel: () => void;
  /** Settles, never rejects, when there are answers. */
  readonly done: Promise<void>;
  answers: readonly Loaded[] | undefined;
  /** When another region is asked for the same, and when it is late beyond what is usual anywhere; infinite once that was done. */
  hedgeAtMs: number;
  overdueAtMs: number;
  /** Whether the region has been told of already. */
  isJudged: boolean;
}

/** Work that goes on for longer than this after its deadline is counted: it was for nobody. */
const LATE_MS = 10;

export function createRegions({ reader, routing, clock, counters }: RegionsOptions): ListSource {
  function begin(
    region: Region,
    keys: readonly Progress[],
    call: Call,
    isFirst: boolean,
    isBackground: boolean,
  ): Attempt {
    counters.add('edge_attempts_total');
    const presence = new OwnPresence();
    const requests = keys.map(({ request }) => request);
    const answers = reader.read(region, requests, { ...call, presence });
    const startedAtMs = clock.now();
    const overdueMs = routing.slowAfterMs(region, call.place);
    // The first is hedged soon. One that is a second attempt itself has to be late beyond doubt.
    const hedgeMs = isFirst ? routing.hedgeDelayMs(region, call.place) : overdueMs;
    const attempt: Attempt = {
      region,
      keys,
      startedAtMs,
      isBackground,
      cancel: () => presence.leave(),
      done: answers.then((loaded) => {
        attempt.answers = loaded;
      }),
      answers: undefined,
      hedgeAtMs: startedAtMs + (isBackground ? Number.POSITIVE_INFINITY : hedgeMs),
      overdueAtMs: startedAtMs + overdueMs,
      isJudged: false,
    };
    return attempt;
  }

  /** What an attempt brought, to the keys that are still open, and to what is known of the region. */
  function take({ region, keys, startedAtMs, isBackground, isJudged, answers = [] }: Attempt, call: Call): void {
    const outcome = isBackground ? ofBackground(outcomeOf(answers)) : outcomeOf(answers);
    if (answers.every(isOfRegion)) call.failedRegions.add(region.name);
    const tookMs = clock.now() - startedAtMs;
    // Who had less time than it usually needs is not to blame for not answering.
    const isCutShort =
      outcome === 'failed' && remainingMs(call, clock) === 0 && tookMs < routing.hedgeDelayMs(region, call.place);
    const isNews = !isCutShort && (!isJudged || outcome === 'shed');
    if (isNews) routing.note(region, call.place, outcome, tookMs, retryAfterMsOf(answers));
    else if (outcome === 'answered') routing.learn(region, call.place, tookMs);
    for (const [i, progress] of keys.entries()) if (progress.loaded === undefined) note(progress, answers[i]);
  }

  /** Lets go of what was outrun, and says so where it was asked in vain. */
  function letGo(attempt: Attempt, first: Attempt | undefined, call: Call): void {
    attempt.cancel();
    counters.add('edge_cancelled_total');
    const outcome = attempt === first && !attempt.isJudged ? 'outrun' : 'unknown';
    routing.note(attempt.region, call.place, outcome, clock.now() - attempt.startedAtMs);
    for (const { asked } of attempt.keys)
      asked.unshift({ region: attempt.region.name, origin: { detail: 'cancelled' } });
  }

  /** Who may be asked next; those that fewer should go to are passed over by who can. */
  function nextOf(call: Call, tried: ReadonlySet<string>): Region | undefined {
    const leftMs = remainingMs(call, clock);
    const left = call.regions.filter(
      (region) =>
        !tried.has(region.name) &&
        !call.failedRegions.has(region.name) &&
        !routing.isHopeless(region, call.place, leftMs),
    );
    return tried.size === 0 ? left[0] : left.find((region) => !routing.isBackingOff(region));
  }

  async function load(all: readonly Progress[], call: Call): Promise<void> {
    const isBackground = all.every(({ request }) => request.isBackground === true);
    const tried = new Set<string>();
    const running = new Set<Attempt>();
    let first: Attempt | undefined;

    /** Whether there is somebody to ask, and it may be afforded: the first attempt is free, unless this request has failed before. */
    function ask(open: readonly Progress[], why: 'first' | 'failover' | 'hedge'): boolean {
      const region = remainingMs(call, clock) === 0 ? undefined : nextOf(call, tried);
      if (region === undefined) return false;
      if (why === 'first' && call.failedRegions.size === 0) routing.earn();
      else if (!routing.spend()) {
        counters.add('edge_attempts_denied_total');
        return false;
      }
      if (why === 'failover') counters.add('edge_failovers_total', open.length);
      if (why === 'hedge') counters.add('edge_hedges_total');
      tried.add(region.name);
      const attempt = begin(region, open, call, first === undefined, isBackground);
      first ??= attempt;
      running.add(attempt);
      return true;
    }

    function takeEnded(): boolean {
      const ended = [...running].filter(({ answers }) => answers !== undefined);
      for (const attempt of ended) {
        running.delete(attempt);
        const isWon = running.size > 0 && attempt !== first && attempt.answers?.some(({ kind }) => kind === 'entry');
        if (isWon) counters.add('edge_hedges_won_total');
        take(attempt, call);
      }
      return ended.length > 0;
    }

    /** Time has passed for those that have not answered: for the region's reputation, and for asking another one. */
    function judgeLate(open: readonly Progress[]): void {
      const nowMs = clock.now();
      for (const attempt of running) {
        if (nowMs >= attempt.overdueAtMs) {
          attempt.overdueAtMs = Number.POSITIVE_INFINITY;
          attempt.isJudged = true;
          routing.note(attempt.region, call.place, 'outrun', nowMs - attempt.startedAtMs);
        }
        if (nowMs >= attempt.hedgeAtMs) {
          attempt.hedgeAtMs = Number.POSITIVE_INFINITY;
          if (!routing.isShedding()) ask(open, 'hedge');
        }
      }
    }

    for (;;) {
      const open = all.filter(({ loaded, isShed }) => loaded === undefined && !isShed);
      if (open.length === 0) break;
      if (running.size === 0 && !ask(open, tried.size === 0 ? 'first' : 'failover')) break;
      await waitForAny(running);
      if (!takeEnded()) judgeLate(open);
    }
    for (const attempt of running) letGo(attempt, first, call);
    if (clock.now() > call.deadlineAtMs + LATE_MS) counters.add('edge_late_total');
  }

  /** Until one has answered, or it is time to judge one that has not. */
  async function waitForAny(running: ReadonlySet<Attempt>): Promise<void> {
    const done = [...running].map((attempt) => attempt.done);
    const dueAtMs = Math.min(...[...running].flatMap(({ hedgeAtMs, overdueAtMs }) => [hedgeAtMs, overdueAtMs]));
    if (dueAtMs === Number.POSITIVE_INFINITY) return Promise.race(done);
    const { promise: due, resolve } = Promise.withResolvers<void>();
    const cancel = clock.setTimeout(resolve, Math.ceil(dueAtMs - clock.now()));
    await Promise.race([...done, due]);
    cancel();
  }

  /** A read that goes beside the request to a region that was left alone, as far as its origin: what its object holds proves nothing. */
  function probe(region: Region, { request }: Progress, call: Call): void {
    const startedAtMs = clock.now();
    const probing = { ...request, notBeforeMs: startedAtMs, isBackground: true };
    const alone = { ...detach(call, clock), regions: [region] };
    const ended = reader.read(region, [probing], alone).then((answers) => {
      routing.endProbe(region, call.place, outcomeOf(answers), clock.now() - startedAtMs);
    });
    call.waitUntil(ended);
  }

  return {
    load: async (requests, call) => {
      const all = requests.map(
        (request): Progress => ({
          request,
          asked: [],
          loaded: undefined,
          isRegionAtFault: true,
          isShed: false,
          retryAfterMs: undefined,
          stale: undefined,
        }),
      );
      const probed = routing.takeProbe();
      if (probed !== undefined && all[0] !== undefined) probe(probed, all[0], call);
      await load(all, call);
      return all.map(toLoaded);
    },
  };
}

/** The longest that was asked for. */
function retryAfterMsOf(answers: readonly Loaded[]): number | undefined {
  const all = answers.flatMap((answer) => (answer.kind === 'failed' ? (answer.retryAfterMs ?? []) : []));
  return all.length === 0 ? undefined : Math.max(...all);
}

const isOfRegion = (answer: Loaded): boolean => answer.kind === 'failed' && answer.isRegionAtFault;

/** A region has failed as a whole when it gave nothing, and every time for a reason of its own. */
function outcomeOf(answers: readonly Loaded[]): Outcome {
  const isShed = (answer: Loaded): boolean =>
    answer.kind === 'failed' && (answer.isShed === true || answer.retryAfterMs !== undefined);
  if (answers.every((answer) => isOfRegion(answer) && !isShed(answer))) return 'failed';
  if (answers.some(isShed)) return 'shed';
  return answers.some(({ asked }) => asked.some(({ origin }) => origin !== undefined)) ? 'answered' : 'held';
}

/** What is shed first because nobody waits for it says nothing of the reads that somebody waits for. */
const ofBackground = (outcome: Outcome): Outcome => (outcome === 'shed' ? 'unknown' : outcome);

function note(progress: Progress, answer: Loaded | undefined): void {
  if (answer === undefined) throw new Error('expected an outcome for every request; region-reader.ts asks for it');
  progress.asked.push(...answer.asked);
  if (answer.kind === 'entry') progress.loaded = answer;
  else {
    progress.isRegionAtFault &&= answer.isRegionAtFault;
    progress.isShed = answer.isShed ?? false;
    progress.retryAfterMs = answer.retryAfterMs ?? progress.retryAfterMs;
    progress.stale = newerOf(progress.stale, answer.stale);
  }
}

const newerOf = (a: Entry | undefined, b: Entry | undefined): Entry | undefined =>
  a === undefined || (b !== undefined && b.storedAtMs > a.storedAtMs) ? b : a;

const toLoaded = ({ loaded, asked, isRegionAtFault, isShed, retryAfterMs, stale }: Progress): Loaded =>
  loaded === undefined
    ? {
        kind: 'failed',
        isRegionAtFault,
        isShed,
        asked,
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
        ...(stale === undefined ? {} : { stale }),
      }
    : { ...loaded, asked };
