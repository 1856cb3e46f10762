// Reports the counts of an isolate to an origin, once in a minute with requests. A platform that isolates are created
// and lost on has no moment at which all of them could be asked.
import type { Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import type { Random } from '../../shared/runtime/random.ts';
import type { Call } from '../request/call.ts';
import { NOWHERE } from '../request/place.ts';
import { makeRequestId } from '../request/request-id.ts';
import { createTimings } from '../request/timings.ts';
import type { OriginClient } from '../upstream/origin-client.ts';
import type { Unreported } from './unreported.ts';

export interface Reporter {
  /** Called at each request. Sends what is due behind the answer. */
  reportIfDue(waitUntil: Call['waitUntil']): void;
}

interface ReporterOptions {
  readonly unreported: Unreported;
  readonly client: Pick<OriginClient, 'sendReport'>;
  /** The regions in the order in which they are tried. */
  readonly regions: () => readonly Region[];
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  /** Milliseconds between two reports. 0: none. */
  readonly everyMs: number;
  /** Maximum milliseconds for one report, with all its attempts. */
  readonly timeoutMs: number;
}

/** The first report comes within the interval, at another moment in each isolate. */
export function createReporter(options: ReporterOptions): Reporter {
  const { unreported, client, clock, random, counters, everyMs, timeoutMs } = options;
  let dueAtMs = everyMs === 0 ? Number.POSITIVE_INFINITY : clock.now() + random() * everyMs;

  async function send(call: Call): Promise<void> {
    const report = unreported.take();
    if (report === undefined) return;
    for (const region of call.regions) {
      const answer = await client.sendReport(region, report, call);
      if (answer.kind === 'answered') return;
    }
    counters.add('edge_reports_failed_total');
    unreported.giveBack(report);
  }

  return {
    reportIfDue: (waitUntil) => {
      const nowMs = clock.now();
      if (nowMs < dueAtMs) return;
      dueAtMs = nowMs + everyMs;
      const call: Call = {
        deadlineAtMs: nowMs + timeoutMs,
        place: NOWHERE,
        regions: options.regions(),
        failedRegions: new Set(),
        requestId: makeRequestId(),
        traceparent: undefined,
        timings: createTimings(clock),
        waitUntil,
      };
      waitUntil(send(call));
    },
  };
}
