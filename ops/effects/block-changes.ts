// Changes of the list of blocked items: a new document that the manifest names. Beside the served part it has who, why
// and when, which readers ignore.
import type { BlockedItem } from '../../shared/domain/effects/block-list.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import type { ControlFlags } from '../cli/control.ts';
import { findOrigins, type Origins } from '../manifest/served-manifests.ts';
import { confirmLive } from '../release/confirm.ts';
import { findEdge } from '../release/edge-sample.ts';
import { readLive } from '../release/live.ts';
import { whoIs } from '../release/who.ts';
import { changeDocuments, deleteOldDocuments, readStored, writeDocument } from './documents.ts';

export interface BlockNote {
  readonly id: string;
  /** Undefined: until it is unblocked. */
  readonly untilMs?: number | undefined;
  readonly atMs: number;
  readonly by: string;
  readonly why: string;
}

export type BlockNotes = ReadonlyMap<string, BlockNote>;

export async function readBlocked(control: ControlTable, flags: ControlFlags): Promise<BlockNotes> {
  return readNotes(control, (await readLive(control)).documents?.blocked, findOrigins(flags));
}

async function readNotes(
  control: ControlTable,
  version: string | undefined,
  origins: Origins | undefined,
): Promise<BlockNotes> {
  if (version === undefined) return new Map();
  const { notes } = JSON.parse(await readStored(control, { kind: 'blocked', version }, origins)) as {
    notes: BlockNote[];
  };
  return new Map(notes.map((note) => [note.id, note]));
}

interface Flags extends ControlFlags {
  readonly why?: string;
  readonly as?: string;
  readonly dryRun?: boolean;
}

export interface BlockChange {
  readonly what: string;
  readonly apply: (notes: Map<string, BlockNote>, nowMs: number, by: string) => void;
}

/** Returns the number of blocked items then. Throws an Error with the reason if nothing was changed. */
export async function changeBlocked(
  control: ControlTable,
  flags: Flags,
  { what, apply }: BlockChange,
): Promise<number> {
  const by = await whoIs(flags);
  const dryRun = flags.dryRun ?? false;
  const origins = findOrigins(flags);
  let count = 0;
  const { version, writtenAtMs, isChanged } = await changeDocuments(control, {
    ...{ what, why: flags.why, by, dryRun, origins },
    prepare: async ({ blocked, ...others }, nowMs) => {
      const before = await readNotes(control, blocked, origins);
      const notes = new Map([...before].filter(([, { untilMs }]) => untilMs === undefined || nowMs < untilMs));
      apply(notes, nowMs, by);
      count = notes.size;
      if (JSON.stringify([...notes]) === JSON.stringify([...before])) return undefined;
      if (notes.size === 0) return { documents: others };
      const json = toBlockedJson([...notes.values()]);
      return { documents: { ...others, blocked: dryRun ? blocked : await writeDocument(control, 'blocked', json) } };
    },
  });
  if (!isChanged || dryRun) return count;
  await deleteOldDocuments(control, await readLive(control));
  const confirmation = { version, writtenAtMs, exceptRegions: [], sampleEdge: findEdge(flags) };
  process.stdout.write(await confirmLive(control, confirmation));
  return count;
}

function toBlockedJson(notes: readonly BlockNote[]): string {
  const items = notes.map(({ id, untilMs }): BlockedItem => [id, untilMs ?? null]);
  return JSON.stringify({ format: 1, items, notes });
}
