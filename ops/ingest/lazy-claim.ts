// The claim of a load on its generation, made before its first write. A load without a valid line claims nothing.
import { isItems, type Release } from '../../shared/domain/release.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { versionsOf } from '../bigtable/kept-generations.ts';
import { type Claim, type ClaimOptions, claimLoad, hasEarlierCells, whyNotClaim } from '../bigtable/load-claim.ts';
import { liveManifest, readManifestRow } from '../bigtable/manifest-row.ts';
import {
  type Checkpoint,
  hasLists,
  listReleases,
  type ReleaseSummary,
  readRecord,
} from '../bigtable/release-record.ts';
import { resolveListMaxAgeDays } from '../cli/list-max-age.ts';
import { whyNotLoad } from '../publish/allowed-generations.ts';

export interface LoadOptions extends ClaimOptions {
  /** Load even if that removes live lists. */
  readonly force: boolean;
}

export interface LazyClaim {
  /** Claims the generation, once. Throws an Error with the reason if it is not free, or if the load would do harm. */
  readonly take: () => Promise<void>;
  /** Takes it if a process before may have stored cells: the load has to know that before its first line. */
  takeIfPartial(): Promise<void>;
  readonly requireHeld: () => void;
  /** Whether a process before may have stored cells. Known once it is taken. */
  hasEarlierCells(): boolean;
  /** How far the load came that this one goes on with. Known once it is taken. */
  resumeFrom(): Checkpoint | undefined;
  note(checkpoint: Checkpoint): void;
  finish(summary: ReleaseSummary): Promise<void>;
  /**
   * Ends the claim of a failed load, which may write nothing more. A claim that `take` has begun ends, too. Returns
   * whether the record stays, because cells may be written.
   */
  abandon(mayHaveWritten: boolean): Promise<boolean>;
}

export function createLazyClaim(control: ControlTable, load: Release, options: LoadOptions): LazyClaim {
  let claim: Claim | undefined;
  let taking: Promise<void> | undefined;

  async function take(): Promise<void> {
    await requireHarmless(control, load, options);
    claim = await claimLoad(control, load, options);
    // 1. Two loads of two generations pass the check. 2. Both claim. 3. Each now sees the other one.
    await requireHarmless(control, load, { ...options, isClaimed: true });
  }

  const takeOnce = (): Promise<void> => {
    taking ??= take();
    return taking;
  };

  return {
    take: takeOnce,
    takeIfPartial: async () => {
      if (options.resume === true || hasEarlierCells(await readRecord(control, load))) await takeOnce();
    },
    hasEarlierCells: () => claim?.hasEarlierCells ?? false,
    requireHeld: () => claim?.requireHeld(),
    resumeFrom: () => claim?.resumeFrom,
    note: (checkpoint) => claim?.note(checkpoint),
    finish: async (summary) => claim?.finish(summary),
    abandon: async (mayHaveWritten) => {
      try {
        await taking?.catch(() => undefined);
        await claim?.abandon(mayHaveWritten);
        return claim !== undefined && mayHaveWritten;
      } catch {
        // The record stays as it is. The error of the load is the one to report.
        return true;
      }
    },
  };
}

/** Throws an Error if the generation is not free, or if the load would remove live lists. */
export async function requireHarmless(
  control: ControlTable,
  load: Release,
  { force, isClaimed = false, ...options }: LoadOptions & { readonly isClaimed?: boolean },
): Promise<void> {
  const nowMs = control.retries.clock.now();
  if (!isClaimed) {
    const reason = whyNotClaim(load, await readRecord(control, load), options, nowMs);
    if (reason !== undefined) throw new Error(reason);
  }
  if (force) return;
  const { surface, variant, generation } = load;
  const [kept, loads] = await Promise.all([readManifestRow(control, 1), listReleases(control, load)]);
  const live = liveManifest(kept);
  if (live === undefined) {
    throw new Error(`the stored manifest is broken, so the live generations are not known (${kept[0]?.problem})`);
  }
  const reason = whyNotLoad({
    generation,
    loads: loads.filter(hasLists).map((each) => each.generation),
    live: isItems(load) ? live.items : live.surfaces[surface]?.variants.find(({ name }) => name === variant),
    nowMs,
    versions: versionsOf(load),
    ...(isItems(load) ? {} : { listMaxAgeDays: resolveListMaxAgeDays() }),
  });
  if (reason === undefined) return;
  throw new Error(options.adopt ? reason : `${reason} (--force loads it anyway)`);
}
