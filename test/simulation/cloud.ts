// The true state: the rows of every region, the manifests with the time at which each region serves them, and a record
// of every table read. The bytes of a list name the record of their read, so an answer reveals the read row, the time
// and the region.
import { type ListKey, makeUserHash } from '../../shared/domain/keys.ts';
import type { ListValue, StoredList } from '../../shared/domain/list.ts';
import { encodeItem, ITEM_SEPARATOR } from '../../shared/domain/list.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { encodeUtf8 } from '../../shared/runtime/bytes.ts';

/** A list of the table, in one version. */
interface Cell {
  readonly generation: number;
  deletedAtMs: number | undefined;
}

/** One read of one list from a table. */
export interface TableRead {
  readonly id: number;
  readonly key: ListKey;
  readonly region: string;
  readonly readAtMs: number;
  /** The time at which the item metadata of an expanded list was read. */
  readonly itemsReadAtMs: number | undefined;
  readonly cell: Cell;
}

export interface Version {
  readonly manifest: Manifest;
  readonly json: string;
  /** The times at which the regions begin to serve it, in the order of the regions. */
  readonly visibleAtMs: readonly number[];
}

export interface Erasure {
  readonly user: string;
  readonly deletedAtMs: number;
  readonly atMs: number;
  /** The version of the manifest with this erasure. */
  readonly version: number;
}

export interface Cloud {
  readonly versions: readonly Version[];
  readonly erasures: readonly Erasure[];
  live(): Manifest;
  publish(next: Partial<Manifest>, visibleAtMs: readonly number[]): void;
  /** The manifest that the region at this index serves at `nowMs`. */
  manifestAt(region: number, nowMs: number): Version;
  /** Writes a list in all regions and replaces the one of the same generation. */
  write(key: ListKey): void;
  has(key: ListKey): boolean;
  /** Deletes all rows of `user` in all regions. */
  deleteRows(user: string, nowMs: number): void;
  /** Adds the erasure to the next manifest. */
  noteErasure(erasure: Erasure): void;
  /** `itemsReadAtMs` is the time at which the item metadata of an expanded list was read. */
  readTable(key: ListKey, region: string, nowMs: number, itemsReadAtMs: number): ListValue;
  /** The read that the bytes of a list come from. */
  originOf(bytes: Uint8Array): TableRead | undefined;
  /** The times of table reads without a list for `key`. */
  absencesOf(key: ListKey): readonly number[];
}

/** The separator occurs in none of the parts. The tested code does not join them. */
export const nameOf = ({ surface, variant, generation, user, expand }: ListKey): string =>
  `${user}\n${generation}\n${variant}\n${surface}\n${expand}`;

const rowOf = ({ surface, variant, user }: ListKey): string => `${user}\n${variant}\n${surface}`;

const decoder = new TextDecoder();

export function createCloud(first: Manifest, regions: number): Cloud {
  const versions: Version[] = [
    { manifest: first, json: JSON.stringify(first), visibleAtMs: Array<number>(regions).fill(0) },
  ];
  const erasures: Erasure[] = [];
  const rows = new Map<string, Cell[]>();
  const reads: TableRead[] = [];
  const absences = new Map<string, number[]>();
  const live = (): Manifest => (versions.at(-1) as Version).manifest;

  const findCell = (key: ListKey): Cell | undefined => {
    let newest: Cell | undefined;
    for (const cell of rows.get(rowOf(key)) ?? []) {
      if (cell.generation <= key.generation && (newest === undefined || cell.generation > newest.generation))
        newest = cell;
    }
    return newest;
  };

  return {
    versions,
    erasures,
    live,
    publish: (next, visibleAtMs) => {
      const manifest = { ...live(), ...next, version: live().version + 1 };
      versions.push({ manifest, json: JSON.stringify(manifest), visibleAtMs });
    },
    manifestAt: (region, nowMs) =>
      versions.findLast(({ visibleAtMs }) => (visibleAtMs[region] ?? 0) <= nowMs) as Version,
    write: (key) => {
      const row = rowOf(key);
      const others = (rows.get(row) ?? []).filter(({ generation }) => generation !== key.generation);
      rows.set(row, [...others, { generation: key.generation, deletedAtMs: undefined }]);
    },
    has: (key) => findCell(key) !== undefined,
    deleteRows: (user, nowMs) => {
      for (const [row, cells] of rows) {
        if (!row.startsWith(`${user}\n`)) continue;
        for (const cell of cells) cell.deletedAtMs = nowMs;
        rows.delete(row);
      }
    },
    noteErasure: (erasure) => {
      erasures.push(erasure);
    },
    readTable: (key, region, nowMs, itemsReadAtMs) => {
      const cell = findCell(key);
      if (cell === undefined) {
        const name = nameOf(key);
        const known = absences.get(name);
        if (known === undefined) absences.set(name, [nowMs]);
        else known.push(nowMs);
        return { kind: 'absent' };
      }
      const id = reads.length;
      const isExpanded = key.expand !== undefined;
      reads.push({ id, key, region, readAtMs: nowMs, itemsReadAtMs: isExpanded ? itemsReadAtMs : undefined, cell });
      return makeLabelledList(id, cell.generation, isExpanded);
    },
    originOf: (bytes) => reads[Number(/^\{"id":"r:(\d+):0"/.exec(decoder.decode(bytes))?.[1] ?? -1)],
    absencesOf: (key) => absences.get(nameOf(key)) ?? [],
  };
}

/** One to three items, so that a limit can cut the list. */
function makeLabelledList(id: number, generation: number, isExpanded: boolean): StoredList {
  const items = [encodeItem(`r:${id}:0`, '1'), encodeItem(`r:${id}:1`, '0.5'), encodeItem(`r:${id}:2`, '0.25')];
  const told = isExpanded ? items.map((item) => `${item.slice(0, -1)},"metadata":{"of":${id}}}`) : items;
  const bytes = encodeUtf8(told.slice(0, 1 + (id % 3)).join(ITEM_SEPARATOR));
  return { kind: 'list', bytes, generation, digest: `r-${id}` };
}

/** The erasures in a manifest's form. */
export const tellErasures = (erasures: readonly Erasure[]): Manifest['erasures'] =>
  erasures.map(({ user, atMs }) => ({ userHash: makeUserHash(user), atMs }));
