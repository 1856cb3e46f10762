// Requests that no HTTP client sends: whole requests with changed bytes, contradicting lengths, odd versions and
// headers, and bytes of other protocols.
import fc from 'fast-check';
import type { FuzzRequest } from './request.ts';

type Change = (bytes: string) => string;

const header =
  (line: string): Change =>
  (bytes) =>
    bytes.replace('\r\n', () => `\r\n${line}\r\n`);
const version =
  (text: string): Change =>
  (bytes) =>
    bytes.replace(/ HTTP\/1\.[01]\r\n/, () => `${text}\r\n`);
const length = (text: string): Change => header(`Content-Length: ${text}`);

const CHANGES: readonly Change[] = [
  ...['HTTP/1.0', 'HTTP/2.0', 'HTTP/1.2', 'HTTP/9.9', 'http/1.1', 'HTTPS/1.1', ''].map((text) =>
    version(text && ` ${text}`),
  ),
  ...['0', '1', '5', '99999', '-1', '+5', '5, 5', '5, 6', '0x5', '1e1', '', '9'.repeat(30), '18446744073709551616'].map(
    length,
  ),
  ...['chunked', 'chunked, chunked', 'xchunked', 'chunked, identity', 'identity', ' chunked', 'gzip, chunked', ''].map(
    (text) => header(`Transfer-Encoding: ${text}`),
  ),
  ...[
    ' X: obs-fold',
    'X : space',
    ': empty',
    'X',
    'X\u0000: nul',
    'X: a\u0000b',
    'X: a\rb',
    'X: a\nY: b',
    '\u00e9: x',
  ].map(header),
  ...[
    'Host: second.example',
    'Expect: 100-continue',
    'Expect: x',
    'Upgrade: websocket\r\nConnection: Upgrade',
    'TE: trailers',
  ].map(header),
  ...['Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk'].map(header),
  header(`X-Long: ${'x'.repeat(20_000)}`),
  header(`X-Long: ${'x'.repeat(150_000)}`),
  header(Array.from({ length: 2_500 }, (_, i) => `X-${i}: 1`).join('\r\n')),
  (bytes) => bytes.replaceAll('\r\n', '\n'),
  (bytes) => bytes.replace('Host:', 'Hots:'),
  (bytes) => bytes.replaceAll(' ', '\t'),
  (bytes) => `\r\n\r\n${bytes}`,
  (bytes) => bytes.replace(' ', '  '),
  (bytes) => bytes.replace(/^\S+ /, ''),
  (bytes) => `${bytes}0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n`,
];

const GARBAGE = [
  ...[
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\u0016\u0003\u0001\u0002\u0000\u0001\u0000',
    '\r\n'.repeat(500),
    '\u0000'.repeat(64),
  ],
  ...[
    'GET',
    'GET /',
    'GET / HTTP/1.1',
    'GET / HTTP/1.1\r\nHost',
    ' ',
    'SSH-2.0-x\r\n',
    'x'.repeat(70_000),
    'GET / HTTP/1.1\n\n',
  ],
];

/** Inserts, removes or flips a few bytes. */
const mutation = fc
  .tuple(fc.constantFrom('insert', 'remove', 'flip'), fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 8 }))
  .map(
    ([how, at, values]): Change =>
      (bytes) => {
        const place = at % bytes.length;
        const own = String.fromCharCode(...values);
        if (how === 'insert') return bytes.slice(0, place) + own + bytes.slice(place);
        if (how === 'remove') return bytes.slice(0, place) + bytes.slice(place + values.length);
        return (
          bytes.slice(0, place) +
          String.fromCharCode((bytes.charCodeAt(place) ^ (values[0] ?? 1)) & 0xff) +
          bytes.slice(place + 1)
        );
      },
  );

/** Broken forms of `whole`. */
export const breakRequest = (whole: fc.Arbitrary<FuzzRequest>): fc.Arbitrary<FuzzRequest> =>
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .tuple(whole, fc.array(fc.oneof(fc.constantFrom(...CHANGES), mutation), { minLength: 1, maxLength: 2 }))
        .map(([request, changes]) => ({
          ...request,
          bytes: changes.reduce((bytes, change) => change(bytes), request.bytes),
          isWhole: false,
        })),
    },
    {
      weight: 3,
      arbitrary: fc.tuple(whole, fc.nat()).map(([request, at]) => ({
        ...request,
        bytes: request.bytes.slice(0, 1 + (at % request.bytes.length)),
        isWhole: false,
        isCut: true,
      })),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(whole, fc.constantFrom(...GARBAGE))
        .map(([request, bytes]) => ({ ...request, bytes, isWhole: false, isCut: true })),
    },
  );
