// One fuzzed request as the bytes that go over a socket, with the facts that its judgement needs. Texts hold one byte
// per character (latin1), so that a request prints as JSON and can be sent again from there.
import type { RawRequest } from '../../../support/raw-http/raw-client.ts';
import type { Grant } from './tokens.ts';

/** Methods that workerd and Node's parser know. */
export const COMMON_METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'OPTIONS',
  'TRACE',
  'QUERY',
  'PROPFIND',
];

export type Header = readonly [name: string, value: string];

/** If it is whole, the worker or the origin itself has to answer it, not the HTTP server below. */
export interface FuzzRequest extends RawRequest {
  readonly grant: Grant;
  /** The body before any framing. */
  readonly body: string;
}

export interface Message {
  readonly side: FuzzRequest['side'];
  readonly method: string;
  readonly target: string;
  readonly headers: readonly Header[];
  /** UTF-16 text is sent as UTF-8. A Buffer is sent as it is. */
  readonly body?: string | Buffer | undefined;
  readonly isChunked?: boolean;
  /** Default: HTTP/1.1. */
  readonly version?: string;
  readonly grant: Grant;
  /** Default: true. */
  readonly isWhole?: boolean;
}

export const toLatin1 = (text: string | Buffer): string => Buffer.from(text as string).toString('latin1');

const CHUNK_BYTES = 1_000;
/** A longer head is a matter of the HTTP server: Node refuses more than 16 KiB. */
const MAX_HEAD_BYTES = 16_000;

export function serialize(message: Message): FuzzRequest {
  const { side, method, target, headers, isChunked = false, version = 'HTTP/1.1', grant, isWhole = true } = message;
  const body = message.body === undefined ? '' : toLatin1(message.body);
  const framed = message.body === undefined ? { headers: [], text: '' } : frame(body, isChunked);
  const lines = [...headers, ...framed.headers].map(([name, value]) => `${name}: ${value}\r\n`);
  const bytes = `${method} ${target} ${version}\r\n${lines.join('')}\r\n${framed.text}`;
  const isHeadShort = bytes.length - framed.text.length <= MAX_HEAD_BYTES;
  return { side, bytes, method, isWhole: isWhole && isHeadShort, isCut: false, grant, body };
}

function frame(body: string, isChunked: boolean): { headers: readonly Header[]; text: string } {
  if (!isChunked) return { headers: [['Content-Length', String(body.length)]], text: body };
  const chunks = body.match(new RegExp(`[^]{1,${CHUNK_BYTES}}`, 'g')) ?? [];
  const text = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('');
  return { headers: [['Transfer-Encoding', 'chunked']], text: `${text}0\r\n\r\n` };
}

/** A path and a query in the characters of RFC 3986. A server may refuse any other target. */
export const isLegalTarget = (target: string): boolean => /^\/(?:[\w.~!$&'()*+,;=:@/?-]|%[\da-f]{2})*$/i.test(target);

const MAX_PRINTED = 3_000;

/** The request in a failure's message. */
export function describe({ side, bytes, grant, isWhole, isCut }: FuzzRequest): string {
  const text = JSON.stringify(bytes);
  const shown = text.length <= MAX_PRINTED ? text : `${text.slice(0, MAX_PRINTED)}... (${bytes.length} bytes)`;
  return `${side} ${isWhole ? 'whole' : 'broken'}${isCut ? ', cut' : ''}, token ${JSON.stringify(grant)}: ${shown}`;
}
