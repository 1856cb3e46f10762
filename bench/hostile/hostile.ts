// Attacks on one worker in `workerd serve` with three regions at 30, 100 and 150 ms, beside 50 reads of cold lists per
// second by other listeners. Each attack is compared with the time before it, within one run.
import type { Limit } from '../../edge/limits/token-bucket.ts';
import { readManifestRow, replaceManifest } from '../../ops/bigtable/manifest-row.ts';
import { DEFAULT_LIFETIME_MS, mintToken } from '../../ops/token/mint-token.ts';
import { connectBigtable } from '../../origin/bigtable/connection.ts';
import { LISTENER_AUDIENCE } from '../../shared/domain/identity.ts';
import { makeUserHash } from '../../shared/domain/keys.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { pause, systemClock } from '../../shared/runtime/clock.ts';
import { DEADLINE_HEADER } from '../../shared/wire/deadline.ts';
import { makeHttpRequest } from '../load/load.ts';
import { type PhaseReport, runOpenLoad } from '../load/open-load.ts';
import { TOKEN_SECRET } from '../rigs/edge-asks.ts';
import { connectInspector, type HeapUsage, type Inspector } from '../rigs/inspector.ts';
import { createRegionsRig, REGION_NAMES, type RegionsRig, USERS } from '../rigs/regions-rig.ts';
import { type Cleanup, withCleanup } from '../support/cleanup.ts';
import type { BenchResult } from '../support/result.ts';
import { makeListener, tableAddress } from '../support/table-data.ts';
import { ATTACKS, type Attack } from './attacks.ts';
import { writeExpandedItems } from './expanded-items.ts';

const ROUND_TRIPS_MS: Readonly<Record<string, number>> = { asia: 30, europe: 100, us: 150 };
const VICTIMS_PER_SECOND = 50;
const QUIET_MS = 8_000;
const ATTACK_MS = 14_000;
/** A change of the manifest has to be seen within this time. */
const SEEN_WITHIN_S = 12;
const POLL_MS = 100;
const MB = 1_048_576;

export interface AttackFigures {
  readonly attack: string;
  /** The victims' p99 during the attack, as a multiple of the p99 before it. */
  readonly victimP99Vs: number;
  readonly victimP99Ms: number;
  /** Share of the victims' reads that did not get their own list. */
  readonly popularShare: number;
  readonly ejections: number;
  readonly publicationSeenS: number;
  readonly erasureSeenS: number;
  /** Largest memory of the isolate during the attack: JavaScript objects, runtime objects and buffers. */
  readonly isolateMb: number;
  /** The attacker's answers with 200, as a multiple of its limit: a burst, and then a rate. */
  readonly admittedVsLimit?: number;
}

const HONEST_DEADLINE_MS = 120;
const HONEST_TRIP_MS = 42;
const HONEST_READS_MS = 10_000;

export const benchHostile = async (): Promise<BenchResult> => {
  const { attacks, honestShare } = await withCleanup(measureAll);
  const honest =
    `callers with ${HONEST_DEADLINE_MS} ms and the nearest region at ${HONEST_TRIP_MS} ms: ` +
    `${honestShare * 100} % got their own cold list`;
  return { report: [honest, ...attacks.map(describe)].join('\n'), figures: { honestShare, attacks } };
};

async function measureAll(cleanup: Cleanup): Promise<{ attacks: AttackFigures[]; honestShare: number }> {
  // Beside the attacks a worker of this size has only a few listeners: caches hold what one run reads.
  const rig = await createRegionsRig(cleanup, {
    isFar: false,
    bindings: { RATE_LIMITS: 'on' },
    withInspector: true,
  });
  await writeExpandedItems(tableAddress(rig.tableHost));
  for (const name of REGION_NAMES) await rig.setFault({ latencyMs: ROUND_TRIPS_MS[name] ?? 0 }, name);
  const control = createManifestControl(cleanup, rig);
  const victims = createVictims(rig);
  await victims.load(QUIET_MS);
  await rig.setFault({ latencyMs: HONEST_TRIP_MS }, 'asia');
  const honest = await victims.load(HONEST_READS_MS, { [DEADLINE_HEADER]: String(HONEST_DEADLINE_MS) });
  const honestShare = round(honest.ok / (honest.ok + honest.shed + honest.failed), 4);
  await rig.setFault({ latencyMs: ROUND_TRIPS_MS.asia ?? 0 }, 'asia');
  const attacks: AttackFigures[] = [];
  for (const attack of ATTACKS) attacks.push(await measure(rig, attack, victims, control));
  return { attacks, honestShare };
}

type Victims = ReturnType<typeof createVictims>;
type ManifestControl = ReturnType<typeof createManifestControl>;

async function measure(
  rig: RegionsRig,
  attack: Attack,
  victims: Victims,
  control: ManifestControl,
): Promise<AttackFigures> {
  const quiet = await victims.load(QUIET_MS);
  const before = (await rig.status()).counters.edge_ejections_total ?? 0;
  const memory = watchMemory(rig);
  const target = {
    edgePort: rig.worker.port,
    originPort: rig.origins[0]?.port ?? 0,
    nextListener: victims.next,
  };
  const [report, sent, seen] = await Promise.all([
    victims.load(ATTACK_MS),
    attack.run(target, ATTACK_MS),
    control.measure(),
  ]);
  const isolateMb = await memory.stop();
  const ejections = ((await rig.status()).counters.edge_ejections_total ?? 0) - before;
  const failed = report.shed + report.failed;
  return {
    attack: attack.name,
    victimP99Vs: round(report.p99Ms / quiet.p99Ms, 2),
    victimP99Ms: round(report.p99Ms, 0),
    popularShare: round(failed / (report.ok + failed), 4),
    ejections,
    ...seen,
    isolateMb: round(isolateMb, 1),
    ...(attack.limit === undefined ? {} : { admittedVsLimit: admittedVsLimit(sent, attack.limit) }),
  };
}

function admittedVsLimit(sent: readonly PhaseReport[], { burst, perSecond }: Limit): number {
  const admitted = sent.reduce((sum, { ok }) => sum + ok, 0);
  return round(admitted / (burst + (perSecond * ATTACK_MS) / 1000), 2);
}

/** Each victim reads its own cold list once, with a token of its own, and takes no popular list for it. */
function createVictims({ worker }: RegionsRig) {
  let listener = 0;
  const next = (): number => listener++ % USERS;
  return {
    next,
    load: async (durationMs: number, more: Readonly<Record<string, string>> = {}): Promise<PhaseReport> => {
      const requests: string[] = [];
      for (let i = 0; i < (VICTIMS_PER_SECOND * durationMs) / 1000 + 1; i++) {
        const claims = { user: makeListener(next()), scope: [], audience: LISTENER_AUDIENCE };
        const token = await mintToken({ ...claims, expires: DEFAULT_LIFETIME_MS }, TOKEN_SECRET);
        const headers = { authorization: `Bearer ${token}`, 'cf-connecting-ip': `192.0.2.${i % 250}`, ...more };
        requests.push(makeHttpRequest('/v1/me/recommendations/home?fallback=none', headers));
      }
      const phases = [{ perSecond: VICTIMS_PER_SECOND, durationMs }];
      const [report] = await runOpenLoad({ port: worker.port, requests, maxConnections: 256, phases });
      if (report === undefined) throw new Error('expected a report of the victims, got none');
      return report;
    },
  };
}

/** Changes the manifest during an attack, and measures when the isolate knows. */
function createManifestControl(cleanup: Cleanup, rig: RegionsRig) {
  const bigtable = connectBigtable(tableAddress(rig.tableHost));
  cleanup.add(() => bigtable.close());
  const control = {
    bigtable,
    appProfile: 'control',
    retries: { clock: systemClock, random: Math.random, totalMs: 60_000 },
  };
  let erased = 0;

  async function change(edit: (manifest: Manifest) => Partial<Manifest>): Promise<number> {
    const [read] = await readManifestRow(control, 1);
    if (read?.manifest === undefined) throw new Error('expected a manifest, got none');
    const { manifest } = read;
    const next: Manifest = { ...manifest, ...edit(manifest), version: manifest.version + 1 };
    await replaceManifest(control, { read, next, note: { what: 'bench' }, nowMs: systemClock.now() });
    return next.version;
  }

  /** Seconds until `isSeen`, at most three times the bound. */
  async function secondsUntil(isSeen: () => Promise<boolean>): Promise<number> {
    const startedAtMs = performance.now();
    const secondsNow = (): number => (performance.now() - startedAtMs) / 1000;
    while (!(await isSeen()) && secondsNow() < 3 * SEEN_WITHIN_S) await pause(systemClock, POLL_MS);
    return round(secondsNow(), 1);
  }

  return {
    measure: async () => {
      const user = makeListener(USERS - 1 - erased++);
      const readErased = async (): Promise<string> => rig.cacheStatusOf(user);
      await readErased();
      const version = await change(() => ({}));
      const publicationSeenS = await secondsUntil(async () => ((await rig.status()).manifest.version ?? 0) >= version);
      const atMs = systemClock.now();
      await change(({ erasures }) => ({ erasures: [...erasures, { userHash: makeUserHash(user), atMs }] }));
      const erasureSeenS = await secondsUntil(async () => !(await readErased()).startsWith('isolate; hit'));
      return { publicationSeenS, erasureSeenS };
    },
  };
}

/** Largest memory of the isolate, sampled without a collection. A busy isolate may miss samples. */
function watchMemory({ worker }: RegionsRig) {
  let most = 0;
  let isOver = false;
  const sample = async (inspector: Inspector): Promise<void> => {
    const usage = await inspector.send<HeapUsage>('Runtime.getHeapUsage');
    most = Math.max(most, usage.usedSize + usage.embedderHeapUsedSize + usage.backingStorageSize);
  };
  const sampling = (async () => {
    const inspector = await connectInspector(worker.inspectorPort ?? 0);
    while (!isOver) {
      await sample(inspector).catch(() => undefined);
      await pause(systemClock, POLL_MS);
    }
    inspector.close();
  })();
  return {
    stop: async (): Promise<number> => {
      isOver = true;
      await sampling;
      if (most === 0) throw new Error('expected the isolate to tell its memory, got no answer');
      return most / MB;
    },
  };
}

const describe = (figures: AttackFigures): string =>
  `${figures.attack}: victims' p99 ${figures.victimP99Ms} ms (${figures.victimP99Vs} times), ` +
  `${figures.popularShare * 100} % without their own list, ${figures.ejections} ejections, ` +
  `publication seen after ${figures.publicationSeenS} s, erasure after ${figures.erasureSeenS} s, ` +
  `isolate at most ${figures.isolateMb} MB` +
  (figures.admittedVsLimit === undefined ? '' : `, ${figures.admittedVsLimit} of its limit admitted`);

const round = (value: number, digits: number): number => Number(value.toFixed(digits));
