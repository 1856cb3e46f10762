// The canary of a publication: its soak, its guard, and the ways out. The manifest names the moment until which it
// holds: without this process every edge leaves it then.
import { addCohorts, type Cohorts, emptyCohort } from '../../shared/domain/cohort.ts';
import type { Manifest, Variant } from '../../shared/domain/manifest.ts';
import { nameRelease } from '../../shared/domain/release.ts';
import { pause } from '../../shared/runtime/clock.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { readHeartbeats } from '../bigtable/heartbeats.ts';
import type { HeldOpen } from '../bigtable/open-release.ts';
import { readRecord } from '../bigtable/release-record.ts';
import { EXIT, type ExitCode, ExitError } from '../cli/exit-codes.ts';
import { formatDuration, formatShare, formatTable } from '../cli/format.ts';
import { changeManifest } from '../manifest/change-manifest.ts';
import { compareCohorts, type GuardResult } from './guard.ts';
import { confirm, MOVE_ON_MS, type PublicationDeps, readLive } from './live.ts';
import { endTrial, findVariant, startCanary } from './manifest-changes.ts';
import { changeRelease } from './steps.ts';

const LOOK_EVERY_MS = 1_000;
const GUARD_COMMAND_MS = 600_000;

/** Nothing without `--canary`. Throws an ExitError if the release went back. */
export async function runCanary(held: HeldOpen, deps: PublicationDeps): Promise<void> {
  const { control, by, origins, say } = deps;
  const { release } = held;
  const { plan } = held.current();
  if (plan.canary === undefined) return;
  const { share, soakMs } = plan.canary;
  const { clock } = control.retries;
  const holdMs = MOVE_ON_MS + (plan.guardCommand === undefined ? 0 : GUARD_COMMAND_MS);
  const known = findVariant(await readLive(control), release)?.canary;
  let endMs = clock.now() + soakMs;
  if (known?.generation === release.generation && clock.now() < known.untilMs) endMs = known.untilMs - holdMs;
  else {
    // Only a release that the gate has passed begins a canary: any other has had one, which ended or was ended.
    const record = await readRecord(control, release);
    if (known?.generation === release.generation || record?.record.state !== 'checked') await endAlone(held, deps);
    const { next, nowMs } = await changeRelease(control, {
      ...{ release, to: 'canary', by, why: plan.why, what: `canary ${nameRelease(release)}`, origins },
      change: (live, atMs) => startCanary(live, release, { share, untilMs: atMs + soakMs + holdMs }),
    });
    endMs = nowMs + soakMs;
    say(`canary: ${formatShare(share, 1)} of users, and as many in the control cohort, for ${formatDuration(soakMs)}`);
    say((await confirm(deps, next.version, nowMs)).trimEnd());
  }
  await soak(held, deps, { endMs, holdMs });
  say('canary: good');
}

/** The canary has ended by the clock of every edge, before the publication moved on. */
async function endAlone(held: HeldOpen, deps: PublicationDeps): Promise<never> {
  const why = 'the canary was not confirmed in time, so every edge left it';
  return goBackFromCanary(held, deps, why, EXIT.wentBack);
}

async function soak(
  held: HeldOpen,
  deps: PublicationDeps,
  { endMs: firstEndMs, holdMs }: { readonly endMs: number; readonly holdMs: number },
): Promise<void> {
  const { control, by, origins, say, progress } = deps;
  const { release } = held;
  const { plan } = held.current();
  const soakMs = plan.canary?.soakMs ?? 0;
  const { clock } = control.retries;
  let endMs = firstEndMs;
  let isExtended = false;
  for (;;) {
    const result = compareCohorts(await readCohorts(held, control));
    progress(
      `canary for ${formatDuration(Math.max(0, endMs - clock.now()))} more: ${result.rows[0]?.canary} and ${result.rows[0]?.control} users`,
    );
    if (result.verdict === 'bad') {
      say(describeGuard(result));
      await goBackFromCanary(held, deps, `the guard found ${badOf(result)}`, EXIT.wentBack);
    }
    await requireCanary(held, deps);
    if (clock.now() >= endMs) {
      say(describeGuard(result));
      if (result.verdict === 'good') break;
      if (isExtended) {
        const users = `${result.rows[0]?.canary} users in the canary and ${result.rows[0]?.control} in the control cohort`;
        await goBackFromCanary(held, deps, `there were too few users to judge: ${users}`, EXIT.inconclusive);
      }
      isExtended = true;
      endMs = clock.now() + soakMs;
      say(`canary: too few users, so the soak is doubled once`);
      await changeManifest(control, {
        ...{ what: `canary ${nameRelease(release)}`, why: 'too few users', by, dryRun: false, origins },
        change: (live) => {
          requireOwn(held, live);
          return startCanary(live, release, { share: plan.canary?.share ?? 0, untilMs: endMs + holdMs });
        },
      });
    }
    await pause(clock, Math.min(LOOK_EVERY_MS, Math.max(1, endMs - clock.now())));
  }
  if (plan.guardCommand === undefined) return;
  const { rows } = compareCohorts(await readCohorts(held, control));
  const verdict = await deps.runVerdictCommand(plan.guardCommand, { release: nameRelease(release), rows }, { clock });
  if (verdict.verdict === 'abort')
    await goBackFromCanary(held, deps, `the guard command: ${verdict.reason}`, EXIT.wentBack);
}

/** Throws an ExitError if the manifest's canary is another one, or has ended. */
async function requireCanary(held: HeldOpen, deps: PublicationDeps): Promise<void> {
  const { control } = deps;
  const canary = requireOwn(held, await readLive(control));
  if (control.retries.clock.now() >= canary.untilMs) await endAlone(held, deps);
}

/** Throws an ExitError if the manifest has another canary, or none. */
function requireOwn({ release }: HeldOpen, live: Manifest): NonNullable<Variant['canary']> {
  const canary = findVariant(live, release)?.canary;
  if (canary?.generation === release.generation) return canary;
  throw new ExitError(EXIT.wentBack, `the canary of ${nameRelease(release)} was ended by another command`);
}

async function goBackFromCanary(
  held: HeldOpen,
  deps: PublicationDeps,
  why: string,
  exitCode: ExitCode,
): Promise<never> {
  const { control, by, origins, say } = deps;
  const { release } = held;
  const { next, nowMs } = await changeRelease(control, {
    ...{ release, to: 'rolled-back', by, why, what: `back from the canary of ${nameRelease(release)}`, origins },
    change: (live) => endTrial(live, release, release.generation),
  });
  await held.close();
  say((await confirm(deps, next.version, nowMs)).trimEnd());
  throw new ExitError(exitCode, `${nameRelease(release)} went back: ${why}`);
}

/** The sums of all origin processes since the canary began, also of those that have ended. */
async function readCohorts({ release, current }: HeldOpen, control: ControlTable): Promise<Cohorts> {
  const sinceMs = current().stepSinceMs;
  const all = (await readHeartbeats(control)).filter(({ storedAtMs }) => storedAtMs >= sinceMs);
  return all
    .flatMap(({ cohorts }) => cohorts[nameRelease(release)] ?? [])
    .reduce<Cohorts>(
      (sum, each) => ({ canary: addCohorts(sum.canary, each.canary), control: addCohorts(sum.control, each.control) }),
      { canary: emptyCohort(), control: emptyCohort() },
    );
}

const describeGuard = ({ rows }: GuardResult): string =>
  formatTable([
    ['guard', 'control', 'canary', 'bound', 'verdict'],
    ...rows.map(({ check, control, canary, bound, verdict }) => [check, control, canary, bound, verdict]),
  ]).trimEnd();

const badOf = ({ rows }: GuardResult): string =>
  rows
    .filter(({ verdict }) => verdict === 'bad')
    .map(({ check, control, canary }) => `${check} ${canary} against ${control}`)
    .join(', ');
