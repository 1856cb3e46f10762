// The claim of a load on its generation: the receipt in state `loading`, set by compare-and-set. So one of two loads of
// a generation is refused. The claim is renewed while the load runs. A load that wrote nothing leaves the row as it
// found it.
import { randomUUID } from 'node:crypto';
import { JSON_QUALIFIER, makeLoadRowKey } from '../../shared/domain/keys.ts';
import { type ControlTable, compareAndSet, laterThan, type Outcome } from './control-table.ts';
import { type Load, type LoadReceipt, nameLoad, readReceipt, type StoredReceipt } from './load-receipt.ts';

/** A claim without a renewal for this long belongs to a dead load. Clocks may differ by less than that. */
export const CLAIM_LEASE_MS = 60_000;
const RENEW_EVERY_MS = 15_000;

export interface ClaimOptions {
  /** `user@host, process 123`. */
  readonly by: string;
  /** Add to a generation whose load is complete. */
  readonly add: boolean;
  /** Take the generation from another load that is `loading`, without waiting for the end of its claim. */
  readonly takeOver: boolean;
}

export interface Claim {
  /** Throws an Error if another load has the generation now, or if that is no longer known. */
  requireHeld(): void;
  /** Records the complete load. Throws an Error if another load has the generation now. */
  finish(counts: { readonly lists: number; readonly rejected: number }): Promise<void>;
  /** Puts the row back as it was, or leaves a free receipt `loading` if cells may have been written. */
  abandon(mayHaveWritten: boolean): Promise<void>;
}

/** The reason not to load the generation; undefined if it is free. */
export function whyNotClaim(
  load: Load,
  stored: StoredReceipt | undefined,
  { add, takeOver }: Pick<ClaimOptions, 'add' | 'takeOver'>,
  nowMs: number,
): string | undefined {
  const name = nameLoad(load);
  if (stored === undefined)
    return add ? `expected a loaded generation to add to, got ${name}, which is not` : undefined;
  const { receipt, writtenAtMs } = stored;
  if (receipt.state === 'loaded') {
    return add ? undefined : `${name} is loaded already: load another generation, or add to this one with --add`;
  }
  const silentMs = nowMs - writtenAtMs;
  if (takeOver || receipt.loader === undefined || silentMs >= CLAIM_LEASE_MS) return undefined;
  const since = `${Math.max(0, Math.round(silentMs / 1000))} s ago`;
  return `another load of ${name} is running (${receipt.by ?? 'unknown'}; last seen ${since}): wait for its end, or pass --take-over if its process is gone`;
}

/** Throws an Error with the reason if the generation is not free. */
export async function claimLoad(control: ControlTable, load: Load, options: ClaimOptions): Promise<Claim> {
  const { clock } = control.retries;
  const before = await readReceipt(control, load);
  const reason = whyNotClaim(load, before, options, clock.now());
  if (reason !== undefined) throw new Error(reason);
  const loader = randomUUID();
  const { lists, rejected } = options.add && before !== undefined ? before.receipt : { lists: 0, rejected: 0 };
  const receipt: LoadReceipt = { state: 'loading', lists, rejected, loader, by: options.by };
  const first = await write(control, load, before, receipt);
  if (first === undefined) throw new Error(`another load of ${nameLoad(load)} began at the same moment`);
  return holdClaim(control, { load, before, receipt, first });
}

interface Held {
  readonly load: Load;
  readonly before: StoredReceipt | undefined;
  readonly receipt: LoadReceipt;
  readonly first: StoredReceipt;
}

function holdClaim(control: ControlTable, { load, before, receipt, first }: Held): Claim {
  const { clock } = control.retries;
  const lost = `another load of ${nameLoad(load)} took the generation over`;
  let current = first;
  let failure: string | undefined;
  let renewing: Promise<void> = Promise.resolve();
  let cancelNext = schedule();

  function schedule(): () => void {
    return clock.setTimeout(() => {
      renewing = renew();
    }, RENEW_EVERY_MS);
  }

  async function renew(): Promise<void> {
    try {
      const next = await write(control, load, current, receipt);
      if (next === undefined) failure = lost;
      else current = next;
    } catch {
      // The next renewal tries again. `requireHeld` ends the load before another one may take the generation.
    }
    if (failure === undefined) cancelNext = schedule();
  }

  async function stop(): Promise<void> {
    cancelNext();
    await renewing;
    cancelNext();
  }

  return {
    requireHeld: () => {
      if (failure !== undefined) throw new Error(failure);
      if (clock.now() - current.writtenAtMs < CLAIM_LEASE_MS - RENEW_EVERY_MS) return;
      throw new Error(`the claim on ${nameLoad(load)} could not be renewed for too long: another load may have it`);
    },
    finish: async ({ lists, rejected }) => {
      await stop();
      const loaded: LoadReceipt = {
        ...receipt,
        state: 'loaded',
        lists: receipt.lists + lists,
        rejected: receipt.rejected + rejected,
      };
      if (failure !== undefined || (await write(control, load, current, loaded)) === undefined) throw new Error(lost);
    },
    abandon: async (mayHaveWritten) => {
      await stop();
      if (failure !== undefined) return;
      const { loader: _loader, ...partial } = receipt;
      await write(control, load, current, mayHaveWritten ? partial : before?.receipt);
    },
  };
}

/** The stored receipt, or undefined after a conflict. Without `receipt` the row is deleted. */
async function write(
  control: ControlTable,
  load: Load,
  read: StoredReceipt | undefined,
  receipt: LoadReceipt | undefined,
): Promise<StoredReceipt | undefined> {
  const value = Buffer.from(JSON.stringify(receipt ?? null));
  const writtenAtMs = laterThan(read?.writtenAtMs, control.retries.clock.now());
  const readOutcome = async (): Promise<Outcome> => {
    const stored = await readReceipt({ ...control, retries: { ...control.retries, totalMs: 0 } }, load);
    if (receipt === undefined) return stored === undefined ? 'done' : isSame(stored, read) ? 'not done' : 'overtaken';
    if (stored?.writtenAtMs === writtenAtMs && stored.value.equals(value)) return 'done';
    return isSame(stored, read) ? 'not done' : 'overtaken';
  };
  const isWritten = await compareAndSet(
    control,
    {
      rowKey: makeLoadRowKey(load.surface, load.variant, load.generation),
      readAtMs: read?.writtenAtMs,
      writtenAtMs,
      cells: receipt === undefined ? undefined : { [JSON_QUALIFIER]: value },
      what: 'the compare-and-set of the receipt',
    },
    readOutcome,
  );
  return isWritten
    ? { receipt: receipt ?? { state: 'loading', lists: 0, rejected: 0 }, value, writtenAtMs }
    : undefined;
}

const isSame = (a: StoredReceipt | undefined, b: StoredReceipt | undefined): boolean =>
  a?.writtenAtMs === b?.writtenAtMs;
