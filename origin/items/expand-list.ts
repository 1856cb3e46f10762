// Adds metadata to the items of a stored list, as bytes: nothing is parsed or serialized. In the stored form
// (shared/domain/list.ts) each item is a line that begins with `{"id":"` and the id; the metadata goes before its last
// brace.
import { ITEM_SEPARATOR } from '../../shared/domain/list.ts';
import { asBuffer } from '../as-buffer.ts';

const ID_START = Buffer.from('{"id":"');
const QUOTE = 0x22;
const CLOSING_BRACE = 0x7d;
const METADATA = Buffer.from(',"metadata":');
const SEPARATOR = Buffer.from(ITEM_SEPARATOR);

/** The ids of a stored list's items, in order, without items that are not in the stored form. */
export function idsOf(list: Uint8Array): string[] {
  const ids: string[] = [];
  forEachItem(asBuffer(list), (_start, _end, id) => {
    if (id !== undefined) ids.push(id);
  });
  return ids;
}

/** Adds `"metadata":` and the JSON of `jsonOf(id)` to each item. An item without JSON is not changed. */
export function expandList(list: Uint8Array, jsonOf: (id: string) => Uint8Array | undefined): Buffer {
  const bytes = asBuffer(list);
  const parts: Uint8Array[] = [];
  forEachItem(bytes, (start, end, id) => {
    if (parts.length > 0) parts.push(SEPARATOR);
    const json = id === undefined ? undefined : jsonOf(id);
    if (json === undefined || bytes[end - 1] !== CLOSING_BRACE) parts.push(bytes.subarray(start, end));
    else parts.push(bytes.subarray(start, end - 1), METADATA, json, bytes.subarray(end - 1, end));
  });
  return Buffer.concat(parts);
}

/** Bytes of the expanded list, without composing it. */
export function expandedBytesOf(
  list: Uint8Array,
  ids: readonly string[],
  jsonOf: (id: string) => Uint8Array | undefined,
): number {
  return ids.reduce((bytes, id) => {
    const json = jsonOf(id);
    return json === undefined ? bytes : bytes + METADATA.length + json.length;
  }, list.length);
}

function forEachItem(list: Buffer, visit: (start: number, end: number, id: string | undefined) => void): void {
  for (let start = 0; start < list.length; ) {
    const separator = list.indexOf(SEPARATOR, start);
    const end = separator === -1 ? list.length : separator;
    visit(start, end, idAt(list, start, end));
    start = end + SEPARATOR.length;
  }
}

/** Ids contain no character that JSON escapes (shared/domain/ids.ts), so the next quote ends the id. */
function idAt(list: Buffer, start: number, end: number): string | undefined {
  const idStart = start + ID_START.length;
  if (idStart > end || list.compare(ID_START, 0, ID_START.length, start, idStart) !== 0) return undefined;
  const idEnd = list.indexOf(QUOTE, idStart);
  return idEnd === -1 || idEnd >= end ? undefined : list.toString('latin1', idStart, idEnd);
}
