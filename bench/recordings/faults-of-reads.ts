// Faults of the read path, recorded for the alerts in a rig of regions (rigs/regions-rig.ts), with reports of the edge
// every second. A second of each stands for a minute.
import { pause, systemClock } from '../../shared/runtime/clock.ts';
import { runOpenLoad } from '../load/open-load.ts';
import { startExposureQueue } from '../rigs/exposure-queue.ts';
import { makeListsRead, mintBenchToken } from '../rigs/origin-process.ts';
import { createRegionsRig, eachOnce, REGION_NAMES, type RegionsRig, USERS } from '../rigs/regions-rig.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { makeKey, makeListener } from '../support/table-data.ts';
import { createRecorder, type Recorder } from './record-metrics.ts';

/** Fills the hour of a burn rate. */
const HOUR_MS = 60_000;
/** Longer than any other alert waits. */
const HALF_HOUR_MS = 34_000;
const QUARTER_MS = 20_000;
const WARM_UP_MS = 20_000;
const READMITTING_MS = 12_000;
const PER_SECOND = 50;
/** Half of the reads are of lists that caches have. */
const WARM_USERS = 50;
/** A starved process runs for a third of the time. */
const STARVED = { stoppedMs: 200, runningMs: 100 };

/** A fault for as long as its alert needs. `user`: the listeners of its reads. */
interface Fault {
  readonly name: string;
  readonly durationMs: number;
  readonly user?: (i: number) => string;
  readonly begin: () => Promise<unknown>;
  readonly heal: () => Promise<unknown>;
}

const hashKey = 'hash-key-for-benches-only-0123456789-abcdef';

/** Records health and each fault into `directory`. The last faults end processes of the rig. */
export async function recordFaultsOfReads(cleanup: Cleanup, directory: string): Promise<void> {
  const queue = await startExposureQueue();
  cleanup.add(queue.stop);
  const rig = await createRegionsRig(cleanup, {
    isFar: true,
    bindings: { REPORT_SECONDS: '1', HASH_KEY: hashKey },
    // Warm lists are stale within a fault.
    table: { listTtlSeconds: 5, isExposed: true },
    queues: { EXPOSURES: queue.address },
  });
  const next = eachOnce();
  const user = (i: number): string => (i % 2 === 0 ? makeListener(i % WARM_USERS) : next(i));
  const load = (durationMs: number, of = user) =>
    rig.load({ user: of, fallback: 'none' }, { perSecond: PER_SECOND, durationMs });

  const metrics = REGION_NAMES.map((name, i) => [name, rig.origins[i]?.metricsUrl ?? '']);
  const { record } = createRecorder(directory, Object.fromEntries(metrics));
  await load(WARM_UP_MS);
  await record('health', () => load(HOUR_MS), { isWhole: true });
  for (const { name, durationMs, user: of, begin, heal } of faultsOf(rig, queue)) {
    await begin();
    await record(name, () => load(durationMs, of ?? user));
    await heal();
    await load(READMITTING_MS);
  }
  await recordDirectCalls(rig, record, load);
  await rig.origins.at(-1)?.kill();
  await record('origin-killed', () => load(QUARTER_MS));
  await rig.worker.stop();
  await record('edge-gone', () => pause(systemClock, QUARTER_MS));
}

type Load = (durationMs: number) => Promise<unknown>;

function faultsOf(
  { setFault, setClusterFault }: RegionsRig,
  queue: { set(state: 'up' | 'down'): void },
): readonly Fault[] {
  const clusters = (fault: object) => Promise.all(REGION_NAMES.map((name) => setClusterFault(name, fault)));
  const regions = (fault: object) => setFault(fault, ...REGION_NAMES);
  return [
    {
      ...{ name: 'lists-gone', durationMs: HALF_HOUR_MS, begin: async () => {}, heal: async () => {} },
      // One in five listeners has no list, as after a release that lacks them.
      user: (i) => makeListener(i % 5 === 0 ? USERS + i : i),
    },
    {
      ...{ name: 'region-down', durationMs: HOUR_MS },
      ...{ begin: () => setFault({ down: true }, 'asia'), heal: () => setFault({}, 'asia') },
    },
    {
      // The reports of the edge pass now and then.
      ...{ name: 'regions-failing', durationMs: HALF_HOUR_MS },
      ...{ begin: () => regions({ errorShare: 0.6 }), heal: () => regions({}) },
    },
    {
      ...{ name: 'cluster-down', durationMs: QUARTER_MS },
      ...{ begin: () => setClusterFault('asia', { down: true }), heal: () => setClusterFault('asia', {}) },
    },
    {
      ...{ name: 'clusters-slow', durationMs: HOUR_MS },
      ...{ begin: () => clusters({ latencyMs: 400 }), heal: () => clusters({}) },
    },
    {
      ...{ name: 'clusters-down', durationMs: HOUR_MS },
      ...{ begin: () => clusters({ down: true }), heal: () => clusters({}) },
    },
    {
      ...{ name: 'queue-down', durationMs: QUARTER_MS },
      ...{ begin: async () => queue.set('down'), heal: async () => queue.set('up') },
    },
  ];
}

/** Faults of an origin: callers that it does not know, more reads than its cluster has rows, and too little CPU. */
async function recordDirectCalls(
  { origins, setClusterFault }: RegionsRig,
  record: Recorder['record'],
  load: Load,
): Promise<void> {
  const [origin] = origins;
  if (origin === undefined) throw new Error('expected an origin');
  const { port, pid } = origin;
  const callsOf = (token: string, keys: number, perSecond: number, durationMs: number) => {
    const requests = Array.from({ length: 400 }, (_, b) =>
      makeListsRead(
        token,
        Array.from({ length: keys }, (_, i) => makeKey(makeListener((b * keys + i) % USERS))),
      ),
    );
    return runOpenLoad({ port, requests, maxConnections: 256, phases: [{ perSecond, durationMs }] });
  };
  await record('strangers', () => Promise.all([load(HALF_HOUR_MS), callsOf('not.a.token', 1, 20, HALF_HOUR_MS)]));
  const token = await mintBenchToken('asia');
  await setClusterFault('asia', { rowsPerSecond: 500 });
  await record('overload', () => Promise.all([load(QUARTER_MS), callsOf(token, 25, 100, QUARTER_MS)]));
  await setClusterFault('asia', {});
  await load(READMITTING_MS);
  await record('starved', () => Promise.all([load(HALF_HOUR_MS), starve(pid, HALF_HOUR_MS)]));
}

/** Stops the process again and again, as the quota of a container does. */
async function starve(pid: number, durationMs: number): Promise<void> {
  const untilMs = performance.now() + durationMs;
  while (performance.now() < untilMs) {
    process.kill(pid, 'SIGSTOP');
    await pause(systemClock, STARVED.stoppedMs);
    process.kill(pid, 'SIGCONT');
    await pause(systemClock, STARVED.runningMs);
  }
}
