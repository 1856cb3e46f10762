// Cuts blocked items out of stored lists, from their bytes: the id stands at the start of each line. A list is looked
// through once for each set of blocked items, and a list that loses nothing stays the same object.
import { LRUCache } from 'lru-cache';
import type { LiveManifest } from '../../shared/domain/effects/documents.ts';
import type { StoredList } from '../../shared/domain/list.ts';
import { concatBytes, decodeUtf8, encodeUtf8 } from '../../shared/runtime/bytes.ts';
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
const QUOTE = 0x22;
/** Each item begins with it: `encodeItem` in shared/domain/list.ts. */
const ID_START = encodeUtf8('{"id":"').length;

/** The same object if no item of the list is blocked. */
function cut(list: StoredList, blocked: Blocked): StoredList {
  const { bytes } = list;
  const kept: Uint8Array[] = [];
  let removed = '';
  for (const line of linesOf(bytes)) {
    const id = idOf(line);
    if (blocked.has(id)) removed += `${id}/`;
    else kept.push(line);
  }
  if (removed === '') return list;
  // The digest becomes part of ETags: it has to differ for each set of items that the list lost.
  const digest = `${list.digest}-${murmur3(removed, 0x5bd1e995).toString(36)}${murmur3(removed).toString(36)}`;
  return { ...list, bytes: joinLines(kept), digest };
}

/** The items of a stored list, without the separators. */
function* linesOf(bytes: Uint8Array): Generator<Uint8Array> {
  if (bytes.length === 0) return;
  let from = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, from)) {
    yield bytes.subarray(from, at - 1);
    from = at + 1;
  }
  yield bytes.subarray(from);
}

function idOf(line: Uint8Array): string {
  const end = line.indexOf(QUOTE, ID_START);
  return end === -1 ? '' : decodeUtf8(line.subarray(ID_START, end));
}

const SEPARATOR = encodeUtf8(',\n');

const joinLines = (lines: readonly Uint8Array[]): Uint8Array =>
  concatBytes(lines.flatMap((line, i) => (i === 0 ? [line] : [SEPARATOR, line])));
