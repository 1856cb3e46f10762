// Reports of exposures that one core checks in a second: the receiver of the worker with a sink that keeps nothing.
import { createExposureRef } from '../../edge/exposures/keys.ts';
import { createExposureReceiver } from '../../edge/exposures/receive.ts';
import { createExposureTokens } from '../../edge/exposures/tokens.ts';
import { toName, toUserId } from '../../shared/domain/ids.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { createCounters } from '../../shared/runtime/counters.ts';

const CALLS = 200;
const REPORTS_PER_CALL = 100;
const HASH_KEY = 'hash-key-for-benches-only-0123456789-abcdef';

export async function measureExposures(): Promise<number> {
  const userRef = createExposureRef(HASH_KEY);
  const tokens = createExposureTokens({ hashKey: HASH_KEY, userRef, clock: systemClock });
  let sent = 0;
  const receiver = createExposureReceiver({
    ...{ tokens, userRef, regions: [], clock: systemClock, counters: createCounters() },
    log: { warn: () => undefined, error: () => undefined },
    sink: {
      send: async (exposures) => {
        sent += exposures.length;
      },
    },
  });
  const variant = { name: toName('knn'), weight: 1, current: systemClock.now() };
  const assignment = { variant, experiment: 'ranking', salt: 'ranking-1', reason: 'bucket' } as const;
  const makeReport = async (user: string): Promise<string> => {
    const list = { kind: 'list', bytes: new Uint8Array(1), generation: variant.current, digest: '' } as const;
    const key = { surface: toName('home'), variant: variant.name, generation: variant.current, user: toUserId(user) };
    const served = { list, own: key, assignment, source: 'personal', fallbackReason: undefined, trails: [] } as const;
    return `${(await tokens.make(user, served, undefined)).token};tier=isolate`;
  };
  const calls: string[][] = [];
  for (let call = 0; call < CALLS; call++)
    calls.push(await Promise.all(Array.from({ length: REPORTS_PER_CALL }, (_, i) => makeReport(`u:${call}:${i}`))));
  const identity = { user: toUserId('service'), scopes: new Set(['recs:read:any' as const]) };
  const before = process.cpuUsage();
  for (const reports of calls) await receiver.receive(reports, { identity, country: undefined });
  const { user, system } = process.cpuUsage(before);
  if (sent !== CALLS * REPORTS_PER_CALL) throw new Error(`expected ${CALLS * REPORTS_PER_CALL} exposures, got ${sent}`);
  return (sent * 1e6) / (user + system);
}
