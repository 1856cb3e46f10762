import { expect, test } from 'vitest';
import { describeStatus } from '../../../../ops/status/describe-status.ts';
import { createCounters } from '../../../../shared/runtime/counters.ts';
import type { ManifestStatus, RegionStatus } from '../../../../shared/wire/edge-status.ts';

const healthy = (name: string): RegionStatus => ({
  name,
  state: 'healthy',
  roundTripMs: 12.4,
  isMeasured: false,
  ejections: 0,
  ejectedForMs: 0,
  attempts: 0,
  failures: 0,
});

test('the status has tables, with a dash for unknown values', () => {
  const ejected: RegionStatus = {
    ...healthy('us'),
    state: 'ejected',
    isMeasured: true,
    p95Ms: 80,
    ejections: 2,
    ejectedForMs: 4200,
    attempts: 1000,
    failures: 7,
  };
  const text = describeStatus({
    edge: {
      regions: [healthy('europe'), ejected],
      manifest: {
        state: 'live',
        version: 17,
        confirmedForMs: 2400,
        regions: [{ name: 'europe', answer: 'status 304' }],
        effects: { switches: ['hedging=off', 'shadow=0.01'], erasures: 1050, blockedItems: 1 },
      },
      budget: { tokens: 12.6, reserve: 10 },
      counters: createCounters().snapshot(),
      shadow: { reads: 300, differences: [{ tier: 'colo', kind: 'stale', count: 2 }] },
    },
    tiers: [
      { tier: 'isolate', hits: 1, asked: 3 },
      { tier: 'colo', hits: 0, asked: 0 },
    ],
    origins: [
      {
        name: 'europe',
        readiness: 'ok',
        metrics: { earshot_origin_reads_total: 1234, earshot_origin_manifest_version: 17 },
        releases: [],
        degraded: [],
      },
      { name: 'us', readiness: 'connect ECONNREFUSED', metrics: {}, releases: [], degraded: [] },
    ],
    parts: [
      { name: 'edge', state: 'ready', pid: 41, restarts: 0 },
      { name: 'origin/us', state: 'starting', restarts: 2, lastEnd: { atMs: 0, reason: 'SIGKILL' } },
    ],
  });
  expect(text).toBe(`region  state              round trip               p95    calls  failed  ejections
europe  healthy            12 ms       by distance  -      0      0       0
us      ejected for 4.2 s  12 ms       measured     80 ms  1 000  7       2

manifest: version 17, confirmed 2.4 s ago
switches: hedging=off, shadow=0.01
erased: 1 050 users
blocked: 1 item
shadow: 300 answers of caches compared with Bigtable, colo stale 2

retry budget: 13 of 10 attempts

tier     hits    of
isolate  33.3 %  3
colo     -       0

origin  ready                 manifest  lists  from memory  rows read  failed calls  shed
europe  ok                    17        1 234  0            0          0             0
us      connect ECONNREFUSED  -         -      -            -          -             -

part       state     process  restarts  latest end
edge       ready     41       0         -
origin/us  starting  -        2         1970-01-01T00:00:00.000Z (SIGKILL)
`);
});

test('the status says that the worker is starting, and shows the other parts', () => {
  const parts = [{ name: 'edge', state: 'starting' as const, restarts: 1 }];
  expect(describeStatus({ edge: undefined, tiers: [], origins: [], parts })).toMatch(
    /^the worker is starting\n\norigin .*\n\npart .*\nedge +starting +- +1 +-\n$/,
  );
});

test('an origin that refuses the manifest row is named first, with the version that it keeps', () => {
  const metrics = { earshot_origin_manifest_version: 17, earshot_origin_manifest_failed_polls: 12 };
  const text = describeStatus({
    edge: {
      regions: [],
      manifest: { state: 'unread', regions: [] },
      budget: { tokens: 10, reserve: 10 },
      counters: createCounters().snapshot(),
    },
    tiers: [],
    origins: [{ name: 'asia', readiness: 'ok', metrics, releases: [], degraded: [] }],
    parts: [],
  });
  expect(text).toMatch(/^manifest trouble at the origin in asia: look at `npx earshot manifest show`\n/);
  expect(text).toMatch(/^asia +ok +17, row refused 12 times /m);
});

test.each<[ManifestStatus, string]>([
  [{ state: 'unread', regions: [] }, 'not read yet'],
  [
    {
      state: 'none',
      regions: [
        { name: 'asia', answer: 'timeout' },
        { name: 'us', answer: 'status 503' },
      ],
    },
    'none, so no list can be served (asia timeout, us status 503)',
  ],
  [
    { state: 'unconfirmed', version: 3, confirmedForMs: 92_000, regions: [{ name: 'us', answer: 'connection' }] },
    'version 3, confirmed 1 min 32 s ago, and not since (us connection)',
  ],
])('manifest trouble is shown with the answers of the regions: %j', (manifest, line) => {
  const edge = { regions: [], manifest, budget: { tokens: 1, reserve: 1 }, counters: createCounters().snapshot() };
  expect(describeStatus({ edge, tiers: [], origins: [], parts: [] })).toContain(`\nmanifest: ${line}\n`);
});

test('the cost of callers is a table, if there were any', () => {
  const edge = {
    regions: [healthy('europe')],
    manifest: { state: 'unread' as const, regions: [] },
    budget: { tokens: 10, reserve: 10 },
    counters: createCounters().snapshot(),
    callers: [{ service: 'mailer', reads: 1200, originReads: 30, bytes: 2_400_000, refused: 5 }],
  };
  const text = describeStatus({ edge, tiers: [], origins: [], parts: [] });
  expect(text).toContain(`callers  reads  at origins  bytes      refused
mailer   1 200  30          2 400 000  5
`);
  expect(describeStatus({ edge: { ...edge, callers: [] }, tiers: [], origins: [], parts: [] })).not.toContain(
    'callers',
  );
});
