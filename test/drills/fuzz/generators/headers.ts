// Headers that the worker and origins read, in every form, and headers that only their HTTP servers read.
import fc from 'fast-check';
import type { Header } from './request.ts';

const ID = '0af7651916cd43dd8448eb211c80319c';
const TRACEPARENTS = [
  ...[`00-${ID}-b7ad6b7169203331-01`, `00-${'0'.repeat(32)}-b7ad6b7169203331-01`, `ff-${ID}-b7ad6b7169203331-01`],
  ...[`00-${ID.toUpperCase()}-b7ad6b7169203331-01`, `00-${ID}`, '00', '', '-', `00-${ID}-b7ad6b7169203331-01-extra`],
];
const TAGS = [
  '*',
  '*',
  '*',
  '*',
  '*',
  '"a"',
  'W/"a"',
  '"a", "b"',
  'W/"a",*',
  '"',
  '""',
  ',',
  ', ,',
  'a',
  'W/',
  '',
  '"a',
  `"${'t'.repeat(3_000)}"`,
];
const MANY_TAGS = Array.from({ length: 400 }, (_, i) => `"${i}"`).join(', ');
/** From 1 to 20 ms: too short for most calls. Such a deadline must fail no call that other callers share. */
const SHORT_DEADLINES: readonly string[] = ['1', '2', '5', '10', '20'];
const DEADLINES = [
  '0',
  ...SHORT_DEADLINES,
  '5000',
  '60000',
  '999999',
  '9999999',
  '-1',
  '1.5',
  '1e3',
  'NaN',
  '',
  '0x10',
  ' 5000',
  '5000, 1',
];
const REQUEST_IDS = [
  'fuzz-1',
  'a',
  'A.b_c:=+-9',
  'x'.repeat(64),
  'x'.repeat(65),
  'a b',
  '',
  '"',
  '<b>',
  'a/b',
  '\u00e9',
  '1, 2',
];
const PLACES = [
  'NRT',
  'FRA',
  'DFW',
  'LHR',
  'SYD',
  'GRU',
  'IAD',
  'JNB',
  'XXX',
  'nrt',
  '',
  '__proto__',
  'constructor',
  'toString',
  'N'.repeat(300),
  'NRT, FRA',
];

/** Addresses in every form, and texts that are none. */
const ADDRESSES = [
  ...['1.2.3.4', '1.2.3.4', '2001:db8::1', '2001:DB8:0:0:1::', '::', '::1', '::ffff:1.2.3.4', '1.2.3.4:80', '...'],
  ...['', '1.2.3.4, 5.6.7.8', ':::::::::', '[::1]', 'fe80::1%eth0', '__proto__', 'x'.repeat(4_000), '\u00e9'],
];

const named = (name: string, values: readonly string[]): fc.Arbitrary<Header> =>
  fc.constantFrom(...values).map((value) => [name, value] as const);

/** With a repeated name now and then: arrays of these have it. */
const known: fc.Arbitrary<Header> = fc.oneof(
  named('If-None-Match', [...TAGS, MANY_TAGS]),
  named('If-None-Match', ['*']),
  named('traceparent', TRACEPARENTS),
  named('X-Request-Id', REQUEST_IDS),
  named('Earshot-Deadline-Ms', DEADLINES),
  named('Earshot-Debug', ['1', '1', '1', '0', 'true', '', '1, 1']),
  named('Earshot-Dev-Location', PLACES),
  named('Origin', ['https://player.example.com', 'https://evil.example', 'null', '', 'https://player.example.com:443']),
  named('Access-Control-Request-Method', ['GET', 'QUERY', 'DELETE', '', 'get']),
  named('Access-Control-Request-Headers', ['authorization', 'x-request-id, traceparent', '*', '']),
  named('Content-Encoding', ['gzip', 'identity', 'br', '', 'GZIP, identity']),
);

const other: fc.Arbitrary<Header> = fc.oneof(
  named('Accept', ['*/*', 'application/json', '', 'x'.repeat(2_000), ';;;', 'application/xml;q=0']),
  named('Accept-Encoding', ['gzip', 'br;q=1.0, *;q=0', '', 'identity;q=0', '*']),
  named('Cookie', ['a=b', '', ';;;', `a=${'b'.repeat(3_000)}`]),
  named('Range', ['bytes=0-1', 'bytes=-1', 'bytes=9-1', 'items=0-1']),
  named('If-Match', ['*', '"a"', '']),
  named('If-Modified-Since', ['Mon, 01 Jan 2024 00:00:00 GMT', 'yesterday', '']),
  named('Cache-Control', ['no-cache', 'only-if-cached', 'max-age=0', 'max-age=x']),
  named('X-Forwarded-For', ['127.0.0.1', '::1', 'x'.repeat(500)]),
  named('X-Forwarded-Proto', ['https', 'javascript']),
  named('X-HTTP-Method-Override', ['DELETE', 'QUERY']),
  named('CF-Connecting-IP', ADDRESSES),
  named('CF-IPCountry', ['T1', 'XX']),
  named('X-Original-URL', ['/internal/v1/status']),
  named('Earshot-Key', ['home/control/1/listener:1']),
  named('Earshot-Served-By', ['any']),
  named('User-Agent', ['', 'x'.repeat(4_000), "() { :; }; echo 'a'"]),
  named('Connection', ['keep-alive', 'close', 'te', 'authorization']),
  named('__proto__', ['x']),
  named('constructor', ['x']),
);

const many: fc.Arbitrary<Header[]> = fc
  .integer({ min: 50, max: 250 })
  .map((count) => Array.from({ length: count }, (_, i) => [`X-Many-${i}`, String(i)] as const));

/** Mostly none or few of the headers that Earshot reads. */
export const someHeaders: fc.Arbitrary<readonly Header[]> = fc.oneof(
  { weight: 18, arbitrary: fc.constant([]) },
  { weight: 12, arbitrary: fc.array(known, { minLength: 1, maxLength: 3 }) },
  { weight: 4, arbitrary: fc.array(fc.oneof(known, other), { minLength: 1, maxLength: 6 }) },
  { weight: 1, arbitrary: many },
);

export const contentType = fc.oneof(
  { weight: 8, arbitrary: fc.constant('application/json') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...[
        '',
        'text/plain',
        'application/JSON; charset=UTF-8',
        'application/json; charset=utf-16',
        'application/json;;',
      ],
      ...[
        'multipart/form-data; boundary=x',
        'application/json, text/plain',
        'application/jsonx',
        ';',
        '/',
        'x'.repeat(900),
      ],
      ...['application/x-www-form-urlencoded', 'application/json; charset="utf-8"', 'application/json; charset'],
    ),
  },
);

/** Hosts that the worker answers for besides its own: `*.previews.example`, in the spellings that mean the same. */
export const KNOWN_HOSTS = ['a.previews.example', 'A.Previews.EXAMPLE', 'a.b.previews.example', 'EDGE.example'];
/** Hosts that RFC 9112 allows, in every spelling of an address. */
export const LEGAL_HOSTS = [
  ...['127.0.0.1', 'localhost:1', '[::1]', '[::1]:8091', '[0:0:0:0:0:0:0:1]:80', 'a.example', 'A.EXAMPLE:443', '1'],
  ...['xn--nxasmq6b.example', 'a_b.example', 'x.'.repeat(60), '0x7f.1', 'example.:80', '[::ffff:127.0.0.1]', 'a--b'],
];
/** Hosts that it does not allow. */
export const ILLEGAL_HOSTS = [
  '',
  'a b',
  ':::',
  '[',
  'a/b',
  'user@a',
  'a:99999',
  'a:b',
  '%',
  '\u00e9',
  'a,b',
  '[::1',
  '*',
  '#',
  '?',
];
