// Runs the steps of a publication: replication, gate, warm-up, canary, ramp. Each step can be repeated, so `--resume`
// goes on with a publication whose process was killed. Whatever is live goes on safely without it: a canary ends at the
// moment that the manifest names, and a ramp goes by the clock of each edge.
import { makeServeProfile } from '../../origin/bigtable/app-profiles.ts';
import { readRows, rowsOf } from '../../origin/bigtable/read-rows.ts';
import { TABLES } from '../../shared/domain/keys.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { isItems, nameRelease } from '../../shared/domain/release.ts';
import { isRamping, rampProgress } from '../../shared/domain/rollout.ts';
import { pause } from '../../shared/runtime/clock.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { type HeldOpen, readOpen, STEPS, type Step } from '../bigtable/open-release.ts';
import { waitForReplication } from '../bigtable/replication.ts';
import { EXIT, ExitError } from '../cli/exit-codes.ts';
import { formatDuration, formatShare } from '../cli/format.ts';
import { changeManifest } from '../manifest/change-manifest.ts';
import { runCanary } from './canary.ts';
import { checkItems } from './gate/check-items.ts';
import { describeTable } from './gate/describe-table.ts';
import { confirm, degradedRegions, MOVE_ON_MS, type PublicationDeps, readLive } from './live.ts';
import { findVariant, goLive, goLiveWithItems, leave, startWarm } from './manifest-changes.ts';
import { rampMsOf } from './ramp-auto.ts';
import { changeRelease, recordState, repairRecords } from './steps.ts';

const DEFAULT_WAIT_MS = 600_000;
const LOOK_EVERY_MS = 1_000;
const RENEW_EVERY_MS = 15_000;
const REACH_MS = 2_000;

/** Returns when the release is live everywhere. Throws an ExitError that says why it is not, or an Error. */
export async function runPublication(held: HeldOpen, deps: PublicationDeps): Promise<void> {
  const run: Readonly<Record<Exclude<Step, 'end'>, () => Promise<void>>> = {
    replication: () => replicate(held, deps),
    gate: () => passGate(held, deps),
    warm: () => warmUp(held, deps),
    canary: () => runCanary(held, deps),
    ramp: () => rampUp(held, deps),
  };
  const first = STEPS.indexOf(held.current().step);
  const endRenewals = keepRenewing(held, deps.control);
  try {
    for (const step of STEPS.slice(first)) {
      await held.setStep(step);
      if (step !== 'end') await run[step]();
    }
  } finally {
    endRenewals();
  }
  const { control, by } = deps;
  await repairRecords(control, held.release, await readLive(control), by);
  await held.close();
}

/** Origins tell how long a publication has not been renewed. */
function keepRenewing(held: HeldOpen, { retries: { clock } }: ControlTable): () => void {
  let cancel = clock.setTimeout(renew, RENEW_EVERY_MS);
  let isOver = false;
  function renew(): void {
    void held.renew().then(() => {
      if (!isOver) cancel = clock.setTimeout(renew, RENEW_EVERY_MS);
    });
  }
  return () => {
    isOver = true;
    cancel();
  };
}

async function replicate(held: HeldOpen, { control, say }: PublicationDeps): Promise<void> {
  const { isWaiting, waitMs = DEFAULT_WAIT_MS } = held.current().plan;
  const { retries } = control;
  if (!isWaiting) {
    say('note: regions without these lists serve older ones until the lists arrive, and cache them');
    return;
  }
  const degraded = degradedRegions(await readLive(control), retries.clock.now());
  if (degraded.length > 0) {
    say(`not waiting for ${degraded.join(', ')}, marked as degraded: the gate compares the other clusters`);
    return;
  }
  const table = isItems(held.release) ? TABLES.items : TABLES.recommendations;
  await waitForReplication(control.bigtable, table, { clock: retries.clock, timeoutMs: waitMs, retries });
}

async function passGate(held: HeldOpen, deps: PublicationDeps): Promise<void> {
  const { control, by, say } = deps;
  const { release } = held;
  const { accepted, why, checkCommand } = held.current().plan;
  const manifest = await readLive(control);
  const degraded = new Set(degradedRegions(manifest, control.retries.clock.now()));
  const healthy = deps.regions.filter((region) => !degraded.has(region));
  const regions = held.current().plan.isWaiting ? healthy : await findReachable(control, healthy, say);
  const check = isItems(release) ? checkItems : deps.check;
  const table = await check(control, release, { manifest, regions, accepted, why, checkCommand });
  const { rows, verdict, reasons } = table;
  // A release that was blocked or rolled back meanwhile keeps that state.
  await held.setStep('gate');
  say(describeTable(table).trimEnd());
  if (verdict === 'passed') {
    const note = rows.filter((row) => row.verdict === 'accepted').map(({ check }) => check);
    const reason = note.length === 0 ? why : `${note.join(', ')} accepted: ${why}`;
    await recordState(control, release, { to: 'checked', by, why: reason });
    return;
  }
  const why2 = reasons.join('; ');
  await recordState(control, release, { to: 'refused', by, why: why2 });
  await held.close();
  throw new ExitError(EXIT.refused, `${nameRelease(release)} was refused: ${why2}`);
}

/** Without a wait for the lists a cluster may be gone: the gate compares those that answer. */
async function findReachable(
  { bigtable }: ControlTable,
  regions: readonly string[],
  say: (line: string) => void,
): Promise<string[]> {
  const answers = await Promise.all(
    regions.map(async (region) => {
      try {
        const call = { table: TABLES.recommendations, rows: rowsOf(['0000']), filter: { passAllFilter: true } };
        await readRows(bigtable, { ...call, appProfile: makeServeProfile(region), timeoutMs: REACH_MS });
        return true;
      } catch {
        return false;
      }
    }),
  );
  const gone = regions.filter((_, i) => !answers[i]);
  if (gone.length > 0) say(`note: the cluster of ${gone.join(', ')} does not answer, so the gate does not read it`);
  // One region must be read: the failure of the last says why none can.
  return gone.length === regions.length ? [...regions] : regions.filter((_, i) => answers[i]);
}

async function warmUp(held: HeldOpen, deps: PublicationDeps): Promise<void> {
  const { control, by, origins, progress } = deps;
  const { release } = held;
  const { plan, stepSinceMs } = held.current();
  if (plan.warmMs === undefined || findVariant(await readLive(control), release) === undefined) return;
  const { clock } = control.retries;
  const endMs = stepSinceMs + plan.warmMs;
  await changeManifest(control, {
    ...{ what: `warm ${nameRelease(release)}`, why: plan.why, by, dryRun: false, origins },
    change: (live) =>
      startWarm(live, release, {
        startsAtMs: stepSinceMs,
        durationMs: endMs - stepSinceMs,
        untilMs: endMs + MOVE_ON_MS,
        ...(plan.canary === undefined ? {} : { fromShare: plan.canary.share }),
      }),
  });
  while (clock.now() < endMs) {
    progress(`warming for ${formatDuration(endMs - clock.now())} more`);
    await pause(clock, Math.min(LOOK_EVERY_MS, endMs - clock.now()));
  }
}

async function goLiveAtOnce(held: HeldOpen, deps: PublicationDeps): Promise<void> {
  const { control, by, origins, say } = deps;
  const { release } = held;
  const { next, nowMs } = await changeRelease(control, {
    ...{ release, to: 'live', by, why: held.current().plan.why, what: `publish ${nameRelease(release)}`, origins },
    change: (manifest) => goLiveWithItems(manifest, release.generation),
  });
  say((await confirm(deps, next.version, nowMs)).trimEnd());
}

async function rampUp(held: HeldOpen, deps: PublicationDeps): Promise<void> {
  if (isItems(held.release)) return goLiveAtOnce(held, deps);
  const { control, by, origins, say } = deps;
  const { release } = held;
  const { plan } = held.current();
  const before = await readLive(control);
  const live = findVariant(before, release);
  if (live?.current !== release.generation || plan.weight !== undefined) {
    const durationMs = await rampMsOf(control, plan.ramp, say);
    const regionDelaysMs = delaysOf(plan.regions, plan.betweenMs ?? 0);
    const isAtOnce = durationMs === 0 && regionDelaysMs === undefined && plan.atMs === undefined;
    const {
      before: previous,
      next,
      nowMs,
    } = await changeRelease(control, {
      ...{
        release,
        to: isAtOnce ? 'live' : 'ramping',
        by,
        why: plan.why,
        what: `publish ${nameRelease(release)}`,
        origins,
      },
      change: (manifest, atMs) => {
        requireOwnCanary(held, manifest);
        const startsAtMs = Math.max(atMs, plan.atMs ?? 0);
        const ramp = isAtOnce ? undefined : { startsAtMs, durationMs, regionDelaysMs };
        return goLive(manifest, release, ramp, plan.weight);
      },
    });
    if (next !== previous) await undoIfEnded(held, deps);
    say((await confirm(deps, next.version, nowMs)).trimEnd());
  }
  await waitForRamp(held, deps);
}

/** Throws an ExitError if a command has ended the canary of the publication. */
function requireOwnCanary({ release, current }: HeldOpen, manifest: Manifest): void {
  const live = findVariant(manifest, release);
  const isOwn = live?.canary?.generation === release.generation || live?.current === release.generation;
  if (current().plan.canary === undefined || isOwn) return;
  throw new ExitError(EXIT.wentBack, `the canary of ${nameRelease(release)} was ended by another command`);
}

/** A command may have ended the publication between its last look and the change: then the change is taken back. */
async function undoIfEnded({ release }: HeldOpen, { control, by, origins }: PublicationDeps): Promise<void> {
  // A process that has taken the publication over goes on with it.
  if ((await readOpen(control, release))?.generation === release.generation) return;
  const why = 'the publication was ended while it went live';
  await changeRelease(control, {
    ...{ release, to: 'rolled-back', by, why, what: `back from ${nameRelease(release)}`, origins },
    change: (manifest) => leave(manifest, release),
  });
  throw new ExitError(EXIT.wentBack, `${nameRelease(release)} went back: ${why}`);
}

/** Watches the ramp, which another command may steer. Throws an ExitError if it was left. */
async function waitForRamp({ release }: HeldOpen, { control, progress }: PublicationDeps): Promise<void> {
  const { clock } = control.retries;
  for (;;) {
    const live = findVariant(await readLive(control), release);
    if (live?.current !== release.generation)
      throw new ExitError(EXIT.wentBack, `${nameRelease(release)} was left by another command`);
    if (!isRamping(live, clock.now()) || live.flip === undefined) return;
    const { first, last } = rampProgress(live.flip, clock.now());
    const paused = live.flip.pausedAtMs === undefined ? '' : ', paused';
    progress(
      `ramp: ${formatShare(first, 1)} of users in the first region, ${formatShare(last, 1)} in the last${paused}`,
    );
    await pause(clock, LOOK_EVERY_MS);
  }
}

const delaysOf = (regions: readonly string[] | undefined, betweenMs: number): Record<string, number> | undefined =>
  regions === undefined ? undefined : Object.fromEntries(regions.map((region, i) => [region, i * betweenMs]));
