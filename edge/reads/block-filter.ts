// Cuts blocked items out of stored lists, from their bytes: the id stands at the start of each line. A list is looked
// through once for each set of blocked items, and a list that loses nothing stays the same object.
import { LRUCache } from 'lru-cache';
import type { LiveManifest } from '../../shared/domain/effects/documents.ts';
import type { StoredList } from '../../shared/domain/list.ts';
import { concatBytes, decodeAnyUtf8, encodeUtf8 } from '../../shared/runtime/bytes.ts';
import { murmur3 } from '../../shared/runtime/hash.ts';

/** Returns the list without the items that are blocked at `nowMs`. */
export type BlockFilter = (list: StoredList, manifest: LiveManifest, nowMs: number) => StoredList;

/** Maximum bytes of shortened lists that are kept, with the lists that they are made from. */
const MAX_KEPT_BYTES = 8_388_608;

type Blocked = ReadonlySet<string>;

interface Shortened {
  readonly blocked: Blocked;
  readonly list: StoredList;
}

export function createBlockFilter(): BlockFilter {
  /** Lists that have none of these items. */
  const clean = new WeakMap<Uint8Array, Blocked>();
  const shortened = new LRUCache<Uint8Array, Shortened>({
    maxSize: MAX_KEPT_BYTES,
    sizeCalculation: ({ list }, bytes) => list.bytes.byteLength + bytes.byteLength + 1,
  });

  return (list, { held }, nowMs) => {
    const blocked = held?.blocked.at(nowMs);
    if (blocked === undefined || clean.get(list.bytes) === blocked) return list;
    const known = shortened.get(list.bytes);
    if (known?.blocked === blocked) return known.list;
    const without = cut(list, blocked);
    if (without === list) clean.set(list.bytes, blocked);
    else shortened.set(list.bytes, { blocked, list: without });
    return without;
  };
}

const NEWLINE = 0x0a;
/** Each item begins with it: `encodeItem` in shared/domain/list.ts. */
const ID_START = '{"id":"'.length;

/** The same object if no item of the list is blocked. */
function cut(list: StoredList, blocked: Blocked): StoredList {
  const ids = idsOf(list.bytes);
  const removed = ids.filter((id) => blocked.has(id));
  if (removed.length === 0) return list;
  const lines = [...linesOf(list.bytes)];
  const kept = lines.filter((_, i) => !blocked.has(ids[i] ?? ''));
  // The digest becomes part of ETags: it has to differ for each set of items that the list lost.
  const text = removed.map((id) => `${id}/`).join('');
  const digest = `${list.digest}-${murmur3(text, 0x5bd1e995).toString(36)}${murmur3(text).toString(36)}`;
  return { ...list, bytes: joinLines(kept), digest };
}

/** The ids of a stored list, in order. The bytes are decoded at once: a call for each id takes ten times as long. */
function idsOf(bytes: Uint8Array): string[] {
  const text = decodeAnyUtf8(bytes);
  const ids: string[] = [];
  for (let from = 0; from !== 0 || ids.length === 0; from = text.indexOf('\n', from) + 1) {
    const start = from + ID_START;
    const end = text.indexOf('"', start);
    ids.push(end === -1 ? '' : text.slice(start, end));
  }
  return ids;
}

/** The items of a stored list, without the separators. */
function* linesOf(bytes: Uint8Array): Generator<Uint8Array> {
  let from = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, from)) {
    yield bytes.subarray(from, at - 1);
    from = at + 1;
  }
  yield bytes.subarray(from);
}

const SEPARATOR = encodeUtf8(',\n');

const joinLines = (lines: readonly Uint8Array[]): Uint8Array =>
  concatBytes(lines.flatMap((line, i) => (i === 0 ? [line] : [SEPARATOR, line])));
