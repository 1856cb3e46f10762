// Reports of exposures: checked one by one, and sent on as one message. A report that is not valid is dropped and
// counted; the others are kept.

import { HOUR_MS, TOKEN_HOURS } from '../../shared/domain/experiments/exposure.ts';
import type { Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { Identity } from '../identity/claims.ts';
import { describeError, type Log } from '../log.ts';
import type { UserRef } from '../reads/user-ref.ts';
import { parseExposure } from '../respond/exposure.ts';
import { createRecent } from './recent.ts';
import type { ExposureSink, ShownExposure } from './sink.ts';
import type { ExposureTokens } from './tokens.ts';

/** Why a report was dropped. `repeated`: it was reported shortly before. */
export type Dropped = 'invalid' | 'expired' | 'other_user' | 'repeated';

export interface Receipt {
  readonly accepted: number;
  readonly dropped: Readonly<Partial<Record<Dropped, number>>>;
}

export interface Reporter {
  readonly identity: Pick<Identity, 'user' | 'scopes'>;
  /** Stored with the reporter's own exposures. A service is elsewhere than its users. */
  readonly country: string | undefined;
}

export interface ExposureReceiver {
  /** Rejects with `unavailable` if the sink fails: the exposures count as lost, and may be reported again. */
  receive(reports: readonly string[], reporter: Reporter): Promise<Receipt>;
  /** An answer has these exposures, which count as shown. Work behind the answer: a failure is a loss. */
  noteServed(served: readonly ServedExposure[]): Promise<void> | undefined;
}

export interface ServedExposure {
  readonly report: string;
  readonly country: string | undefined;
}

interface ReceiverOptions {
  readonly tokens: ExposureTokens;
  readonly userRef: UserRef;
  readonly sink: ExposureSink;
  readonly regions: readonly Region[];
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
}

/** The repeats of this time are dropped, as far as this isolate knows. */
const REPEAT_MS = 120_000;
const MAX_RECENT = 20_000;

/** The signature: the same for each report of one token. */
const idOf = (token: string): string => token.slice(-22);

export function createExposureReceiver(options: ReceiverOptions): ExposureReceiver {
  const { tokens, userRef, sink, regions, clock, counters, log } = options;
  const recent = createRecent({ clock, forMs: REPEAT_MS, maxKeys: MAX_RECENT });

  async function check(report: string, ownRef: string | undefined, country?: string): Promise<ShownExposure | Dropped> {
    const parsed = parseExposure(report, regions);
    const exposure = parsed && (await tokens.verify(parsed.token));
    if (parsed === undefined || exposure === undefined) return 'invalid';
    if (ownRef !== undefined && exposure.userRef !== ownRef) return 'other_user';
    const nowMs = clock.now();
    const ageHours = Math.floor(nowMs / HOUR_MS) - exposure.hour;
    if (ageHours > TOKEN_HOURS || ageHours < -1) return 'expired';
    const { tier, region, token } = parsed;
    return { ...exposure, id: idOf(token), atMs: nowMs, tier, region, country };
  }

  async function send(shown: readonly ShownExposure[]): Promise<void> {
    try {
      await sink.send(shown);
    } catch (error) {
      counters.add('edge_exposures_lost_total', shown.length);
      log.warn('exposures_lost', { exposures: shown.length, ...describeError(error) });
      throw new EarshotError('unavailable', 'edge', 'the exposures were not stored', { cause: error });
    }
    for (const { id } of shown) recent.add(id);
    counters.add('edge_exposures_total', shown.length);
  }

  return {
    noteServed: (served) => {
      const fresh = served.filter(({ report }) => {
        const id = idOf(report.split(';')[0] ?? '');
        if (recent.has(id)) return false;
        // Hits of the same list arrive while the message is sent.
        recent.add(id);
        return true;
      });
      if (fresh.length === 0) return undefined;
      return (async () => {
        const checked = await Promise.all(fresh.map(({ report, country }) => check(report, undefined, country)));
        const shown = checked.filter((each) => typeof each !== 'string');
        if (shown.length > 0) await send(shown).catch(() => undefined);
      })();
    },
    receive: async (reports, { identity, country }) => {
      // A service reports for any user.
      const isService = identity.scopes.has('recs:read:any');
      const ownRef = isService ? undefined : await userRef(identity.user);
      const dropped: Partial<Record<Dropped, number>> = {};
      const kept = new Map<string, ShownExposure>();
      for (const report of reports) {
        const checked = await check(report, ownRef, isService ? undefined : country);
        const isRepeat = typeof checked !== 'string' && (kept.has(checked.id) || recent.has(checked.id));
        const reason = typeof checked === 'string' ? checked : isRepeat ? 'repeated' : undefined;
        if (reason !== undefined) dropped[reason] = (dropped[reason] ?? 0) + 1;
        else if (typeof checked !== 'string') kept.set(checked.id, checked);
      }
      counters.add('edge_exposures_dropped_total', reports.length - kept.size);
      if (kept.size > 0) await send([...kept.values()]);
      return { accepted: kept.size, dropped };
    },
  };
}
