// Lists and items as they are stored in Bigtable: the filter that reads each, and its value. A list is the newest cell
// at or before its generation, so a user without a list in the newest generation keeps the previous one.
import { hash } from 'node:crypto';
import { FAMILIES, JSON_QUALIFIER, type ListKey, makeListQualifier } from '../../shared/domain/keys.ts';
import type { ListValue } from '../../shared/domain/list.ts';
import type { ErrorCode } from '../../shared/wire/errors.ts';
import type { Row } from './chunk-merger.ts';
import type { RowFilter } from './read-rows.ts';

export type ItemValue = { readonly kind: 'item'; readonly bytes: Uint8Array } | { readonly kind: 'absent' };

export type ReadFailure = { readonly kind: 'error'; readonly code: ErrorCode };

export const isReadFailure = (result: object): result is ReadFailure => 'code' in result;

/** The newest list of `generation` or before, and not before the generation `oldest`, which must not be later. */
export function newestListAtOrBefore({ surface, variant, generation }: ListKey, oldest: number): RowFilter {
  const qualifier = Buffer.from(makeListQualifier(surface, variant));
  return newestCell(FAMILIES.lists, qualifier, {
    startTimestampMicros: oldest * 1000,
    endTimestampMicros: (generation + 1) * 1000,
  });
}

/**
 * The oldest generation that reads return: Bigtable collects older lists, but up to a week late, and not at once in all
 * clusters. It moves once an hour, so that reads of the same hour have the same filter.
 */
export const oldestReadable = (nowMs: number, maxAgeMs: number): number =>
  Math.max(0, Math.floor((nowMs - maxAgeMs) / HOUR_MS) * HOUR_MS);

const HOUR_MS = 3_600_000;

/** The newest metadata, or the newest of `release` or before. */
export const newestItem = (release: number | undefined): RowFilter =>
  newestCell(
    FAMILIES.metadata,
    Buffer.from(JSON_QUALIFIER),
    release === undefined ? undefined : { endTimestampMicros: (release + 1) * 1000 },
  );

interface TimestampRange {
  readonly startTimestampMicros?: number;
  readonly endTimestampMicros: number;
}

function newestCell(familyName: string, qualifier: Buffer, within?: TimestampRange): RowFilter {
  const column = { columnRangeFilter: { familyName, startQualifierClosed: qualifier, endQualifierClosed: qualifier } };
  const newest = { cellsPerColumnLimitFilter: 1 };
  return {
    chain: { filters: within === undefined ? [column, newest] : [column, { timestampRangeFilter: within }, newest] },
  };
}

export function toListValue(row: Row | undefined): ListValue {
  const cell = row?.cells[0];
  if (cell === undefined) return ABSENT;
  const { value: bytes, timestampMicros } = cell;
  return { kind: 'list', bytes, generation: timestampMicros / 1000, digest: makeDigest(bytes) };
}

export function toItemValue(row: Row | undefined): ItemValue {
  const cell = row?.cells[0];
  return cell === undefined ? ABSENT : { kind: 'item', bytes: cell.value };
}

export const ABSENT = { kind: 'absent' } as const;

/** 96 bits of SHA-256 in base64url: enough to tell the lists of one user apart. */
export const makeDigest = (bytes: Uint8Array): string => hash('sha256', bytes, 'base64url').slice(0, DIGEST_CHARS);

const DIGEST_CHARS = 16;
