// The claim of a load on its release: the record in state `loading`, set by compare-and-set. So one of two loads of a
// generation is refused. The claim is renewed while the load runs. A load that wrote nothing leaves the row as it found
// it.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { nameRelease, type Release } from '../../shared/domain/release.ts';
import { addChecksums } from './checksum.ts';
import type { ControlTable } from './control-table.ts';
import {
  type Checkpoint,
  hasLists,
  RECORD_FORMAT,
  type ReleaseRecord,
  type ReleaseSummary,
  readRecord,
  recordSchema,
  type StoredRecord,
  withTransition,
  writeRecord,
} from './release-record.ts';

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
  /** Go on with a load that has ended before its end. */
  readonly resume?: boolean;
  /** Number and sizes of the inputs. Undefined if a size is not known. */
  readonly inputs?: string | undefined;
  /** The lists are in the table already: another engine wrote them. Default: false. */
  readonly adopt?: boolean;
  /** The reason, for the history. */
  readonly why?: string | undefined;
}

export interface Claim {
  /** How far the load came that this one goes on with. */
  readonly resumeFrom: Checkpoint | undefined;
  /** Whether a process before, or a drop that was killed, may have left cells of the generation. */
  readonly hasEarlierCells: boolean;
  /** Notes how far the load has come. The next renewal writes it. */
  note(checkpoint: Checkpoint): void;
  /** Throws an Error if another load has the generation now, or if that is no longer known. */
  requireHeld(): void;
  /** Records the complete load. Throws an Error if another load has the generation now. */
  finish(summary: ReleaseSummary): Promise<void>;
  /** Puts the row back as it was, or leaves a free receipt `loading` if cells may have been written. */
  abandon(mayHaveWritten: boolean): Promise<void>;
}

/** The reason not to load the generation; undefined if it is free. */
export function whyNotClaim(
  load: Release,
  stored: StoredRecord | undefined,
  options: Pick<ClaimOptions, 'add' | 'takeOver' | 'resume' | 'adopt' | 'inputs'>,
  nowMs: number,
): string | undefined {
  const { add, takeOver, resume = false, adopt = false } = options;
  const name = nameRelease(load);
  if (resume && stored?.record.state !== 'loading')
    return `expected a load of ${name} that ended before its end, got ${stored?.record.state ?? 'none'}`;
  if (adopt && stored !== undefined && !isFreeToAdopt(stored.record))
    return `expected a generation without a release to adopt, got ${name}, which is ${describeState(stored.record)}`;
  if (stored === undefined)
    return add ? `expected a loaded generation to add to, got ${name}, which is not` : undefined;
  const { record, writtenAtMs } = stored;
  if (record.state === 'dropped')
    return add ? `expected a loaded generation to add to, got ${name}, which was dropped` : undefined;
  if (record.state !== 'loading') {
    if (add && record.state === 'loaded') return undefined;
    if (add) return `expected a generation that was not published to add to, got ${name}, which is ${record.state}`;
    return `${name} is loaded already: load another generation, or add to this one with --add`;
  }
  const silentMs = nowMs - writtenAtMs;
  const isGone = record.loader === undefined || silentMs >= CLAIM_LEASE_MS || (resume && hasEnded(record.by));
  if (takeOver || isGone) return whyNotGoOn(name, record, options);
  const since = `${Math.max(0, Math.round(silentMs / 1000))} s ago`;
  const remedy = adopt
    ? `wait for its end; a claim ends ${CLAIM_LEASE_MS / 1000} s after its process`
    : 'wait for its end, or if its process is gone pass --resume to go on with it, or --take-over to begin again';
  return `another load of ${name} is running (${record.by ?? 'unknown'}; last seen ${since}): ${remedy}`;
}

/** The reason why a load that was ended cannot be followed by this one; undefined if it can. */
function whyNotGoOn(
  name: string,
  record: ReleaseRecord,
  { add, resume = false, adopt = false, inputs }: Parameters<typeof whyNotClaim>[2],
): string | undefined {
  if (resume && inputs !== undefined && record.inputs !== undefined && inputs !== record.inputs)
    return `expected the inputs of the load of ${name} that ended (${record.inputs}), got others (${inputs})`;
  if (record.summary === undefined || add || resume || adopt) return undefined;
  return `a load that added to ${name} ended before its end: pass --add to load its inputs again, or --resume to go on with it; \`npx earshot release drop\` deletes the lists of before, too`;
}

/** Whether the process of `user@host, process 123` ran on this machine, and runs no more. */
function hasEnded(by = ''): boolean {
  const [, host, pid] = /@(\S+), process (\d+)$/.exec(by) ?? [];
  if (host !== hostname() || pid === undefined) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** A drop that was killed may go on, and would delete the lists. */
const isFreeToAdopt = (record: ReleaseRecord): boolean => record.state === 'loading' || !hasLists(record);

const describeState = (record: ReleaseRecord): string =>
  record.state === 'dropped' ? 'dropped in part: repeat `npx earshot release drop` first' : record.state;

/** Throws an Error with the reason if the generation is not free. */
export async function claimLoad(control: ControlTable, load: Release, options: ClaimOptions): Promise<Claim> {
  const { clock } = control.retries;
  const before = await readRecord(control, load);
  const reason = whyNotClaim(load, before, options, clock.now());
  if (reason !== undefined) throw new Error(reason);
  const loader = randomUUID();
  // A load that goes on may be one that added: its record has the lists of before.
  const known = options.add || options.resume ? before?.record : undefined;
  const resumeFrom = options.resume ? before?.record.checkpoint : undefined;
  const record: ReleaseRecord = {
    ...recordSchema.parse({ format: RECORD_FORMAT, state: 'loading' }),
    ...(known === undefined ? {} : { lists: known.lists, rejected: known.rejected, summary: known.summary }),
    transitions: [...(before?.record.transitions ?? []), { to: 'loading', by: options.by, atMs: clock.now() }],
    loader,
    by: options.by,
    ...(resumeFrom === undefined ? {} : { checkpoint: resumeFrom }),
    ...(options.inputs === undefined ? {} : { inputs: options.inputs }),
  };
  const first = await writeRecord(control, load, before, record);
  if (first === undefined) throw new Error(`another load of ${nameRelease(load)} began at the same moment`);
  return holdClaim(control, { load, before, record, first, why: options.why });
}

interface Held {
  readonly load: Release;
  readonly before: StoredRecord | undefined;
  readonly record: ReleaseRecord;
  readonly first: StoredRecord;
  readonly why: string | undefined;
}

function holdClaim(control: ControlTable, { load, before, record: claimed, first, why }: Held): Claim {
  let record = claimed;
  const { clock } = control.retries;
  const lost = `another load of ${nameRelease(load)} took the generation over`;
  let current = first;
  let failure: string | undefined;
  let renewing: Promise<void> = Promise.resolve();
  let cancelNext = schedule();

  function schedule(): () => void {
    return clock.setTimeout(() => {
      renewing = renew();
    }, RENEW_EVERY_MS);
  }

  /** The written record, or undefined if another load has the generation. */
  async function replace(next: ReleaseRecord | undefined): Promise<StoredRecord | undefined> {
    const written = await writeRecord(control, load, current, next);
    if (written !== undefined) return written;
    // 1. The answer to a renewal is lost, and it has written. 2. This write meets the record of that renewal.
    const stored = await readRecord(control, load);
    if (stored?.record.state !== 'loading' || stored.record.loader !== claimed.loader) return undefined;
    current = stored;
    return writeRecord(control, load, current, next);
  }

  async function renew(): Promise<void> {
    try {
      const next = await replace(record);
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
    resumeFrom: claimed.checkpoint,
    hasEarlierCells: hasEarlierCells(before),
    note: (checkpoint) => {
      record = { ...record, checkpoint };
    },
    requireHeld: () => {
      if (failure !== undefined) throw new Error(failure);
      if (clock.now() - current.writtenAtMs < CLAIM_LEASE_MS - RENEW_EVERY_MS) return;
      throw new Error(`the claim on ${nameRelease(load)} could not be renewed for too long: another load may have it`);
    },
    finish: async (summary) => {
      await stop();
      const all = record.summary === undefined ? summary : joinSummaries(record.summary, summary);
      const { checkpoint: _done, inputs: _inputs, ...loading } = record;
      const whole = { ...loading, lists: record.lists + summary.lists, rejected: record.rejected + summary.rejects };
      const loaded = withTransition(
        { ...whole, summary: all },
        { to: 'loaded', by: record.by ?? 'unknown', ...(why === undefined ? {} : { why }), atMs: clock.now() },
      );
      if (failure !== undefined || (await replace(loaded)) === undefined) throw new Error(lost);
    },
    abandon: async (mayHaveWritten) => {
      await stop();
      if (failure !== undefined) return;
      failure = `the load of ${nameRelease(load)} has ended`;
      const found = before === undefined || before.isReceipt ? undefined : freed(before.record);
      await replace(mayHaveWritten ? freed(record) : found);
    },
  };
}

/** Whether lists of an unfinished load, or of an unfinished drop, may be stored. */
export const hasEarlierCells = (stored: StoredRecord | undefined): boolean =>
  stored !== undefined && hasLists(stored.record) && ['loading', 'dropped'].includes(stored.record.state);

/** The record of a load that has ended, so that the next one does not wait for its process. */
function freed(record: ReleaseRecord): ReleaseRecord {
  const { loader: _loader, ...rest } = record;
  return record.state === 'loading' ? rest : record;
}

/** The summary of a load that adds to another. The spreads are those of the larger one, with the larger maximum. */
function joinSummaries(a: ReleaseSummary, b: ReleaseSummary): ReleaseSummary {
  const [larger, smaller] = a.lists >= b.lists ? [a, b] : [b, a];
  const spreadOf = (part: 'items' | 'bytes') => ({
    ...larger[part],
    max: Math.max(larger[part].max, smaller[part].max),
  });
  return {
    lists: a.lists + b.lists,
    rejects: a.rejects + b.rejects,
    items: spreadOf('items'),
    bytes: spreadOf('bytes'),
    checksum: addChecksums(a.checksum, b.checksum),
  };
}
