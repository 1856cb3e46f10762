// Judgements of the origins' answers, and of their heartbeats.
import type { OriginFacts, TableFacts } from '../examine.ts';
import { allOf, type Finding, failed, ok, skipped } from '../finding.ts';
import type { Probe } from '../probe.ts';

const NOT_ASKED = 'no origins: set EARSHOT_ORIGINS=region=URL,... and EARSHOT_ORIGIN_SECRET';

/** Whether each origin answers and is ready. */
export function checkOrigins(origins: readonly OriginFacts[] | undefined): readonly Finding[] {
  const check = 'origins';
  if (origins === undefined) return [skipped(check, NOT_ASKED)];
  const failures = origins.flatMap(({ region, url, ready }) => {
    if (ready.status === 200) return [];
    if (ready.status === undefined)
      return [
        failed(
          check,
          `${region} does not answer at ${url}: ${ready.problem}`,
          `start the origins of ${region}, or compare its URL with REGIONS; behind private ingress ask from inside`,
        ),
      ];
    const { status } = (ready.json ?? {}) as { status?: string };
    return [
      failed(
        check,
        `${region} is not ready: ${status ?? `status ${ready.status}`}`,
        '/readyz at the port of its metrics, and its log, have the reason',
      ),
    ];
  });
  return allOf(check, failures, `${origins.map(({ region }) => region).join(', ')} are ready`);
}

const UNAUTHENTICATED = 401;

/** Whether each origin that answers accepts the secret for its region. */
export function checkAccess(origins: readonly OriginFacts[] | undefined): readonly Finding[] {
  const check = 'origin tokens';
  if (origins === undefined) return [skipped(check, NOT_ASKED)];
  const failures = origins.flatMap(({ region, manifest, acceptsTokenOf }) => {
    if (manifest.status !== UNAUTHENTICATED) return [];
    if (acceptsTokenOf !== undefined)
      return [
        failed(
          check,
          `the origin at the URL of ${region} is one of ${acceptsTokenOf}`,
          `set its EARSHOT_REGION to ${region}, or set REGIONS right`,
        ),
      ];
    return [
      failed(
        check,
        `${region} refuses a token that is signed with ORIGIN_SECRET`,
        `give ${region} the EARSHOT_ORIGIN_SECRET that the worker has as ORIGIN_SECRET; during a change also the previous one`,
      ),
    ];
  });
  const accepting = origins.filter(({ manifest }) => manifest.status === 200).map(({ region }) => region);
  if (failures.length === 0 && accepting.length === 0) return [skipped(check, 'no origin answers')];
  return allOf(check, failures, `${accepting.join(', ')} accept the secret for their regions`);
}

/** Tokens, ramps and switches go by the clocks of the parts. */
const MAX_CLOCK_MS = 5_000;

export function checkClocks(edge: Probe, origins: readonly OriginFacts[] | undefined): readonly Finding[] {
  const check = 'clocks';
  const clocks = [
    { name: 'the edge', ahead: edge.clockAheadMs },
    ...(origins ?? []).map(({ region, ready }) => ({ name: `the origin of ${region}`, ahead: ready.clockAheadMs })),
  ].flatMap(({ name, ahead }) => (ahead === undefined ? [] : [{ name, ahead }]));
  if (clocks.length === 0) return [skipped(check, 'no answer has a date')];
  const failures = clocks
    .filter(({ ahead }) => Math.abs(ahead) > MAX_CLOCK_MS)
    .map(({ name, ahead }) =>
      failed(
        check,
        `the clock of ${name} is ${(Math.abs(ahead) / 1000).toFixed(0)} s ${ahead > 0 ? 'ahead of' : 'behind'} this machine's`,
        'set both by NTP: tokens, ramps and switches go by the time',
      ),
    );
  return allOf(check, failures, `within ${MAX_CLOCK_MS / 1000} s of this machine's`);
}

/** Whether each region has a process that writes heartbeats, and no process has an unknown region. */
export function checkHeartbeats(
  { heartbeats }: TableFacts,
  regions: readonly string[] | undefined,
): readonly Finding[] {
  const check = 'heartbeats';
  if (heartbeats instanceof Error)
    return [failed(check, heartbeats.message, 'run `npx earshot schema check`, and check the role of this account')];
  const alive = Map.groupBy(heartbeats, ({ region }) => region);
  const missing = (regions ?? []).filter((name) => !alive.has(name));
  const unknown = regions === undefined ? [] : [...alive.keys()].filter((name) => !regions.includes(name));
  const failures = [
    ...missing.map((name) =>
      failed(
        check,
        `no origin of ${name} has written a heartbeat in the last 15 s`,
        `start the origins of ${name}; if they run, their account may not write: give it the role of a reader of this instance (docs/deploying.md)`,
      ),
    ),
    ...unknown.map((name) =>
      failed(check, `an origin says that its region is ${name}`, 'set its EARSHOT_REGION to a name in REGIONS'),
    ),
  ];
  const counts = [...alive].map(([name, all]) => `${name} ${all.length}`).join(', ');
  return heartbeats.length === 0 && failures.length === 0
    ? [failed(check, 'no origin writes heartbeats', 'start the origins')]
    : allOf(check, failures, `processes: ${counts}`);
}

/** Builds that heartbeats name, for the output. */
export const describeBuilds = ({ heartbeats }: TableFacts): Finding => {
  if (heartbeats instanceof Error) return skipped('origin builds', 'no heartbeats');
  const builds = new Set(heartbeats.map(({ region, build }) => `${region} ${build}`));
  return ok('origin builds', [...builds].sort().join(', ') || 'none');
};
