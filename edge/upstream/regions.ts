// Lists from the regions: the caller's nearest first, the next one for what failed, each at most once, and nothing past the deadline. A
// region that failed as a whole is asked for no other list in the same request: a request costs each region that is down one call. What a region
// sheds because nobody waits for it is not taken to the next one, which would have the load of both then.
import type { Clock } from '../../shared/clock.ts';
import type { Counters } from '../../shared/counters.ts';
import type { Entry } from '../../shared/entry.ts';
import { type Call, remainingMs } from '../call.ts';
import type { ListSource } from '../lists/list-reader.ts';
import type { ListRequest, Loaded, RegionAsked, RegionReader } from './region-reader.ts';

interface RegionsOptions {
  readonly reader: RegionReader;
  readonly clock: Clock;
  readonly counters: Counters;
}

/** What is known of one key while the regions are asked one after the other. */
interface Progress {
  readonly request: ListRequest;
  readonly asked: RegionAsked[];
  loaded: Extract<Loaded, { kind: 'entry' }> | undefined;
  isRegionAtFault: boolean;
  isShed: boolean;
  stale: Entry | undefined;
}

export function createRegions({ reader, clock, counters }: RegionsOptions): ListSource {
  return {
    load: async (requests, call) => {
      const all = requests.map(
        (request): Progress => ({
          request,
          asked: [],
          loaded: undefined,
          isRegionAtFault: true,
          isShed: false,
          stale: undefined,
        }),
      );
      for (const region of call.regions) {
        const open = all.filter(({ loaded, isShed }) => loaded === undefined && !isShed);
        if (open.length === 0 || remainingMs(call, clock) === 0) break;
        if (call.failedRegions.has(region.name)) continue;
        counters.add('edge_failovers_total', open.filter(({ asked }) => asked.length > 0).length);
        const answers = await reader.read(
          region,
          open.map(({ request }) => request),
          call,
        );
        noteFailure(region.name, answers, call);
        for (const [i, progress] of open.entries()) note(progress, answers[i]);
      }
      return all.map(toLoaded);
    },
  };
}

/** A region has failed as a whole when it gave nothing, and every time for a reason of its own. */
function noteFailure(region: string, answers: readonly Loaded[], call: Call): void {
  if (answers.every((answer) => answer.kind === 'failed' && answer.isRegionAtFault)) call.failedRegions.add(region);
}

function note(progress: Progress, answer: Loaded | undefined): void {
  if (answer === undefined) throw new Error('expected an outcome for every request; region-reader.ts asks for it');
  progress.asked.push(...answer.asked);
  if (answer.kind === 'entry') progress.loaded = answer;
  else {
    progress.isRegionAtFault &&= answer.isRegionAtFault;
    progress.isShed = answer.isShed ?? false;
    progress.stale = newerOf(progress.stale, answer.stale);
  }
}

const newerOf = (a: Entry | undefined, b: Entry | undefined): Entry | undefined =>
  a === undefined || (b !== undefined && b.storedAtMs > a.storedAtMs) ? b : a;

const toLoaded = ({ loaded, asked, isRegionAtFault, isShed, stale }: Progress): Loaded =>
  loaded === undefined
    ? { kind: 'failed', isRegionAtFault, isShed, asked, ...(stale === undefined ? {} : { stale }) }
    : { ...loaded, asked };
