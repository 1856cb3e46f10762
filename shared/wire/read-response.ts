// The answer of `lists:read`: one frame per key, in order. A frame is one header line of JSON, then the stored bytes of
// the list, so no hop parses a list. A header can have fields that a reader does not know. A frame of an unknown kind
// or code fails its own key alone, and `bytes` is the length of its body, whatever its kind.
import type { ListValue } from '../domain/list.ts';
import { decodeUtf8, writeAscii } from '../runtime/bytes.ts';
import { type ErrorCode, isErrorCode } from './errors.ts';

export const LIST_FRAMES_TYPE = 'application/vnd.earshot.list-frames';
/** Maximum number of keys in one `lists:read`. */
export const MAX_KEYS_PER_READ = 200;

/** Maximum bytes of the answer. An origin leaves lists out long before; the edge refuses a larger answer. */
export const MAX_FRAMES_BYTES = 8_388_608;

/** The result of one key: a value, or an error. */
export type ListResult = AgedValue | { readonly kind: 'error'; readonly code: ErrorCode };

export type AgedValue = ListValue & {
  /** Milliseconds since the start of the call that read the list from the table. Default: 0, read for this answer. */
  readonly ageMs?: number;
  /** The same for the oldest item of an expanded list. Default: 0. */
  readonly itemsAgeMs?: number;
};

const NEWLINE = 0x0a;

/** Bytes of the list of a result; 0 without one. */
export const bytesOfResult = (result: ListResult): number => (result.kind === 'list' ? result.bytes.length : 0);

/** Encodes into the buffer from `allocate`, whatever its contents. Default: a new buffer. */
export function encodeListFrames<T extends Uint8Array = Uint8Array<ArrayBuffer>>(
  results: readonly ListResult[],
  allocate: (bytes: number) => T = (bytes) => new Uint8Array(bytes) as Uint8Array as T,
): T {
  const headers = results.map((result) => `${frameHeader(result)}\n`);
  let bytes = 0;
  for (const [i, result] of results.entries()) {
    bytes += (headers[i] as string).length + (result.kind === 'list' ? result.bytes.length : 0);
  }
  const all = allocate(bytes);
  let offset = 0;
  for (const [i, result] of results.entries()) {
    offset += writeAscii(headers[i] as string, all, offset);
    if (result.kind !== 'list') continue;
    all.set(result.bytes, offset);
    offset += result.bytes.length;
  }
  return all;
}

/** The same as latin1 text, one byte per character. `latin1Of` converts a list's bytes. */
export function listFramesText(results: readonly ListResult[], latin1Of: (bytes: Uint8Array) => string): string {
  let text = '';
  for (const result of results) {
    text += `${frameHeader(result)}\n`;
    if (result.kind === 'list') text += latin1Of(result.bytes);
  }
  return text;
}

/**
 * The results in `body`, with lists as views of its memory. Throws an Error if the body is cut short, has an invalid
 * header, or does not hold exactly `count` frames.
 */
export function decodeListFrames(body: Uint8Array, count: number): ListResult[] {
  const results: ListResult[] = [];
  let offset = 0;
  while (offset < body.length) {
    const newline = body.indexOf(NEWLINE, offset);
    if (newline === -1) throw new Error(`expected a frame header at byte ${offset}, got no line`);
    const header: unknown = JSON.parse(decodeUtf8(body.subarray(offset, newline)));
    const listStart = newline + 1;
    const { result, end } = readFrame(header, body, listStart);
    results.push(result);
    offset = end;
  }
  if (results.length !== count) throw new Error(`expected ${count} frames, got ${results.length}`);
  return results;
}

function frameHeader(result: ListResult): string {
  switch (result.kind) {
    case 'list':
      return `{"kind":"list","generation":${result.generation},"digest":"${result.digest}","bytes":${result.bytes.length}${agesOf(result)}}`;
    case 'absent':
      return `{"kind":"absent"${agesOf(result)}}`;
    case 'error':
      return `{"kind":"error","code":"${result.code}"}`;
  }
}

const agesOf = ({ ageMs = 0, itemsAgeMs = 0 }: AgedValue): string =>
  (ageMs > 0 ? `,"ageMs":${ageMs}` : '') + (itemsAgeMs > 0 ? `,"itemsAgeMs":${itemsAgeMs}` : '');

function readFrame(header: unknown, body: Uint8Array, listStart: number): { result: ListResult; end: number } {
  const frame = (header ?? {}) as Record<string, unknown>;
  if (frame.kind === 'absent' && hasAges(frame))
    return { result: { kind: 'absent', ...pickAges(frame) }, end: listStart };
  if (frame.kind !== 'list' && typeof frame.kind === 'string') {
    const code = typeof frame.code === 'string' && isErrorCode(frame.code) ? frame.code : 'internal';
    return { result: { kind: 'error', code }, end: endOfBody(frame, body, listStart) };
  }
  if (!isListHeader(frame)) throw new Error('expected a frame header, got other JSON');
  const { generation, digest } = frame;
  const end = endOfBody(frame, body, listStart);
  const list = { kind: 'list', generation, digest, bytes: body.subarray(listStart, end) } as const;
  return { result: { ...list, ...pickAges(frame) }, end };
}

/** Throws an Error if the frame's body is cut short. */
function endOfBody({ bytes = 0 }: { readonly bytes?: unknown }, body: Uint8Array, start: number): number {
  if (!Number.isSafeInteger(bytes) || (bytes as number) < 0)
    throw new Error('expected a frame header with a length, got other JSON');
  const end = start + (bytes as number);
  if (end > body.length) throw new Error(`expected ${bytes} bytes of a list, got ${body.length - start}`);
  return end;
}

interface Ages {
  readonly ageMs?: number;
  readonly itemsAgeMs?: number;
}

interface ListHeader extends Ages {
  readonly generation: number;
  readonly digest: string;
  readonly bytes: number;
}

const isAge = (value: unknown): boolean =>
  value === undefined || (Number.isSafeInteger(value) && (value as number) > 0);

const hasAges = (frame: Record<string, unknown>): frame is Record<string, unknown> & Ages =>
  isAge(frame.ageMs) && isAge(frame.itemsAgeMs);

const pickAges = ({ ageMs, itemsAgeMs }: Ages): Ages => ({
  ...(ageMs === undefined ? {} : { ageMs }),
  ...(itemsAgeMs === undefined ? {} : { itemsAgeMs }),
});

const isListHeader = (frame: Record<string, unknown>): frame is Record<string, unknown> & ListHeader =>
  frame.kind === 'list' &&
  Number.isSafeInteger(frame.generation) &&
  typeof frame.digest === 'string' &&
  /^[\w-]{1,64}$/.test(frame.digest) &&
  Number.isSafeInteger(frame.bytes) &&
  (frame.bytes as number) >= 0 &&
  hasAges(frame);
